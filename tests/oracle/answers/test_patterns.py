"""What Python 3.11.2, which Debian 12 has, matches wrongly: a group that is repeated possessively."""

import re
from pathlib import Path

import oracle

GROUP = re.compile(r"\)(?:[*+?]|\{[\d,]+\})\+")


def test_no_group_is_repeated_possessively_but_in_an_atomic_group():
    assert GROUP.search(r'"(?:[^"\\]|\\.)*+"') and not GROUP.search(r'"(?>(?:[^"\\]|\\.)*)[^"]*+"')
    rooms = [Path(oracle.__file__).parents[1] / name for name in ("oracle", "pipeline", "trainer", "app")]
    files = [path for room in rooms for path in room.rglob("*.py")]
    found = [path.name for path in files if GROUP.search(path.read_text())]
    assert len(files) > 100
    assert not found, f"write (?>(?:…)*) for (?:…)*+ in {found}"
