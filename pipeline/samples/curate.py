"""Curating: which samples get constraints, which these are, and what becomes of the ground truth that violates them."""

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import duckdb
import pyarrow as pa

from oracle import Oracle, UserError
from oracle.annotate import Annotator
from oracle.base.resources import read_sql

FILM = pa.schema([("title", pa.string()), ("year", pa.int16())])
OTHER_WORDINGS = ["nothing against this need: {trait}", "please heed this need: {trait}", "this matters to me: {trait}"]


@dataclass(frozen=True)
class Rules:
    """The rules of a curated dataset; each is a flag of prepare.py and part of the dataset's metadata."""

    seed: int = 3407
    constrained: float = 0.8
    """Share of the samples that can have constraints which get some."""
    trait_counts: tuple[float, ...] = (0.7, 0.3, 0.0)
    """Shares of these with one, two and three traits; a sample gets fewer where no more leave a ground truth."""
    draw: str = "balanced"
    """'balanced': each trait as often as any other, as far as the films allow; 'by_risk': as the store's films violate it."""
    violating: str = "keep"
    """What becomes of ground truth that violates its own sample's constraints: 'keep' or 'remove'."""
    wordings: int = 0
    """Wordings used of each trait's wish; 0: all there are."""
    heldout: float = 0.2
    """Share of the conversations that are held out."""

    def __post_init__(self) -> None:
        for name in ("constrained", "heldout"):
            if not 0 <= getattr(self, name) <= 1:
                raise UserError(f"--{name} {getattr(self, name)}: expected a share in 0..1")
        counts = self.trait_counts
        if len(counts) != 3 or not all(0 <= share <= 1 for share in counts) or abs(sum(counts) - 1) > 1e-6:
            told = " ".join(map(str, counts))
            raise UserError(
                f"--trait_counts {told}: expected three shares, of one, two and three traits, that sum to 1"
            )
        if self.wordings < 0:
            raise UserError(f"--wordings {self.wordings}: expected 0 for all, or a number of at least 1")


@dataclass(frozen=True)
class Suitability:
    """What constraints can be drawn from."""

    safe: list[list[frozenset[str]]]
    """Of each sample's ground-truth films that count (in the catalog, not seen): the traits that it is known to suit."""
    share: Counter[str]
    """Trait -> films of the store that violate it; a trait that none violates constrains nothing."""
    groundtruth: int
    covered: int
    """How many ground-truth films there are, over all samples, and how many of them have risk data."""


def suitability_of(
    oracle: Oracle,
    connection: duckdb.DuckDBPyConnection,
    groundtruth: Sequence[Sequence[dict]],
    seen: Sequence[Sequence[dict]],
) -> Suitability:
    """Look up what is known of each sample's ground truth."""
    rows = connection.execute(read_sql("sources/coverage"), {"threshold": oracle.risk_threshold}).fetchall()
    suits = {film: frozenset(safe) for film, safe, _ in rows}
    films = pa.Table.from_pylist([film for listed in groundtruth for film in listed], FILM)
    identified = oracle.resolve(films)["imdb_id"].to_pylist()
    safe: list[list[frozenset[str]]] = [[] for _ in groundtruth]
    for film in Annotator(oracle).annotate([""] * len(safe), groundtruth, seen).groundtruth.to_pylist():
        if film["imdb_id"] in suits:
            safe[film["completion"]].append(suits[film["imdb_id"]])
    share = Counter(trait for *_, violated in rows for trait in violated)
    return Suitability(safe, share, len(identified), sum(film in suits for film in identified))


def draw_constraints(
    ids: Sequence[str],
    safe: Sequence[Sequence[frozenset[str]]],
    share: Counter[str],
    traits: Sequence[str],
    rules: Rules,
) -> list[list[str]]:
    """Return the traits of each sample, in the order of `traits`; empty: no constraint.

    Each sample that has any keeps a film in `safe` that is known to suit all of them. Which samples these are, and how
    many traits each has, follows from their ids and the seed.
    """
    traits = [trait for trait in traits if share[trait]]
    drawn: list[list[str]] = [[] for _ in ids]
    random_of = [random.Random(f"{rules.seed}:{name}") for name in ids]
    key = [rng.random() for rng in random_of]
    able = sorted((n for n in range(len(ids)) if _left(safe[n], [], traits)), key=lambda n: (key[n], ids[n]))
    chosen = able[: round(rules.constrained * len(able))]
    wanted = _counts(len(chosen), rules.trait_counts)
    times: Counter[str] = Counter()
    # Those with most traits are the least free: first, so that the others make up for them.
    for sample, count in sorted(zip(chosen, wanted, strict=True), key=lambda pair: -pair[1]):
        rng = random_of[sample]
        for _ in range(count):
            left = _left(safe[sample], drawn[sample], traits)
            if not left:
                break
            if rules.draw == "by_risk":
                trait = rng.choices(left, [share[t] for t in left])[0]
            else:
                fewest = min(times[t] for t in left)
                trait = rng.choice([t for t in left if times[t] == fewest])
            drawn[sample].append(trait)
            times[trait] += 1
    if rules.draw == "balanced":
        _level(drawn, chosen, safe, traits, times)
    return [sorted(own, key=traits.index) for own in drawn]


def _level(
    drawn: list[list[str]],
    chosen: Iterable[int],
    safe: Sequence[Sequence[frozenset[str]]],
    traits: Sequence[str],
    times: Counter[str],
) -> None:
    """Swap a trait for one drawn at least twice less often until none can be: the sum of squares falls each time."""
    samples, swapped = list(chosen), True
    while swapped:
        swapped = False
        for sample in samples:
            for trait in list(drawn[sample]):
                others = [t for t in drawn[sample] if t != trait]
                left = _left(safe[sample], others, traits)
                rarest = min(left, key=lambda t: times[t])
                if times[rarest] <= times[trait] - 2:
                    drawn[sample] = [*others, rarest]
                    times[trait] -= 1
                    times[rarest] += 1
                    swapped = True


def _left(safe: Sequence[frozenset[str]], drawn: Sequence[str], traits: Sequence[str]) -> list[str]:
    """The traits that can still be added such that a film suits all."""
    fitting = [film for film in safe if film.issuperset(drawn)]
    return [trait for trait in traits if trait not in drawn and any(trait in film for film in fitting)]


def _counts(samples: int, shares: Sequence[float]) -> list[int]:
    ends = [sum(shares[: n + 1]) for n in range(len(shares) - 1)]
    return [1 + sum((place + 0.5) / samples >= end for end in ends) for place in range(samples)]


def violating(
    oracle: Oracle, groundtruth: Sequence[Sequence[dict]], constraints: Sequence[Sequence[str]]
) -> list[list[dict]]:
    """Return the ground-truth films of each sample that violate its constraints."""
    films = [film for listed in groundtruth for film in listed]
    asked = [list(traits) for listed, traits in zip(groundtruth, constraints, strict=True) for _ in listed]
    table = pa.Table.from_pylist(films, FILM).append_column("constraints", pa.array(asked, pa.list_(pa.string())))
    status = iter(oracle.check_batch(table)["status"].to_pylist())
    return [[film for film in listed if next(status) == "unsafe"] for listed in groundtruth]


def wording(name: str, constraints: Sequence[str], wishes: dict[str, list[str]], rules: Rules) -> list[str]:
    """One wording for each trait of a sample, drawn by its id and the seed."""
    rng = random.Random(f"{rules.seed}:wording:{name}")
    known = [wishes.get(trait) or [text.format(trait=trait) for text in OTHER_WORDINGS] for trait in constraints]
    return [rng.choice(texts[: rules.wordings or None]) for texts in known]
