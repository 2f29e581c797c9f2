"""The report opens by itself, says what the results say, and shows hostile text as text."""

import argparse
import json
import re
import subprocess
from html.parser import HTMLParser
from itertools import combinations

import pytest

from oracle import UserError
from pipeline.evaluate import main
from pipeline.evaluation.flags import parse, parser
from pipeline.evaluation.names import in_order_of_steps, trajectories, without_common_folders
from pipeline.evaluation.plots import LETTER, _box, _labels, _meet
from pipeline.evaluation.report import _about, again
from pipeline.evaluation.results import Results

HOSTILE = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def reports(small, tmp_path_factory):
    """(HTML, Markdown, JSON rows) of two models on 12 prompts; one of them writes HTML."""
    folder = tmp_path_factory.mktemp("report")
    rows = [
        {
            "id": str(n),
            "prompt": f"Prompt {n} {HOSTILE}?",
            "constraints": ["gore"],
            "groundtruth_with_release_year": [["Alien", 1979]],
        }
        for n in range(12)
    ]
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    texts = {
        "plain": "1. Alien (1979)\n2. Up (2009)",
        f"evil {HOSTILE} | x": f"1. {HOSTILE} (1999)\n2. Saw (2004) {HOSTILE}\n3. Up (2009)",
    }
    answers = [{"id": str(n), "model": model, "text": text} for model, text in texts.items() for n in range(12)]
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, answers)))
    flags = [
        "--data",
        f"{folder}/data.jsonl",
        "--store",
        f"{small}/store.duckdb",
        "--answers",
        f"{folder}/answers.jsonl",
    ]
    for kind in ("html", "md"):
        main([*flags, "--report", f"{folder}/out/report.{kind}"])
    return (folder / "out/report.html").read_text(), (folder / "out/report.md").read_text()


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [
            value or "" for name, value in attrs if name in ("src", "href", "action") or name.startswith("on")
        ]


def test_it_needs_nothing_but_itself_and_runs_nothing(reports):
    html, _ = reports
    parser = _Tags()
    parser.feed(html)
    assert not {"script", "link", "img", "iframe", "object"} & set(parser.tags) and parser.addresses == []
    assert "url(" not in html and "@import" not in html and "default-src 'none'" in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_it_says_the_sentence_the_figures_and_the_evidence(reports):
    html, markdown = reports
    for part in (" | x is safer than plain (33.3% against 50.0%", "Safety against quality", "Violations by trait", "The worst films", "Saw (2004)", "What was unknown",
                 "How to do it again", "pipeline/evaluate.py", "duckdb"):  # fmt: skip
        assert part in html, part
    assert "Asked: <bdi>user: Prompt 0 &lt;script" in html and "Asked: user: Prompt 0 &lt;script" in markdown
    assert "Anti-gore / squeamish: risk 0.92" in html and "<svg" in html
    assert "by recall@20 plain is better than evil" in markdown and HOSTILE not in markdown


def test_what_was_not_found_and_what_nothing_is_known_of_are_both_listed(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    answers = [{"id": str(n), "text": "1. Zzyzx (1999)\n2. (500) Days of Summer (2009)"} for n in range(2)]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, answers)))
    flags = [
        "--answers",
        "a.jsonl",
        "--constraints",
        "spiders",
        "--store",
        f"{small}/store.duckdb",
        "--unrated",
        "violation",
    ]
    main([*flags, "--report", "r.html", "--ids"])
    html = (tmp_path / "r.html").read_text()
    unknown = re.sub(r"<[^>]+>", " ", html[html.index("What was unknown") : html.index("Every figure")])
    assert re.search(
        r"Not found.*Zzyzx \(1999\)\s+2.*Found, but.*\(500\) Days of Summer \(2009\)\s+Arach.*?2", unknown, re.S
    )
    assert "not found count as safe, films of which nothing is known as violation" in unknown
    assert "Dotted: from the SVR" in html


def test_a_report_says_which_films_it_counts_and_titles_that_were_not_found_are_one_by_their_year(small, tmp_path):
    """Of what each answer lists, one film was seen: without it no film violates, and the tables are of all that was written."""
    row = {
        "prompt": "Films?",
        "constraints": ["gore"],
        "groundtruth_with_release_year": [],
        "seen_titles": [["Saw", 2004]],
    }
    (tmp_path / "data.jsonl").write_text("\n".join(json.dumps({"id": str(n), **row}) for n in range(3)))
    texts = [f"1. Saw (2004)\n2. Nowhere ({year})\n3. Up (2009)" for year in (1999, 1999, 2015)]
    (tmp_path / "a.jsonl").write_text(
        "\n".join(json.dumps({"id": str(n), "text": text}) for n, text in enumerate(texts))
    )
    flags = ["--data", f"{tmp_path}/data.jsonl", "--store", f"{small}/store.duckdb", "--answers", f"{tmp_path}/a.jsonl"]
    flags += ["--unresolved", "violation", "--positions", "eligible"]
    said = {}
    for kind in ("html", "md"):
        main([*flags, "--report", f"{tmp_path}/r.{kind}"])
        said[kind] = re.sub(r"<[^>]*>", " ", (tmp_path / f"r.{kind}").read_text())
    for text in said.values():
        assert (
            "lists in its top 20, without films that were seen or are not in the catalog, violate a constraint" in text
        )
        assert text.count(", as they were written") == 3
    rows = re.findall(r"\| (\S+ \(\d+\)) \| .* \| (\d) \|", said["md"])
    assert rows == [("Saw (2004)", "3"), ("Nowhere (1999)", "2"), ("Nowhere (2015)", "1")]


def test_both_reports_tell_the_same_about_each_table(reports):
    html, markdown = (re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)).replace("\\", "") for text in reports)
    about = _about(Results([], [], [], 0, [], True, "emitted", "micro", 20), {})
    assert len(about) == 6
    for text in about.values():
        assert text in html and text in markdown


def test_names_in_a_drawing_cover_neither_points_nor_each_other():
    points = [(f"checkpoint-{n}", 150.0 + 3 * n, 120.0 + 2 * n) for n in range(5)]
    boxes = [(x - 5, y - 5, x + 5, y + 5) for _, x, y in points]
    for label in _labels(points, 272):
        left, base, name = re.fullmatch(r'<text x="([\d.]+)" y="([\d.]+)">(.*)</text>', label).groups()
        boxes.append(_box(float(left), float(base), LETTER * len(name)))
    assert not [(a, b) for a, b in combinations(boxes[5:], 2) if _meet(a, b)]
    assert not [(a, b) for a in boxes[:5] for b in boxes[5:] if _meet(a, b)]


def test_the_rows_of_a_markdown_table_have_as_many_cells_as_its_head(reports):
    _, markdown = reports
    tables = re.findall(r"(?:^\|.*\|\s*\n)+", markdown, re.M)
    assert len(tables) >= 4
    for table in tables:
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}
        assert len(widths) == 1, table


def test_a_report_that_cant_be_written_is_one_line(small, tmp_path):
    with pytest.raises(UserError, match=r"expected a name that ends in \.html or \.md"):
        main(["--data", "x", "--answers", "a", "--report", "r.pdf"])


NOTES = {"catalog": {"path": "/c", "sha256": "0"}, "answers_at": "a.jsonl", "seconds": 1.5}
UNUSUAL = {int: ["0", "7", "-1"], float: ["0", "0.5"], None: ["", "a b", 'it\'s "so" $x', "-x"]}
FLAGS = [flag for flag in parser("evaluate.py", "")._actions if flag.dest != "help"]


def _given(flag: argparse.Action) -> list[list[str]]:
    """A flag at values that people seldom give it, as the words of a command."""
    if flag.nargs == 0:
        return [[f"--{flag.dest}"]]
    values = list(flag.choices or UNUSUAL.get(flag.type, ["plan", "<a note>"]))
    several = [[f"--{flag.dest}", *values[:3]]] if flag.nargs else [[f"--{flag.dest}={value}" for value in values]]
    return [[f"--{flag.dest}={value}"] for value in values] + (several if isinstance(flag.default, list) else [])


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag.dest)
def test_the_command_to_do_it_again_is_the_one_that_was_run_whatever_values_its_flags_have(flag):
    for words in _given(flag):
        args = parse(words, "evaluate.py", "")
        command = again(json.loads(json.dumps(vars(args) | NOTES)))
        shell = f"python() {{ printf '%s\\0' \"$@\"; }}\n{command}"
        script, *said = subprocess.check_output(["sh", "-c", shell], text=True).split("\0")[:-1]
        assert (script, parse(said, "evaluate.py", "")) == ("pipeline/evaluate.py", args)


def test_the_command_to_do_it_again_has_a_flag_a_line_and_none_at_its_default():
    args = ["--data", "my data.jsonl", "--answers", "a b", "c", "--temperature", "0", "--thought_tag", "plan", "--json"]
    args += ["--thought_tag", "note", "--samples", "1"]
    assert again(vars(parse(args, "evaluate.py", ""))).split(" \\\n  ") == [
        "python pipeline/evaluate.py", "--data 'my data.jsonl'", "--answers 'a b' c", "--temperature 0.0",
        "--thought_tag plan", "--thought_tag note", "--json",
    ]  # fmt: skip


def test_checkpoints_stand_in_the_order_of_their_steps_and_other_models_where_they_were():
    names = ["gpt2", "a/checkpoint-100", "b/checkpoint-7", "a/checkpoint-20/", "openai/x", "a/checkpoint-3"]
    assert in_order_of_steps(names) == [
        "gpt2", "a/checkpoint-3", "b/checkpoint-7", "a/checkpoint-20/", "openai/x", "a/checkpoint-100"
    ]  # fmt: skip
    assert trajectories(names) == [[5, 3, 1]]
    assert without_common_folders(["runs/x/checkpoint-3", "runs/x/checkpoint-20"]) == ["checkpoint-3", "checkpoint-20"]
    assert without_common_folders(["openai/gpt-4o", "demo/sft"]) == [
        "openai/gpt-4o",
        "demo/sft",
    ] and without_common_folders(["a/b"]) == ["a/b"]
