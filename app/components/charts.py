"""Charts by step, which several pages draw. Titles and text stand beside them; Streamlit's theme gives the fonts."""

import re
from typing import Any

import altair as alt
import pyarrow as pa

from app.components.style import palette
from app.text import formats

Layers = alt.LayerChart | alt.FacetChart

HEIGHT = 205
_OF_OBJECTS = re.compile(
    r"__\w+__|constructor|hasOwnProperty|isPrototypeOf|propertyIsEnumerable|to(Locale)?String|valueOf"
)
STEP = alt.X(
    "step:Q", title=None, axis=alt.Axis(grid=False, tickMinStep=1, format="d"), scale=alt.Scale(nice=False, padding=6)
)


def axis(form: str, **look) -> alt.Axis:
    """An axis of numbers; with a form such as ".1%" of percentages, written "21.0 %" as everywhere.

    Where the range has room for it, no two of them read alike.
    """
    digits = int(form.strip(".f%") or 0) + 2 * form.endswith("%")
    return alt.Axis(**number_labels(form), tickMinStep=10**-digits, labelFlush=False, **look)


def number_labels(form: str) -> dict[str, Any]:
    """How an axis or a legend writes its numbers."""
    return {"labelExpr": percent_label(form)} if form.endswith("%") else {"format": form}


def percent_label(form: str) -> str:
    return f"format(100 * datum.value, '.{form.strip('.%') or '0'}f') + ' %'"


def small_title(text: str) -> alt.Title:
    return alt.Title(text, anchor="start", fontSize=13, fontWeight=600, offset=10)


def named(text: str) -> str:
    """A title that holds what somebody else wrote.

    Vega-Lite pastes titles into expressions (of tooltips and descriptions), where it escapes quotes but neither the backslash
    before one nor line breaks. So a title has none of these. Nor is it a name that each object of JavaScript has, for which
    Vega draws nothing.
    """
    title = formats.short(text).replace("\\", "[U+005C]")
    return f"“{title}”" if _OF_OBJECTS.fullmatch(title) else title


def run_colour(runs: list[str]) -> alt.Color:
    """One colour a run, in the order of `runs`; their legend stands beside the charts."""
    colours = palette().runs
    scale = alt.Scale(domain=runs, range=[colours[i % len(colours)] for i in range(len(runs))])
    return alt.Color("run_id:N", scale=scale, legend=None)


def step_curve(points: pa.Table, column: str, title: str, form: str, runs: list[str], zero: bool = True) -> Layers:
    """A column of curves.sql by step: each point faint, their moving mean strong; evaluations as joined diamonds."""
    scale, ticks = alt.Scale(zero=zero, nice=True), axis(form, tickCount=4)
    each = alt.Y(f"{column}:Q", title=None, axis=ticks, scale=scale)
    smooth = alt.Y(f"smooth_{column}:Q", title=None, axis=ticks, scale=scale)
    hover = alt.selection_point(on="pointerover", nearest=True, fields=["step"], empty=False)
    tips = [
        alt.Tooltip("run_id:N", title="run"),
        alt.Tooltip("step:Q"),
        alt.Tooltip(f"{column}:Q", title=title, format=form),
    ]
    base = alt.Chart(points).encode(x=STEP, color=run_colour(runs))
    trained, evaluated = base.transform_filter("!datum.held_out"), base.transform_filter("datum.held_out")
    return alt.layer(
        trained.mark_circle(size=14, opacity=0.4).encode(y=each),
        trained.mark_line(strokeWidth=2.2, interpolate="monotone").encode(y=smooth),
        evaluated.mark_line(strokeWidth=1.2, strokeDash=[4, 3]).encode(y=each),
        evaluated.mark_point(size=80, shape="diamond", filled=True, opacity=1).encode(y=each, tooltip=tips),
        trained.mark_circle(size=60)
        .encode(y=each, tooltip=tips, opacity=alt.condition(hover, alt.value(1), alt.value(0)))
        .add_params(hover),
    ).properties(height=HEIGHT, title=small_title(title))


def trajectory(points: pa.Table, runs: list[str]) -> Layers:
    """Violations over recall: faint, one point a step; strong, the moving mean from first (ring) to last (dot)."""
    base = alt.Chart(points).encode(color=run_colour(runs)).transform_filter("!datum.held_out")
    each, smooth = (
        base.encode(x=_recall("recall"), y=_svr("svr")),
        base.encode(x=_recall("smooth_recall"), y=_svr("smooth_svr")),
    )
    placed = smooth.transform_window(
        nth="row_number()", sort=[alt.SortField("step")], groupby=["run_id"]
    ).transform_joinaggregate(last="max(nth)", groupby=["run_id"])
    first = placed.transform_filter("datum.nth == 1").transform_calculate(label="'step ' + datum.step")
    last = placed.transform_filter("datum.nth == datum.last").transform_calculate(label="'step ' + datum.step")
    tips = [
        alt.Tooltip("run_id:N", title="run"),
        alt.Tooltip("step:Q"),
        alt.Tooltip("svr:Q", title="violations", format=".1%"),
        alt.Tooltip("recall:Q", format=".3f"),
    ]
    return alt.layer(
        each.mark_circle(size=28, opacity=0.35).encode(tooltip=tips),
        smooth.mark_line(strokeWidth=2.2, opacity=0.9).encode(order="step:Q"),
        first.mark_point(size=90, filled=False, strokeWidth=2.2),
        last.mark_circle(size=130, opacity=1),
        *(mark for end in (first, last) for mark in _label(end)),
    ).properties(height=2 * HEIGHT - 5)


def _label(end: alt.Chart) -> list[alt.Chart]:
    """The step beside an end of the line; on a rim of the background's colour, because lines cross it."""
    look: dict[str, Any] = {"align": "left", "dx": 11, "fontSize": 11}
    rim: dict[str, Any] = {"stroke": palette().background, "strokeWidth": 4, "strokeJoin": "round"}
    return [end.mark_text(**look, **rim).encode(text="label:N"), end.mark_text(**look).encode(text="label:N")]


def _recall(column: str) -> alt.X:
    scale = alt.Scale(zero=False, nice=True, padding=12)
    return alt.X(f"{column}:Q", title="recall →", axis=alt.Axis(tickCount=6), scale=scale)


def _svr(column: str) -> alt.Y:
    scale = alt.Scale(zero=True, nice=True, padding=8)
    return alt.Y(f"{column}:Q", title="violations", axis=axis("%", tickCount=5), scale=scale)


def before_and_after(curves: pa.Table, column: str, title: str, form: str) -> Layers:
    """A column of what_if_curves.sql by step, as it was and as it would have been."""
    scale, ticks = alt.Scale(zero=form == "%", nice=True), axis(form, tickCount=5)
    tips = [
        alt.Tooltip("step:Q"),
        alt.Tooltip(f"{column}:Q", title="as it was", format=".3f"),
        alt.Tooltip(f"{column}_if:Q", title="would be", format=".3f"),
    ]
    base = alt.Chart(curves).encode(x=STEP, tooltip=tips)

    def line(name: str, colour: str) -> list[alt.Chart]:
        here = base.encode(y=alt.Y(f"{name}:Q", title=None, axis=ticks, scale=scale))
        return [here.mark_line(strokeWidth=2.2, color=colour), here.mark_circle(size=30, color=colour, opacity=1)]

    return alt.layer(*line(column, palette().before), *line(f"{column}_if", palette().bad)).properties(
        height=HEIGHT, title=small_title(title)
    )
