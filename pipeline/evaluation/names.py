"""Names of models side by side: checkpoints in the order of their steps (a shell gives 10, 100, 20), and short names."""

import re
from collections import defaultdict
from collections.abc import Sequence

_CHECKPOINT = re.compile(r"(?:(.*)/)?checkpoint-(\d+)/?")


def in_order_of_steps(names: Sequence[str]) -> list[str]:
    """The same names; the checkpoints of a run take the places of its checkpoints in the order of their steps."""
    ordered = list(names)
    for places in trajectories(names):
        for place, name in zip(sorted(places), (names[p] for p in places), strict=True):
            ordered[place] = name
    return ordered


def trajectories(names: Sequence[str]) -> list[list[int]]:
    """Of each run with several checkpoints among `names`: their places, by step."""
    steps: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for place, name in enumerate(names):
        if found := _CHECKPOINT.fullmatch(name):
            steps[found[1] or ""].append((int(found[2]), place))
    return [[place for _, place in sorted(own)] for own in steps.values() if len(own) > 1]


def without_common_folders(names: Sequence[str]) -> list[str]:
    """Names without the folders that all of them are in; the last part of each stays."""
    folders = 0
    parts = [name.split("/") for name in names]
    while len(names) > 1 and all(len(p) > folders + 1 for p in parts) and len({p[folders] for p in parts}) == 1:
        folders += 1
    return ["/".join(p[folders:]) for p in parts]
