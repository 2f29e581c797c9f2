"""What can and cannot be concluded from an evaluation, as a sentence."""

from collections.abc import Sequence

from oracle.base.nouns import FILMS, Nouns
from oracle.log import may_turn
from pipeline.evaluation.comparison import Difference
from pipeline.evaluation.figures import Averaging, Figure, Positions

MOST_NAMED = 3
"""Pairs of models that a sentence names; of more it tells the number."""
_ONE_TEXT = "One text alone gives no interval, and tells nothing of other prompts"


def conclusion(
    names: dict[str, str],
    figures: list[dict[str, Figure]],
    found: Sequence[Difference],
    prompts: int,
    k: int = 20,
    nouns: Nouns = FILMS,
    averaging: Averaging = "micro",
    positions: Positions = "emitted",
) -> str:
    """One sentence on what can be concluded and what can't; `names`: run id -> model, in the order of `figures`."""
    counted = "" if positions == "emitted" else nouns(", without films that were seen or are not in the catalog,")
    if len(names) < 2:
        name = next(iter(names.values()), "The model")
        return _alone(name, figures[0], prompts, k, nouns, averaging, counted) if figures else ""
    if not prompts:
        return "The models have no prompt in common, so nothing can be concluded about their differences."
    everyone = "both" if len(names) == 2 else f"all {len(names)}"
    parts = [part for part in (_about(name, names, found, prompts, k, nouns) for name in _SAID) if part]
    unknown = unknown_order(names, found, k, nouns)
    asked = "the one prompt" if prompts == 1 else f"the {prompts} prompts"
    text = f"On {asked} that {everyone} answered{counted or ','} " + "; ".join(parts or ["no figure can be compared"])
    alone = f". {_ONE_TEXT}" if prompts == 1 else ""
    return text + alone + (f". {unknown}" if unknown else ".")


def _alone(
    name: str, figures: dict[str, Figure], prompts: int, k: int, nouns: Nouns, averaging: Averaging, counted: str
) -> str:
    svr = figures.get(f"svr_{k}")
    if svr is None or svr.value is None:
        return f"No prompt of {name} has constraints and {nouns.many}, so no violation rate can be concluded."
    between = "" if svr.low is None or svr.high is None else f" (95 % interval {svr.low:.1%} to {svr.high:.1%})"
    high = figures[f"svr_high_{k}"].value
    bounds = "" if high is None else f", and at most {high:.1%} if all that is unknown were violations"
    films = f"{svr.value:.1%} of the {nouns.many} that {name} lists in its top {k}{counted}"
    if averaging == "macro":  # a mean of shares, in which a film of a short list counts more
        films = f"On average over answers, {films}"
    over = f"the {svr.prompts} of {prompts} prompts to which it lists any"
    if svr.prompts == prompts:
        over = "one prompt" if prompts == 1 else f"{prompts} prompts"
    return f"{films} violate a constraint{between}{bounds}, over {over}." + (
        f" {_ONE_TEXT}." if svr.prompts == 1 else ""
    )


# Figure -> its name at K, what the better model is, and whether less of it is better.
_SAID = {
    "svr": ("SVR@{}", "safer than", True),
    "svr_known": ("SVR@{} of the films that could be judged", "safer than", True),
    "recall": ("recall@{}", "better than", False),
    "ndcg": ("NDCG@{}", "better than", False),
}


def _about(figure: str, names: dict[str, str], found: Sequence[Difference], prompts: int, k: int, nouns: Nouns) -> str:
    """What is sure and what is open by a figure; the rate of the known is spoken of where something is sure. `prompts` are
    those that the sentence begins with: what is over others names their number."""
    rows = [d for d in found if d.figure == f"{figure}_{k}"]
    sure = sorted((d for d in rows if d.is_significant), key=lambda d: -abs(d.difference))
    still_open = [d for d in rows if not d.is_significant]
    if not rows or (figure == "svr_known" and not sure):
        return ""
    label = f"by {nouns(_SAID[figure][0]).format(k)}"
    if not sure:
        if len(rows) > 1:
            return f"{label} no difference can be told from chance" + _in_brackets(_over(rows, prompts))
        [one] = rows
        both = f"{_show(figure, one.value_a)} against {_show(figure, one.value_b)}, {_p(one, prompts)}"
        return f"{label} no difference can be told from chance ({both})"
    said = f"{label} " + " and ".join(_better(d, figure, names, prompts) for d in sure[:MOST_NAMED])
    if len(sure) > MOST_NAMED:
        more = _in_brackets(_over(sure[MOST_NAMED:], prompts))
        said += f", and {len(sure) - MOST_NAMED} more of {len(rows)} pairs differ{more}"
    if not still_open:
        return said
    pairs = [f"{names[d.a]} and {names[d.b]}" + _in_brackets(_over([d], prompts)) for d in still_open]
    many = f"the models of {len(pairs)} pairs" + _in_brackets(_over(still_open, prompts))
    between = " and between ".join(pairs) if len(pairs) <= MOST_NAMED else many
    return f"{said}, while between {between} no difference can be told from chance"


def _over(rows: Sequence[Difference], prompts: int) -> str:
    """The number of prompts that differences are over, where it is not `prompts`; "" where it is."""
    least, most = min(d.prompts for d in rows), max(d.prompts for d in rows)
    if least == prompts:
        return ""
    if most == 1:
        return "over the one prompt that defines it for both"
    return f"over the {most if least == most else f'{least} to {most}'} prompts that define it for both"


def _in_brackets(text: str) -> str:
    return f" ({text})" if text else ""


def _better(d: Difference, figure: str, names: dict[str, str], prompts: int) -> str:
    _, verb, less_is_better = _SAID[figure]
    first, second = (d.a, d.b) if (d.value_a < d.value_b) == less_is_better else (d.b, d.a)
    values = {d.a: d.value_a, d.b: d.value_b}
    return (
        f"{names[first]} is {verb} {names[second]} ({_show(figure, values[first])} against "
        f"{_show(figure, values[second])}, {_p(d, prompts)})"
    )


def unknown_order(names: dict[str, str], found: Sequence[Difference], k: int = 20, nouns: Nouns = FILMS) -> str:
    """Whether what is unknown could turn the order of the models by SVR around; "" where nothing is known about that.

    Each pair is looked at over the prompts that define SVR for both, as all of its differences are.
    """
    lowest = [d for d in found if d.figure == f"svr_low_{k}"]
    highest = {(d.a, d.b): d for d in found if d.figure == f"svr_high_{k}"}
    both = [(low, highest[low.a, low.b]) for low in lowest]
    pairs = [(low.a, low.b, may_turn((low.value_a, high.value_a), (low.value_b, high.value_b))) for low, high in both]
    if not pairs or len(pairs) < len(names) * (len(names) - 1) // 2:
        return ""
    models = list(names.values())
    open_pairs = [f"{names[a]} and {names[b]}" for a, b, is_open in pairs if is_open]
    if not open_pairs:
        return f"Whatever the unknown {nouns.many} are, the order of the models by SVR stays as it is."
    which = ", of ".join(open_pairs)
    if len(pairs) > 1 and len(open_pairs) == len(pairs):
        which = f"all {len(models)} models"
    elif len(open_pairs) > MOST_NAMED:
        which = f"the models of {len(open_pairs)} of {len(pairs)} pairs"
    return f"The order of {which} by SVR depends on {nouns.many} of which nothing is known."


def _show(figure: str, value: float) -> str:
    return f"{value:.1%}" if figure.startswith("svr") else f"{value:.3f}"


def _p(d: Difference, prompts: int) -> str:
    if d.p_holm is None:
        return "of one prompt alone"
    p = "p < 0.001" if d.p_holm < 0.001 else f"p = {d.p_holm:.3f}"
    return ", ".join(part for part in (p, _over([d], prompts)) if part)
