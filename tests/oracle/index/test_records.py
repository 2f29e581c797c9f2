"""Ids of any length and alphabet come out of the records as they went in, and what is not looked at is not missed."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oracle import build_store, create_oracle
from oracle.base.arrow import booleans_of, flags_of
from oracle.index.mapped import _folder
from oracle.index.records import film_records, imdb_ids, risk_blocks
from oracle.titles.aliases import append_alias

IDS = [
    "tt0000001",
    "tt12345678",
    "a",
    "é" * 6,
    "é" * 7,
    "x" * 12,
    "y" * 13,
    "Nausicaä of the Valley",
    "日本",
    "tt123456789012345",
]


@given(st.lists(st.sampled_from(IDS) | st.text(max_size=15), max_size=20), st.data())
def test_ids_and_blocks_come_back_from_records(ids: list[str], data) -> None:
    rows = data.draw(st.lists(st.integers(0, len(ids) - 1), max_size=30)) if ids else []
    blocks = np.arange(len(ids)) * 1_000_003 % 2**28
    films, long_ids = film_records(pa.array(ids, pa.string()), blocks)
    picked = films.take(np.array(rows, np.int64))
    assert imdb_ids(picked, long_ids).to_pylist() == [ids[row] for row in rows]
    assert risk_blocks(picked).tolist() == blocks[rows].tolist()
    odd = np.array([row % 2 for row in rows], bool)
    expected = [ids[row] if row % 2 == 0 else None for row in rows]
    assert imdb_ids(picked, long_ids, odd).to_pylist() == expected


@given(st.lists(st.booleans() | st.none(), max_size=40), st.integers(0, 9))
def test_flags_are_the_same_in_bits_and_bytes(flags: list[bool | None], skipped: int) -> None:
    plain = [bool(flag) for flag in flags[skipped:]]
    assert booleans_of(pa.array(flags, pa.bool_()).slice(skipped)).tolist() == plain
    assert flags_of(np.array(plain, bool)).to_pylist() == plain


def test_films_of_any_id_are_found_and_confirmed(tmp_path: Path) -> None:
    films = [
        {"imdb_id": name, "title": f"Film {word}", "year": 2004} for name, word in zip(IDS, "ABCDEFGHIJ", strict=True)
    ]
    risks = [{"imdb_id": name, "trait": "Anti-gore / squeamish", "risk": (n + 1) / 10} for n, name in enumerate(IDS)]
    store = build_store(tmp_path / "s.duckdb", films, risks)
    confirmed = ["tt12345678", "tt0000001"]
    for name in confirmed:
        append_alias(store, f"Other {name}", 2004, name, "confirm")
    asked = pa.table(
        {
            "title": [film["title"] for film in films] + [f"Other {name}" for name in confirmed] + ["nobody's"],
            "year": pa.array([2004] * (len(IDS) + 3)),
            "constraints": [["gore"]] * (len(IDS) + 3),
        }
    )
    oracle = create_oracle(store=store)
    for _ in range(2):  # new, and asked before
        answer = oracle.check_batch(asked)
        assert answer["imdb_id"].to_pylist() == [*IDS, *confirmed, None]
        assert answer["matched_title"].to_pylist() == [f"Film {word}" for word in "ABCDEFGHIJBA"] + [None]
        assert answer["max_risk"].to_pylist()[:-1] == pytest.approx([(n + 1) / 10 for n in (*range(len(IDS)), 1, 0)])


def test_titles_that_differ_in_case_only_are_told_apart(tmp_path: Path) -> None:
    films = [{"imdb_id": name, "title": name, "year": 2004} for name in ("Alpha", "ALPHA", "alpha")]
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", films))
    asked = pa.table({"title": ["alpha", "Alpha", "ALPHA", "aLPHA"], "year": [2004] * 4})
    for _ in range(2):
        answer = oracle.resolve(asked)
        assert answer["imdb_id"].to_pylist() == ["alpha", "Alpha", "ALPHA", "ALPHA"]
        assert answer["match_method"].to_pylist() == ["exact"] * 3 + ["ambiguous"]


def test_a_store_of_one_title_answers(tmp_path: Path) -> None:
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", [{"imdb_id": "a", "title": "Alpha", "year": 2004}]))
    asked = pa.table({"title": ["Alpha", "Beta", "alpha", None], "year": [2004, 2004, None, 2004]})
    assert oracle.resolve(asked)["imdb_id"].to_pylist() == ["a", None, "a", None]


def test_evidence_is_of_one_type_with_and_without_reasons(tmp_path: Path) -> None:
    films = [{"imdb_id": name, "title": name, "year": 2004} for name in ("given", "tagged")]
    risks = [{"imdb_id": "given", "trait": "Anti-gore / squeamish", "risk": 0.5}]
    tags = [{"imdb_id": "tagged", "tag": "Is there blood/gore"}]
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", films, risks, film_tags=tags))

    def ask(*names: str) -> pa.Table:
        count = len(names)
        return oracle.check_batch(pa.table({"title": names, "year": [2004] * count, "constraints": [["gore"]] * count}))

    both = pa.concat_tables([ask("given"), ask("tagged")])
    assert both.equals(ask("given", "tagged")), "concatenated without a cast"
    assert [entry["hit_tags"] for row in both["evidence"].to_pylist() for entry in row] == [[], ["Is there blood/gore"]]


def test_an_index_of_another_layout_is_left_alone_and_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = build_store(tmp_path / "s.duckdb", [{"imdb_id": "a", "title": "Alpha", "year": 2004}])
    monkeypatch.setattr("oracle.index.mapped.LAYOUT", 1)
    earlier = _folder(store)
    earlier.mkdir(parents=True)
    (earlier / "titles.arrow").write_bytes(b"of an earlier program")
    monkeypatch.undo()
    assert create_oracle(store=store).check_safety("Alpha", 2004).imdb_id == "a"
    assert _folder(store).is_dir() and not earlier.exists()


def test_what_somebody_else_keeps_beside_an_index_stays(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s.duckdb", [{"imdb_id": "a", "title": "Alpha", "year": 2004}])
    own = _folder(store).with_name("faiss-2024") / "vectors.bin"
    own.parent.mkdir(parents=True)
    own.write_bytes(b"precious")
    create_oracle(store=store).check_safety("Alpha", 2004)
    assert _folder(store).is_dir() and own.read_bytes() == b"precious"
