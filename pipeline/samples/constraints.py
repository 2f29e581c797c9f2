"""Constraints for conversations that have none: drawn by a seeded rule that leaves something to recommend."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from oracle import Oracle
from oracle.annotate import Annotator
from oracle.base.resources import read_sql

UNCONSTRAINED_SHARE = 0.2
SECOND_SHARE = 0.3


@dataclass(frozen=True)
class Constraints:
    """Constraints of each sample, and what they could be drawn from."""

    constraints: list[list[str]]
    groundtruth: int
    """How many ground-truth films there are, over all samples."""
    covered: int
    """How many of them have risk data."""


def assign_constraints(
    oracle: Oracle,
    connection: duckdb.DuckDBPyConnection,
    ids: Sequence[str],
    groundtruth: Sequence[Sequence[dict]],
    seen: Sequence[Sequence[dict]],
    seed: int,
) -> Constraints:
    """Draw none, one or two constraints a sample; the same for the same seed and id, whatever the other samples.

    At least one ground-truth film that counts (in the catalog, not seen) is known to be safe for all of a sample's
    constraints: a film with risk data is drawn, then traits that it does not violate, in proportion to the share of the
    store's films that violate them. Without such a film there are none, and one sample in five has none anyway.
    """
    violated = dict(connection.execute(read_sql("sources/coverage"), {"threshold": oracle.risk_threshold}).fetchall())
    share = Counter(trait for traits in violated.values() for trait in traits)
    films = [film for listed in groundtruth for film in listed]
    schema = pa.schema([("title", pa.string()), ("year", pa.int16())])
    table = pa.Table.from_pylist(films, schema)
    identified = oracle.resolve(table)["imdb_id"].to_pylist()
    counting: list[list[str]] = [[] for _ in ids]
    judged = Annotator(oracle).annotate([""] * len(ids), groundtruth, seen).groundtruth.to_pylist()
    for film in judged:
        if film["imdb_id"] in violated:
            counting[film["completion"]].append(film["imdb_id"])
    return Constraints(
        [
            _draw(random.Random(f"{seed}:{sample}"), own, violated, share, oracle.trait_names)
            for sample, own in zip(ids, counting, strict=True)
        ],
        groundtruth=len(identified),
        covered=sum(film in violated for film in identified),
    )


def _draw(
    rng: random.Random, films: list[str], violated: dict[str, list[str]], share: Counter[str], traits: list[str]
) -> list[str]:
    if not films or rng.random() < UNCONSTRAINED_SHARE:
        return []
    safe_film = rng.choice(films)
    possible = [trait for trait in traits if share[trait] and trait not in violated[safe_film]]
    drawn: list[str] = []
    for _ in range(2 if rng.random() < SECOND_SHARE else 1):
        if left := [trait for trait in possible if trait not in drawn]:
            drawn += rng.choices(left, [share[trait] for trait in left])
    return drawn
