"""What of an answer is the same film: repeated by it, or twice in the ground truth; by a definition of two lines."""

import subprocess
import sys

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle import build_store, create_oracle
from oracle.annotate import YEAR_TOLERANCE, Annotator
from tests.oracle.conftest import small_titles

TITLES = st.sampled_from(["Saw", "Zqxv Alpha", "Halloween", "Sooty Bear"])
YEARS = st.sampled_from([None, 1950, 1951, 1953, 1978, 2004, 2018])
FILMS = st.lists(st.tuples(TITLES, YEARS), max_size=12)


def same(a: dict, b: dict) -> bool:
    """The same id; or, where one was not found, the same title and years that are near, or not both known."""
    if a["imdb_id"] and b["imdb_id"]:
        return a["imdb_id"] == b["imdb_id"]
    near = None in (a["year"], b["year"]) or abs(a["year"] - b["year"]) <= YEAR_TOLERANCE
    return a["title"].casefold() == b["title"].casefold() and near


def repeats(films: list[dict]) -> list[bool]:
    return [any(same(film, earlier) for earlier in films[:at]) for at, film in enumerate(films)]


def written(films: list[tuple]) -> str:
    return "\n".join(f"{n}. {title}" + (f" ({year})" if year else "") for n, (title, year) in enumerate(films, 1))


@settings(max_examples=40, deadline=None)
@given(answers=st.lists(FILMS, min_size=1, max_size=3))
def test_an_entry_repeats_an_earlier_one_of_its_answer_that_is_the_same_film(small_oracle, answers):
    entries = Annotator(small_oracle).annotate([written(films) for films in answers]).entries.to_pylist()
    for n in range(len(answers)):
        listed = [entry for entry in entries if entry["completion"] == n]
        assert [entry["repeated"] for entry in listed] == repeats(listed)


@settings(max_examples=40, deadline=None)
@given(truth=FILMS)
def test_of_ground_truth_that_is_the_same_film_the_first_with_a_year_stays(small_oracle, truth):
    asked = pa.table({"title": [t for t, _ in truth], "year": [y for _, y in truth]})
    films = [
        {"title": title, "year": year, "imdb_id": imdb_id}
        for (title, year), imdb_id in zip(truth, small_oracle.resolve(asked)["imdb_id"].to_pylist(), strict=True)
    ]
    expected: list[dict] = []
    for film in sorted(films, key=lambda film: film["year"] is None):
        expected += [] if any(same(film, other) for other in expected) else [film]
    kept = Annotator(small_oracle).annotate([""], [truth]).groundtruth.select(["title", "year", "imdb_id"])
    assert kept.to_pylist() == expected


def test_two_films_of_one_title_that_are_not_found_are_no_repetition(small_oracle):
    answer, truth = written([("Zqxv Alpha", 1950), ("Zqxv Alpha", 2010)]), [("Zqxv Alpha", 2010)]
    entries = Annotator(small_oracle).annotate([answer], [truth]).entries.to_pylist()
    assert [(entry["hit"], entry["repeated"]) for entry in entries] == [(False, False), (True, False)]


def test_a_list_can_recall_all_of_its_ground_truth(small_oracle):
    """Of two that one entry names, such as one film with and without its year, one alone is asked for."""
    truth = [
        ("Zqxv Alpha", 2000),
        ("Zqxv Alpha", 2001),
        ("Zqxv Alpha", 2010),
        ("Sooty Bear", 1994),
        ("Sooty Bear", None),
    ]
    found = Annotator(small_oracle).annotate([written([truth[1], truth[2], truth[3]])], [truth])
    assert [film["year"] for film in found.groundtruth.to_pylist()] == [2000, 2010, 1994]
    assert found.entries["hit"].to_pylist() == [True, True, True]


def test_ground_truth_that_an_entry_names_exactly_is_a_hit(small_oracle):
    """2002 goes, as it is the same as 2000; 2004 is the same as 2002 alone, and stays."""
    for truth, kept in (
        ([("Zqxv Alpha", year) for year in (2000, 2002, 2004)], [2000, 2004]),
        ([("Zqxv Alpha", year) for year in (None, 1950, 1990)], [1950, 1990]),
    ):
        found = Annotator(small_oracle).annotate([written([truth[-1]])], [truth])
        assert [film["year"] for film in found.groundtruth.to_pylist()] == kept
        assert found.entries["hit"].to_pylist() == [True]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc")
def test_a_long_list_takes_no_memory_for_all_pairs_of_its_entries(small_oracle):
    """One id under many titles, one title under many ids, and one title over and over: 4.5e8 pairs, of 16 bytes at least."""
    [found] = small_oracle.resolve(pa.table({"title": ["Saw"], "year": [2004]}))["imdb_id"].to_pylist()
    script = f"""
import resource
from oracle import create_oracle
from oracle.annotate import Annotator
annotator = Annotator(create_oracle(store={str(small_oracle.store)!r}))
annotator.annotate(["- Saw (2004)"])
with open("/proc/self/statm") as file:
    taken = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + 3_000_000_000,) * 2)
for line in ("- Film {{0}} ({found})", "- Film (tt{{0:07}})", "- Zqxv Alpha", "- Zqxv Alpha (19{{1:02}})"):
    text = "\\n".join(line.format(n, n % 100) for n in range(1, 30_001))
    repeated = annotator.annotate([text]).entries["repeated"].to_pylist()
    print(len(repeated), sum(repeated))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=240)
    ids = len(
        {film["imdb_id"] for film in small_titles().to_pylist()}
    )  # numbered from 1: these entries are films apart
    repeated = [29_999, 30_000 - ids, 29_999, 29_999]
    assert done.stdout.splitlines() == [f"30000 {n}" for n in repeated], done.stderr[-500:]


GORE, CLOWNS = "Anti-gore / squeamish", "Clown phobia"
STARS = [{"imdb_id": f"tt{n:07}", "title": "Born a Star", "year": year} for n, year in enumerate((1937, 1954, 2018), 1)]


@pytest.fixture(scope="module")
def stars(tmp_path_factory):
    """Three films of one title: the second has gore, the third has clowns."""
    risks = [("tt0000001", GORE, 0.1), ("tt0000002", GORE, 0.9), ("tt0000003", CLOWNS, 0.8)]
    rows = [dict(zip(("imdb_id", "trait", "risk"), row, strict=True)) for row in risks]
    return create_oracle(store=build_store(tmp_path_factory.mktemp("stars") / "s.duckdb", STARS, rows))


def test_what_may_be_either_of_two_films_is_in_the_catalog_that_has_one_of_them(tmp_path):
    titles = [{"imdb_id": f"tt{n}", "title": "Hunter", "year": 2018} for n in (1, 2)]
    store = build_store(
        tmp_path / "s.duckdb", titles, [{"imdb_id": "tt2", "trait": GORE, "risk": 0.9}], catalog=titles[:1]
    )
    found = Annotator(create_oracle(store=store)).annotate(["1. Hunter (2018)"], [["Hunter (2018)"]], None, [[GORE]])
    assert [found.entries[name].to_pylist() for name in ("in_catalog", "hit", "is_safe")] == [[True], [True], [False]]


@pytest.mark.parametrize(("avoided", "film"), [([], 1), ([GORE], 2), ([CLOWNS], 3), ([CLOWNS, GORE], 2)])
def test_a_title_that_several_films_have_is_one_film_wherever_a_completion_has_it(stars, avoided, film):
    title, other = "Born a Star", {"title": "Zqxv", "year": None, "imdb_id": None}
    columns = pa.schema([("title", pa.string()), ("year", pa.int16()), ("imdb_id", pa.string())])
    for catalog in ([], STARS, STARS[:1], STARS[2:], [{"title": title, "year": None}]):
        films = pa.Table.from_pylist([*catalog, *([other] if catalog else [])], columns)
        judge = Annotator(stars, films if film != 1 else films.select(["title", "year"]))
        found = judge.annotate([f"1. {title}\n2. {title}"], [[title]], None, [avoided])
        assert found.entries["hit"].to_pylist() == [True, False]
        assert found.entries["repeated"].to_pylist() == [False, True]
        [truth] = found.groundtruth.to_pylist()
        assert truth["imdb_id"] == found.entries["imdb_id"][0].as_py() == STARS[film - 1]["imdb_id"]
        assert truth["is_safe"] == found.entries["is_safe"][0].as_py() == (not avoided)
        seen = judge.annotate([f"1. {title}"], [[title]], [[title]], [avoided])
        assert (seen.entries["seen"].to_pylist(), len(seen.groundtruth)) == ([True], 0)
        for own in STARS:  # the same by its year: the safety of a hit is that of the truth
            named = judge.annotate([f"1. {title} ({own['year']})"], [[title]], None, [avoided])
            if named.entries["hit"][0].as_py():
                assert named.entries["is_safe"].to_pylist() == named.groundtruth["is_safe"].to_pylist()
