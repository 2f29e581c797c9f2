"""Tables of the pages that repeat what the code says are exactly what follows from it. A failing test prints the table to put there."""

from itertools import takewhile

import pytest

from oracle.log import evasion_rules
from oracle.rewards import REWARDS, Setting
from tests.docs.pages import REPOSITORY


def table_of(page: str, header: str) -> str:
    """The table of a page that begins with this line."""
    lines = (REPOSITORY / page).read_text().splitlines()
    assert lines.count(header) == 1, f"{page} has no table {header}"
    return "\n".join(takewhile(lambda line: line.startswith("|"), lines[lines.index(header) :]))


def table(header: str, rows: list[tuple[str, ...]]) -> str:
    lines = [header, "| " + " | ".join("---" for _ in rows[0]) + " |"]
    return "\n".join(lines + ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in rows])


def flag(setting: Setting) -> str:
    if setting.choices:
        others = [f"`{choice}`" for choice in setting.choices if choice != setting.default]
        return f"`--{setting.name}` (`{setting.default}`, or {', '.join(others)})"
    default = "" if setting.default is None else f" ({setting.default:g})"
    return f"`--{setting.name}`{default}"


REWARD_TABLE = "| reward | flags, with defaults | at rank k |"
SIGN_TABLE = "| sign | the last steps against the first |"


def rewards() -> str:
    return table(REWARD_TABLE, [(r.name, ", ".join(map(flag, r.settings)), r.formula) for r in REWARDS])


def signs() -> str:
    rows = []
    for rule in evasion_rules()[1]:
        limit = f"{rule.points:.0%} points".replace("%", "") if rule.points else f"{abs(1 - rule.share):.0%}"
        rows.append((f"`{rule.signal}`", f"`{rule.metric}` is more than {limit} {'higher' if rule.rises else 'lower'}"))
    return table(SIGN_TABLE, rows)


@pytest.mark.parametrize(("page", "header", "made"), [
    ("docs/definitions.md", REWARD_TABLE, rewards),
    ("docs/definitions.md", SIGN_TABLE, signs),
])  # fmt: skip
def test_a_table_is_what_follows_from_the_code(page, header, made):
    assert table_of(page, header) == made(), f"{page} should say\n\n{made()}\n"


def test_the_number_of_steps_is_that_of_the_rules():
    steps = {10: "ten"}[evasion_rules()[0]]
    for page in ("docs/definitions.md", "sql/views/evasion_signals.sql", "sql/queries/evasion.sql"):
        assert f"last {steps} steps" in (REPOSITORY / page).read_text(), page
