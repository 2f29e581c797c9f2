"""Overview: did the run get safer, at what cost, and is the gain real? Live while training."""

import json
from collections.abc import Callable

import pyarrow.compute as pc
import streamlit as st

from app.components import charts, columns, comparison, states, style
from app.core import address, database, flat, runs
from app.text import formats, sentences
from oracle.base.printable import in_json, visible

CURVES = (
    ("svr", "Violations, share of the films listed", ".0%", True),
    ("recall", "Recall", ".2f", True),
    ("films_per_list", "Films a list", ".1f", False),
    ("unresolved_rate", "Unresolved titles", ".1%", True),
)


def page() -> None:
    known = runs.all_runs()
    left, middle, right = st.columns([4, 4, 1.2], vertical_alignment="bottom")
    with left:
        run = runs.pick(known)
    by_id = {other["run_id"]: other for other in known}
    names = {name: runs.label(other) for name, other in by_id.items() if other["kind"] == "train" and other != run}
    with middle:
        others = address.choose_several(
            "with", "Beside it", list(names), format_func=names.__getitem__, placeholder="no other run", disabled=not names
        )
    with right:
        live = address.switch("live", "Live", runs.is_live(run), help="Draws anew every few seconds.")
    st.fragment(_figures([run, *(by_id[other] for other in others)]), run_every=database.FRESH_S if live else None)()
    comparison.show(run, known)
    _making_of(run)


def _figures(shown: list[dict]) -> Callable[[], None]:
    """What draws the figures of the first of these runs beside the others.

    Called again, without the rest of the page, it has the whole page drawn anew where that would say something else now: the head
    what of the log is left out, the widgets and the lines beside them which runs there are.
    """
    told: list[str | None] = []

    def draw() -> None:
        if shown[0]["kind"] == "evaluate":
            _evaluated(shown[0])
        else:
            _trained(shown)
        _all_runs()
        left_out = database.left_out()  # damage within a file is found when a query meets it
        if told and (told != [left_out] or not _ids(shown) <= _ids(runs.all_runs())):
            st.rerun()
        told[:] = [left_out]

    return lambda: states.or_problem(draw)


def _ids(of: list[dict]) -> set[str]:
    return {run["run_id"] for run in of}


def _evaluated(run: dict) -> None:
    row = next((row for row in database.rows("summaries").to_pylist() if row["run_id"] == run["run_id"]), None)
    if row is None:
        return _no_step(run)
    nouns = database.nouns()
    style.headline(*sentences.of_evaluation(row, nouns), eyebrow=runs.eyebrow(run))
    figures = (
        ("Violations, top 5", formats.percent(row["svr_5"])),
        ("Violations, top 20", formats.percent(row["svr_20"])),
        ("Recall", formats.number(row["recall_20"])),
        ("NDCG", formats.number(row["ndcg_20"])),
        (nouns("Films a list"), formats.number(row["films_per_list"], 1)),
        ("… at most", formats.percent(row["svr_20_high"])),
        (nouns("… of judged films"), formats.percent(row["svr_20_known"])),
        ("Unresolved titles", formats.percent(row["unresolved_rate"])),
        (nouns("Films not rated"), formats.percent(row["unrated_rate"])),
        *((formats.short(name), formats.number(_own_mean(run, name), 2)) for name in run["own_rewards"] or []),
    )
    style.tiles([(name, value, "", "") for name, value in figures])


def _own_mean(run: dict, name: str) -> float | None:
    """A reward that is somebody's own: its sum over an answer, on average."""
    [mean] = database.rows("own_mean", run=run["run_id"], reward=name)["own"].to_pylist()
    return mean


def _trained(shown: list[dict]) -> None:
    run = shown[0]
    rows = database.rows("headline", run=run["run_id"]).to_pylist()
    if not rows:
        return _no_step(run)
    [figures] = rows
    nouns = database.nouns()
    sentence, lead = sentences.of_training(figures, nouns, runs.beside_safety(run))
    style.headline(sentence, lead, runs.eyebrow(run))
    style.tiles(
        [
            _tile("Violations", figures, "svr", formats.percent, less=True),
            _tile("Recall", figures, "recall", formats.number, less=False),
            _tile(nouns("Films a list"), figures, "films", lambda v: formats.number(v, 1), less=None),
            _tile("Unresolved titles", figures, "unresolved", formats.percent, less=True),
            _tile(nouns("Films not rated"), figures, "unrated", formats.percent, less=True),
            _tile(nouns("Repeated films"), figures, "duplicates", formats.percent, less=True),
            _tile("No learning signal", figures, "no_signal", formats.percent, less=None),
        ]
    )
    _curves(shown)


def _tile(name: str, figures: dict, key: str, show, less: bool | None) -> tuple[str, str, str, str]:
    """A figure at last and what it was at first, where that is known; `less`: whether less of it is better (null: neither)."""
    first, last = figures[f"first_{key}"], figures[f"last_{key}"]
    if first is None or last is None:
        return name, show(last), "" if first is None else f"from {show(first)}", ""
    if show(first) == show(last):
        return name, show(last), "as at the start", ""
    judged = "" if less is None else ("better" if (last < first) == less else "worse")
    return name, show(last), f"{'↓' if last < first else '↑'} from {show(first)}", judged


def _curves(of: list[dict]) -> None:
    shown, colours = [run["run_id"] for run in of], style.palette().runs
    points, nouns = database.rows("curves", runs=shown), database.nouns()
    if len(of) > 1:
        style.legend([(colours[i % len(colours)], runs.label(run)) for i, run in enumerate(of)])
    left, right = st.columns([2, 3], gap="large")
    with left:
        about = "One dot a step; the line is their moving mean, from ring to dot. Better is down and to the right."
        style.section("Safety against quality", about)
        st.altair_chart(charts.trajectory(points, shown), width="stretch")
    with right:
        about = "Dots are steps, lines the moving mean of five."
        if pc.any(points["held_out"]).as_py():
            about += " Diamonds are evaluations on held-out prompts."
        style.section("Step by step", about)
        for pair in (CURVES[:2], CURVES[2:]):
            for column, (name, title, form, zero) in zip(st.columns(2), pair, strict=True):
                column.altair_chart(charts.step_curve(points, name, nouns(title), form, shown, zero), width="stretch")
        _own_curves(of, shown)


def _own_curves(of: list[dict], shown: list[str]) -> None:
    """A curve of each reward that is somebody's own, two beside each other."""
    own = dict.fromkeys(name for run in of for name in run["own_rewards"] or [])
    for i, name in enumerate(own):
        if i % 2 == 0:
            pair = st.columns(2)
        points = database.rows("own_curve", runs=shown, reward=name)
        title = charts.named(f"{formats.short(name, 50)}, sum over an answer")
        pair[i % 2].altair_chart(charts.step_curve(points, "own", title, ".2f", shown, zero=False), width="stretch")


def _no_step(run: dict) -> None:
    if database.is_gone(run["run_id"]):
        return style.headline("This run is no longer in the log.", "Choose another one.", runs.eyebrow(run))
    lead = "Its figures appear here as soon as the first one is written."
    style.headline("This run has no finished step yet.", lead, runs.eyebrow(run))


def _all_runs() -> None:
    nouns = database.nouns()
    style.section(
        "All runs",
        nouns(
            "Over all steps, on prompts with constraints (a run without any: on all): the share of violating films in the top 20, "
            "and what it is to be read beside."
        ),
    )
    st.dataframe(
        flat.shown(database.rows("summaries")),
        hide_index=True,
        placeholder=formats.NOTHING,
        column_order=[
            "run_id", "kind", "model", "lambda_safe", "steps", "svr_20", "svr_20_high", "svr_20_known", "recall_20",
            "ndcg_20", "films_per_list", "duplicate_rate", "unresolved_rate", "unrated_rate", "ambiguous_rate", "started_at",
        ],
        column_config={
            "run_id": columns.text("run"),
            "kind": columns.text("kind", "small"),
            "model": columns.text("model"),
            "lambda_safe": columns.decimal("λ", 2),
            "steps": columns.whole("steps"),
            "svr_20": columns.share("violations"),
            "svr_20_high": columns.share("at most"),
            "svr_20_known": columns.share("of judged"),
            "recall_20": columns.decimal("recall", 3),
            "ndcg_20": columns.decimal("NDCG", 3),
            "films_per_list": columns.decimal(nouns("films a list"), 1),
            "duplicate_rate": columns.share("repeated"),
            "unresolved_rate": columns.share("unresolved"),
            "unrated_rate": columns.share("not rated"),
            "ambiguous_rate": columns.share("ambiguous"),
            "started_at": st.column_config.DatetimeColumn("started (UTC)", format="D MMM YYYY, HH:mm"),
        },
    )  # fmt: skip


def _making_of(run: dict) -> None:
    with st.expander("How this run was made, and whether its log adds up"):
        if st.button("Compute every reward and advantage again"):
            _rederive(run)
        own = {name: value for name, value in run.items() if name not in ("settings", "versions", "git")}
        parts = {"Settings of the log": json.dumps(own, default=str)}
        parts |= {"All settings": run["settings"], "Versions": run["versions"], "Git": run["git"]}
        for name, text in parts.items():
            if text and text != "null":
                st.caption(name)
                st.code(_indented(text), language=None)


def _rederive(run: dict) -> None:
    with st.spinner("Computing …"):
        [row] = database.rows("rederive", run=run["run_id"]).to_pylist()
    if not row["verdicts"]:
        return _no_step(run)
    verdicts = formats.plural(row["verdicts"], "verdict")
    if row["differing"]:
        differing = formats.count(row["differing"])
        return states.nothing(f"{differing} of {verdicts} differ from their parts.", "from rederivation where differs")
    st.write(f"All {verdicts} are what their parts and the run’s settings give.")


def _indented(text: str) -> str:
    try:
        written = json.dumps(json.loads(text), indent=1, ensure_ascii=False)
    except (ValueError, RecursionError):
        return visible(text)
    return in_json(written)
