"""The answer to a query that a person wrote: as a table, a chart and files."""

import io
import json

import altair as alt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import streamlit as st

from app.components import states, style
from app.text import formats

MOST_DRAWN = 5000


def show(answer: pa.Table, most: int) -> None:
    """The first `most` rows of `answer`."""
    if not answer.num_rows:
        return states.nothing("The query found no rows.")
    rows = answer.slice(0, most)
    cut = f"Cut off after {formats.count(most)}." if answer.num_rows > most else ""
    style.section(formats.plural(rows.num_rows, "row"), cut)
    flat = flattened(rows)
    table, chart = st.tabs(["Table", "Chart"])
    with table:
        st.dataframe(flat, hide_index=True, height=min(480, 40 + 36 * rows.num_rows), placeholder="null")
    with chart:
        _draw(flat)
    with st.container(horizontal=True):
        st.download_button("CSV", as_csv(flat), "answer.csv", "text/csv", on_click="ignore")
        st.download_button(
            "Parquet", as_parquet(rows), "answer.parquet", "application/vnd.apache.parquet", on_click="ignore"
        )


def flattened(table: pa.Table) -> pa.Table:
    """The table with nested and odd values as text (JSON), which every reader of tables can show."""
    columns = [column if _is_plain(column.type) else _as_text(column) for column in table.columns]
    return pa.table(columns, names=_once(table.column_names))


def _is_plain(kind: pa.DataType) -> bool:
    plain = (pa.types.is_boolean, pa.types.is_string, pa.types.is_date, pa.types.is_timestamp, pa.types.is_time)
    return _is_number(kind) or any(is_such(kind) for is_such in plain)


def _as_text(column: pa.ChunkedArray) -> pa.Array:
    written = (
        None if v is None else _json(v) if pa.types.is_nested(column.type) else str(v) for v in column.to_pylist()
    )
    return pa.array(written, pa.string())


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def as_csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(table, sink)
    return sink.getvalue()


def as_parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(table.columns, names=_once(table.column_names)), sink)
    return sink.getvalue()


def _once(names: list[str]) -> list[str]:
    """Names that each occur once: `n`, `n`, `m` become `n`, `n_2`, `m`."""
    return [
        name if names[:i].count(name) == 0 else f"{name}_{names[: i + 1].count(name)}" for i, name in enumerate(names)
    ]


def _draw(table: pa.Table) -> None:
    numeric = [field.name for field in table.schema if _is_number(field.type)]
    if not numeric:
        return states.nothing("No column holds numbers to draw.")
    names = table.column_names
    one, two, three = st.columns(3)
    across = one.selectbox("Across", names)
    up = two.selectbox("Up", numeric, index=min(len(numeric) - 1, int(names[0] in numeric)))
    colour = three.selectbox("Colour", [None, *names], format_func=lambda name: name or "none")
    # Names of Vega's own, because it reads dots and brackets in a name as a path.
    chosen = {"x": across, "y": up} | ({"color": colour} if colour else {})
    data = pa.table({channel: table[name] for channel, name in chosen.items()}).slice(0, MOST_DRAWN)
    encoding = {
        channel: {"field": channel, "type": "quantitative" if name in numeric else "nominal", "title": name}
        for channel, name in chosen.items()
    }
    chart = alt.Chart(data)
    marks = chart.mark_circle(size=55) if across in numeric else chart.mark_bar()
    st.altair_chart(
        alt.Chart.from_dict({**marks.to_dict(), "encoding": encoding}).properties(height=340), width="stretch"
    )
    if table.num_rows > MOST_DRAWN:
        st.caption(f"The first {formats.count(MOST_DRAWN)} rows.")


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
