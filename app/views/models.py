"""Models: all evaluated runs beside each other, and the prompts where two of them differ most."""

import streamlit as st

from app.components import answer_html, columns, markup, states, style
from app.core import address, database, runs
from app.text import formats, sentences
from oracle.base.nouns import FILMS, Nouns
from oracle.base.printable import visible
from oracle.log import is_above, may_turn

SORTS = {"svr": "safest first", "recall": "highest recall first", "started_at": "newest first"}
ALL = "all datasets"
MOST = 200  # of the newest runs: the figures of each are computed when asked
MOST_NAMED = 3  # models that the headline names; of more it tells the number


def page() -> None:
    known = runs.all_runs()
    evaluated = [run for run in known if run["kind"] == "evaluate" and not run["training_run"]]
    if not evaluated:
        runs.pick()  # says so, where there is no run at all
        return style.headline(
            "No model was evaluated with this store so far.", "python pipeline/evaluate.py --help says how."
        )
    runs.tell_of_gone([run["run_id"] for run in known])
    left, right = st.columns(2, vertical_alignment="bottom")
    with left:
        datasets = sorted({run["dataset"] for run in evaluated if run["dataset"]})
        dataset = address.choose("dataset", "Dataset", [ALL, *datasets], ALL, format_func=formats.short)
    with right:
        by = address.choose("sort", "Order", list(SORTS), "svr", format_func=SORTS.__getitem__)
    named = [st.query_params[name] for name in ("run", "other") if name in st.query_params]
    of_log = database.rows("leaderboard", dataset=None if dataset == ALL else dataset, most=MOST, named=named)
    board = _ordered(of_log.to_pylist(), by)
    if not board:
        return states.no_step()
    style.headline(*_sentences(board, database.nouns()))
    length = database.nouns()("films@20")
    st.dataframe(
        [_row(row, length) for row in board], hide_index=True, height=columns.height(board, 460),
        column_config={
            name: columns.share(name) for name in ("SVR@20", "at most", "of judged", "unresolved", "not rated")
        }
        | {name: columns.decimal(name, 3) for name in ("Recall@20", "NDCG@20")}
        | {length: columns.decimal(length, 1)}
        | {"model": st.column_config.TextColumn(pinned=True, width=180)},  # stays in sight on a phone, where the rest scrolls
    )  # fmt: skip
    if len(board) > 1:
        _difference(board)


def _ordered(board: list[dict], by: str) -> list[dict]:
    if by == "started_at":
        return board
    sign = 1 if by == "svr" else -1
    return sorted(board, key=lambda row: (row[by] is None, sign * (row[by] or 0)))


def _sentences(board: list[dict], nouns: Nouns = FILMS) -> tuple[str, str]:
    number = formats.plural(len(board), "evaluated run")
    if left_out := board[0]["left_out"]:
        older = sum(row["is_older"] for row in board)
        number = f"the newest {len(board) - older} of {len(board) + left_out} evaluated runs"
        number += f" and {older} older that the link names" if older else ""
    lead = (
        "Over each run's own prompts, with 95 % intervals; compare two models below on the prompts that both answered."
    )
    judged = [row for row in board if row["svr"] is not None]
    if not judged:
        asked = any(row["constrained"] for row in board)
        none = nouns("none of which lists a film for" if asked else "none of them on")
        return f"{number[0].upper()}{number[1:]}, {none} prompts with constraints.", lead
    if len(judged) == 1:
        return f"{number[0].upper()}{number[1:]}: the violation rate of {_name(judged[0])} is {_svr(judged[0])}.", lead
    safest = min(judged, key=lambda row: row["svr"])
    bounds = [(row["svr_low"], row["svr_high"]) for row in judged if row is not safest]
    if any(may_turn((safest["svr_low"], safest["svr_high"]), other) for other in bounds):
        lead += f" The order hangs on {nouns.many} that are not known"
        at_most = formats.percent(safest["svr_high"])
        lead += f": of the safest one’s, {at_most} may violate." if is_above(safest["svr_high"], safest["svr"]) else "."
    level = [_name(row) for row in judged if not is_above(row["svr"], safest["svr"])]
    if len(level) == 1:
        return f"Of {number}, {level[0]} violates least: {_svr(safest)}.", lead
    who = " and ".join(level) if len(level) <= MOST_NAMED else f"{len(level)} alike"
    return f"Of {number}, {who} violate least: {formats.percent(safest['svr'])} each.", lead


def _svr(row: dict) -> str:
    half = "" if row["svr_half"] is None else f" ± {100 * row['svr_half']:.1f}"
    return f"{formats.percent(row['svr'])}{half}"


def _name(row: dict) -> str:
    return formats.short(row["model"] or row["run_id"])


def _row(row: dict, length: str) -> dict:
    return {
        "model": _name(row),
        "SVR@20": row["svr"],
        "± SVR": "" if row["svr_half"] is None else f"{100 * row['svr_half']:.1f} points",
        "at most": row["svr_high"],
        "of judged": row["svr_known"],
        "Recall@20": row["recall"],
        "± Recall": formats.number(row["recall_half"]),
        "NDCG@20": row["ndcg"],
        length: row["films"],
        "unresolved": row["unresolved_rate"],
        "not rated": row["unrated_rate"],
        "prompts": row["prompts"],
        "answers": row["answers"],
        "dataset": formats.short(row["dataset"] or ""),
        "evaluated": formats.moment(row["started_at"]),
        "run": row["run_id"],
    }


def _difference(board: list[dict]) -> None:
    style.section(
        "Where two models differ most", "The prompts that both answered, by the difference of their violations."
    )
    by_id = {row["run_id"]: row for row in board}
    ids = list(by_id)
    left, right = st.columns(2)
    with left:
        a = address.choose("run", "One", ids, ids[0], format_func=lambda i: _label(by_id[i]))
    with right:
        others = [run for run in ids if run != a]
        b = address.choose("other", "Other", others, _rival(by_id, a), format_func=lambda i: _label(by_id[i]))
    prompts = database.rows("differing_prompts", run=a, other=b).to_pylist()
    if not prompts:
        return states.nothing("These two runs have no prompt in common.")
    compared = database.rows("compare", run=b, other=a).to_pylist()
    markup.show(
        "finding", sentences.of_comparison(compared, where="in the other model's answers", nouns=database.nouns())
    )
    by_prompt = {row["name"]: row for row in prompts}
    chosen = address.choose(
        "prompt", "Prompt", list(by_prompt), prompts[0]["name"], format_func=lambda p: _asked(by_prompt[p])
    )
    row = by_prompt[chosen]
    markup.show("request", row["prompt"], row["constraints"] or [], "nothing")
    for side, run, column in zip("ab", (a, b), st.columns(2), strict=True):
        with column:
            where = {"run": run, "step": row[f"{side}_step"], "group": row[f"{side}_group"]}
            answers = database.rows("answers", **where).to_pylist()
            ranks = database.rows("answer_ranks", **where).to_pylist()
            style.section(_name(by_id[run]), _counts(row, side))
            st.html(answer_html.side_by_side(answers, ranks, None, False, database.nouns()))


def _rival(by_id: dict[str, dict], a: str) -> str:
    """The run to compare with: of another model on the same dataset, if there is one; else the next best that there is."""
    others = [row for run, row in by_id.items() if run != a]

    def unlike(row: dict) -> tuple[bool, bool]:
        return row["dataset"] != by_id[a]["dataset"], row["model"] == by_id[a]["model"]

    return min(others, key=unlike)["run_id"]


def _label(row: dict) -> str:
    return f"{row['run_id'][-4:]} · {_name(row)} · {formats.percent(row['svr'])}"


def _asked(row: dict) -> str:
    start = visible(" ".join((row["prompt"] or "").split()))
    return f"{row['a_violations']} against {row['b_violations']} unsafe · {start[:80]}{'…' if len(start) > 80 else ''}"


def _counts(row: dict, side: str) -> str:
    nouns, asked = database.nouns(), row[f"{side}_groups"]
    return (
        f"{formats.plural(row[f'{side}_violations'], 'violation')} and {formats.plural(row[f'{side}_hits'], 'hit')} "
        f"in {formats.plural(row[f'{side}_films'], nouns.one, nouns.many)}"
        + (f", asked {asked} times, of which one is here" if asked > 1 else "")
    )
