"""Seeded titles, risks and queries of any size, with the shape of a film index: Zipf words, namesakes, subtitles, sequels."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SYLLABLES = [
    first + second
    for first in ("b", "c", "d", "f", "g", "h", "k", "l", "m", "n", "p", "r", "s", "sh", "t", "v", "w")
    for second in ("a", "en", "i", "or", "u")
]


def words(count: int, rng: np.random.Generator) -> pa.Array:
    """Return `count` made-up words of one to three syllables, all different."""
    made: dict[str, None] = {}
    while len(made) < count:
        picks = rng.integers(0, len(SYLLABLES), (count, 3))
        for pick, length in zip(picks.tolist(), rng.integers(1, 4, count).tolist(), strict=True):
            made["".join(SYLLABLES[number] for number in pick[:length]).capitalize()] = None
    return pa.array(list(made)[:count])


def titles(count: int, seed: int = 0) -> pa.Table:
    """Return `count` titles(imdb_id, title, year): a third begins with "The", an eighth has a subtitle, some are sequels."""
    rng = np.random.default_rng(seed)
    vocabulary = words(60_000, rng)

    def pick() -> pa.Array:
        return vocabulary.take(pa.array((len(vocabulary) * rng.random(count) ** 2).astype(np.int64)))

    def where(share: float, text: pa.Array) -> pa.Array:
        return pc.if_else(pa.array(rng.random(count) < share), text, "")

    joined = pc.binary_join_element_wise
    title = joined(
        where(0.33, "The "), pick(), where(0.7, joined(" ", pick(), "")), where(0.25, joined(" of ", pick(), "")),
        where(0.1, joined(" ", pick(), "")), where(0.05, " II"), where(0.12, joined(": ", pick(), " ", pick(), "")), "",
    )  # fmt: skip
    ids = pc.utf8_lpad(pa.array(np.arange(1, count + 1)).cast(pa.string()), 7, "0")
    year = (2025 - 125 * rng.random(count) ** 2.5).astype(np.int16)
    return pa.table({"imdb_id": joined("tt", ids, ""), "title": title, "year": year})


def films_with_risk(count: int, films: int, seed: int = 1) -> np.ndarray:
    """Return which of `count` films have risks: those that people talk about."""
    return np.random.default_rng(seed).choice(count, films, replace=False)


def risks(stored: pa.Table, traits: list[str], films: int, seed: int = 1) -> pa.Table:
    """Return trait_risk(imdb_id, trait, risk) of `films` of the films and every trait; a third of the risks is above 0."""
    film = np.repeat(films_with_risk(stored.num_rows, films, seed), len(traits))
    rng = np.random.default_rng(seed)
    risk = np.where(rng.random(len(film)) < 1 / 3, np.round(rng.random(len(film)), 2), 0.0)
    trait = np.tile(np.arange(len(traits)), films)
    return pa.table(
        {
            "imdb_id": stored["imdb_id"].take(pa.array(film)),
            "trait": pa.array(traits).take(pa.array(trait)),
            "risk": risk,
        }
    )


def queries(
    stored: pa.Table,
    known: np.ndarray,
    count: int,
    traits: list[str],
    seed: int,
    typos: float = 0.0,
    invented: float = 0.0,
) -> pa.Table:
    """Return `count` different queries(title, year, constraints) as models ask: four in five for films of `known`.

    Two traits are avoided. Of the years, one in twenty is one off; `typos` of the titles lack a letter, and `invented` of
    them are of nobody's film.
    """
    rng = np.random.default_rng(seed)
    talked_about = rng.choice(known, min(count * 4 // 5, len(known)), replace=False)
    others = rng.choice(stored.num_rows, count - len(talked_about), replace=False)
    rows = stored.take(pa.array(rng.permutation(np.concatenate([talked_about, others]))))
    title, kind = rows["title"].to_pylist(), rng.random(count)
    nonsense = words(20_000, rng).to_pylist()
    for number in np.flatnonzero(kind < typos + invented).tolist():
        place = int(rng.integers(1, max(len(title[number]) - 1, 2)))
        if kind[number] < typos:
            title[number] = title[number][:place] + title[number][place + 1 :]
        else:
            title[number] = " ".join(nonsense[place] + "qu" for place in rng.integers(0, len(nonsense), 3).tolist())
    year = rows["year"].to_numpy() + (rng.random(count) < 0.05)
    avoided = pa.array(traits).take(pa.array(rng.integers(0, len(traits), 2 * count)))
    constraints = pa.ListArray.from_arrays(pa.array(np.arange(0, 2 * count + 1, 2, dtype=np.int32)), avoided)
    return pa.table({"title": title, "year": pa.array(year, pa.int16()), "constraints": constraints})
