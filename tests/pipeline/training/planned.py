"""Settings and sizes, for the tests of what `--dry_run` plans."""

from pipeline.settings.flags import TrainSettings
from pipeline.settings.parsing import parse_settings


def settings_of(flags: list[str]) -> TrainSettings:
    return parse_settings(TrainSettings, "train.py", flags, demo="train").settings


def nbytes(tensors) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)
