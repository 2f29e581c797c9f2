"""Rows on the screen: they fit a terminal, and nothing of them is lost in a pipe."""

import io
import re
import sys

import pyarrow as pa
import pytest
from rich.cells import cell_len

from oracle.base.terminal import MOST_ROWS, print_rows

LONG = "A title that is far too long for any column of a narrow terminal " * 3
ROWS = pa.table({
    "title": [LONG, "[bold]Up[/bold] :smile: 千と千尋の神隠し"], "violations": pa.array([3, None], pa.int32()), "mean_reward": [0.123456789, -1.0],
    "traits": [["gore", "war"], []], "risks": [[{"trait": "gore", "risk": 0.5}], None], "is_safe": [False, True],
})  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self):
        return True


def shown(rows, monkeypatch, width=None) -> list[str]:
    """The lines that a terminal of this width shows; null: those in a pipe."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Terminal() if width else io.StringIO())
        patch.setenv("COLUMNS", str(width or 80))
        patch.setenv("TERM", "xterm")
        print_rows(rows)
        return [re.sub(r"\x1b\[[\d;]*m", "", line) for line in sys.stdout.getvalue().splitlines()]


def test_a_pipe_gets_a_line_for_each_row_with_every_value_whole(monkeypatch):
    head, _, first, second = shown(ROWS, monkeypatch)
    assert head.split() == ROWS.column_names
    assert LONG.strip() in first and '[{"trait": "gore", "risk": 0.5}]' in first and "…" not in first
    assert first.split()[-1] == "false" and "0.123457" in first and "gore, war" in first
    assert "[bold]Up[/bold] :smile: 千と千尋の神隠し" in second and second.count("null") == 2


@pytest.mark.parametrize("width", [40, 60, 80, 120, 300])
def test_a_terminal_is_never_too_narrow_and_no_character_is_lost(monkeypatch, width):
    lines = shown(ROWS, monkeypatch, width)
    assert max(map(cell_len, lines)) <= width
    letters = "".join(lines)
    for text in (LONG, "[bold]Up[/bold] :smile:", "神隠し", "0.123457"):
        wanted = {sign: text.count(sign) for sign in text if not sign.isspace()}
        assert all(letters.count(sign) >= times for sign, times in wanted.items())
    assert "…" not in letters


def test_where_the_columns_do_not_fit_each_row_is_a_list_of_them(monkeypatch):
    lines = shown(pa.table({f"column_{i}": [i] for i in range(30)}), monkeypatch, 60)
    assert lines[:3] == ["column_0   0", "column_1   1", "column_2   2"]


def test_a_terminal_shows_the_first_rows_and_says_how_many_more_there_are(monkeypatch, capsys):
    rows = pa.table({"n": range(MOST_ROWS + 234)})
    assert len(shown(rows, monkeypatch, 80)) == MOST_ROWS + 2
    assert capsys.readouterr().err == "234 more rows: --json and --out give all of them\n"
    assert len(shown(rows, monkeypatch)) == MOST_ROWS + 236


def test_control_characters_and_line_breaks_are_shown_by_their_numbers(monkeypatch):
    rows = pa.table({"\x1b[2J": ["a\x1b[31mb\nc\rd\te"], "more": [["\x07", "\u202e"]], "json": [{"a": "\x9b"}]})
    for width in (None, 200):
        text = "\n".join(shown(rows, monkeypatch, width))
        assert not set(text) & set("\x1b\x07\x9b\u202e\r\t")
        assert "a[U+001B][31mb[U+000A]c[U+000D]d[U+0009]e" in text and "[U+0007], [U+202E]" in text


def test_no_row_still_says_which_columns_there_are(monkeypatch):
    assert shown(ROWS.slice(0, 0), monkeypatch)[0].split() == ROWS.column_names


def test_a_time_with_a_fraction_of_a_second_is_shown_in_full(monkeypatch):
    halves, whole = pa.array([1_500_000_001]), pa.array([1_500_000_000])
    rows = pa.table({
        "ns": halves.cast(pa.timestamp("ns")), "zoned": halves.cast(pa.timestamp("us", "UTC")), "time": halves.cast(pa.time64("ns")),
        "whole": whole.cast(pa.timestamp("s")),
    })  # fmt: skip
    for width in (None, 200):
        told = re.split(r"\s{2,}", shown(rows, monkeypatch, width)[2])
        assert told == [
            "1970-01-01 00:00:01.500000001", "1970-01-01 00:25:00.000001Z", "00:00:01.500000001", "2017-07-14 02:40:00",
        ]  # fmt: skip
