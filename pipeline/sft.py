#!/usr/bin/env python
"""Supervised fine-tuning: teach a model to answer with a ranked list.

python pipeline/sft.py                                        # the bundled demo
python pipeline/sft.py --train_path redial.parquet --model_name HuggingFaceTB/SmolLM2-135M-Instruct --use_lora
"""

import sys

from pipeline.settings.command import command
from pipeline.settings.fields import SftSettings
from pipeline.settings.parsing import parse_settings


def main(argv: list[str]) -> None:
    parsed = parse_settings(SftSettings, "sft.py", argv, demo="sft", help=__doc__)
    from pipeline.training.fine_tuning import fine_tune  # slow to import: behind --help

    fine_tune(parsed)


if __name__ == "__main__":
    command(main, sys.argv[1:])
