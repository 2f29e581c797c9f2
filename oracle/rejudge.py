"""Logged answers judged again, by the parser, store and settings of today, into a run of their own.

So a mended rule or a new source shows its effect without a model. The texts, the prompts and the number of tokens stay;
what the texts name, the verdicts and the rewards are new. The rewards follow from the verdicts by `sql/views/what_if.sql`,
where every rule of them is written down; somebody's own rewards can't be derived, and are left out. The log has of the ground
truth what was in the catalog and not seen: a larger catalog of today brings nothing back.
"""

import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa

from oracle.annotate import Annotator
from oracle.base.errors import UserError
from oracle.base.printable import in_short, storable_json
from oracle.base.resources import read_sql
from oracle.cut_off import open_entries
from oracle.log import LogWriter, open_log, query, run_info, seen_last, whole_run
from oracle.oracle import create_oracle
from oracle.sources import noted_catalog
from oracle.store import log_root

ORIGIN = "rejudged_from"
"""The setting of a run that says which run's answers it judges again."""


@dataclass(frozen=True)
class Rejudged:
    """`run_id`: the new run; `changed` of the `verdicts` differ: on the ranks at which it, or the run that it judges
    again, has a film. `notes`: what could not be done as that run did it."""

    run_id: str
    verdicts: int
    changed: int
    notes: tuple[str, ...] = ()


def rejudge(
    store: str | Path,
    run_id: str,
    *,
    risk_threshold: float | None = None,
    unresolved: str | None = None,
    unrated: str | None = None,
    thought_tags: Sequence[str] | None = None,
    progress=lambda steps: steps,
) -> Rejudged:
    """Judge the answers of a run again; what is None is as the run had it. Of a run that goes on: the steps so far.

    Args:
        store: the store to judge with; the log is beside it.
        thought_tags: marks of thoughts besides the usual ones, in place of the run's.
        progress: wraps the list of steps, to show how far it is (tqdm, say).

    Raises:
        UserError: no such run, one without steps or with steps that can't be read, one that is deleted, cut back or written
            again meanwhile, settings out of range or of another type, or a catalog that the run had in place of the store's and
            that is gone or not what it was. The log is then as it was.
    """
    root = log_root(store)
    with open_log(root) as log, tempfile.TemporaryDirectory() as folder:
        found = query(log, "from runs where run_id = $run", {"run": run_id}).to_pylist()
        if not found and (wrong := seen_last(root).runs.get(run_id)):
            raise UserError(f"run {run_id} is left out, as {wrong} can't be read: bring it back, or move the run away")
        if not found:
            raise UserError(f"no run {run_id!r} in {root}: `python -m oracle log list` shows which there are")
        changes = {"risk_threshold": risk_threshold, "unresolved": unresolved, "unrated": unrated}
        _refuse_damaged(root, run_id)
        run = _again(found[0], {name: value for name, value in changes.items() if value is not None}, thought_tags)
        settings = json.loads(run["settings"])
        try:
            catalog = noted_catalog(settings)
        except UserError as error:
            raise UserError(f"cannot judge run {run_id} again: {error}") from None
        oracle = create_oracle(
            store=store, risk_threshold=run["risk_threshold"], unresolved=run["unresolved"], unrated=run["unrated"]
        )
        annotator = Annotator(oracle, catalog, settings["thought_tag"])
        shape = "select distinct step, rewarded_ranks from rollouts join run_shape using (run_id) where run_id = $run order by step"
        slots = {row["step"]: row["rewarded_ranks"] for row in query(log, shape, {"run": run_id}).to_pylist()}
        _refuse_damaged(root, run_id)  # found as it is read, and in no view from then on
        if not slots:
            raise UserError(f"cannot judge run {run_id} again: it has no steps; train or evaluate first")
        with LogWriter(folder, run) as draft:
            for step in progress(list(slots)):
                completions, verdicts = _judged_again(log, annotator, run_id, step, slots[step])
                _refuse_changed(root, run_id, is_as_it_was=len(completions) > 0)
                draft.write_step(step, completions, verdicts)
        done = _with_rewards(Path(folder), draft.run_id, root, run, run_id, list(slots))
        return replace(done, notes=tuple(_notes(run, settings, _noted(found[0]) is None)))


def _again(run: dict, changes: dict, thought_tags: Sequence[str] | None) -> dict:
    """The row of the new run: that of `run`, with `changes`."""
    info = run_info()
    had = _noted(run) or {}
    tags = had.get("thought_tag") or [] if thought_tags is None else thought_tags
    if isinstance(tags, str) or not (isinstance(tags, Sequence) and all(isinstance(tag, str) for tag in tags)):
        raise UserError(
            f"cannot judge run {run['run_id']} again: thought_tag is {in_short(json.dumps(tags))}, expected a list of names; "
            "give them (--thought_tag)"
        )
    settings = {**had, **changes, "thought_tag": list(tags), ORIGIN: run["run_id"]}
    kept = {name: value for name, value in run.items() if name not in ("run_id", "started_at")}
    return {
        **kept,
        "unrated": run["unrated"] or "safe",
        **changes,
        "settings": storable_json(settings),
        "versions": json.dumps(info["versions"]),
        "git": json.dumps(info["git"]),
    }


def _noted(run: dict) -> dict | None:
    """The settings that a run noted; null: they are JSON of another kind, as somebody's own writer may leave it."""
    try:
        noted = json.loads(run["settings"] or "{}")
    except (ValueError, RecursionError):  # a number of 5,000 digits, JSON nested too deeply
        return None
    return noted if isinstance(noted, dict) else {} if noted is None else None


def _refuse_damaged(root: Path, run_id: str) -> None:
    """Raises `UserError` where steps of a run are left out, as they can't be read: judged again, it would lack them for good."""
    parts = seen_last(root).parts
    if broken := sorted(p for p in parts if p.parent.name == run_id and p.name != "loss.parquet"):
        raise UserError(f"cannot judge run {run_id} again: {broken[0]} can't be read; bring it back, or move it away")


def _refuse_changed(root: Path, run_id: str, is_as_it_was: bool) -> None:
    """Raises `UserError` for a run that isn't: steps are damaged (within a file that is found as it is read), gone, or others."""
    _refuse_damaged(root, run_id)
    if not is_as_it_was:
        raise UserError(f"cannot judge run {run_id} again: it was changed, or deleted, meanwhile; begin again")


def _notes(run: dict, settings: dict, is_unknown: bool) -> Iterator[str]:
    if is_unknown:
        yield "the run's settings are no JSON object: its catalog, and marks of thoughts of its own, are taken for none"
    if settings.get("catalog_path") and not settings.get("catalog"):
        yield f"{settings['catalog_path']} is taken as it is now: the run noted no sum of its catalog"
    if own := dict(run["own_weights"] or {}):
        yield f"left out of every total, as rewards of one's own can't be derived again: {', '.join(own)}"


def _judged_again(
    log: duckdb.DuckDBPyConnection, annotator: Annotator, run_id: str, step: int, slots: int
) -> tuple[pa.Table, pa.Table]:
    """Completions and verdicts of one step, without rewards."""
    where = {"run": run_id, "step": step}
    old = query(log, "from rollouts where run_id = $run and step = $step order by completion", where)
    texts, ended = old["text"].to_pylist(), old["ended"].to_pylist()
    batch = annotator.annotate(
        texts, old["groundtruth"].to_pylist(), old["seen"].to_pylist(), old["constraints"].to_pylist()
    )
    is_open = open_entries(batch.entries, texts, [bool(is_ended) for is_ended in ended])
    entries = _frame(batch.entries.filter(pa.array(~is_open)))
    # What was cut off is logged with its place in the text, and nothing else; beyond the rewarded ranks it is not.
    cut_off = _frame(batch.entries.filter(pa.array(is_open))).select("completion", "rank", "start", "end")
    cut_off = cut_off.filter(pl.col("rank") <= slots)
    completions = _frame(old).with_columns(
        groundtruth=pl.Series(_by_completion(batch.groundtruth, len(texts)), dtype=_frame(old)["groundtruth"].dtype),
        constraints=pl.Series(
            batch.constraints, dtype=_frame(old)["constraints"].dtype
        ),  # in full, as verdicts name them
        n_films=pl.Series(np.bincount(entries["completion"].to_numpy(), minlength=len(texts)), dtype=pl.Int32),
    )
    # The tokens are counted no more: a rank keeps its number where its entry is the same piece of the text.
    piece = ["completion", "rank", "start", "end"]
    tokens = query(
        log,
        'select completion, rank, start, "end", n_tokens from verdicts where run_id = $run and step = $step',
        where,
    )
    grid = pl.DataFrame({"completion": range(len(texts))}, schema={"completion": pl.Int32}).join(
        pl.DataFrame({"rank": range(1, slots + 1)}, schema={"rank": pl.Int16}), how="cross"
    )
    verdicts = (
        grid.join(pl.concat([entries, cut_off], how="diagonal"), on=["completion", "rank"], how="full", coalesce=True)
        .join(_frame(tokens), on=piece, how="left", nulls_equal=True)
        .sort("completion", "rank")
    )
    return completions.to_arrow(), verdicts.to_arrow()


def _with_rewards(draft: Path, draft_id: str, root: Path, run: dict, origin: str, steps: Iterable[int]) -> Rejudged:
    """Write the draft into the log, all of it or nothing, with the rewards and advantages that follow from it.

    Every step is held against its origin once more. All were read once before and are read a second time here: what is the same
    both times was all there at the moment between, so the new run is of one state of the old one. A merge changes no answer,
    and neither does a step that is added.
    """
    total = changed = 0
    with open_log(draft) as log, open_log(root) as before, whole_run(root, run) as writer:
        for step in steps:
            where = {"run": draft_id, "step": step}
            completions = query(log, "from rollouts where run_id = $run and step = $step order by completion", where)
            verdicts = query(log, read_sql("log/rejudged"), where)
            drop = ("run_id", "step")
            writer.write_step(step, completions.drop_columns(list(drop)), verdicts.drop_columns(list(drop)))
            of_step, changes = _changes(before, origin, log, draft_id, step)
            total, changed = total + of_step, changed + changes
            # After the verdicts, which have no text to know them by: they were of these answers too.
            of_origin = {"run": origin, "step": step}
            now = query(
                before, "select text from rollouts where run_id = $run and step = $step order by completion", of_origin
            )
            _refuse_changed(root, origin, is_as_it_was=now["text"].equals(completions["text"]))
    return Rejudged(writer.run_id, total, changed)


def _changes(
    before: duckdb.DuckDBPyConnection, origin: str, now: duckdb.DuckDBPyConnection, run_id: str, step: int
) -> tuple[int, int]:
    """How many ranks of a step have a `judgement` (sql/log/tables.sql), now or before, and how many another one than before."""
    columns = "completion, rank, judgement(v) as judgement"
    old, new = (
        _frame(
            query(
                log,
                f"select {columns} from verdicts v where run_id = $run and step = $step",
                {"run": run, "step": step},
            )
        )
        for log, run in ((before, origin), (now, run_id))
    )
    both = old.join(new, on=["completion", "rank"], how="full", coalesce=True, suffix="_now")
    has_film = pl.any_horizontal(pl.col("judgement", "judgement_now").is_not_null())
    is_other = pl.col("judgement").ne_missing(pl.col("judgement_now"))
    return both.filter(has_film).height, both.filter(is_other).height


def _frame(table: pa.Table) -> pl.DataFrame:
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    return frame


def _by_completion(films: pa.Table, n: int) -> list[list[dict]]:
    lists: list[list[dict]] = [[] for _ in range(n)]
    for film in films.select(["completion", "title", "year", "imdb_id", "is_safe"]).to_pylist():
        lists[film.pop("completion")].append(film)
    return lists
