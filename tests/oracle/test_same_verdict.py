"""Same inputs, same verdict: one film at a time, in a batch, in any order, from SQL, in another process, after a restart."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import Oracle, build_store, create_oracle
from oracle.titles.matches import Memory

WORDS = [
    "alpha",
    "beta",
    "gamma",
    "the",
    "of",
    "two",
    "II",
    "part",
    "night",
    "nights",
    "knight",
    "Amélie",
    "le",
    "movie",
    "vol. 2",
    "Ночной",
    "дозор",
    "東京物語集",
]
JOINS = [" ", ": ", " - ", " & ", ", "]
TRAITS = ["Anti-gore / squeamish", "Kid-safety / child harm sensitive", "Happy-ending preference"]


def random_titles(films: int, seed: int) -> list[dict]:
    rng = np.random.default_rng(seed)
    rows = []
    for film in range(films):
        for form in range(1 + (rng.random() < 0.2)):
            picked = rng.choice(WORDS, rng.integers(1, 5))
            title = picked[0] + "".join(
                str(rng.choice(JOINS, p=[0.7, 0.1, 0.1, 0.05, 0.05])) + word for word in picked[1:]
            )
            title = title.title() if rng.random() < 0.5 else title
            year = None if rng.random() < 0.05 else int(rng.integers(1990, 2000))
            rows.append({"imdb_id": f"tt{film:07}", "title": title, "year": year, "is_primary": form == 0})
    return rows


STORED = random_titles(400, 1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(2)
    risks = [
        {"imdb_id": f"tt{film:07}", "trait": trait, "risk": float(np.round(rng.random(), 2))}
        for film in range(400) for trait in TRAITS[:2] if rng.random() < 0.6
    ]  # fmt: skip
    severities = [
        {"imdb_id": f"tt{film:07}", "category": "Violence & Gore", "severity": film % 4} for film in range(0, 400, 3)
    ]
    tags = [{"imdb_id": f"tt{film:07}", "tag": "Is there blood/gore"} for film in range(0, 400, 17)]
    folder = tmp_path_factory.mktemp("same")
    return build_store(folder / "store.duckdb", STORED, risks, film_severities=severities, film_tags=tags)


@pytest.fixture(scope="module")
def oracle(store: Path) -> Oracle:
    return create_oracle(store=store)


def slip(title: str, place: int, kind: int) -> str:
    place %= len(title) + 1
    return [
        title,
        title[:place] + title[place + 1 :],
        title[:place] + "q" + title[place:],
        title[:place] + title[place : place + 2][::-1] + title[place + 2 :],
    ][kind]


made_up = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
asked = st.one_of(
    st.builds(slip, st.sampled_from([row["title"] for row in STORED]), st.integers(0, 30), st.integers(0, 3)),
    st.sampled_from([row["title"].upper() for row in STORED]),
    made_up,
    st.text(max_size=8).filter(lambda text: "\0" not in text),
    st.none(),
)
queries = st.lists(
    st.fixed_dictionaries(
        {
            "title": asked,
            "year": st.one_of(st.none(), st.integers(1988, 2002), st.sampled_from([-32768, -1, 0, 32767])),
            "constraints": st.one_of(st.none(), st.lists(st.sampled_from(TRAITS), max_size=3)),
        }
    ),
    min_size=1,
    max_size=40,
)
SCHEMA = pa.schema([("title", pa.string()), ("year", pa.int16()), ("constraints", pa.list_(pa.string()))])


def table(rows: list[dict]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


@settings(max_examples=25, deadline=None)
@given(queries, st.randoms(use_true_random=False))
def test_order_duplicates_chunks_and_memory_change_nothing(
    store: Path, oracle: Oracle, rows: list[dict], random
) -> None:
    rows = rows + rows[:3]
    expected = create_oracle(store=store).check_batch(table(rows)).to_pylist()
    order = list(range(len(rows)))
    random.shuffle(order)
    shuffled = oracle.check_batch(table([rows[number] for number in order])).to_pylist()
    assert [shuffled[order.index(number)] for number in range(len(rows))] == expected
    halves = pa.concat_tables([table(rows[: len(rows) // 2]), table(rows[len(rows) // 2 :])])
    assert oracle.check_batch(halves).to_pylist() == expected
    dictionary = halves.set_column(0, "title", halves["title"].cast(pa.large_string()).dictionary_encode())
    assert oracle.check_batch(dictionary).to_pylist() == expected


@settings(max_examples=25, deadline=None)
@given(queries)
def test_one_film_at_a_time_is_the_same_as_a_batch(oracle: Oracle, rows: list[dict]) -> None:
    for row, expected in zip(rows, oracle.check_batch(table(rows)).to_pylist(), strict=True):
        verdict = oracle.check_safety(row["title"], row["year"], dict.fromkeys(row["constraints"] or [], True))
        risks = {entry["trait"]: entry["risk"] for entry in expected["evidence"]}
        assert verdict.violations == [f"{trait}: risk={risks[trait]:.2f}" for trait in expected.pop("violated_traits")]
        assert {name: getattr(verdict, name) for name in expected} == expected


@settings(max_examples=15, deadline=None)
@given(queries)
def test_sql_gives_the_same_verdicts(store: Path, oracle: Oracle, rows: list[dict]) -> None:
    films = table(rows)
    with duckdb.connect(str(store), read_only=True) as connection:
        connection.register("films", films)
        in_sql = connection.sql("from check_films('films')").to_arrow_table().to_pylist()
    by_film = {key(row): row for row in in_sql}
    for row, ours in zip(rows, oracle.check_batch(films).to_pylist(), strict=True):
        theirs = {name: by_film[key(row)][name] for name in ours}
        if theirs["status"] in ("unresolved", "unrated"):
            theirs["is_safe"] = True  # the oracle was asked to take them so
        assert theirs == ours


def key(row: dict) -> tuple:
    return row["title"], row["year"], None if row["constraints"] is None else tuple(row["constraints"])


def test_another_process_and_a_new_index_give_the_same(store: Path, oracle: Oracle, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    rows = [
        {"title": slip(row["title"], int(rng.integers(0, 20)), int(rng.integers(0, 4))), "year": row["year"], "constraints": TRAITS}
        for row in STORED
    ]  # fmt: skip
    program = (
        "import sys, json, pyarrow as pa; from oracle import create_oracle; rows = json.load(sys.stdin);"
        "table = pa.table({'title': [r['title'] for r in rows], 'year': pa.array([r['year'] for r in rows], pa.int16()),"
        "'constraints': [r['constraints'] for r in rows]});"
        "print(json.dumps(create_oracle(store=sys.argv[1]).check_batch(table).to_pylist()))"
    )
    copied = tmp_path / "copied.duckdb"
    copied.write_bytes(store.read_bytes())
    expected = oracle.check_batch(table(rows)).to_pylist()
    for path in (store, copied):
        done = subprocess.run(
            [sys.executable, "-c", program, path], input=json.dumps(rows), capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout) == expected


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing(
    oracle: Oracle, monkeypatch: pytest.MonkeyPatch, store: Path
) -> None:
    films = table([{"title": row["title"], "year": row["year"], "constraints": TRAITS} for row in STORED])
    expected = oracle.check_batch(films)
    monkeypatch.setattr(Memory, "SIZE", 64)
    forgetful = create_oracle(store=store)
    assert forgetful.check_batch(films).equals(expected), "more than it can remember"
    for start in range(0, len(films), 40):
        assert forgetful.check_batch(films.slice(start, 40)).equals(expected.slice(start, 40))


def test_threads_that_share_an_oracle_give_the_same(oracle: Oracle, store: Path) -> None:
    films = [table([{"title": row["title"], "year": row["year"], "constraints": TRAITS}]) for row in STORED]
    expected = [oracle.check_batch(film) for film in films]
    shared = create_oracle(store=store)
    with ThreadPoolExecutor(8) as pool:
        assert all(map(pa.Table.equals, pool.map(shared.check_batch, films * 4), expected * 4))
    assert all(shared.check_batch(film).equals(one) for film, one in zip(films, expected, strict=True))


@settings(max_examples=50, deadline=None)
@given(queries)
def test_with_a_year_no_film_is_more_than_two_years_away(oracle: Oracle, rows: list[dict]) -> None:
    for row, match in zip(rows, oracle.check_batch(table(rows)).to_pylist(), strict=True):
        if row["year"] is not None and match["matched_year"] is not None:
            assert abs(row["year"] - match["matched_year"]) <= 2
        assert (match["imdb_id"] is None) == (match["match_method"] is None) == (match["match_score"] is None)
        assert match["match_score"] is None or 0 < match["match_score"] <= 1
