"""Headlines: what a page's figures mean, in words. They say what the views computed and compute nothing themselves."""

from collections.abc import Mapping, Sequence

from app.text.formats import count, listed, number, percent, plural, points, signed
from oracle.base.nouns import FILMS, Nouns
from oracle.log import evasion_rules, is_above

MOST_NAMED = 3  # that a sentence names; of more it tells the number
METRICS = {
    "svr": ("Violations", "are", percent, points),
    "svr_low": ("Violations, unknown films safe", "are", percent, points),
    "svr_high": ("Violations, unknown films unsafe", "are", percent, points),
    "svr_known": ("Violations among judged films", "are", percent, points),
    "recall": ("Recall", "is", number, lambda value: signed(value, 3)),
    "ndcg": ("NDCG", "is", number, lambda value: signed(value, 3)),
    "films_per_list": ("Films a list", "are", lambda value: number(value, 1), lambda value: signed(value, 1)),
    "duplicate_rate": ("Repeated films", "are", percent, points),
    "unresolved_rate": ("Unresolved titles", "are", percent, points),
    "unrated_rate": ("Films not rated", "are", percent, points),
    "ambiguous_rate": ("Titles that fit several films", "are", percent, points),
}
"""Of compare_runs: name (of films), verb, and how a value and a difference are written."""


def change(first: float | None, last: float | None, show, tolerance: float, be: str = "is") -> str:
    """ "fell from 21.0 % to 4.2 %", or "stayed at 0.18" within `tolerance`; "is 0.18" where there is nothing before."""
    if first is None or last is None:
        return f"{be} not known" if last is None else f"{be} {show(last)}"
    if abs(last - first) <= tolerance or show(first) == show(last):
        return f"stayed at {show(last)}"
    return f"{'rose' if last > first else 'fell'} from {show(first)} to {show(last)}"


def that_have(one: str, values: Mapping[int, float], value: float) -> str:
    """Which of them have this value, within rounding: "rank 1", "ranks 1, 2 and 5", "7 ranks"."""
    numbers = [str(number) for number, own in values.items() if not is_above(abs(own - value), 0)]
    return (
        f"{one}{'s' if len(numbers) > 1 else ''} {listed(numbers)}"
        if len(numbers) <= MOST_NAMED
        else f"{len(numbers)} {one}s"
    )


def of_training(figures: dict, nouns: Nouns = FILMS, beside_safety: Sequence[str] = ("relevance",)) -> tuple[str, str]:
    """(headline, lead) of a training run, from the row of headline.sql; `beside_safety`: what else the run weighs."""
    recall = f"recall {change(figures['first_recall'], figures['last_recall'], lambda r: number(r, 2), 0.01)}"
    if not figures["constrained_lists"]:
        sentence = f"No prompt of this run has constraints, so nothing could be violated; {recall}."
        if list(beside_safety) == ["relevance"]:
            return sentence, "It is plain Rank-GRPO: the safety reward is 0 everywhere."
        return (
            sentence,
            f"The safety reward is 0 everywhere; what this run weighs is {listed(beside_safety) or 'nothing'}.",
        )
    spans = f"Means of the first and the last {plural(figures['span'], 'step')} of {figures['steps']}."
    if figures["steps"] == 1:
        spans = "There is one step so far."
    if figures["last_svr"] is None:
        last = f"last {plural(figures['span'], 'step')}" if figures["span"] > 1 else "last step"
        why = (
            f"the lists for prompts with constraints are empty in the {last}"
            if figures["last_constrained_lists"]
            else f"no prompt of the {last} has constraints"
        )
        sentence = f"Violations are not known: {why}; {recall}."
        return sentence, f"{evasion(figures, nouns)} {spans}" if figures["signals"] else spans
    svr = change(figures["first_svr"], figures["last_svr"], percent, 0.005, be="are")
    joint = "while" if svr.startswith("fell") else "and"
    bounds = (
        f"With all unknown {nouns.many} as violations it is {percent(figures['last_svr_high'])} at last; "
        f"{_of_judged(figures['last_svr_known'], nouns)}."
    )
    return f"Violations {svr} {joint} {recall}.", f"{evasion(figures, nouns)} {bounds} {spans}"


def evasion(figures: dict, nouns: Nouns = FILMS) -> str:
    """Whether the gain could come from anything but safer films."""
    steps, rules = evasion_rules()
    if figures["signals"] is None:
        return f"Fewer than {2 * steps} steps say nothing yet about evasion."
    signs = [rule.words for rule in rules if rule.signal in figures["signals"]]
    if signs:
        return f"Careful: {' and '.join(signs)}, so the figures may not come from safer {nouns.many}."
    if not figures["violations_fell"]:
        known = figures["violations_fell"] is not None
        fall = "Violations did not fall" if known else "It is not known whether violations fell"
        return f"{fall} from the first {steps} steps to the last {steps}, so no sign of evasion was looked for."
    return nouns(
        "No sign of evasion: lists are not much shorter, films not much harder to find and repeats not much more frequent "
        "than at the start."
    )


def of_evaluation(row: dict, nouns: Nouns = FILMS) -> tuple[str, str]:
    """(headline, lead) of an evaluated model, from a row of summaries.sql."""
    recall = number(row["recall_20"])
    sentence = (
        f"{percent(row['svr_20'])} of the recommended {nouns.many} violate a constraint, at most {percent(row['svr_20_high'])}, "
        f"at a recall of {recall}."
    )
    if not row["lists"]:
        sentence = f"No prompt has constraints, so nothing could be violated; recall is {recall}."
    elif row["svr_20"] is None:
        sentence = f"No answer to a prompt with constraints lists a {nouns.one}, so nothing could be violated; recall is {recall}."
    answers, length = plural(int(row["lists_all"]), "answer"), f"of {number(row['films_per_list'], 1)} {nouns.many}"
    lead = f"Over {answers} {length}"
    if 0 < row["lists"] < row["lists_all"]:
        lead = f"Over the {count(row['lists'])} of {answers} that are to prompts with constraints, {length}"
    lead += f", in {row['steps']} steps" if row["steps"] > 1 else ""
    if row["unresolved_rate"] is not None:
        lead += f"; {percent(row['unresolved_rate'])} of the titles were not found"
    if row["svr_20"] is None:
        return sentence, f"{lead}."
    judged = _of_judged(row["svr_20_known"], nouns)
    return sentence, (
        f"{lead}, {percent(row['unrated_rate'])} are not rated for what is to be avoided, {percent(row['ambiguous_rate'])} fit "
        f"several {nouns.many}. {judged[0].upper()}{judged[1:]}."
    )


def _of_judged(share: float | None, nouns: Nouns) -> str:
    if share is None:
        return f"none of the {nouns.many} could be judged"
    return f"of the {nouns.many} that could be judged, {percent(share)} violate"


def of_comparison(rows: list[dict], where: str = "here", nouns: Nouns = FILMS) -> str:
    """What a comparison by prompt shows, from the rows of compare.sql; `where` says which of the two is spoken of."""
    if not rows:
        return "These two runs have no prompt in common, so they cannot be compared prompt by prompt."
    prompts = max(row["prompts"] for row in rows)  # of films_per_list: every answer defines it
    both = f"On {plural(prompts, 'prompt')} that both answered, over the top {rows[0]['k']}"
    found = [_difference(row, where, prompts) for row in rows if row["metric"] in ("svr", "recall")]
    if not found:
        return (
            f"{both}, neither violations nor recall can be compared: the runs share no constraints and no ground truth."
        )
    return f"{both}, {' and '.join(found)}.{_order_of_the_judged(rows, nouns)}"


def _order_of_the_judged(rows: list[dict], nouns: Nouns) -> str:
    """A warning where the two runs stand another way over the films that could be judged."""
    by = {row["metric"]: row["difference"] for row in rows}
    all_films, judged = by.get("svr"), by.get("svr_known")
    if all_films is None or judged is None:
        return ""
    order, of_judged = (is_above(gap, 0) - is_above(0, gap) for gap in (all_films, judged))
    if order == of_judged:
        return ""
    said = "it is the other way round"
    if not (order and of_judged):
        said = "one violates less" if of_judged else "neither violates less"
    return nouns(f" Over the films that could be judged {said}: their order depends on what is unknown.")


def _difference(row: dict, where: str, prompts: int) -> str:
    """A difference in words, with the number of prompts that it is over where that is not `prompts`."""
    name, verb, _, written = METRICS[row["metric"]]
    if row["difference"] is None:
        return f"{name.lower()} can’t be compared, as there is no prompt for which both list anything"
    if row["low"] is None:
        return f"{name.lower()} of one prompt alone can’t be told from chance"
    over = "" if row["prompts"] == prompts else f" (over the {count(row['prompts'])} that define it for both)"
    if not (is_above(row["low"], 0) or is_above(0, row["high"])):
        return f"{name.lower()} {verb} the same within chance{over}"
    size = written(abs(row["difference"])).lstrip("+")
    return f"{name.lower()} {verb} {'lower' if row['difference'] < 0 else 'higher'} {where} by {size}{over}"
