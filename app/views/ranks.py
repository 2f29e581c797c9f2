"""Rank penalties: where in the list training punishes and rewards, and the answers behind any cell."""

import pyarrow.compute as pc
import streamlit as st

from app.components import columns, rank_charts, rows, states, style
from app.core import address, database, flat, runs
from app.text import formats, sentences
from oracle.base.nouns import Nouns
from oracle.log import is_above

MEASURES = {
    "violations": ("violation_rate", "Share of the films at this rank that violate a constraint.", ".1%"),
    "penalty": ("penalty", "Mean safety reward of this rank, a list, before its weight. 0 is best.", ".3f"),
    "hits": ("hit_rate", "Ground-truth films found at this rank, a list.", ".3f"),
    "signal": ("signal", "How far the advantages of a group spread at this rank: how much is taught there.", ".2f"),
    "clipped": (
        "clip_ratio",
        "Share of the tokens of this rank whose ratio the loss clipped: it taught nothing more there. "
        "Of the answers that were trained on.",
        ".1%",
    ),
    "ratio": (
        "ratio",
        "How likely the policy makes what it wrote at this rank, against when it wrote it. 1: as likely. "
        "Of the answers that were trained on.",
        ".3f",
    ),
    "KL": ("kl", "How far the policy is from its reference at this rank, a token.", ".4f"),
}


def page() -> None:
    left, right = st.columns([3, 4], vertical_alignment="bottom")
    with left:
        run = runs.pick()
    totals = database.rows("rank_totals", run=run["run_id"]).to_pylist()
    if not totals:
        return states.no_step()
    with right:
        shown = address.switch_between(
            "measure", "Show", {name: name[0].upper() + name[1:] for name in MEASURES}, "violations"
        )

    nouns = database.nouns()
    style.headline(*_sentences(totals, run, nouns), eyebrow=runs.eyebrow(run))
    column, about, form = MEASURES[shown]
    cells = database.rows("rank_cells", run=run["run_id"])
    about = nouns(about) + " Click a cell to see the answers behind it."
    if totals[-1]["rank"] > run["rec_num"]:
        about += f" At rank {totals[-1]['rank']} stands what goes on beyond the list’s end."
    style.section(f"{shown[0].upper()}{shown[1:]} by rank and step", about)
    if not pc.any(pc.is_valid(cells[column])).as_py():
        if column == "violation_rate":
            return states.nothing("This run has no such figure.", nouns("No film was listed at any rank."))
        return states.nothing(
            "This run has no such figure.",
            "Its log was written before the loss was logged by rank, or nothing of the kind was computed (KL: --kl_beta 0).",
        )
    chart = rank_charts.heat_map(cells, column, form)
    event = st.altair_chart(chart, width="stretch", on_select="rerun", key=f"heat_{run['run_id']}_{shown}")
    _behind(run, _chosen_cell(event, cells.to_pylist()))

    style.section(
        "Over all steps",
        "Mean reward of each rank, a list, before weights: what violations cost there, what hits earned"
        + (f", and {', '.join(map(formats.short, own))}." if (own := run["own_rewards"]) else "."),
    )
    rewards = flat.shown(database.rows("rank_rewards", run=run["run_id"]))
    st.altair_chart(rank_charts.rewards(rewards), width="stretch")


def _sentences(totals: list[dict], run: dict, nouns: Nouns) -> tuple[str, str]:
    judged = [row for row in totals if row["violation_rate"] is not None and row["rank"] <= run["rec_num"]]
    beside = runs.beside_safety(run)
    weighed = "" if beside == ["relevance"] else f"Beside safety this run weighs {formats.listed(beside) or 'nothing'}."
    if not judged:
        said = "none could violate a constraint" if weighed else "no rank could be punished"
        return nouns(f"No film was listed, so {said}."), weighed
    if not any(row["violations"] for row in judged):
        if not any(row["hit_rate"] for row in judged):
            weighed = f"No rank has a hit. {weighed}".strip()
        if beside != ["relevance"]:
            return nouns("No film counted as a violation, so no rank was punished for one."), weighed
        return nouns(
            "No rank was ever punished: no film counted as a violation."
        ), weighed or "Hits are all that tells these ranks apart."
    most, least = (choose(row["violation_rate"] for row in judged) for choose in (max, min))
    sentence = f"All ranks violate alike, with {formats.percent(most)} of their {nouns.many}."
    if is_above(most, least):
        worst, best = (_that_have(judged, "violation_rate", rate) for rate in (most, least))
        verb, whose = ("violates", "its") if worst.startswith("rank ") else ("violate", "their")
        sentence = (
            f"{worst[0].upper()}{worst[1:]} {verb} most, with {formats.percent(most)} of {whose} {nouns.many}; "
            f"{best} least, with {formats.percent(least)}."
        )
    return sentence, _earned(judged, run["w_rel"]) + nouns(
        " Each rank has its own advantage, so a film punished at one rank pushes down the tokens of that rank only."
    )


def _earned(judged: list[dict], weight: float) -> str:
    """By hits, in what they weigh in the reward of an answer."""
    most = weight * max(row["hit_reward"] or 0 for row in judged)
    if not is_above(most, 0):
        return "" if any(row["hit_rate"] for row in judged) else "No rank has a hit."  # an evaluation gives no rewards
    best = _that_have(judged, "hit_reward", most / weight)
    verb = "earns" if best.startswith("rank ") else "earn"
    weighed = "" if weight == 1 else ", weights included"  # the chart below is before weights
    return f"{best[0].upper()}{best[1:]} {verb} most by hits, {formats.signed(most, 3)} a list{weighed}."


def _that_have(rows: list[dict], column: str, value: float) -> str:
    return sentences.that_have("rank", {row["rank"]: row[column] or 0 for row in rows}, value)


def _chosen_cell(event, cells: list[dict]) -> dict | None:
    """The cell that was clicked last, here or in the shared URL."""
    picked = event.selection.get("cell") if event else None
    if picked:
        st.query_params["cell"] = f"{picked[0]['first_step']}-{picked[0]['rank']}"
    by_name = {f"{cell['first_step']}-{cell['rank']}": cell for cell in cells}
    wanted = address.named("cell", list(by_name), "none is open")
    return by_name[wanted] if wanted else None


def _behind(run: dict, cell: dict | None) -> None:
    if cell is None:
        return
    first, last, rank = cell["first_step"], cell["last_step"], cell["rank"]
    steps = f"step {first}" if first == last else f"steps {first} to {last}"
    style.section(
        f"Rank {rank}, {steps}",
        f"{formats.plural(cell['lists'], 'list')}, {formats.plural(cell['violations'], 'violation')}. "
        "The most punished first; choose a row to open its answer.",
    )
    answers = database.rows("cell_answers", run=run["run_id"], first=first, last=last, rank=rank)
    row = rows.choose(
        flat.shown(answers),
        answers.to_pylist(),
        key=(key := f"behind_{run['run_id']}_{first}_{rank}"),
        height=columns.height(answers.num_rows, 330),
        placeholder=formats.NOTHING,
        column_order=[
            "step", "title", "year", "violated_traits", "safety", "relevance", "other", "r_total", "advantage", "hit",
            "status",
        ],
        column_config={
            "step": columns.whole("step"),
            "title": columns.text("title as written", "medium"),
            "year": columns.year(),
            "violated_traits": columns.texts("violates", "medium"),
            "safety": columns.decimal("safety", 2),
            "relevance": columns.decimal("relevance", 2),
            "other": columns.decimal("other", 2, "End of list, repetition, count, and rewards of your own."),
            "r_total": columns.decimal("total", 2),
            "advantage": columns.decimal("advantage", 2),
            "hit": columns.flag("hit"),
            "status": columns.text("status", "small"),
        },
    )  # fmt: skip
    if row:
        rows.forget(key)  # else who comes back would be sent there again
        where = {"step": row["step"], "prompt": row["prompt"], "rank": rank}
        address.go("answer", run=run["run_id"], show="ranks", **where)
