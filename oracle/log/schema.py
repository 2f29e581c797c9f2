"""The columns of the rollout log, and the one place where tables are brought into that shape.

Three kinds of file: a run (one row), a step's completions, and its verdicts (one row per completion and rank). What
each column means is said in `sql/log/tables.sql`.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.columns import repeated
from oracle.base.errors import UserError, in_a_line
from oracle.rewards import REWARDS, SETTINGS

_TYPES = {float: pa.float64(), int: pa.int32(), str: pa.string()}
STRINGS = pa.list_(pa.string())
FILM = pa.struct([("title", pa.string()), ("year", pa.int16())])
_SOURCE = [("source", pa.string()), ("hit_tags", STRINGS), ("severities", STRINGS)]
OWN = pa.map_(pa.string(), pa.float64())  # by the name of a reward that is somebody's own
EVIDENCE = pa.struct([("trait", pa.string()), ("risk", pa.float64()), *_SOURCE])

RUN = pa.schema(
    [
        ("run_id", pa.string()),
        ("kind", pa.string()),
        ("started_at", pa.timestamp("us", "UTC")),
        ("model", pa.string()),
        ("dataset", pa.string()),
        ("rec_num", pa.int32()),
        ("num_generations", pa.int32()),
        *[(setting.name, _TYPES[setting.type]) for setting in SETTINGS],
        ("risk_threshold", pa.float64()),
        ("unresolved", pa.string()),
        ("unrated", pa.string()),
        ("length_control", pa.float64()),
        ("advantage_mode", pa.string()),
        *[(f"w_{reward.column}", pa.float64()) for reward in REWARDS],
        ("own_weights", OWN),
        ("settings", pa.string()),
        ("versions", pa.string()),
        ("git", pa.string()),
    ]
)

COMPLETIONS = pa.schema(
    [
        ("run_id", pa.string()),
        ("step", pa.int32()),
        ("completion", pa.int32()),
        ("group_id", pa.int32()),
        ("prompt_id", pa.string()),
        ("dataset_id", pa.string()),
        ("generation", pa.int32()),
        ("prompt", pa.string()),
        ("constraints", STRINGS),
        ("groundtruth", pa.list_(pa.struct([*FILM, ("imdb_id", pa.string()), ("is_safe", pa.bool_())]))),
        ("seen", pa.list_(FILM)),
        ("text", pa.string()),
        ("n_tokens", pa.int32()),
        ("n_films", pa.int32()),
        ("ended", pa.bool_()),
    ]
)

VERDICTS = pa.schema(
    [
        ("run_id", pa.string()),
        ("step", pa.int32()),
        ("completion", pa.int32()),
        ("rank", pa.int16()),
        ("group_id", pa.int32()),
        ("prompt_id", pa.string()),
        ("constrained", pa.bool_()),
        ("run_k", pa.int16()),
        ("run_threshold", pa.float64()),
        ("n_films", pa.int32()),
        ("n_groundtruth", pa.int16()),
        ("n_groundtruth_safe", pa.int16()),
        ("title", pa.string()),
        ("year", pa.int16()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("imdb_id", pa.string()),
        ("matched_title", pa.string()),
        ("matched_year", pa.int16()),
        ("match_method", pa.string()),
        ("match_score", pa.float64()),
        ("status", pa.string()),
        ("violated_traits", STRINGS),
        ("unrated_traits", STRINGS),
        ("max_risk", pa.float64()),
        ("evidence", pa.list_(EVIDENCE)),
        ("is_safe", pa.bool_()),
        ("in_catalog", pa.bool_()),
        ("seen", pa.bool_()),
        ("repeated", pa.bool_()),
        ("hit", pa.bool_()),
        *[(f"r_{reward.column}", pa.float64()) for reward in REWARDS],
        ("own_rewards", OWN),
        *[(name, pa.float64()) for name in ("r_total", "length_control", "advantage")],
        ("n_tokens", pa.int32()),
    ]
)

LOSS = pa.schema(
    [
        ("step", pa.int32()),
        ("rank", pa.int16()),
        ("lists", pa.int64()),
        ("ratio", pa.float64()),
        ("clip_ratio", pa.float64()),
        ("kl", pa.float64()),
    ]
)

MOST_RANKS = 2**15 - 1

# Columns that the log fills in, so that no caller has to repeat them and no view has to join for them.
DERIVED = {
    "run_id", "step", "group_id", "constrained", "run_k", "run_threshold", "n_groundtruth", "n_groundtruth_safe"
}  # fmt: skip
OPTIONAL = {f"r_{reward.column}" for reward in REWARDS} | {
    "dataset_id",
    "status",
    "unrated_traits",
    "own_rewards",
    "r_total",
    "length_control",
    "advantage",
    "n_tokens",
}


def step_tables(run: Mapping, step: int, completions: pa.Table, verdicts: pa.Table) -> tuple[pa.Table, pa.Table]:
    """One step's tables in the shape of the log, ordered by completion and rank.

    Args:
        run: the run's row.
        completions: N rows numbered 0..N-1, G consecutive ones a group; text and n_films are never null.
        verdicts: rows (completion, rank); `OPTIONAL` columns may be left out and become null. A rank of 1 to K that has no row
            gets one of nulls: nothing was emitted there, and no reward is noted (`rederivation` tells where one is due).

    Raises:
        UserError: missing columns (all of them named), values of another type, nulls, completions that are not 0..N-1,
            verdicts of an unknown completion, a rank below 1, or a (completion, rank) that is there twice.
    """
    _check_columns("completions", completions, COMPLETIONS)
    _check_columns("verdicts", verdicts, VERDICTS, {"prompt_id", "n_films"})
    completions = _typed("completions", completions, COMPLETIONS, ["completion", "text", "n_films"])
    verdicts = _typed("verdicts", verdicts, VERDICTS, ["completion", "rank"])
    completions = completions.sort_by("completion").combine_chunks()
    n = completions.num_rows
    number = completions["completion"].to_numpy()
    if not np.array_equal(number, np.arange(n)):
        raise UserError(f"step {step} has completions {number[:5].tolist()}…: expected each of 0 to {n - 1} once")
    of, rank = verdicts["completion"].to_numpy(), verdicts["rank"].to_numpy()
    if unknown := of[(of < 0) | (of >= n)].tolist():
        raise UserError(f"step {step} has verdicts of completion {unknown[0]}: its completions are 0 to {n - 1}")
    if np.any(rank < 1):
        raise UserError(f"step {step} has a verdict of rank {rank.min()}: ranks count from 1")
    verdicts = pa.concat_tables([verdicts, _lacking(of, rank, n, run["rec_num"])], promote_options="default")
    verdicts = verdicts.sort_by([("completion", "ascending"), ("rank", "ascending")]).combine_chunks()
    of, rank = verdicts["completion"].to_numpy(), verdicts["rank"].to_numpy()
    if np.any((np.diff(of) == 0) & (np.diff(rank) == 0)):
        raise UserError(f"step {step} has two verdicts for one completion and rank: expected one")

    groundtruth = completions["groundtruth"].combine_chunks()
    flat_safe = groundtruth.flatten().field("is_safe").fill_null(True)
    owner = pc.list_parent_indices(groundtruth).to_numpy()
    n_safe = np.bincount(owner, weights=flat_safe.to_numpy(zero_copy_only=False), minlength=n)
    group = (number // run["num_generations"]).astype(np.int32)
    constrained = pc.greater(pc.list_value_length(completions["constraints"]).fill_null(0), 0)
    per_completion = {
        "group_id": group,
        "prompt_id": completions["prompt_id"],
        "constrained": constrained,
        "n_films": completions["n_films"],
        "n_groundtruth": np.bincount(owner, minlength=n),
        "n_groundtruth_safe": n_safe.astype(np.int16),
    }
    derived = pa.table(per_completion).take(pa.array(of))
    if "status" not in verdicts.column_names:
        verdicts = verdicts.append_column("status", _statuses(verdicts))
    constants = {
        "run_id": run["run_id"],
        "step": step,
        "run_k": run["rec_num"],
        "run_threshold": run["risk_threshold"],
    }
    return (
        _shaped("completions", completions, COMPLETIONS, constants, {"group_id": pa.array(group)}),
        _shaped("verdicts", verdicts, VERDICTS, constants, {name: derived[name] for name in derived.column_names}),
    )


def _lacking(of: np.ndarray, rank: np.ndarray, n: int, k: int) -> pa.Table:
    """(completion, rank) of each rank of 1 to `k` of each of `n` completions without a row: figures are means over all of them."""
    ranked = rank <= k
    lacking = np.setdiff1d(np.arange(n * k), of[ranked].astype(np.int64) * k + rank[ranked] - 1)
    return pa.table({"completion": pa.array(lacking // k, pa.int32()), "rank": pa.array(lacking % k + 1, pa.int16())})


def loss_table(step: int, by_rank: pa.Table) -> pa.Table:
    """What the loss made of each rank, in the shape of the log. Raises `UserError` for other columns, or values of another type."""
    _check_columns("by_rank", by_rank, LOSS)
    return _shaped("by_rank", by_rank, LOSS, {"step": step}, {})


def _statuses(verdicts: pa.Table) -> pa.Array:
    """The status that follows from how a film was found, and what is known of it; null where nothing was emitted."""
    unrated = verdicts["unrated_traits"] if "unrated_traits" in verdicts.column_names else None
    return pc.case_when(
        pc.make_struct(
            pc.is_null(verdicts["title"]),
            _is_filled(verdicts["violated_traits"]),
            pc.is_null(verdicts["match_method"]),
            pa.nulls(len(verdicts), pa.bool_()) if unrated is None else _is_filled(unrated),
        ),
        pa.scalar(None, pa.string()),
        *("unsafe", "unresolved", "unrated", "safe"),
    )


def _is_filled(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.greater(pc.list_value_length(lists).fill_null(0), 0)


def _check_columns(name: str, table: pa.Table, schema: pa.Schema, also_derived: set[str] | None = None) -> None:
    if not isinstance(table, pa.Table):
        raise UserError(f"{name} are a {type(table).__name__}: expected a pyarrow Table (of polars: frame.to_arrow())")
    if twice := repeated(table.column_names):
        raise UserError(f"{name} have several columns called {', '.join(twice)}: expected one of each")
    try:
        table.validate(full=True)
    except pa.ArrowInvalid as error:  # text that is no UTF-8, say, which no reader would take
        raise UserError(f"{name} can't be logged: {in_a_line(error)}") from None
    needed = set(schema.names) - DERIVED - OPTIONAL - (also_derived or set())
    if missing := [column for column in schema.names if column in needed - set(table.column_names)]:
        raise UserError(f"{name} lack the columns {', '.join(missing)}: they have {', '.join(table.column_names)}")


def _shaped(name: str, table: pa.Table, schema: pa.Schema, constants: dict, columns: dict) -> pa.Table:
    arrays = []
    for field in schema:
        if field.name in constants:
            column = pa.repeat(pa.scalar(constants[field.name], field.type), table.num_rows)
        elif field.name in columns:
            column = columns[field.name]
        elif field.name in table.column_names:
            column = table[field.name]
        else:
            column = pa.nulls(table.num_rows, field.type)
        arrays.append(_cast(name, field, column))
    return pa.table(arrays, schema=schema)


def _typed(name: str, table: pa.Table, schema: pa.Schema, filled: list[str]) -> pa.Table:
    """The known columns in their types (of nulls alone, Arrow knows none), those of `filled` without nulls."""
    known = [field for field in schema if field.name in table.column_names]
    for column in filled:
        if table[column].null_count:
            raise UserError(f"{name}.{column} has {table[column].null_count} nulls: expected a value in every row")
    return pa.table([_cast(name, f, table[f.name]) for f in known], schema=pa.schema(known))


def _cast(name: str, field: pa.Field, column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    try:
        return column.cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError) as error:
        raise UserError(f"{name}.{field.name} has type {column.type}, expected {field.type}: {error}") from None
