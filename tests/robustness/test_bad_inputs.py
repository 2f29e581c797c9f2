"""Whatever is wrong with an input: exit status 2, one line that names the culprit and the fix, and nothing changed."""

import re
import shutil

import pytest

from tests.robustness import bad_inputs as bad
from tests.robustness.driving import run, state_of
from tests.robustness.making import make

OF_A_DATASET = ("prepare --check {}", bad.TRAIN, bad.SFT, "evaluate --data {} --answers answers.jsonl")
CASES = [
    *bad.SOURCES,
    *bad.TRAITS,
    *bad.CONVERSATIONS,
    *bad.FLAGS,
    *((f"{line.split()[0]}: {name}", line.format(file), files, told)
      for name, file, files, told in bad.DATASETS for line in OF_A_DATASET),
    *((f"answers: {name}", bad.EVALUATE.format(file), files, told) for name, file, files, told in bad.ANSWERS),
    *((f"a store of {name}: {line[:20]}", line, {"s.duckdb": content}, told)
      for name, content, told in bad.STORES for line in bad.READ_A_STORE),
    *((f"oracle: {name}", f"oracle {line}", files, told) for name, line, files, told in bad.ORACLE),
]  # fmt: skip


@pytest.mark.parametrize(("line", "files", "told"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_bad_input_is_told_in_one_line_and_changes_nothing(place, capfd, line, files, told):
    try:
        for name, content in files.items():
            make(place / name, content)
        before = state_of(place)
        done = run(line, capfd)
        assert state_of(place) == before
    finally:
        for name in files:
            top = place / name.split("/")[0]
            shutil.rmtree(top) if top.is_dir() and not top.is_symlink() else top.unlink(missing_ok=True)
    assert (done.status, "Traceback" in done.err) == (2, False), done.err
    (said,) = done.err.splitlines()
    assert re.search(".*".join(map(re.escape, told.split(" … "))), said), said
    assert said.startswith("error: ") and len(said) < 2000
