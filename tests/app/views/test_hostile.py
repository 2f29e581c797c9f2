"""A log whose every text is hostile, and links that are: each page is drawn, and shows them as text and nothing else."""

import html
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

from app import main
from app.components.charts import named
from app.views.overview import _indented
from oracle.log import state_of
from tests.app.driving import checked, open_page, written

HOSTILE = (
    'www.evil.example \\" :material/delete: '
    "<script>alert(1)</script><img src=http://evil.example/a.png onerror=alert(1)> ![p](http://evil.example/b.png) "
    "[c](javascript:alert(1)) \x1b[2J\x9b31m \u202eneddih $\\frac{1}{0}$ :red[x] {{7*7}} \0 ' \" ` \n# head \u2028 \ufeff "
)
LONG = HOSTILE + 50_000 * "x"


@pytest.fixture(scope="module")
def hostile(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared store and log, in which whoever wrote models, prompts, answers and traits meant harm."""
    copy = tmp_path_factory.mktemp("hostile") / "store.duckdb"
    shutil.copytree(store.with_suffix(".log"), copy.with_suffix(".log"))
    shutil.copyfile(store, copy)
    for run in copy.with_suffix(".log").glob("[0-9]*"):
        texts = dict.fromkeys(("model", "dataset", "settings", "versions", "git"), lambda n, old: HOSTILE)
        texts["versions"] = lambda n, old: json.dumps({HOSTILE: HOSTILE, "half a character": "\ud800"})
        _rewrite(run / "run.parquet", **texts, own_weights=lambda n, old: [(HOSTILE, 1.0)])
        for step in run.glob("step*"):
            _rewrite(
                step / "completions.parquet",
                prompt=lambda n, old: LONG if n < 7 else HOSTILE,
                text=lambda n, old: HOSTILE + old,
                dataset_id=lambda n, old: HOSTILE,
                constraints=lambda n, old: [HOSTILE, *(old or [])],
            )
            _rewrite(
                step / "verdicts.parquet",
                title=lambda n, old: old and (LONG if n % 50 == 0 else HOSTILE + old),
                matched_title=lambda n, old: old and HOSTILE,
                imdb_id=lambda n, old: old and HOSTILE if n % 5 else old,
                violated_traits=lambda n, old: [HOSTILE, *(old or [])] if n % 4 == 0 else old,
                unrated_traits=lambda n, old: [HOSTILE] if n % 4 == 1 else old,
                own_rewards=lambda n, old: [(HOSTILE, 0.1)],
            )
    return copy


def _rewrite(file: Path, **columns: Callable) -> None:
    table = pq.read_table(file)
    for name, change in columns.items():
        values = [change(n, old) for n, old in enumerate(table[name].to_pylist())]
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.array(values, table.schema.field(name).type))
    pq.write_table(table, file)


@pytest.mark.parametrize(
    ("page", "filters"),
    [
        ("overview", {}),
        ("models", {}),
        ("ranks", {"cell": "1-1"}),
        ("answer", {"step": 2, "show": "text"}),
        ("answer", {"step": 2, "rank": 1}),
        ("films", {"film": HOSTILE}),
        ("titles", {}),
        ("titles", {"kind": "doubtful"}),
        ("what_if", {}),
    ],
)
def test_a_page_shows_hostile_text_as_text(hostile, page, filters):
    app = open_page(page, hostile, **filters)
    shown = written(app)
    assert "state error" not in shown
    assert not re.search(r"<(script|img|a|iframe)\b", shown) and not set(shown) & set("\x1b\x9b\u202e\0")
    labels = [widget.label for kind in ("slider", "button", "toggle", "expander") for widget in app.get(kind)]
    assert not [label for label in labels if "evil" in label or "![" in label or ":red[" in label]
    for chart in app.get("vega_lite_chart"):
        written_in = [text for text in _titles(json.loads(chart.proto.spec)) if set(text) & set("\\\n\r\u2028")]
        assert not written_in
    for table in app.get("dataframe"):
        cells = table.value.to_csv()
        assert not set(cells) & set("\x1b\x9b\u202e\0"), cells[:300]


def _titles(spec: object) -> list[str]:
    """Everything in a chart's specification that Vega-Lite pastes into an expression."""
    if isinstance(spec, list):
        return [title for part in spec for title in _titles(part)]
    if not isinstance(spec, dict):
        return []
    here = [spec["title"]] if isinstance(spec.get("title"), str) else []
    return here + [title for name, part in spec.items() if name != "datasets" for title in _titles(part)]


@pytest.mark.parametrize(
    ("page", "filters"),
    [
        ("answer", {"rank": "9" * 5000, "step": "\0", "prompt": "-1"}),
        ("ranks", {"cell": "\0", "measure": "<b>", "run": "../.."}),
        ("what_if", {"lambda": "nan", "penalty": "inf", "threshold": "-1e999", "unrated": HOSTILE}),
        ("models", {"run": "\0", "other": "x", "dataset": "'", "sort": "--"}),
    ],
)
def test_a_hostile_link_shows_what_a_page_shows_without_it(store, page, filters):
    assert "state error" not in written(open_page(page, store, **filters))


@pytest.fixture(scope="module")
def broken(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shared log, a copy of a run that began in the year 0 and whose files don't belong together, and one that can't be read."""
    copy = tmp_path_factory.mktemp("broken") / "store.duckdb"
    log = Path(shutil.copytree(store.with_suffix(".log"), copy.with_suffix(".log")))
    shutil.copyfile(store, copy)
    trained = next(run for run in log.glob("[0-9]*") if len([*run.glob("step*")]) > 1)
    shutil.copytree(trained, log / "1-no-run")
    (log / "1-no-run" / "run.parquet").write_bytes(b"PAR1")
    shutil.copytree(trained, log / "2-apart")
    year_0 = pa.array([-62_167_219_200_000_000], pa.timestamp("us", "UTC"))
    table = pq.read_table(log / "2-apart" / "run.parquet")
    at = table.column_names.index("started_at")
    pq.write_table(table.set_column(at, "started_at", year_0), log / "2-apart" / "run.parquet")
    for file in (log / "2-apart").glob("step*/completions.parquet"):
        _rewrite(file, completion=lambda n, old: -1 - n, step=lambda n, old: 7)
    return copy


@pytest.mark.parametrize("page", ["overview", "answer", "what_if"])
def test_a_page_of_a_run_whose_files_do_not_belong_together_is_drawn(broken, page):
    assert "state error" not in written(open_page(page, broken, run="2-apart"))


@pytest.mark.parametrize("way", ["", "../copy"])
def test_each_page_says_what_of_the_log_is_left_out_and_what_it_finds_to_be_damaged(broken, tmp_path, monkeypatch, way):
    copy = Path(shutil.copytree(broken.parent, tmp_path / "copy")) / broken.name
    file = next(copy.with_suffix(".log").glob("2[0-9]*/step*/verdicts.parquet"))
    file.write_bytes(b"PAR1" + bytes(4000) + file.read_bytes()[4004:])
    monkeypatch.setattr("sys.argv", ["main.py", "--store", str(copy.parent / way / copy.name)])
    shown = written(checked(AppTest.from_file(Path(main.__file__), default_timeout=180).run()))
    found = state_of(copy.with_suffix(".log"))
    assert "Some of the log is left out" in shown and str(found.told()) in html.unescape(shown)
    assert "1-no-run" in found.runs and file.parent in found.parts


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("Größe 千 2", "Größe 千 2"),
        ('a\\" : 1', 'a[U+005C]" : 1'),
        ("a\nb\u2028", "a[U+000A]b[U+2028]"),
        ("x" * 99, 79 * "x" + "…"),
        ("__proto__", "“__proto__”"),
        ("constructor", "“constructor”"),
        ("constructor_2", "constructor_2"),
    ],
)
def test_a_name_in_a_title_of_a_chart_ends_no_text_of_its_expressions(name, title):
    assert named(name) == title


def test_settings_with_half_a_character_are_shown():
    assert _indented('{"a": "\\ud800 \\u202e é"}') == '{\n "a": "\\ud800 \\u202e é"\n}'
    assert _indented("{no json \u202e") == "{no json [U+202E]"
