"""One batch of answers -> one Arrow table of judged recommendations: the only road to rewards, logs and evaluation.

All completions of a step are parsed into one table, the oracle answers it in one batched query, and the ground truth
is claimed rank by rank. Rewards are then plain columns of the answer.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from oracle.answers import parse_batch
from oracle.oracle import Oracle, active_constraints
from oracle.store import open_store
from oracle.titles import normalise

YEAR_TOLERANCE = 2
_TITLE_YEAR = re.compile(r"(.*\S)\s*\((\d{4})\)\s*")
_FILM = pa.struct([("title", pa.string()), ("year", pa.int16())])
_IS_NEAR = ((pl.col("year") - pl.col("year_right")).abs() <= YEAR_TOLERANCE).fill_null(True)  # an unknown year fits any


@dataclass(frozen=True)
class AnnotatedBatch:
    """What is known about one batch of answers, before any reward.

    Attributes:
        entries: one row per recommendation, ordered by (completion, rank): completion, rank, title, year, start, end;
            the columns of `Oracle.check_batch`; in_catalog, seen, repeated, hit (bool).
        groundtruth: one row per eligible ground-truth film (in the catalog, not seen, each once): completion, title, year,
            imdb_id, is_safe for the constraints of its completion.
        texts: the N answers.
        constraints: the N lists of trait names in full.
        seen: the N lists of films seen, as {"title", "year"}.
    """

    entries: pa.Table
    groundtruth: pa.Table
    texts: list[str]
    constraints: list[list[str]]
    seen: list[list[dict]]


class Annotator:
    """Judges answers with one oracle and its ground-truth catalog (an empty catalog excludes no film)."""

    def __init__(self, oracle: Oracle, catalog: pa.Table | None = None, thought_tags: Sequence[str] = ()):
        """`catalog` (title, year, [imdb_id]) replaces the store's ground-truth catalog. What stands in <tag> or [tag] of
        `thought_tags`, besides the usual marks, are thoughts and no recommendations."""
        self.oracle = oracle
        self.thought_tags = tuple(thought_tags)
        films = _stored_catalog(oracle) if catalog is None else catalog
        self._size = films.num_rows
        self._catalog = self._identified(films).select("key", "year", "imdb_id")
        self._last: tuple[tuple, AnnotatedBatch] | None = None

    @staticmethod
    def of(oracle: "Oracle | Annotator") -> "Annotator":
        return oracle if isinstance(oracle, Annotator) else Annotator(oracle)

    @property
    def catalog_id(self) -> str:
        """How many films its catalog has, and a digest of them, whatever their order."""
        return f"{self._size} films, {self._catalog.hash_rows().sum():016x}"

    def annotate(
        self,
        texts: Sequence[str],
        groundtruth: Sequence[Sequence] | None = None,
        seen: Sequence[Sequence] | None = None,
        constraints: Sequence[Sequence[str] | None] | None = None,
    ) -> AnnotatedBatch:
        """Parse, resolve and check N answers at once.

        Args:
            texts: N answers.
            groundtruth: N lists of films: {"title", "year"}, (title, year) or "Title (Year)".
            seen: N lists of films, likewise.
            constraints: N lists of trait names (in full or short), or mappings trait -> bool.

        Raises:
            UserError: a constraint that fits no trait, or several.
        """
        empty: list[list] = [[]] * len(texts)
        asked = (list(texts), groundtruth or empty, seen or empty, constraints or empty)
        if self._last is None or self._last[0] != asked:  # several reward functions ask for the same batch
            self._last = (asked, self._annotate(*asked))
        return self._last[1]

    def _annotate(
        self, texts: list[str], groundtruth: Sequence, seen: Sequence, constraints: Sequence
    ) -> AnnotatedBatch:
        traits = [self.oracle.resolve_traits(active_constraints(c)) for c in constraints]
        films_seen = [[as_film(f) for f in films or []] for films in seen]
        entries = parse_batch(texts, thought_tags=self.thought_tags)
        per_entry = pa.array(traits, pa.list_(pa.string())).take(entries["completion"].combine_chunks())
        verdicts = self.oracle.check_batch(
            entries.select(["title", "year", "given_id"]).append_column("constraints", per_entry)
        )
        for name in verdicts.column_names:
            entries = entries.append_column(name, verdicts[name])

        truth = self._judged(_flatten([[as_film(f) for f in films or []] for films in groundtruth]), traits)
        seen_films = self._judged(_flatten(films_seen), traits)
        listed = self._named(entries)
        truth = truth.with_columns(
            in_catalog=self._in_catalog(truth), seen=_matches(truth, seen_films, ["completion"])
        ).filter("in_catalog", ~pl.col("seen"))
        truth = _without_repeats(truth)  # of two that are the same, one could never be recalled
        flags = listed.select(
            in_catalog=self._in_catalog(listed),
            seen=_matches(listed, seen_films, ["completion"]),
            repeated=_repeats(listed),
            hit=_claims(listed, truth),
        )
        for name in flags.columns:
            entries = entries.append_column(name, flags[name].to_arrow())
        eligible = truth.select("completion", "title", "year", "imdb_id", "is_safe").to_arrow()
        return AnnotatedBatch(entries, eligible, texts, traits, films_seen)

    def _judged(self, films: pa.Table, traits: list[list[str]]) -> pl.DataFrame:
        """Films with their imdb_id, is_safe and `key`; as the answer's: which of several films a title is taken for hangs on what
        the person avoids."""
        asked = pa.array(traits, pa.list_(pa.string())).take(films["completion"].combine_chunks())
        verdicts = self.oracle.check_batch(films.append_column("constraints", asked))
        for name in ("imdb_id", "match_method", "is_safe"):
            films = films.append_column(name, verdicts[name])
        return self._named(films)

    def _identified(self, films: pa.Table) -> pl.DataFrame:
        """The films of a catalog with their imdb_id (null: not found) and normalised title `key`."""
        films = films.select(["title", "year", *({"imdb_id"} & {*films.column_names})])
        found = self.oracle.resolve(films.rename_columns(["title", "year", "given_id"][: films.num_columns]))
        films = films.select(["title", "year"])
        for name in ("imdb_id", "match_method"):
            films = films.append_column(name, found[name])
        return _also_by_title(self._named(films))

    def _named(self, films: pa.Table) -> pl.DataFrame:
        films = films.append_column("key", normalise(films["title"]))
        known = ("completion", "rank", "title", "year", "imdb_id", "match_method", "is_safe", "key")
        names = [n for n in known if n in films.column_names]
        frame = pl.from_arrow(films.select(names))
        assert isinstance(frame, pl.DataFrame)
        return frame.with_columns(pl.col("year").cast(pl.Int32))

    def _in_catalog(self, films: pl.DataFrame) -> pl.Series:
        if self._catalog.is_empty():
            return pl.repeat(True, films.height, eager=True)
        rows = _also_by_title(films.with_row_index("film"))
        return _marked(rows["film"].filter(_matches(rows, self._catalog, [])), films)


def _also_by_title(films: pl.DataFrame) -> pl.DataFrame:
    """The films, and each that may be any of several a second time as if it were not found: a catalog has it by its title too."""
    return pl.concat(
        [films, films.filter(pl.col("match_method") == "ambiguous").with_columns(imdb_id=None)], how="vertical_relaxed"
    )


def _stored_catalog(oracle: Oracle) -> pa.Table:
    with open_store(oracle.store) as store:
        return store.sql("select distinct title, year, imdb_id from catalog").to_arrow_table()


def _pairs(left: pl.DataFrame, right: pl.DataFrame, within: list[str]) -> pl.DataFrame:
    """Rows (left, right) that are the same film: the same id, or, where one is unresolved, the same key and the
    years within the tolerance (an unknown year fits any)."""
    one, other = left.lazy().with_row_index("left"), right.lazy().with_row_index("right")
    by_id = one.filter(pl.col("imdb_id").is_not_null()).join(other, on=[*within, "imdb_id"])
    by_key = one.join(other, on=[*within, "key"]).filter(
        pl.col("imdb_id").is_null() | pl.col("imdb_id_right").is_null(),
        _IS_NEAR,
    )
    both = pl.concat([by_id.select("left", "right"), by_key.select("left", "right")])
    return both.unique(maintain_order=True).collect()


def _matches(left: pl.DataFrame, right: pl.DataFrame, within: list[str]) -> pl.Series:
    return _marked(_pairs(left, right, within)["left"], left)


def _marked(rows: pl.Series, films: pl.DataFrame) -> pl.Series:
    """True at the rows of `films` that are named by their numbers."""
    return pl.int_range(films.height, dtype=pl.get_index_type(), eager=True).is_in(rows.unique().implode())


def _repeats(films: pl.DataFrame) -> pl.Series:
    """True where an earlier film of the same completion is the same (see `_pairs`).

    A list of n ways to write one title has n² pairs of them. So it is asked of each title and year when it, or one that is near,
    stood first: there are no more of these than years.
    """
    numbered, unresolved = films.with_row_index("at"), pl.col("imdb_id").is_null()
    written = ["completion", "key", "year"]
    titled = numbered.group_by(written).agg(any=pl.col("at").min(), open=pl.col("at").filter(unresolved).min())
    earliest = (
        titled.join(titled, on=["completion", "key"])
        .filter(_IS_NEAR)
        .group_by(written)
        .agg(any=pl.col("any_right").min(), open=pl.col("open_right").min())
    )
    first = pl.when(unresolved).then("any").otherwise("open")  # two that were found are the same by their id alone
    named_again = pl.struct("completion", "imdb_id").is_first_distinct().not_() & unresolved.not_()
    found = numbered.join(earliest, on=written, how="left", nulls_equal=True, maintain_order="left")
    return found.select((first < pl.col("at")).fill_null(False) | named_again).to_series()


def _without_repeats(truth: pl.DataFrame) -> pl.DataFrame:
    """Without films that are the same as one that is kept; those with a year are kept first."""
    truth = truth.sort(pl.col("year").is_null(), maintain_order=True)
    truth = truth.filter(pl.struct("completion", "imdb_id", "key", "year").is_first_distinct())
    dropped: set[int] = set()
    same = _pairs(truth, truth, ["completion"]).filter(pl.col("right") < pl.col("left")).sort("left")
    for film, earlier in same.iter_rows():  # few: ground truth names a film once, as a rule
        if earlier not in dropped:
            dropped.add(film)
    return truth.with_row_index("at").filter(~pl.col("at").is_in(dropped)).drop("at")


def _claims(listed: pl.DataFrame, truth: pl.DataFrame) -> pl.Series:
    """True where a recommendation names a ground-truth film that no earlier rank of its list claimed."""
    pairs = _pairs(listed, truth, ["completion"]).sort("left", "right")
    return _marked(pairs.unique("right", keep="first", maintain_order=True)["left"], listed)


def _flatten(films: list[list[dict]]) -> pa.Table:
    nested = pa.array(films, pa.list_(_FILM))
    flat = nested.flatten()
    completion = pc.list_parent_indices(nested).cast(pa.int32())
    return pa.table({"completion": completion, "title": flat.field(0), "year": flat.field(1)})


def as_film(film: object) -> dict:
    """{"title", "year"} from any of the ways in which datasets write a film."""
    if isinstance(film, dict):
        return {"title": film["title"], "year": film["year"]}
    if isinstance(film, str):
        named = _TITLE_YEAR.fullmatch(film)
        return {"title": named[1], "year": int(named[2])} if named else {"title": film, "year": None}
    pair: tuple = tuple(film)  # type: ignore[arg-type]
    if len(pair) != 2:
        raise ValueError(f"{film!r} is not a (title, year) pair")
    return {"title": pair[0], "year": None if pair[1] is None else int(pair[1])}
