"""Charts of ranks and of traits."""

import altair as alt
import pyarrow as pa
import pyarrow.compute as pc

from app.components.charts import Layers, axis, number_labels
from app.components.style import palette
from oracle.base.nouns import FILMS, Nouns


def bare(**look) -> alt.Axis:
    return alt.Axis(ticks=False, domain=False, grid=False, labelFlush=False, **look)


def heat_map(cells: pa.Table, column: str, form: str) -> alt.Chart:
    """Rank by span of steps, from rank_cells.sql; the selection "cell" holds the clicked cell's first_step and rank."""
    colours = palette()
    strong = colours.bad if column in ("violation_rate", "penalty") else colours.good
    scale = [strong, colours.empty] if column == "penalty" else [colours.empty, strong]  # a penalty is worse the lower
    look = alt.Scale(range=scale, zero=True, interpolate="rgb")
    if not pc.max(pc.abs(cells[column])).as_py():  # all cells are empty ones
        look = alt.Scale(range=scale, domain=[-1, 0] if column == "penalty" else [0, 1], interpolate="rgb")
    if column == "ratio":  # 1 is nothing, on either side
        look = alt.Scale(range=[colours.bad, colours.empty, colours.good], domainMid=1, zero=False, interpolate="rgb")
    picked = alt.selection_point(name="cell", fields=["first_step", "rank"], empty=False)
    legend = alt.Legend(
        title=None, orient="top", direction="horizontal", gradientLength=240, gradientThickness=8,
        tickCount=3, labelOverlap=True, offset=4,
        **number_labels(form),
    )  # fmt: skip
    tips = [
        alt.Tooltip("rank:O"),
        alt.Tooltip("first_step:O", title="from step"),
        alt.Tooltip("last_step:O", title="to step"),
        alt.Tooltip("violation_rate:Q", title="violations", format=".1%"),
        alt.Tooltip("penalty:Q", format=".3f"),
        alt.Tooltip("hit_rate:Q", title="hits a list", format=".3f"),
        alt.Tooltip("signal:Q", format=".2f"),
        alt.Tooltip("clip_ratio:Q", title="clipped", format=".1%"),
        alt.Tooltip("ratio:Q", format=".3f"),
        alt.Tooltip("kl:Q", title="KL", format=".4f"),
    ]
    return (
        alt.Chart(cells)
        .mark_rect(cursor="pointer")
        .encode(
            x=alt.X("first_step:O", title="step", axis=bare(labelOverlap=True, labelAngle=0)),
            y=alt.Y("rank:O", title="rank", axis=bare(labelOverlap=True)),
            color=alt.Color(f"{column}:Q", scale=look, legend=legend),
            stroke=alt.condition(picked, alt.value(colours.edge), alt.value(colours.empty)),
            strokeWidth=alt.condition(picked, alt.value(2), alt.value(1)),
            tooltip=tips,
        )
        .add_params(picked)
        .properties(height=alt.Step(22))
    )


def rewards(parts: pa.Table) -> alt.Chart:
    """Mean reward of each kind by rank, from rank_rewards.sql: bars down and up from 0."""
    colours = palette()
    own = [name for name in pc.unique(parts["part"]).to_pylist() if name not in ("safety", "relevance")]
    names = ["safety", "relevance", *own]
    others = colours.runs[2:]  # the first two are those of good and bad, or nearly
    range_ = [colours.bad, colours.good, *(others[i % len(others)] for i in range(len(own)))]
    return (
        alt.Chart(parts)
        .mark_bar(size=14, cornerRadius=2)
        .encode(
            x=alt.X("rank:O", axis=bare(labelAngle=0)),
            y=alt.Y("reward:Q", title=None, axis=alt.Axis(tickCount=5)),
            color=alt.Color(
                "part:N",
                scale=alt.Scale(domain=names, range=range_),
                legend=alt.Legend(title=None, orient="top", offset=4),
            ),
            tooltip=[
                alt.Tooltip("rank:O"),
                alt.Tooltip("part:N", title="reward"),
                alt.Tooltip("reward:Q", title="mean", format=".3f"),
                alt.Tooltip("violations:Q", format=","),
            ],
        )
        .properties(height=240)
    )


def trait_rates(traits: pa.Table, over_time: bool, nouns: Nouns = FILMS) -> Layers:
    """A trait a row, from traits_of_run.sql: its violation rate over the run (dot). With `over_time` that is a stroke, which a
    trait asked for in the middle alone has too, and the rates at first (ring) and at last (dot) are beside it."""
    colour = palette().bad
    labels = bare(labelLimit=260, labelPadding=10)
    change = [
        alt.Tooltip("first_rate:Q", title="at first", format=".1%"),
        alt.Tooltip("last_rate:Q", title="at last", format=".1%"),
    ] * over_time
    top = axis("%", tickCount=6, orient="top", domain=False)
    base = alt.Chart(traits).encode(
        y=alt.Y("trait:N", sort=None, title=None, axis=labels),
        tooltip=[
            alt.Tooltip("trait:N"),
            alt.Tooltip("violations:Q", format=","),
            alt.Tooltip("films:Q", title=nouns("films listed"), format=","),
            alt.Tooltip("violation_rate:Q", title="over all steps", format=".1%"),
            *change,
            alt.Tooltip("mean_risk:Q", title="mean risk", format=".2f"),
        ],
    )
    share = alt.X("violation_rate:Q", title=None, axis=top)
    if not over_time:
        return alt.layer(base.mark_circle(size=95, color=colour, opacity=1).encode(x=share)).properties(
            height=alt.Step(24)
        )
    return alt.layer(
        base.mark_tick(thickness=2, size=12, color=colour).encode(x=share),
        base.mark_rule(strokeWidth=2.5, opacity=0.45, color=colour).encode(x="first_rate:Q", x2="last_rate:Q"),
        base.mark_point(size=70, filled=False, strokeWidth=2, color=colour).encode(x="first_rate:Q"),
        base.mark_circle(size=95, color=colour, opacity=1).encode(x="last_rate:Q"),
    ).properties(height=alt.Step(24))
