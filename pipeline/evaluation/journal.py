"""Answers on disk as they arrive: a file of JSON lines that the same command goes on with."""

import hashlib
import json
import os
import re
from contextlib import suppress
from pathlib import Path

from datasets import Dataset

from oracle import UserError
from oracle.base.files import hold, version_of
from oracle.store import log_root


class Journal:
    """The answers of one model to one set of prompts with one set of settings.

    The first line holds the settings; each further one an answer: row (of the prompt), sample, text, ended, and what the
    generator tells beside it. A process that was killed leaves half a line at most, which is dropped.
    """

    def __init__(self, path: Path, settings: dict):
        """Open or begin the file at `path`.

        Raises:
            UserError: another process is writing it, or it can't be written.
        """
        self.path = path
        self.answers: dict[tuple[int, int], dict] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = hold(path.with_suffix(".lock"), f"{path}: these answers are being written")
            self._file = open(path, "a+b")  # noqa: SIM115 - open as long as the journal is
        except OSError as error:
            raise UserError(f"{path}: answers can't be kept there ({error.strerror}); name another --output") from None
        self._read()
        if os.fstat(self._file.fileno()).st_size == 0:
            try:
                self._append([{"settings": settings}])
            except UserError:
                path.unlink()
                self.close()
                raise

    def _read(self) -> None:
        self._file.seek(0)
        whole = 0
        for line in self._file:
            try:
                entry = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                entry = None
            if entry is None:
                break  # a line that was never finished
            whole += len(line)
            if "settings" not in entry:
                self.answers.setdefault((entry["row"], entry["sample"]), entry)
        self._file.truncate(whole)

    def missing(self, prompts: int, samples: int) -> list[tuple[int, int]]:
        """(row, sample) of what is still to be answered, in order."""
        return [(row, s) for row in range(prompts) for s in range(samples) if (row, s) not in self.answers]

    def add(self, answers: list[dict]) -> None:
        """Keep answers: on disk when this returns."""
        self._append(answers)
        self.answers.update({(answer["row"], answer["sample"]): answer for answer in answers})

    def _append(self, entries: list[dict]) -> None:
        lines = "".join(json.dumps(entry, ensure_ascii=True) + "\n" for entry in entries)
        try:
            self._file.write(lines.encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise UserError(
                f"{self.path}: an answer can't be kept ({error.strerror}); the same command goes on"
            ) from None

    def ordered(self) -> list[dict]:
        """All answers, by row and sample."""
        return [self.answers[key] for key in sorted(self.answers)]

    def close(self) -> None:
        with suppress(OSError):  # what could not be written has been told
            self._file.close()
        self._lock.release()

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def files_of(model: str) -> str:
    """A mark of a model's files, and of those of an adapter's base, as another model may take their place; "": none is here."""
    places = [Path(model)]
    with suppress(OSError, ValueError, KeyError, TypeError):
        places.append(Path(json.loads((places[0] / "adapter_config.json").read_text())["base_model_name_or_path"]))
    files = [file for place in places for file in (place, *sorted(place.glob("*"))) if file.is_file()]
    seen = [(file.name, *version_of(file)[1:]) for file in files]
    return hashlib.sha256(repr(seen).encode()).hexdigest()[:12] if seen else ""


def journal_path(output: str | None, store: str, model: str, settings: dict, prompts: Dataset) -> Path:
    """Where the answers belong: below `output`, or beside the log; another file for other settings or prompts."""
    folder = Path(output) if output else log_root(store).with_suffix(".answers")
    asked = json.dumps([settings, prompts["prompt"][:]], sort_keys=True, default=str)
    name = re.sub(r"[^\w.-]+", "-", model).strip("-.")[-60:] or "model"
    return folder / f"{name}-{hashlib.sha256(asked.encode(errors='surrogatepass')).hexdigest()[:12]}.jsonl"
