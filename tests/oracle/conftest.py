"""A small store with all that matching has to tell apart, and helpers to ask it."""

from pathlib import Path

import pyarrow as pa
import pytest

from oracle import Oracle, build_store, create_oracle

TITLES = [
    ("tt0000001", "Saw", 2004, True),
    ("tt0000002", "Saw II", 2005, True),
    ("tt0000003", "Halloween", 1978, True),
    ("tt0000004", "Halloween", 2018, True),
    ("tt0000005", "Frozen", 2010, True),
    ("tt0000006", "Frozen", 2013, True),
    ("tt0000007", "Les Misérables", 2012, True),
    ("tt0000008", "The Colour of Money", 1986, True),
    ("tt0000009", "Birdman or (The Unexpected Virtue of Ignorance)", 2014, True),
    ("tt0000010", "Garfield: The Movie", 2004, True),
    ("tt0000011", "Spider-Man", 2002, True),
    ("tt0000012", "Inception", 2010, True),
    ("tt0000013", "Spirited Away", 2001, True),
    ("tt0000013", "Sen to Chihiro no kamikakushi", 2001, False),
    ("tt0000014", "Kill Bill: Vol. 1", 2003, True),
    ("tt0000015", "Kill Bill: Vol. 2", 2004, True),
    ("tt0000016", "Ночной дозор", 2004, True),
    ("tt0000017", "Undated", None, True),
    ("tt0000018", "The Fast and the Furious", 2001, True),
    ("tt0000019", "Rosemary's Baby", 1968, True),
    ("tt0000020", "Bram Stoker's Dracula", 1992, True),
    ("tt0000021", "Coffee and Cigarettes", 2003, True),
    ("tt0000022", "Blood Money in the Morning", 2011, True),
    ("tt0000023", "Rocky V", 1990, True),
    ("tt0000024", "A.I. Artificial Intelligence", 2001, True),
]
RISKS = [
    ("tt0000001", "Anti-gore / squeamish", 0.92),
    ("tt0000003", "Anti-gore / squeamish", 0.30),
    ("tt0000004", "Anti-gore / squeamish", 0.80),
    ("tt0000004", "Kid-safety / child harm sensitive", 0.10),
    ("tt0000005", "Horror avoider (avoids scares & supernatural)", 0.70),
    ("tt0000006", "Anti-gore / squeamish", 0.10),
]


def small_titles() -> pa.Table:
    names = ("imdb_id", "title", "year", "is_primary")
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in TITLES])


def small_risks() -> list[dict]:
    return [dict(zip(("imdb_id", "trait", "risk"), row, strict=True)) for row in RISKS]


@pytest.fixture(scope="session")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_store(tmp_path_factory.mktemp("small") / "store.duckdb", small_titles(), small_risks())


@pytest.fixture(scope="session")
def small_oracle(small_store: Path) -> Oracle:
    return create_oracle(store=small_store)
