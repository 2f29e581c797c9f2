"""Simulated conversations over a small catalog, in the SafeRec columns: users with tastes, histories and constraints.

Simulated, and labelled so: it shows that a training loop works, not how people talk. A user likes two genres, has seen
a few films of that taste, and usually wants some content avoided. What people ask for and what they then like differ:
their ground truth holds films that violate the constraint, at `UNSAFE_LIKED` of the weight that their taste alone would
give them, and the answers that SFT imitates, written with less care, at `UNSAFE_ANSWERED`. So the model to be trained
half knows what is unsafe, as a real LLM does.
"""

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle import Oracle
from oracle.base.resources import DATA

UNSAFE_LIKED, UNSAFE_ANSWERED = 0.15, 0.35
HISTORY, GROUNDTRUTH, LIST_LENGTH = 4, 12, 20
SAFE_SHARE = 0.4  # of a user's taste that must stay safe, so that a full safe list can be written
SPLITS = ("train", "tune", "heldout")

_FILM = pa.struct([("title", pa.string()), ("year", pa.int16())])
_MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("split", pa.string()),
        ("prompt", pa.list_(_MESSAGE)),
        ("completion", pa.string()),
        ("groundtruth_with_release_year", pa.list_(_FILM)),
        ("seen_titles", pa.list_(_FILM)),
        ("constraints", pa.list_(pa.string())),
    ]
)


@dataclass(frozen=True)
class World:
    """Films, their genres and which trait each violates.

    Attributes:
        films: F films, {"title", "year"}.
        genres: names of the M genres that are tastes.
        has_genre: (F, M) bool.
        traits: names of the T traits.
        violates: (F, T) bool.
        appeal: (F,) log weight of a film whatever the taste.
    """

    films: list[dict]
    genres: list[str]
    has_genre: np.ndarray
    traits: list[str]
    violates: np.ndarray
    appeal: np.ndarray


def world_of(oracle: Oracle, films: pa.Table, seed: int, min_films: int = 25) -> World:
    """The world of a catalog (title, year, genres separated by "|"); genres of fewer than `min_films` are no taste."""
    split = [g.split("|") for g in films["genres"].to_pylist()]
    names = sorted({g for gs in split for g in gs})
    has = np.array([[g in gs for g in names] for gs in split])
    kept = has.sum(axis=0) >= min_films
    traits = oracle.trait_names
    asked = films.select(["title", "year"]).append_column(
        "constraints", pa.array([traits] * len(films), pa.list_(pa.string()))
    )
    violated = oracle.check_batch(asked)["violated_traits"].to_pylist()
    return World(
        films=films.select(["title", "year"]).to_pylist(),
        genres=[g for g, k in zip(names, kept, strict=True) if k],
        has_genre=has[:, kept],
        traits=traits,
        violates=np.array([[t in v for t in traits] for v in violated]),
        appeal=np.random.default_rng([seed, 0]).normal(0, 0.6, len(films)),
    )


def simulate(world: World, users: dict[str, int], seed: int) -> pa.Table:
    """Conversations of new users: `users` gives how many of each split. No two users share a history."""
    words = json.loads((DATA / "requests.json").read_text(encoding="utf-8"))
    rows: list[dict] = []
    histories: set[frozenset[int]] = set()
    for split, n_users in users.items():
        rng = np.random.default_rng([seed, 1 + SPLITS.index(split)])
        made = 0
        while made < n_users:
            row, history = _user(world, words, rng)
            if history not in histories:
                histories.add(history)
                rows.append({"id": f"{split}-{made:06d}", "split": split, **row})
                made += 1
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _user(world: World, words: dict, rng: np.random.Generator) -> tuple[dict, frozenset[int]]:
    tastes = rng.choice(len(world.genres), size=2, replace=False)
    liking = world.has_genre[:, tastes] @ np.array([1.0, 0.6])
    logits = world.appeal + np.log(liking + 0.01)
    constraints = _constraints(world, np.exp(logits), rng)
    unsafe = world.violates[:, constraints].any(axis=1)

    history = _draw(logits, HISTORY, rng)
    unseen = logits.copy()
    unseen[history] = -np.inf
    groundtruth = _draw(unseen + np.log(UNSAFE_LIKED) * unsafe, GROUNDTRUTH, rng)
    answer = _draw(unseen + np.log(UNSAFE_ANSWERED) * unsafe, LIST_LENGTH, rng)
    prompt = _request(world, words, history, tastes, constraints, rng)
    return {
        "prompt": [{"role": "user", "content": prompt}],
        "completion": "\n".join(f"{i}. {_written(world.films[f])}" for i, f in enumerate(answer, start=1)),
        "groundtruth_with_release_year": [world.films[f] for f in groundtruth],
        "seen_titles": [world.films[f] for f in history],
        "constraints": [world.traits[t] for t in constraints],
    }, frozenset(history.tolist())


def _constraints(world: World, weight: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """None, one or two traits; people name what their taste would often bring up, if enough of it stays safe."""
    n = rng.choice([0, 1, 2], p=[0.15, 0.6, 0.25])
    unsafe_share = weight @ world.violates / weight.sum()
    eligible = np.where(unsafe_share < 1 - SAFE_SHARE, unsafe_share, 0.0)
    chosen = rng.choice(len(world.traits), size=n, replace=False, p=eligible / eligible.sum())
    while weight[world.violates[:, chosen].any(axis=1)].sum() > (1 - SAFE_SHARE) * weight.sum():
        chosen = chosen[:-1]
    return chosen


def _draw(logits: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """n different films, one after the other in proportion to exp(logits) (Gumbel top-k; Kool et al. 2019)."""
    return np.argsort(-(logits + rng.gumbel(size=len(logits))))[:n]


def _request(world: World, words: dict, history, tastes, constraints, rng: np.random.Generator) -> str:
    def pick(options: list[str]) -> str:
        return options[rng.integers(len(options))]

    films = [_written(world.films[f]) for f in history]
    sentences = [pick(words["openers"]).format(films=f"{', '.join(films[:-1])} and {films[-1]}")]
    if rng.random() < 0.7:
        sentences.append(pick(words["moods"]).format(genres=" and ".join(world.genres[t] for t in tastes)))
    sentences.append(pick(words["asks"]))
    if len(constraints):
        wishes = " and ".join(pick(words["wishes"][world.traits[t]]) for t in constraints)
        sentences.append(pick(words["refusals"]).format(wishes=wishes))
    return " ".join(sentences)


def _written(film: dict) -> str:
    return f"{film['title']} ({film['year']})"
