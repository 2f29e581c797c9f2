"""What a source can be, and which columns make it so."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from oracle.base.errors import UserError
from oracle.base.unpacked import LARGEST


@dataclass(frozen=True)
class Kind:
    """One kind of source. Kinds load in the order of `KINDS`: films before what is said about them."""

    name: str
    """What a person reads, and what `sources.kind` keeps."""
    statements: tuple[str, ...] = ()
    """The statements in sql/sources/ that take the rows into the store, in turn; empty: not SQL's work."""
    columns: tuple[str, ...] = ()
    """The columns that the statements expect in `raw`, as text; null where the source has none."""
    from_records: str = ""
    """The statement that makes `raw` of JSON records, where their keys are no columns."""


_TITLE = ("imdb_id", "title", "year", "is_primary", "original_title", "tmdb_id", "movieid")
_SEVERITY = ("category", "severity", "severities")
_TAG = ("tag", "tags", "present", "yes", "no", "relevance")
_RISK = ("imdb_id", "trait", "risk", "pg_risk", "tag_trigger", "hit_tags", "source")
_OF_FILM = ("imdb_id", "movieid", "tmdb_id")

DOMAIN = Kind("a domain")
TRAITS = Kind("trait definitions")
LINKS = Kind("ids elsewhere (MovieLens links)", ("links", "note_ids"), _OF_FILM)
TITLES = Kind("titles with ids", ("titles", "note_ids"), _TITLE)
TITLE_IDS = Kind("a dictionary of titles to ids", ("titles",), _TITLE)
MOVIELENS = Kind("MovieLens movies", ("movielens",), ("movieid", "title"))
IMDB_BASICS = Kind("IMDb title.basics", ("imdb_basics",))
IMDB_AKAS = Kind("IMDb title.akas", ("imdb_akas",))
CATALOG = Kind("a ground-truth catalog", ("catalog",), ("imdb_id", "title", "year"))
TAGS = Kind("content tags", ("film_ids", "tags"), (*_OF_FILM, *_TAG))
TAGGED_TITLES = Kind("titles with content tags", ("titles", "note_ids", "tags"), (*_TITLE, *_TAG))
GENOME_TAGS = Kind("names of MovieLens' tag genome", (), ("tagid", "tag"))
GENOME = Kind("MovieLens' tag genome", ("genome", "film_ids", "tags"), (*_OF_FILM, "tagid", *_TAG))
ML_DDD = Kind("ML-DDD: votes of DoesTheDogDie by MovieLens id", ("ml_ddd", "film_ids", "tags"), ("movieid",))
DDD = Kind("answers of DoesTheDogDie", ("by_title", "film_ids", "titles", "note_ids", "tags"), (), "ddd")
TMDB = Kind("films of TMDb", ("titles", "note_ids", "tags"), (), "tmdb")
SEVERITIES = Kind("severities", ("severities",), ("imdb_id", *_SEVERITY))
RATED_TITLES = Kind("titles with severities", ("titles", "note_ids", "severities"), (*_TITLE, *_SEVERITY))
SEVERITY_VOTES = Kind(
    "votes on severities", ("severity_votes", "severities"),
    ("imdb_id", "category", "none", "mild", "moderate", "severe"),
)  # fmt: skip
LEVEL_VOTES = Kind(
    "votes on severities, a row a level", ("level_votes", "severities"), ("imdb_id", "category", "severity", "votes")
)
RISKS = Kind("risks for traits", ("risks",), _RISK)
SENSITIVITY = Kind("risks for traits (movie_trait_sensitivity.json)", ("risks",), _RISK, "sensitivity")
DIALOGS = Kind("conversations with ground truth")
RATINGS = Kind("ratings of MovieLens' users", (), ("userid", "movieid", "rating", "timestamp"))

KINDS = (
    DOMAIN, TRAITS, LINKS, RATED_TITLES, TITLES, TAGGED_TITLES, TMDB, IMDB_BASICS, MOVIELENS, DDD, TITLE_IDS, IMDB_AKAS,
    CATALOG, TAGS, GENOME, GENOME_TAGS, ML_DDD, SEVERITIES, SEVERITY_VOTES, LEVEL_VOTES, RISKS, SENSITIVITY, DIALOGS,
    RATINGS,
)  # fmt: skip

BASICS_HEADER = [
    "tconst", "titleType", "primaryTitle", "originalTitle", "isAdult", "startYear", "endYear", "runtimeMinutes",
    "genres",
]  # fmt: skip
AKAS_HEADER = ["titleId", "ordering", "title", "region", "language", "types", "attributes", "isOriginalTitle"]

# Other names of a column, in the form of `letters`.
_ALSO = {
    "imdb_id": ("imdbid", "tconst", "imdb", "id", "filmid", "itemid", "gameid", "bookid"),
    "tmdb_id": ("tmdbid",),
    "movieid": ("movieid", "workid", "movielensid"),
    "title": ("title", "name", "primarytitle"),
    "original_title": ("originaltitle",),
    "year": (
        "year",
        "releaseyear",
        "startyear",
        "releasedate",
        "premiered",
        "firstreleasedate",
        "published",
        "publicationyear",
        "originalreleaseyear",
    ),
    "tag": ("tag", "descriptorlabel", "descriptor", "contentdescriptor"),  # beside a label, Wikidata's is a link
    "tags": ("tags", "descriptors", "keywords"),
    "yes": ("yes", "yessum", "yesvotes"),
    "no": ("no", "nosum", "novotes"),
    "category": ("category", "aspect"),
    "severity": ("severity", "status", "rating", "level"),
    "votes": ("votes", "count"),
    "severities": ("severities", "parentguide", "advisoryvotes"),
    "risk": ("risk", "final"),
    "tag_trigger": ("tagtrigger", "dddtrigger"),
}
# A column that rates a Parent Guide category, as people name it; sql/sources/macros.sql says which.
_GUIDE_COLUMN = re.compile(
    r"(sex|nudity|sex(and)?nudity|violence|gore|violence(and)?gore|profanity|swearing|alcohol|drugs?|smoking"
    r"|alcohol(and)?drugs?|alcoholdrugs?(and)?smoking|(frightening|intense|frightening(and)?intense)(scenes?)?)"
    r"(severity|rating|level|status)?"
)
_LEVEL = re.compile(
    r"(none|mild|moderate|severe)( \([\d,.]+.*\))?|[0-2](\.\d+)?|3(\.0+)?"
    r"|.*\b(none|mild|moderate|severe)\b['\" ]*[:=] *-?\d.*"  # votes a level in one cell
)
SEVERITY_WORDS = {"none", "mild", "moderate", "severe"}
_VERDICTS = ("clear yes:", "clear no:", "unclear:", "no votes:")


Shape = tuple[Kind, dict[str, str], dict[str, str]]
"""A kind, the columns that it uses (expected name -> name in the file), and the columns of severities (-> category)."""


@dataclass(frozen=True, eq=False)
class Source:
    """A recognised file."""

    path: Path
    """As the person named it."""
    kind: Kind
    format: str
    """'csv', 'tsv', 'semicolons', 'parquet', 'json', 'json lines', 'json by id', 'sparql' or 'pickle'."""
    compressed: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    """Column that the kind expects -> its name in the file."""
    categories: dict[str, str] = field(default_factory=dict)
    """Column of severities in the file -> the category that it rates."""
    beside: "Source | None" = None
    """A further file that this one can't be read without: the names of MovieLens' tag genome."""
    largest: int = LARGEST
    """Bytes that the file may unpack to where it must be read at once."""
    unused: tuple[str, ...] = ()
    """The columns of a table that say nothing to this kind."""
    rows: pa.Table | None = None
    """What a pickle holds: content, imdb_id, title, year."""

    @property
    def adds_to_known_films(self) -> bool:
        """True for further titles without years: what they mean depends on the films that the store knows."""
        return self.kind is IMDB_AKAS or (self.kind in (TITLES, TAGGED_TITLES) and "year" not in self.columns)

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


def is_severity_column(column: str, values: Iterable[str]) -> bool:
    """Whether a column holds severities of the category that it names. `values` are some of its cells.

    A Parent Guide category is known by its usual names; one of another domain by its cells, which are all None, Mild,
    Moderate or Severe.
    """
    words = {value.strip().lower() for value in values} - {""}
    if _GUIDE_COLUMN.fullmatch(letters(column)):
        return not words or any(_LEVEL.fullmatch(word) for word in words)
    return bool(words - {"none"}) and words <= SEVERITY_WORDS


def kind_of_columns(names: list[str], cells: dict[str, list[str]]) -> Shape | None:
    """Return what a table is by its columns; None where no kind fits.

    `cells` are some values of each column, as text.
    """
    have = {letters(name): name for name in names}
    verdicts = {name: name for name in names if name.lower().startswith(_VERDICTS)}
    if verdicts and "movieid" in (found := columns_of(ML_DDD, names)):
        return ML_DDD, found, verdicts
    if {"userid", "movieid", "rating"} <= have.keys():
        return RATINGS, columns_of(RATINGS, names), {}
    if {"movieid", "imdbid"} <= have.keys() and "title" not in have:
        return LINKS, columns_of(LINKS, names), {}
    if {"movieid", "tagid", "relevance"} <= have.keys() and "tag" not in have:
        return GENOME, columns_of(GENOME, names), {}
    if {"tagid", "tag"} <= have.keys() and "movieid" not in have:
        return GENOME_TAGS, columns_of(GENOME_TAGS, names), {}
    if {"movieid", "title"} <= have.keys() and "imdbid" not in have:
        return MOVIELENS, columns_of(MOVIELENS, names), {}
    if (
        {"dialog", "groundtruth"} <= have.keys()
        or {"messages", "groundtruth"} <= have.keys()
        or {"movieMentions", "messages"} <= set(names)
    ):
        return DIALOGS, {}, {}
    if len(names) == 2 and {"id", "keywords"} <= have.keys() and _are_objects(cells.get(have["keywords"], [])):
        return TAGS, {"tmdb_id": have["id"], "tags": have["keywords"]}, {}
    needed: tuple[str, ...]
    for kind, needed in (
        (RISKS, ("imdb_id", "trait", "risk")),
        (SEVERITY_VOTES, ("imdb_id", "none", "mild", "moderate", "severe")),
        (LEVEL_VOTES, ("imdb_id", "category", "severity", "votes")),
        (SEVERITIES, ("imdb_id", "category", "severity")),
        (RATED_TITLES, ("imdb_id", "title", "severities")),
        (SEVERITIES, ("imdb_id", "severities")),
        (TAGGED_TITLES, ("imdb_id", "title", "tag")),
        (TAGGED_TITLES, ("imdb_id", "title", "tags")),
        (TAGS, ("imdb_id", "tag")),
        (TAGS, ("imdb_id", "tags")),
        (TAGS, ("movieid", "tag")),
        (TAGS, ("tmdb_id", "tag")),
        (TAGS, ("tmdb_id", "tags")),
    ):
        found = columns_of(kind, names)
        if all(name in found for name in needed):
            return kind, _with_tmdb_id(found, have), {}
    titles = columns_of(TITLES, names)
    wide = {n: n for n in names if n not in titles.values() and is_severity_column(n, cells.get(n, []))}
    rated: tuple[str, ...] = ("imdb_id",) if wide else ("imdb_id", "no such column")
    for kind, needed in (
        (RATED_TITLES if "title" in titles else SEVERITIES, rated),
        (TITLES, ("imdb_id", "title")),
        (CATALOG, ("title", "year")),
    ):
        found = columns_of(kind, names)
        if all(name in found for name in needed):
            used = found if not wide else {n: c for n, c in found.items() if n not in _SEVERITY}
            return kind, _with_tmdb_id(used, have), wide if kind in (RATED_TITLES, SEVERITIES) else {}
    return None


def _with_tmdb_id(found: dict[str, str], have: dict[str, str]) -> dict[str, str]:
    """Beside IMDb's id, a bare `id` is TMDb's: so Kaggle's tables have it."""
    if letters(found.get("imdb_id", "")) == "imdbid" and "id" in have and "tmdb_id" not in found:
        return {**found, "tmdb_id": have["id"]}
    return found


def _are_objects(values: list[str]) -> bool:
    return any(value.lstrip().startswith("[{") for value in values)


def category_of(source: Source) -> str | None:
    """The category that a file of votes is named after, where its rows name none."""
    if "category" in source.columns:
        return None
    name = source.path.name.split(".")[0]
    if not is_severity_column(name, []):
        raise UserError(
            f"{source.path} has votes on severities, but not of what: add a column category, or name the file after it, "
            "such as violence.csv"
        )
    return name
