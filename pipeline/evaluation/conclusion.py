"""What can and cannot be concluded from an evaluation, as a sentence."""

from collections.abc import Sequence
from itertools import combinations

from oracle.base.nouns import FILMS, Nouns
from pipeline.evaluation.comparison import Difference
from pipeline.evaluation.figures import Figure

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
) -> str:
    """One sentence on what can be concluded and what can't; `names`: run id -> model, in the order of `figures`."""
    if len(names) < 2:
        return _alone(next(iter(names.values()), "The model"), figures[0], prompts, k, nouns) if figures else ""
    if not prompts:
        return "The models have no prompt in common, so nothing can be concluded about their differences."
    everyone = "both" if len(names) == 2 else f"all {len(names)}"
    parts = [part for part in (_about(name, names, found, k, nouns) for name in _SAID) if part]
    unknown = unknown_order(names, figures, k, nouns)
    asked = "the one prompt" if prompts == 1 else f"the {prompts} prompts"
    text = f"On {asked} that {everyone} answered, " + "; ".join(parts or ["no figure can be compared"])
    alone = f". {_ONE_TEXT}" if prompts == 1 else ""
    return text + alone + (f". {unknown}" if unknown else ".")


def _alone(name: str, figures: dict[str, Figure], prompts: int, k: int, nouns: Nouns) -> str:
    svr = figures.get(f"svr_{k}")
    if svr is None or svr.value is None:
        return f"No prompt of {name} has constraints and {nouns.many}, so no violation rate can be concluded."
    between = "" if svr.low is None or svr.high is None else f" (95 % interval {svr.low:.1%} to {svr.high:.1%})"
    high = figures[f"svr_high_{k}"].value
    bounds = "" if high is None else f", and at most {high:.1%} if all that is unknown were violations"
    films = f"{svr.value:.1%} of the {nouns.many} that {name} lists in its top {k}"
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


def _about(figure: str, names: dict[str, str], found: Sequence[Difference], k: int, nouns: Nouns) -> str:
    """What is sure and what is open by a figure; the rate of the known is spoken of where something is sure."""
    rows = [d for d in found if d.figure == f"{figure}_{k}"]
    sure = sorted((d for d in rows if d.is_significant), key=lambda d: -abs(d.difference))
    still_open = [d for d in rows if not d.is_significant]
    if not rows or (figure == "svr_known" and not sure):
        return ""
    label = f"by {nouns(_SAID[figure][0]).format(k)}"
    if not sure:
        one = rows[0]
        both = f"{_show(figure, one.value_a)} against {_show(figure, one.value_b)}, {_p(one.p_holm)}"
        return f"{label} no difference can be told from chance" + ("" if len(rows) > 1 else f" ({both})")
    said = f"{label} " + " and ".join(_better(d, figure, names) for d in sure[:MOST_NAMED])
    if len(sure) > MOST_NAMED:
        said += f", and {len(sure) - MOST_NAMED} more of {len(rows)} pairs differ"
    if not still_open:
        return said
    pairs = [f"{names[d.a]} and {names[d.b]}" for d in still_open]
    between = " and between ".join(pairs) if len(pairs) <= MOST_NAMED else f"the models of {len(pairs)} pairs"
    return f"{said}, while between {between} no difference can be told from chance"


def _better(d: Difference, figure: str, names: dict[str, str]) -> str:
    _, verb, less_is_better = _SAID[figure]
    first, second = (d.a, d.b) if (d.value_a < d.value_b) == less_is_better else (d.b, d.a)
    values = {d.a: d.value_a, d.b: d.value_b}
    return (
        f"{names[first]} is {verb} {names[second]} ({_show(figure, values[first])} against "
        f"{_show(figure, values[second])}, {_p(d.p_holm)})"
    )


def unknown_order(names: dict[str, str], figures: list[dict[str, Figure]], k: int = 20, nouns: Nouns = FILMS) -> str:
    """Whether what is unknown could turn the order of the models by SVR around; "" where nothing is known about that."""
    bounds = [(f.get(f"svr_low_{k}"), f.get(f"svr_high_{k}")) for f in figures]
    if any(low is None or high is None or low.value is None or high.value is None for low, high in bounds):
        return ""
    models, open_pairs = list(names.values()), []
    pairs = list(combinations(range(len(figures)), 2))
    for a, b in pairs:
        (low_a, high_a), (low_b, high_b) = bounds[a], bounds[b]
        if low_a.value < high_b.value and low_b.value < high_a.value:  # type: ignore[union-attr, operator]
            open_pairs.append(f"{models[a]} and {models[b]}")
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


def _p(p: float | None) -> str:
    return "of one prompt alone" if p is None else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
