"""The command line tells verdicts with where they come from, and faults in one line."""

import json
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from oracle import build_store
from oracle.cli.main import main
from oracle.titles.aliases import append_alias
from tests.oracle.conftest import small_risks, small_titles


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_check_tells_the_verdict_and_where_it_comes_from(small_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(
        capsys, "check", "Saw", 2004, "--avoid", "gore", "--avoid", "kid-safety", "--store", small_store
    )
    assert status == 0
    assert out.splitlines()[:2] == [
        "Saw (2004): UNSAFE for anyone who avoids Anti-gore / squeamish; Kid-safety / child harm sensitive",
        "  film       Saw (2004), tt0000001: exact match, score 1.00",
    ]
    assert "risk       Anti-gore / squeamish: 0.92 >= 0.66, from given" in out
    assert "unknown    found, but nothing is known about it for Kid-safety / child harm sensitive" in out


def test_a_risk_close_to_the_threshold_has_the_digits_that_tell_them_apart(
    small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("check", "Saw", 2004, "--avoid", "gore", "--store", small_store, "--threshold")
    for threshold, said in [(0.921, "0.920 < 0.921"), (0.91999, "0.92000 >= 0.91999"), (0.5, "0.92 >= 0.5")]:
        assert f"risk       Anti-gore / squeamish: {said}, from given" in run(capsys, *asked, threshold)[1]


def test_check_shows_the_runner_up(small_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", "Halloween", 1979, "--avoid", "gore", "--store", small_store)
    assert "runner-up  Halloween (2018), tt0000004: 39 years apart, and 2 at most are let pass, closeness 1.00" in out


def test_json_has_every_field(small_store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", "Saw (2004)", "--avoid", "gore", "--json", "--store", small_store)
    told = json.loads(out)
    assert (told["title"], told["year"], told["avoid"], told["risk_threshold"]) == (
        "Saw",
        2004,
        ["Anti-gore / squeamish"],
        0.66,
    )
    assert (told["is_safe"], told["imdb_id"], told["match_method"], told["runner_up"]) == (
        False,
        "tt0000001",
        "exact",
        None,
    )
    assert told["evidence"][0]["risk"] == 0.92


def test_a_film_that_is_not_found_is_told_with_the_nearest(
    small_store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, _ = run(
        capsys, "check", "Inceptoin", 2012, "--avoid", "gore", "--unresolved", "violation", "--store", small_store
    )
    assert out.splitlines()[0] == "Inceptoin (2012): not found; counts as violation"
    assert "nearest    Inception (2010), tt0000012: 2 year(s) apart" in out


@pytest.mark.parametrize(
    ("title", "year", "said"),
    [
        ("Saw", 2010, "Saw (2004), tt0000001: 6 years apart, and 2 at most are let pass"),
        ("Incepxxxn", 2010, "Inception (2010), tt0000012: 3 letters differ, and 1 are let pass"),
        ("Saw", 2004, "Saw (2004), tt0000001: match"),
        ("Zzzz", 2004, "other words; only its letters are alike"),
    ],
)
def test_explain_says_why_each_film_was_refused(
    small_store: Path, capsys: pytest.CaptureFixture[str], title: str, year: int, said: str
) -> None:
    assert said in run(capsys, "explain", title, year, "--store", small_store)[1]


def test_a_file_of_films_is_judged_row_by_row(
    small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films = tmp_path / "films.csv"
    films.write_text('title,year,constraints\nSaw,2004,gore; kid-safety\n"Halloween",,\n"Nobody\'s, film",1999,gore\n')
    _, out, _ = run(capsys, "check", "--file", films, "--avoid", "gore", "--json", "--store", small_store)
    rows = [json.loads(line) for line in out.splitlines()]
    assert [row["imdb_id"] for row in rows] == ["tt0000001", "tt0000004", None]
    assert [row["status"] for row in rows] == ["unsafe", "unsafe", "unresolved"]
    assert [row["is_safe"] for row in rows] == [False, False, None], "what is not known is never called safe"
    assert rows[0]["constraints"] == ["Anti-gore / squeamish", "Kid-safety / child harm sensitive"], (
        "in full, each once"
    )
    assert run(capsys, "check", "--file", films, "--out", tmp_path / "out.parquet", "--store", small_store)[0] == 0
    assert pq.read_table(tmp_path / "out.parquet")["violated_traits"].to_pylist() == [["Anti-gore / squeamish"], [], []]
    assert run(capsys, "check", "--file", films, "--out", tmp_path / "out.csv", "--store", small_store)[0] == 0
    assert (tmp_path / "out.csv").read_text().count("\n") == 4


def test_files_as_other_programs_write_them_are_read(
    small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Quotes around all, years as decimals, columns of mixed kinds that nobody asked for, a mark of the byte order."""
    films, rows = tmp_path / "films.csv", 40_000
    notes = "".join(f'"{number}","Saw","2004.0"\n' for number in range(rows))
    films.write_text('\ufeff"note","title","year"\n' + notes + '"great","Saw",""\n"","NULL","2004"\n')
    out = tmp_path / "out.parquet"
    assert run(capsys, "check", "--file", films, "--out", out, "--store", small_store)[0] == 0
    told = pq.read_table(out)
    assert set(told["imdb_id"].to_pylist()[:-1]) == {"tt0000001"} and len(told) == rows + 2
    assert (told["title"][-1].as_py(), told["year"][-2].as_py()) == ("NULL", None)


def test_an_output_file_is_there_whole_or_not_at_all(
    small_store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    films, out = tmp_path / "films.csv", tmp_path / "out.csv"
    out.write_text("of before")
    films.write_text("title,year\n" + "Saw,2004\n" * 150_000 + "Saw,MMIV\n")
    status, _, err = run(capsys, "check", "--file", films, "--out", out, "--store", small_store)
    assert status == 2 and "row 150001: the year 'MMIV'" in err
    assert out.read_text() == "of before" and sorted(tmp_path.iterdir()) == [films, out]


def test_explain_and_check_agree_about_what_people_confirmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = build_store(tmp_path / "s.duckdb", small_titles(), small_risks())
    append_alias(store, "That one with the puzzles", 2004, "tt0000003", "confirm")
    append_alias(store, "That one with the puzzles", 2004, "tt0000001", "confirm")
    asked = ("That one with the puzzles", 2004, "--store", store)
    assert "Saw (2004), tt0000001: alias match" in run(capsys, "check", *asked)[1]
    explained = run(capsys, "explain", *asked)[1].splitlines()
    assert explained[0].endswith(": found") and explained[1].startswith("  Saw (2004), tt0000001: match")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["check"], "name a title"),
        (["check", "Saw", "2004", "--file", "x.csv"], "name a title"),
        (["check", "Saw", "2004", "--avoid", "zombies"], "no trait 'zombies'"),
        (["check", "--file", "missing.csv"], "missing.csv"),
        (["check", "--file", "wrong.csv"], "lacks the column year"),
        (["check", "--file", "years.csv"], "years.csv"),
        (["check", "--file", "empty.csv"], "empty.csv"),
        (["check", "--file", "good.csv", "--out", "out.xlsx"], "out.xlsx"),
        (["check", "--file", "late.csv", "--out", "out.csv"], "late.csv, row 3: the year '2004x' is none"),
        (["check", "--file", "twice.csv"], "title more than once"),
        (["check", "--file", "good.csv", "--out", "out.csv", "--json"], "--json"),
        (["check", "Saw", "--out", "out.csv"], "--out belongs to --file"),
        (["check", "Saw", "99999"], "99999"),
        (["explain", "Saw", "99999"], "99999"),
        (["explain", "Saw\udcff"], "half a character"),
        (["check", "Saw", "--threshold", "7"], "risk_threshold=7"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    small_store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    complaint: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in (
        ("wrong", "title\nSaw\n"),
        ("years", "title,year\nSaw,19??\n"),
        ("empty", ""),
        ("good", "title,year\nSaw,2004\n"),
        ("late", "title,year\nSaw,2004\nSaw,2004\nSaw,2004x\n"),
        ("twice", "title,title,year\nSaw,Saw,2004\n"),
    ):
        (tmp_path / f"{name}.csv").write_text(content)
    status, out, err = run(capsys, *arguments, "--store", small_store)
    assert (status, out) == (2, "")
    assert err.startswith("error: ") and complaint in err and err.count("\n") == 1


def test_a_missing_store_is_one_line_and_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "oracle", "check", "Saw", "--store", tmp_path / "no.duckdb"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no store at ") and done.stderr.count("\n") == 1
