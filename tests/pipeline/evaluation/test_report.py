"""The report opens by itself, says what the results say, and shows hostile text as text."""

import json
import re
from html.parser import HTMLParser

import pytest

from oracle import UserError
from pipeline.evaluate import main
from pipeline.evaluation.report import again

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
    assert "Anti-gore / squeamish: risk 0.92" in html and "<svg" in html
    assert "by recall@20 plain is better than evil" in markdown and HOSTILE not in markdown


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


def test_the_command_to_do_it_again_is_quoted():
    assert again({"data": "my data.jsonl", "answers": ["a b"], "json": True, "cache": False, "split": None}) == (
        "python pipeline/evaluate.py --data 'my data.jsonl' --answers 'a b' --json"
    )
