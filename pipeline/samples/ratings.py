"""Ratings of MovieLens as conversations, for those who have no others: what a person liked last is the ground truth."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from oracle import UserError
from oracle.base.database import connect
from oracle.base.resources import read_sql
from oracle.sources import Source, row_batches
from oracle.store import open_store
from pipeline.samples.dialogs import REJECTS, Dialog, Read


@dataclass(frozen=True)
class RatingRules:
    """How ratings become conversations; each rule is a flag of prepare.py and part of the dataset's metadata."""

    users: int = 2000
    """People who are drawn, of those who liked enough films."""
    liked: float = 4.0
    """Stars from which on a film counts as liked."""
    named: int = 5
    """Liked films that the prompt names: those before the ground truth."""
    wanted: int = 10
    """Liked films that are the ground truth: the last ones."""

    def __post_init__(self) -> None:
        for name in ("users", "named", "wanted"):
            if getattr(self, name) < 1:
                raise UserError(f"--{name} {getattr(self, name)}: expected a number of at least 1")
        if not 0 < self.liked <= 5:
            raise UserError(f"--liked {self.liked}: expected stars above 0 and at most 5")


@dataclass(frozen=True)
class Rated:
    """What the people who were drawn liked, by MovieLens' ids."""

    source: Source
    histories: list[tuple[str, list[str]]]
    """(person, ids in the order in which they were rated)."""
    rejects: pa.Table
    rules: RatingRules


def read_ratings(source: Source, rules: RatingRules, seed: int) -> Rated:
    """Read a table of userId, movieId, rating and timestamp (seconds), and draw people from it by `seed`.

    Rows that can't be used are kept as rejects. Raises `UserError` for a file that can't be read to its end, and where
    nobody liked enough films.
    """
    ragged: list[dict] = []
    with connect() as connection:
        for name, value in {
            "liked": rules.liked, "fewest": rules.named + rules.wanted, "people": rules.users, "seed": str(seed)
        }.items():  # fmt: skip
            connection.execute(f"set variable {name} = ?", [value])
        with row_batches(source, ragged) as rows:
            connection.register("rated", rows)
            connection.execute(read_sql("sources/ratings"))
            connection.unregister("rated")
        histories = connection.sql("from histories order by person").fetchall()
        faulty = connection.sql("from faulty order by row").to_arrow_table().cast(REJECTS)
    rejects = pa.concat_tables([faulty, pa.Table.from_pylist(ragged, REJECTS)])
    if not histories:
        reason = f" (row {rejects['row'][0]}: {rejects['reason'][0]})" if len(rejects) else ""
        raise UserError(
            f"{source.path}: nobody gave {rules.liked:g} stars to {rules.named + rules.wanted} films or more{reason}; "
            "lower --liked, --named or --wanted"
        )
    return Rated(source, histories, rejects, rules)


def check_ids(sources: Sequence[Source], store: Path, rated: Rated) -> None:
    """Raises `UserError` where neither the store nor these sources know MovieLens' ids."""
    known = any("movieid" in source.columns and "imdb_id" in source.columns for source in sources)
    if not known and not (store.exists() and _titles(store)):
        raise UserError(
            f"{rated.source.path}: {store} knows no film by MovieLens' ids: name movies.csv and links.csv of its folder too"
        )


def as_conversations(rated: Rated, store: Path) -> Read:
    """Return a conversation for each person: "I liked … and …."; its ground truth is what that person liked after these films.

    Films that the store doesn't know are left out, and people of whom too few are left. Raises `UserError` where nobody is.
    """
    titles, rules = _titles(store), rated.rules
    dialogs = []
    for person, ids in rated.histories:
        films = [titles[film] for film in ids if film in titles]
        named, wanted = films[: -rules.wanted][-rules.named :], films[-rules.wanted :]
        if len(named) == rules.named:
            listed = [f"{film['title']} ({film['year']})" if film["year"] else film["title"] for film in named]
            text = f"I liked {', '.join(listed[:-1])}{' and ' if len(listed) > 1 else ''}{listed[-1]}."
            dialogs.append(Dialog(f"user-{person}", f"user-{person}", [("user", text)], wanted, named))
    if not dialogs:
        raise UserError(
            f"{rated.source.path}: {store} knows too few of its films: load movies.csv and links.csv of its folder"
        )
    return Read(rated.source, dialogs, rated.rejects, {"ratings": asdict(rules)})


def _titles(store: Path) -> dict[str, dict]:
    with open_store(store) as connection:
        rows = connection.sql(read_sql("sources/movielens_titles")).fetchall()
    return {film: {"title": title, "year": year} for film, title, year in rows}
