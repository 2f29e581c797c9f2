"""Curating: what the rules promise, for any samples; and what is written."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from oracle import UserError
from oracle.sources import recognise
from oracle.store import build_starter_store
from pipeline.prepare import main
from pipeline.samples.curate import Rules, draw_constraints, wording
from pipeline.samples.dialogs import read_dialogs

TRAITS = ["a", "b", "c", "d"]
SHARE = Counter({"a": 3, "b": 1, "c": 9, "d": 0})
SAMPLES = st.lists(st.lists(st.frozensets(st.sampled_from(TRAITS)), max_size=3), max_size=30)
RULES = st.builds(
    Rules, seed=st.integers(0, 9), constrained=st.sampled_from([0.0, 0.3, 0.8, 1.0]), draw=st.sampled_from(["balanced", "by_risk"]),
    trait_counts=st.sampled_from([(1.0, 0.0, 0.0), (0.5, 0.3, 0.2), (0.0, 0.0, 1.0)]),
)  # fmt: skip


def draw(safe: list, rules: Rules) -> list[list[str]]:
    return draw_constraints([f"s{n}" for n in range(len(safe))], safe, SHARE, TRAITS, rules)


@settings(deadline=None)
@given(SAMPLES, RULES)
@example([[frozenset("a"), frozenset("b")]], Rules(constrained=1.0, trait_counts=(0.0, 0.0, 1.0)))
def test_constraints_always_leave_a_film_that_suits_all_of_them(safe, rules):
    drawn = draw(safe, rules)
    for films, traits in zip(safe, drawn, strict=True):
        assert not traits or any(set(traits) <= film for film in films)
        assert len(set(traits)) == len(traits) <= 3 and "d" not in traits  # no film violates d: it constrains nothing
    able = sum(any(film - {"d"} for film in films) for films in safe)
    assert sum(map(bool, drawn)) == round(rules.constrained * able)
    assert draw(safe, rules) == drawn


@settings(deadline=None)
@given(SAMPLES, RULES)
def test_no_swap_of_one_trait_would_make_the_traits_more_balanced(safe, rules):
    drawn = draw(safe, Rules(rules.seed, rules.constrained, rules.trait_counts))
    times = Counter(trait for traits in drawn for trait in traits)
    for films, traits in zip(safe, drawn, strict=True):
        for trait in traits:
            others = {*traits} - {trait}
            for other in {"a", "b", "c"} - {*traits}:
                fits = any(others | {other} <= film for film in films)
                assert not fits or times[other] > times[trait] - 2


def test_traits_that_all_films_suit_are_drawn_equally_often():
    drawn = draw([[frozenset("abc")]] * 31, Rules(constrained=1.0, trait_counts=(0.5, 0.5, 0.0)))
    times = Counter(trait for traits in drawn for trait in traits)
    assert set(times) == {"a", "b", "c"} and max(times.values()) - min(times.values()) <= 1
    assert Counter(map(len, drawn)) == {1: 15, 2: 16}


def test_a_wish_has_several_wordings():
    wishes = {"a": ["x", "y", "z"]}
    assert {wording(f"s{n}", ["a"], wishes, Rules())[0] for n in range(40)} == {"x", "y", "z"}
    assert {wording(f"s{n}", ["a"], wishes, Rules(wordings=1))[0] for n in range(9)} == {"x"}
    assert "b" in wording("s", ["b"], wishes, Rules())[0]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"constrained": 1.2}, "--constrained 1.2"),
        ({"heldout": -1}, "--heldout -1"),
        ({"trait_counts": (0.5, 0.2, 0.2)}, "sum to 1"),
        ({"wordings": -1}, "--wordings -1"),
    ],
)
def test_rules_that_cannot_be_kept_are_refused(changed, told):
    with pytest.raises(UserError, match=told):
        Rules(**changed)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("curated")
    build_starter_store(folder / "s.duckdb")
    films = [["Saw", 2004], ["Toy Story", 1995], ["Alien", 1979], ["Frozen", 2013]]
    rows = [
        {"messages": [{"role": "user", "content": f"Hi {n}"}, {"role": "assistant", "content": "Well, Saw"}], "groundtruth": films}
        for n in range(40)
    ]  # fmt: skip
    (folder / "chats.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def test_the_same_input_and_seed_give_the_same_bytes_and_the_rules_stand_in_the_metadata(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    flags = [
        "--trait_counts",
        "0.4",
        "0.3",
        "0.3",
        "--violating",
        "remove",
        "--constrained",
        "0.5",
        "--heldout",
        "0.25",
    ]
    for name in ("one.parquet", "n\udce9/two.parquet"):  # a folder whose name is no text
        main(["--store", "s.duckdb", "--dataset", name, "--report", "r.html", *flags, "chats.jsonl"])
    assert (folder / "one.parquet").read_bytes() == (folder / "n\udce9/two.parquet").read_bytes()
    assert "train: samples by trait" in capsys.readouterr().out
    assert "train: samples by trait" in (folder / "r.html").read_text()
    table = pq.read_table("one.parquet")
    told = json.loads(table.schema.metadata[b"curation"])
    assert told["rules"] == {
        "seed": 3407, "constrained": 0.5, "trait_counts": [0.4, 0.3, 0.3], "draw": "balanced", "violating": "remove",
        "wordings": 0, "heldout": 0.25,
    }  # fmt: skip
    assert [source["name"] for source in told["sources"]] == ["chats.jsonl"]
    rows = table.to_pylist()
    assert 18 <= sum(bool(row["constraints"]) for row in rows) <= 22
    assert any(row["groundtruth_violating"] for row in rows)
    for row in rows:
        kept, bad = row["groundtruth_with_release_year"], row["groundtruth_violating"]
        assert kept and len(kept) + len(bad) == 4 and not [film for film in kept if film in bad]
        assert row["prompt"][-1]["content"].startswith("Hi") and "Saw" not in row["prompt"][-1]["content"]
    assert len({row["prompt"][-1]["content"].split("Important: ")[-1] for row in rows}) > 15


def test_the_rejects_of_two_files_of_one_name_are_each_kept(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    row = {"dialog": "User: Hi\nSystem:", "groundtruth": [["Alien", 1979]]}
    for name, lines in (("a", [json.dumps(row), "no json"]), ("b", [json.dumps(row)]), ("c", [json.dumps(row), "{}"])):
        (tmp_path / name).mkdir()
        (tmp_path / name / "c.jsonl").write_text("\n".join(lines))
    main(["--store", str(folder / "s.duckdb"), "--dataset", "d.parquet", "a/c.jsonl", "b/c.jsonl", "c/c.jsonl"])
    kept = {file.name: file.read_text() for file in (tmp_path / "d.parquet.rejects").iterdir()}
    assert sorted(kept) == ["c.jsonl.1.csv", "c.jsonl.3.csv"]
    assert "no json" in kept["c.jsonl.1.csv"] and "{}" in kept["c.jsonl.3.csv"]
    main(["--store", str(folder / "s.duckdb"), "--dataset", "d.parquet", "c/c.jsonl"])
    assert [file.name for file in (tmp_path / "d.parquet.rejects").iterdir()] == ["c.jsonl.1.csv"]


@pytest.mark.parametrize("bad", ["", "\nno json"])
def test_the_rejects_of_conversations_and_of_a_source_of_one_name_are_each_kept(
    folder, tmp_path, monkeypatch, capsys, bad
):
    monkeypatch.chdir(tmp_path)
    shutil.copy(folder / "s.duckdb", tmp_path)
    (tmp_path / "films").mkdir()
    (tmp_path / "talks").mkdir()
    risk = {"imdb_id": "1", "trait": "Gore", "risk": 0.5}
    (tmp_path / "films" / "data.jsonl").write_text(json.dumps(risk) + "\n" + json.dumps(risk | {"risk": 7}))
    talk = {"dialog": "User: Hi\nSystem:", "groundtruth": [["Alien", 1979]]}
    (tmp_path / "talks" / "data.jsonl").write_text(json.dumps(talk) + bad)
    for sources in (["films/data.jsonl", "talks/data.jsonl"], ["talks/data.jsonl"]):  # later, and alone
        main(["--store", "s.duckdb", "--dataset", "d.parquet", *sources])
        told = capsys.readouterr().out
        [kept] = Path("s.rejects").glob("*.csv")
        assert "7" in kept.read_text()
        assert str(kept) in told or sources == ["talks/data.jsonl"]
        of_talks = Path("d.parquet.rejects")
        assert [file.name for file in of_talks.glob("*")] == (["data.jsonl.1.csv"] if bad else [])
        assert (f"1 rejected (see {of_talks})" in told) == bool(bad)


def test_the_hubs_form_of_redial_is_read_and_what_was_seen_is_seen(tmp_path):
    record = {
        "movieMentions": [{"movieId": "10", "movieName": "Heat (1995)"}, {"movieId": "20", "movieName": "Saw (2004)"}],
        "respondentQuestions": [{"movieId": "10", "suggested": 0, "seen": 1, "liked": 1}, {"movieId": "20", "suggested": 1, "seen": 0, "liked": 1}],
        "messages": [{"text": "Hi", "senderWorkerId": 7}, {"text": "Then @20", "senderWorkerId": 8}],
        "conversationId": "391", "initiatorWorkerId": 7,
    }  # fmt: skip
    (tmp_path / "hub.jsonl").write_text(json.dumps(record) + "\n")
    [dialog] = read_dialogs(*recognise([tmp_path / "hub.jsonl"])).dialogs
    assert (dialog.turns, dialog.groundtruth) == ([("user", "Hi")], [{"title": "Saw", "year": 2004}])
    assert dialog.seen == [{"title": "Heat", "year": 1995}]
