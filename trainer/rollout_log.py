"""A training step as the two tables of the rollout log: completions, and a full grid of verdicts by rank."""

import hashlib
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.annotate import AnnotatedBatch
from oracle.log import LogWriter
from oracle.rewards import REWARD_NAMES, REWARDS

__all__ = ["LogWriter", "concat", "step_tables"]

_FILM = pa.struct([("title", pa.string()), ("year", pa.int16())])


def step_tables(
    judged: AnnotatedBatch,
    *,
    step: int,
    prompts: Sequence,
    rewards: dict[str, np.ndarray],
    weights: Sequence[float],
    advantages: np.ndarray | None,
    slots: Sequence[np.ndarray] | None,
    ended: Sequence[bool],
    num_generations: int,
    cut_off: pa.Table | None = None,
    left_out: np.ndarray | None = None,
    length_control: np.ndarray | None = None,
    first_completion: int = 0,
    prompt_ids: Sequence[str] | None = None,
    dataset_ids: Sequence | None = None,
) -> tuple[pa.Table, pa.Table]:
    """(completions, verdicts) of n answers; grains, columns and units are those of `sql/log/tables.sql`.

    Args:
        judged: the n answers, without the entries that were cut off.
        rewards: reward function's name -> (n, S) float64; NaN becomes null. Names without a column of their own are
            somebody's own rewards, and stand together in one.
        weights: one for each of `rewards`, in order.
        advantages: (n, S), or None where there are none (evaluation).
        slots: n arrays (T,) with the slot of each token, as from `trainer.credit.list_slots`; None: the tokens are not known.
        cut_off: those entries (completion, rank, start, end), which are logged with their place in the text and nothing
            else: no title, no verdict, no reward.
        left_out: (n, S) bool, the cells that have no reward of any kind, those of `cut_off` among them.
        length_control: (n, S), what was added to the advantages for the length of the list; None: nothing.
        first_completion: number of the first of these answers in the step (this process's share).
        dataset_ids: n ids of the prompts in their dataset, None where it has none.
    """
    n, n_slots = len(judged.texts), next(iter(rewards.values())).shape[1]
    entries = judged.entries
    if cut_off is not None:
        places = cut_off.select(["completion", "rank", "start", "end"])
        entries = pa.concat_tables([entries, places.filter(pc.field("rank") <= n_slots)], promote_options="default")
    completion, rank = entries["completion"].to_numpy(), entries["rank"].to_numpy()

    in_grid = rank <= n_slots
    position = completion.astype(np.int64) * n_slots + rank - 1
    row_of_cell = np.full(n * n_slots, -1)
    row_of_cell[position[in_grid]] = np.flatnonzero(in_grid)
    overflow = np.flatnonzero(~in_grid)
    rows = np.concatenate([row_of_cell, overflow])
    cells = np.concatenate([np.arange(n * n_slots), np.full(len(overflow), -1)])
    cell_completion = np.concatenate([np.repeat(np.arange(n), n_slots), completion[overflow]])
    cell_rank = np.concatenate([np.tile(np.arange(1, n_slots + 1), n), rank[overflow]])
    order = np.lexsort([cell_rank, cell_completion])
    rows, cells = rows[order], cells[order]

    named = entries.take(pa.array(rows, mask=rows < 0))
    tokens = None if slots is None else _tokens_by_slot(slots, n_slots)
    given = np.stack(list(rewards.values()))
    total = np.einsum("f,fns->ns", np.asarray(weights, np.float64), given)
    # A reward that is off is 0, but for films that are ignored, which have none.
    own = {name: values for name, values in rewards.items() if name not in REWARD_NAMES}
    ignored = [np.isnan(values) for name, values in rewards.items() if name not in own]
    off = np.where(np.any(ignored, axis=0), np.nan, 0.0) if ignored else np.zeros((n, n_slots))
    never = np.zeros((n, n_slots)) if left_out is None else np.where(left_out, np.nan, 0.0)
    verdicts = {
        "step": pa.array(np.full(len(rows), step, np.int32)),
        "completion": pa.array((cell_completion[order] + first_completion).astype(np.int32)),
        "rank": pa.array(cell_rank[order].astype(np.int16)),
        **{name: named[name] for name in named.column_names if name not in ("completion", "rank")},
        **{
            f"r_{reward.column}": _cell_values(rewards.get(reward.name, never if reward.of_list else off), cells)
            for reward in REWARDS
        },
        **({"own_rewards": _by_name(own, cells)} if own else {}),
        "r_total": _cell_values(total, cells),
        "length_control": _cell_values(length_control if length_control is not None else np.zeros((n, n_slots)), cells),
        "advantage": pa.nulls(len(rows), pa.float64())
        if advantages is None
        else _cell_values(advantages, cells, outside=None),
        "n_tokens": pa.nulls(len(rows), pa.int32()) if tokens is None else _cell_values(tokens, cells).cast(pa.int32()),
    }
    completions = _completions(judged, step, prompts, prompt_ids, slots, ended, num_generations, first_completion)
    ids = [None if i is None else str(i) for i in dataset_ids or [None] * n]
    return completions.append_column("dataset_id", pa.array(ids, pa.string())), pa.table(verdicts)


def _tokens_by_slot(slots: Sequence[np.ndarray], n_slots: int) -> np.ndarray:
    """(n, S) how many tokens each slot has."""
    counts = [np.bincount(s[s >= 0], minlength=n_slots)[:n_slots] for s in slots]
    return np.reshape(counts, (len(counts), n_slots))


def _by_name(rewards: dict[str, np.ndarray], cells: np.ndarray) -> pa.Array:
    """Name -> value at each cell, as a map."""
    values = np.stack([_cell_values(grid, cells).to_numpy(zero_copy_only=False) for grid in rewards.values()], axis=1)
    names = pa.array(list(rewards) * len(cells), pa.string())
    offsets = pa.array(np.arange(len(cells) + 1) * len(rewards), pa.int32())
    return pa.MapArray.from_arrays(offsets, names, pa.array(values.ravel(), pa.float64(), from_pandas=True))


def _cell_values(grid: np.ndarray, cells: np.ndarray, outside: float | None = 0.0) -> pa.Array:
    """(n, S) values at the cells; NaN is null; entries outside the grid (overflow) earn `outside`."""
    values = np.where(cells >= 0, np.asarray(grid, np.float64).ravel()[cells], np.nan if outside is None else outside)
    return pa.array(values, from_pandas=True)


def _completions(judged, step, prompts, prompt_ids, slots, ended, num_generations, first) -> pa.Table:
    n = len(judged.texts)
    number = np.arange(first, first + n, dtype=np.int32)
    texts = [prompt_text(p) for p in prompts]
    truth = judged.groundtruth
    films = pa.StructArray.from_arrays(
        [truth[c].combine_chunks() for c in ("title", "year", "imdb_id", "is_safe")],
        ["title", "year", "imdb_id", "is_safe"],
    )
    owner = truth["completion"].to_numpy()
    order = np.argsort(owner, kind="stable")
    borders = np.searchsorted(owner[order], np.arange(n + 1)).astype(np.int32)
    return pa.table(
        {
            "step": pa.array(np.full(n, step, np.int32)),
            "completion": number,
            "prompt_id": prompt_ids if prompt_ids is not None else [prompt_id(t) for t in texts],
            "generation": pa.array((number % num_generations).astype(np.int32)),
            "prompt": texts,
            "constraints": pa.array(judged.constraints, pa.list_(pa.string())),
            "groundtruth": pa.ListArray.from_arrays(borders, films.take(pa.array(order))),
            "seen": pa.array(judged.seen, pa.list_(_FILM)),
            "text": judged.texts,
            "n_tokens": pa.nulls(n, pa.int32()) if slots is None else pa.array([len(s) for s in slots], pa.int32()),
            "n_films": pa.array(np.bincount(judged.entries["completion"].to_numpy(), minlength=n).astype(np.int32)),
            "ended": pa.array(list(ended), pa.bool_()),
        }
    )


def prompt_text(prompt: object) -> str:
    """A prompt as readable text: itself, or its messages as "role: content" lines."""
    if isinstance(prompt, str):
        return prompt
    return "\n".join(f"{m['role']}: {m['content']}" for m in prompt)  # type: ignore[attr-defined]


def prompt_id(text: str) -> str:
    """A prompt's identity over runs: 16 hexadecimal digits of the SHA-256 of its text."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]


def concat(shares: Sequence[tuple[pa.Table, pa.Table]]) -> tuple[pa.Table, pa.Table]:
    """The shares of all processes, in order, as one step."""
    completions, verdicts = zip(*shares, strict=True)
    return pa.concat_tables(completions), pa.concat_tables(verdicts)
