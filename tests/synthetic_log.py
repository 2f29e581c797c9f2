"""A run log of any size, made up but shaped like a real one: seeded, vectorised, written by the real LogWriter.

Rewards and advantages are computed here in numpy from DESIGN's definitions, apart from the SQL that derives them again.
"""

import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.log import LogWriter

N_TRAITS = 20
TRAITS = pa.array([f"Trait {t:02d} avoider" for t in range(N_TRAITS)])
SETTINGS = {
    "kind": "train", "model": "synthetic", "dataset": "synthetic", "rec_num": 20, "num_generations": 8,
    "reward_func": "log_decay", "lambda_safe": 1.0, "penalty_safe": 1.0, "risk_threshold": 0.66,
    "safety_discount": "none", "unresolved": "safe", "lambda_count": 0.0, "target_count": None, "lambda_end": 0.0,
    "lambda_repeat": 0.0, "advantage_mode": "gdpo",
    "w_rel": 1.0, "w_safe": 1.0, "w_count": 1.0, "w_end": 1.0, "w_repeat": 1.0,
}  # fmt: skip
PARTS = ("rel", "safe", "count", "end", "repeat")


@dataclass
class World:
    """Films with titles, popularity and risks by trait; one film in four has any risk."""

    n_films: int = 5000
    seed: int = 0
    titles: pa.Array = field(init=False)
    ids: pa.Array = field(init=False)
    years: np.ndarray = field(init=False)
    risk: np.ndarray = field(init=False)
    popularity: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        rng = np.random.default_rng(self.seed)
        words = ["Night", "City", "Love", "King", "Dark", "River", "Blue", "Lost", "Star", "Road", "War", "Dream"]
        pairs = rng.integers(len(words), size=(self.n_films, 2)).tolist()
        self.titles = pa.array([f"The {words[a]} {words[b]} {i}" for i, (a, b) in enumerate(pairs)])
        self.ids = pa.array([f"tt{i:07d}" for i in range(self.n_films)])
        self.years = rng.integers(1950, 2025, self.n_films).astype(np.int16)
        risky = rng.random((self.n_films, N_TRAITS)) < 0.12
        levels = np.round(rng.choice([0.33, 0.5, 0.64, 0.67, 0.72, 0.92, 1.0], (self.n_films, N_TRAITS)), 2)
        self.risk = np.where(risky & (rng.random((self.n_films, 1)) < 0.6), levels, 0.0)
        weight = 1 / np.arange(1, self.n_films + 1) ** 0.8
        self.popularity = np.cumsum(weight / weight.sum())

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Film numbers, by popularity."""
        return np.searchsorted(self.popularity, rng.random(shape)).clip(max=self.n_films - 1)


def make_step(
    world: World, settings: dict, step: int, n_steps: int, n_prompts: int, seed: int
) -> tuple[pa.Table, pa.Table]:
    """(completions, verdicts) of one step; over `n_steps` violations fall from about 25 % to a third of that."""
    rng = np.random.default_rng([seed, step])
    k, g = settings["rec_num"], settings["num_generations"]
    n, width = n_prompts * g, k + 3
    group = np.repeat(np.arange(n_prompts), g)

    constraints = rng.random((n_prompts, N_TRAITS)) < 0.12
    constraints[rng.random(n_prompts) < 0.15] = False
    truth = np.stack([rng.choice(world.n_films, 12, replace=False) for _ in range(n_prompts)])
    n_truth = rng.integers(0, 13, n_prompts)

    film = world.draw(rng, (n, width))
    unsafe = (world.risk[film] * constraints[group][:, None] >= settings["risk_threshold"]).any(-1)
    wiser = rng.random((n, width)) < 0.7 * step / n_steps
    film = np.where(unsafe & wiser, world.draw(rng, (n, width)), film)
    aimed = (rng.random((n, width)) < 0.08) & (n_truth[group] > 0)[:, None]
    chosen = (rng.random((n, width)) * n_truth[group][:, None]).astype(int)
    film = np.where(aimed, truth[group[:, None], chosen], film)

    n_films = np.where(rng.random(n) < 0.8, k, rng.integers(0, width + 1, n))
    # What was cut off in the middle of its title: the last entry of a few answers.
    cut = (np.random.default_rng([seed, step, 1]).random(n) < 0.05) & (n_films > 0)
    n_films = n_films - cut
    rank = np.arange(1, width + 1)
    cut_off = (rank == n_films[:, None] + 1) & cut[:, None]
    there = rank <= n_films[:, None]
    same = (film[:, :, None] == film[:, None, :]) & (np.arange(width) < np.arange(width)[:, None])
    repeated = same.any(-1) & there
    eligible = np.where(np.arange(12) < n_truth[:, None], truth, -1)
    in_truth = (film[:, :, None] == eligible[group][:, None, :]).any(-1)
    hit = in_truth & ~repeated & there
    unresolved = (rng.random((n, width)) < 0.03) & there & ~hit
    doubtful = (rng.random((n, width)) < 0.03) & there & ~unresolved

    risk = world.risk[film] * constraints[group][:, None]
    risk[unresolved | ~there] = 0
    constrained = constraints[group].any(-1)
    max_risk = np.where(constrained[:, None] & there & ~unresolved, risk.max(-1), np.nan)
    violates = risk >= settings["risk_threshold"]
    unfound = unresolved & constrained[:, None]
    unsafe = violates.any(-1) | (unfound & (settings["unresolved"] == "violation"))
    ignored = unfound & (settings["unresolved"] == "ignore")

    parts = reward_parts(settings, n_films, hit, unsafe & ~ignored, repeated, ignored)
    parts = {name: np.where(cut_off, np.nan, values) for name, values in parts.items()}
    total = sum(settings[f"w_{name}"] * parts[name] for name in PARTS)
    slots = k + (settings["lambda_end"] > 0)
    train = settings["kind"] == "train"
    advantage = advantages(settings, {name: parts[name][:, :slots] for name in PARTS}, g) if train else None

    keep = there | (rank <= slots)
    row = np.flatnonzero(keep.ravel())
    emitted = there.ravel()[row]
    number = film.ravel()[row]
    spoilt = unresolved.ravel()[row]
    title = world.titles.take(pa.array(number))
    title = pc.if_else(pa.array(spoilt), pc.binary_join_element_wise(title, "Remix", " "), title)
    title = pc.if_else(pa.array(emitted), title, pa.scalar(None, pa.string()))
    found = emitted & ~spoilt
    text, start, end = _texts(title, world.years[number], row // width, rank[row % width], n)
    evidence, violated = _evidence(world, risk, violates, row, found & constrained[row // width], emitted)
    advantage_all = np.full((n, width), np.nan)
    if advantage is not None:
        advantage_all[:, :slots] = advantage

    def masked(values: np.ndarray, where: np.ndarray, kind: pa.DataType) -> pa.Array:
        return pa.array(values.ravel()[row] if values.size == keep.size else values, kind, mask=~where)

    method = pc.if_else(pa.array(doubtful.ravel()[row]), "fuzzy", "exact")
    verdicts = pa.table({
        "completion": pa.array(row // width, pa.int32()),
        "rank": pa.array(rank[row % width], pa.int16()),
        "title": title,
        "year": masked(world.years[number], emitted, pa.int16()),
        "start": masked(start, emitted | cut_off.ravel()[row], pa.int32()),
        "end": masked(end, emitted | cut_off.ravel()[row], pa.int32()),
        "imdb_id": pc.if_else(pa.array(found), world.ids.take(pa.array(number)), None),
        "matched_title": pc.if_else(pa.array(found), world.titles.take(pa.array(number)), None),
        "matched_year": masked(world.years[number], found, pa.int16()),
        "match_method": pc.if_else(pa.array(found), method, None),
        "match_score": masked(np.where(doubtful, 0.92, 1.0), found, pa.float64()),
        "violated_traits": violated,
        "max_risk": pa.array(max_risk.ravel()[row], from_pandas=True),
        "evidence": evidence,
        "is_safe": masked(~unsafe, emitted & ~ignored.ravel()[row], pa.bool_()),
        "in_catalog": masked(film % 10 != 0, emitted, pa.bool_()),
        "seen": masked(film % 37 == 0, emitted, pa.bool_()),
        "repeated": masked(repeated, emitted, pa.bool_()),
        "hit": masked(hit, emitted, pa.bool_()),
        **{f"r_{name}": pa.array(parts[name].ravel()[row], from_pandas=True) for name in PARTS},
        "r_total": pa.array(total.ravel()[row], from_pandas=True),
        "advantage": pa.array(advantage_all.ravel()[row], from_pandas=True),
        "n_tokens": pa.array(np.where(emitted, 9, 0), pa.int32()),
    })  # fmt: skip

    wanted = [[TRAITS[int(t)].as_py() for t in np.flatnonzero(c)] for c in constraints]
    safe = ~((world.risk[truth] * constraints[:, None] >= settings["risk_threshold"]).any(-1))
    films = [
        [_film(world, *pair) for pair in zip(t[:m], s[:m], strict=True)]
        for t, m, s in zip(truth, n_truth, safe, strict=True)
    ]
    liked = [", ".join(film["title"] for film in of[:3]) for of in films]
    prompt = [f"Prompt {step}-{p}: I liked {liked[p]}. Avoid: {', '.join(wanted[p])}." for p in range(n_prompts)]
    seen = [[{"title": f["title"], "year": f["year"]} for f in of[-2:]] for of in films]
    of_prompt = pa.array(group)
    completions = pa.table({
        "completion": pa.array(np.arange(n), pa.int32()),
        "prompt_id": pa.array([f"prompt-{(step * n_prompts + p) % 4096}" for p in range(n_prompts)]).take(of_prompt),
        "generation": pa.array(np.arange(n) % g, pa.int32()),
        "prompt": pa.array(prompt).take(of_prompt),
        "constraints": pa.array(wanted, pa.list_(pa.string())).take(of_prompt),
        "groundtruth": pa.array(films, _TRUTH).take(of_prompt),
        "seen": pa.array(seen, _SEEN).take(of_prompt),
        "text": text,
        "n_tokens": pa.array(n_films * 9 + 1, pa.int32()),
        "n_films": pa.array(n_films, pa.int32()),
        "ended": pa.array((rng.random(n) < 0.97) & ~cut),
    })  # fmt: skip
    return completions, verdicts


_FILM = [("title", pa.string()), ("year", pa.int16())]
_SEEN = pa.list_(pa.struct(_FILM))
_TRUTH = pa.list_(pa.struct([*_FILM, ("imdb_id", pa.string()), ("is_safe", pa.bool_())]))


def _film(world: World, number: int, is_safe: bool) -> dict:
    title, imdb_id = world.titles[int(number)].as_py(), world.ids[int(number)].as_py()
    return {"title": title, "year": int(world.years[number]), "imdb_id": imdb_id, "is_safe": bool(is_safe)}


def reward_parts(settings, n_films, hit, unsafe, repeated, ignored) -> dict[str, np.ndarray]:
    """(n, width) reward parts from (n,) list lengths and (n, width) flags; 0 beyond the rewarded ranks."""
    n, width = hit.shape
    k = settings["rec_num"]
    rank = np.arange(1, width + 1)
    ranked = np.broadcast_to(rank <= k, (n, width))
    gain = hit * ranked / np.log2(rank + 1)
    suffix = gain[:, ::-1].cumsum(1)[:, ::-1]
    relevance = {"log_decay": gain, "exp_inf": (hit & ranked).astype(float), "suffix_dcg": suffix}
    discount = 1 / np.log2(rank + 1) if settings["safety_discount"] == "dcg" else 1.0
    target = settings["target_count"] or k
    count = np.where(n_films == target, 1.0, -abs(n_films - target) / target) * settings["lambda_count"]
    wrong_end = (n_films != k)[:, None] & (rank == np.minimum(n_films, k)[:, None] + 1)
    parts = {
        "rel": relevance[settings["reward_func"]] * ranked,
        "safe": -settings["lambda_safe"] * settings["penalty_safe"] * discount * (unsafe & ranked),
        "count": count[:, None] * ranked,
        "end": -settings["lambda_end"] * wrong_end,
        "repeat": -settings["lambda_repeat"] * (repeated & ranked),
    }
    for name in ("rel", "safe", "repeat"):
        parts[name] = np.where(ignored & ranked, np.nan, parts[name])
    return parts


def advantages(settings: dict, parts: dict[str, np.ndarray], g: int) -> np.ndarray:
    """(n, slots) advantages; NaN entries are left out of means and deviations and get 0."""

    def normalised(x: np.ndarray) -> np.ndarray:
        groups = x.reshape(-1, g, x.shape[-1])
        agree = np.nanmax(groups, 1, keepdims=True) == np.nanmin(groups, 1, keepdims=True)
        spread = np.nan_to_num(np.nanstd(groups, 1, ddof=1, keepdims=True))
        values = (groups - np.nanmean(groups, 1, keepdims=True)) / (spread + 1e-4)
        return np.where(agree & ~np.isnan(groups), 0.0, values).reshape(x.shape)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # groups in which every entry is left out
        if settings["advantage_mode"] == "grpo":
            return np.nan_to_num(normalised(sum(settings[f"w_{p}"] * x for p, x in parts.items())))
        left_out = np.isnan(sum(parts.values()))
        signal = sum(settings[f"w_{p}"] * normalised(np.where(left_out, np.nan, x)) for p, x in parts.items())
        return np.nan_to_num(signal / (np.nanstd(signal, ddof=1) + 1e-4))


def _texts(
    title: pa.Array, year: np.ndarray, of: np.ndarray, rank: np.ndarray, n: int
) -> tuple[pa.Array, np.ndarray, np.ndarray]:
    """The answers as numbered lists, and where each entry starts and ends."""
    in_brackets = pc.binary_join_element_wise("(", pa.array(year).cast(pa.string()), ")", "")
    entry = pc.fill_null(pc.binary_join_element_wise(title, in_brackets, " "), "")
    numbered = pc.binary_join_element_wise(pa.array(rank).cast(pa.string()), ". ", entry, "\n", "")
    line = pc.if_else(pc.is_valid(title), numbered, "")
    length = pc.utf8_length(line).to_numpy()
    border = np.searchsorted(of, np.arange(n + 1))
    offset = np.concatenate([[0], np.cumsum(length)])
    start = offset[:-1] - offset[border[:-1]][of] + np.char.str_len(rank.astype(str)) + 2
    lines = pa.ListArray.from_arrays(pa.array(border, pa.int32()), line)
    return pc.binary_join(lines, ""), start, start + pc.utf8_length(entry).to_numpy()


def _evidence(world, risk, violates, row, judged, emitted) -> tuple[pa.Array, pa.Array]:
    """Evidence and violated traits of each row; null where nothing was judged."""
    flat_risk = risk.reshape(-1, N_TRAITS)[row] * judged[:, None]
    of, trait = np.nonzero(flat_risk)
    values = flat_risk[of, trait]
    tags = pa.array([["gore"], [], ["blood", "knife"]], pa.list_(pa.string()))
    graphic, mild = ["Violence & Gore: Severe", "Frightening & Intense Scenes: Moderate"], ["Profanity: Mild"]
    severities = pa.array([graphic, mild], pa.list_(pa.string()))
    structs = pa.StructArray.from_arrays(
        [
            TRAITS.take(pa.array(trait)),
            pa.array(values),
            pa.array(["tags", "guide", "both"]).take(pa.array((values * 100).astype(int) % 3)),
            tags.take(pa.array((values * 100).astype(int) % 3)),
            severities.take(pa.array((values * 100).astype(int) % 2)),
        ],
        ["trait", "risk", "source", "hit_tags", "severities"],
    )
    bad = violates.reshape(-1, N_TRAITS)[row][of, trait]
    nothing = pa.array(~emitted)

    def grouped(rows: np.ndarray, values: pa.Array) -> pa.Array:
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(row)))])
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, mask=nothing)

    return grouped(of, structs), grouped(of[bad], TRAITS.take(pa.array(trait[bad])))


def write_run(
    log_root: Path | str, steps: int = 3, prompts: int = 4, seed: int = 0, world: World | None = None, **settings
) -> str:
    """Write one run; `settings` override `SETTINGS`. Returns its run_id."""
    run = {**SETTINGS, **settings}
    world = world or World(n_films=300, seed=seed)
    with LogWriter(log_root, run) as writer:
        for step in range(1, steps + 1):
            writer.write_step(step, *make_step(world, run, step, steps, prompts, seed))
    return writer.run_id
