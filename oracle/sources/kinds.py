"""What a source can be, and which columns make it so."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa


@dataclass(frozen=True)
class Kind:
    """One kind of source. Kinds load in the order of `KINDS`: films before what is said about them."""

    name: str
    """What a person reads, and what `sources.kind` keeps."""
    sql: str = ""
    """The statement in sql/sources/ that takes the rows into the store; empty: not SQL's work."""
    columns: tuple[str, ...] = ()
    """The columns that the statement expects in `raw`, as text; null where the source has none."""


TRAITS = Kind("trait definitions")
TITLES = Kind("titles with ids", "titles", ("imdb_id", "title", "year", "is_primary"))
TITLE_IDS = Kind("a dictionary of titles to ids", "titles", ("imdb_id", "title", "year", "is_primary"))
MOVIELENS = Kind("MovieLens movies with their links", "movielens", ("movieid", "title"))
MOVIELENS_LINKS = Kind("MovieLens links", "", ("movieid", "imdb_id"))
IMDB_BASICS = Kind("IMDb title.basics", "imdb_basics")
IMDB_AKAS = Kind("IMDb title.akas", "imdb_akas")
CATALOG = Kind("a ground-truth catalog", "catalog", ("imdb_id", "title", "year"))
TAGS = Kind("content tags of films", "tags", ("imdb_id", "tag", "tags"))
SEVERITIES = Kind("Parent Guide severities", "severities", ("imdb_id", "category", "severity", "severities"))
RATED_TITLES = Kind("titles with Parent Guide severities", "severities", (*TITLES.columns, *SEVERITIES.columns[1:]))
RISKS = Kind(
    "risks of films for traits", "risks",
    ("imdb_id", "trait", "risk", "pg_risk", "tag_trigger", "hit_tags", "source"),
)  # fmt: skip
SENSITIVITY = Kind("risks of films for traits (movie_trait_sensitivity.json)", "risks", RISKS.columns)
DIALOGS = Kind("conversations with ground truth")

KINDS = (
    TRAITS, RATED_TITLES, TITLES, IMDB_BASICS, MOVIELENS, MOVIELENS_LINKS, TITLE_IDS, IMDB_AKAS, CATALOG,
    TAGS, SEVERITIES, RISKS, SENSITIVITY, DIALOGS,
)  # fmt: skip

BASICS_HEADER = [
    "tconst", "titleType", "primaryTitle", "originalTitle", "isAdult", "startYear", "endYear", "runtimeMinutes",
    "genres",
]  # fmt: skip
AKAS_HEADER = ["titleId", "ordering", "title", "region", "language", "types", "attributes", "isOriginalTitle"]

# Other names of a column, in the form of `letters`.
_ALSO = {
    "imdb_id": ("imdbid", "tconst", "id", "filmid", "itemid", "gameid"),
    "title": ("title", "name", "primarytitle"),
    "year": ("year", "releaseyear", "startyear"),
    "tag": ("tag", "descriptor"),
    "tags": ("tags", "descriptors"),
    "severities": ("severities", "parentguide"),
    "risk": ("risk", "final"),
    "tag_trigger": ("tagtrigger", "dddtrigger"),
}
GUIDE = (
    "Sex & Nudity", "Violence & Gore", "Profanity", "Alcohol, Drugs & Smoking", "Frightening & Intense Scenes",
)  # fmt: skip
SEVERITY_WORDS = {"none", "mild", "moderate", "severe"}


Shape = tuple[Kind, dict[str, str], dict[str, str]]
"""A kind, the columns that it uses (expected name -> name in the file), and the columns of severities (-> category)."""


@dataclass(frozen=True, eq=False)
class Source:
    """A recognised file."""

    path: Path
    """As the person named it."""
    kind: Kind
    format: str
    """'csv', 'tsv', 'semicolons', 'parquet', 'json', 'json lines', 'json by id' or 'pickle'."""
    compressed: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    """Column that the kind expects -> its name in the file."""
    categories: dict[str, str] = field(default_factory=dict)
    """Column of severities in the file -> the category that it rates."""
    links: "Source | None" = None
    """MovieLens' links.csv."""
    rows: pa.Table | None = None
    """What a pickle holds: content, imdb_id, title, year."""

    @property
    def adds_to_known_films(self) -> bool:
        """True for further titles without years: what they mean depends on the films that the store knows."""
        return self.kind is IMDB_AKAS or (self.kind is TITLES and "year" not in self.columns)

    @property
    def key(self) -> str:
        """What makes two runs speak of one source."""
        return str(self.path.resolve())


def letters(name: str) -> str:
    """The letters and digits of a name, in lower case: 'imdbId', 'imdb_id' and 'IMDb ID' are one column."""
    return re.sub(r"[\W_]", "", name.lower())


def columns_of(kind: Kind, names: Iterable[str]) -> dict[str, str]:
    """Return which of a file's columns the kind uses: expected name -> name in the file."""
    there: dict[str, str] = {}
    for name in names:
        there.setdefault(letters(name), name)
    found = {}
    for wanted in kind.columns:
        spellings = (letters(wanted), *_ALSO.get(wanted, ()))
        match = next((there[spelling] for spelling in spellings if spelling in there), None)
        if match is not None:
            found[wanted] = match
    return found


def category_of(column: str, values: Iterable[str]) -> str | None:
    """Return the category that a column of severities rates, or None for a column of something else.

    `values` are some of its cells. A Parent Guide category may be shortened ('frightening'); a category of another
    domain is known by its cells, which are all None, Mild, Moderate or Severe.
    """
    name = letters(column)
    for category in GUIDE:
        if len(name) >= 8 and letters(category).startswith(name):
            return category
    words = {value.strip().lower() for value in values} - {""}
    return column if words - {"none"} and words <= SEVERITY_WORDS else None


def kind_of_columns(names: list[str], cells: dict[str, list[str]]) -> Shape | None:
    """Return what a table is by its columns; None where no kind fits.

    `cells` are some values of each column, as text.
    """
    have = {letters(name) for name in names}
    if "movieid" in have and "imdbid" in have and "title" not in have:
        return MOVIELENS_LINKS, columns_of(MOVIELENS_LINKS, names), {}
    if {"movieid", "title"} <= have and "imdbid" not in have:
        return MOVIELENS, columns_of(MOVIELENS, names), {}
    if {"dialog", "groundtruth"} <= have:
        return DIALOGS, {}, {}
    titles = columns_of(TITLES, names)
    others = {*titles.values(), *columns_of(SEVERITIES, names).values()}
    categories = {n: c for n in names if n not in others and (c := category_of(n, cells.get(n, [])))}
    for kind, needed in (
        (RISKS, ("imdb_id", "trait", "risk")),
        (SEVERITIES, ("imdb_id", "category", "severity")),
        (SEVERITIES, ("imdb_id", "severities")),
        (TAGS, ("imdb_id", "tag")),
        (TAGS, ("imdb_id", "tags")),
        (RATED_TITLES if "title" in titles else SEVERITIES, ("imdb_id", *([] if categories else ["no such column"]))),
        (TITLES, ("imdb_id", "title")),
        (CATALOG, ("title", "year")),
    ):
        found = columns_of(kind, names)
        if all(name in found for name in needed):
            return kind, found, categories
    return None
