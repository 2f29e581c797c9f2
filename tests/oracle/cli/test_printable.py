"""Titles, answers and names are hostile: what the commands print of them is text, on one line, and nothing else."""

import json
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle import build_store
from oracle.base.printable import in_json, one_line, visible
from oracle.cli.main import main
from oracle.log import LogWriter
from pipeline.evaluate import main as evaluate
from tests.tiny_log import RUN, STEP_1, step_tables

HOSTILE = "\x1b[2JHeat\x1b]52;c;aGk=\x07\n│ safe \u202eevil\x9b1m"


def test_what_a_model_wrote_never_steers_the_terminal_nor_forges_a_line(tmp_path, capsys):
    store = build_store(tmp_path / "store.duckdb", [{"imdb_id": HOSTILE, "title": HOSTILE, "year": 1995}])
    with LogWriter(tmp_path / "store.log", RUN) as log:
        completions, verdicts = step_tables(STEP_1)
        titles = [None if title is None else HOSTILE for title in verdicts["title"].to_pylist()]
        verdicts = verdicts.set_column(verdicts.column_names.index("title"), "title", [titles])
        log.write_step(1, completions, verdicts)
    for arguments in (
        ["log", "query", "--sql", "select title, [title] as titles from verdicts"],
        ["check", HOSTILE, "1995", "--avoid", "gore"],
        ["log", "query", "--json", "--sql", "select title, [title] as titles, {'x': title} as x from verdicts"],
        ["explain", HOSTILE, "1995"],
        ["check", HOSTILE, "--avoid", HOSTILE],
    ):
        main([*arguments, "--store", str(store)])
        printed = capsys.readouterr()
        assert not set(printed.out + printed.err) & set("\x1b\x07\x9b\u202e"), arguments
        assert "\n│ safe" not in printed.out + printed.err, arguments


def test_verdicts_on_a_file_are_printable_on_a_terminal_and_as_they_are_in_a_pipe(tmp_path, capfd, monkeypatch):
    store = build_store(tmp_path / "store.duckdb", [{"imdb_id": "tt1", "title": HOSTILE, "year": 1995}])
    film = {"id": [HOSTILE], "title": [HOSTILE], "year": [1995]}
    pq.write_table(pa.table(film | {"constraints": [["gore"]]}), tmp_path / "films.parquet")

    def printed() -> str:
        assert main(["check", "--file", str(tmp_path / "films.parquet"), "--store", str(store)]) == 0
        return capfd.readouterr().out

    assert HOSTILE in printed()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    on_terminal = printed()
    assert not set(on_terminal) & set("\x1b\x07\x9b\u202e") and one_line(HOSTILE) in on_terminal
    assert len(on_terminal.splitlines()) == 2


@pytest.mark.parametrize("form", [[], ["--format", "csv"], ["--format", "markdown"], ["--format", "latex"], ["--json"]])
def test_the_name_of_a_model_in_somebodys_file_neither_steers_nor_forges(tmp_path, capsys, monkeypatch, form):
    monkeypatch.chdir(tmp_path)
    build_store("store.duckdb", [{"imdb_id": "tt1", "title": "Heat", "year": 1995}])
    lines = [
        json.dumps({"id": f"q{n}", "model": name, "text": "1. Heat (1995)"}) for name in (HOSTILE, "b") for n in "12"
    ]
    (tmp_path / "answers.jsonl").write_text("\n".join(lines))
    evaluate(["--answers", "answers.jsonl", "--constraints", "gore", "--store", "store.duckdb", *form])
    printed = "".join(capsys.readouterr())
    assert "[U+001B]" in printed.replace("\\", "") and not set(printed) & set("\x1b\x07\x9b\u202e")
    assert "\n│ safe" not in printed


def test_json_stays_the_same_json():
    value = {HOSTILE: [HOSTILE, "\x7f\ufeff\u2028", "Amélie 💀"]}
    written = in_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(written) == value and "Amélie 💀" in written
    assert not set(written) & set("\x1b\x07\x9b\u202e\x7f\ufeff\u2028")


def test_the_name_of_a_folder_in_the_log_neither_steers_nor_forges(tmp_path, capsys, caplog):
    LogWriter(tmp_path / "store.log", RUN).close()
    broken = tmp_path / "store.log" / ("1" + HOSTILE.replace("/", ""))
    broken.mkdir()
    (broken / "run.parquet").write_text("broken")
    main(["log", "list", "--store", f"{tmp_path}/store.duckdb"])
    said = "".join([*capsys.readouterr(), *(record.getMessage() for record in caplog.records)])
    assert "can't be read" in said and not set(said) & set("\x1b\x07\x9b\u202e")
    assert "\n│ safe" not in said


def test_a_link_in_the_log_is_deleted_and_not_what_it_leads_to(tmp_path):
    other = tmp_path / "other"
    with LogWriter(tmp_path / "store.log", RUN) as log:
        (tmp_path / "store.log" / log.run_id).rename(other)
    (tmp_path / "store.log" / "1-link").symlink_to(other)
    assert main(["log", "delete", "1-link", "--yes", "--store", f"{tmp_path}/store.duckdb"]) == 0
    assert not (tmp_path / "store.log" / "1-link").is_symlink() and (other / "run.parquet").is_file()


def test_text_that_steers_nothing_stays_as_it_is():
    assert one_line("Amélie – «Вверх» 千と千尋 💀 \u200dé") == "Amélie – «Вверх» 千と千尋 💀 \u200dé"
    assert visible("a\n\tb") == "a\n\tb" and one_line("a\n\tb") == "a[U+000A][U+0009]b"
