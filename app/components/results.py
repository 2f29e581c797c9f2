"""The answer to a query that a person wrote: as a table, a chart and files."""

import io
from collections.abc import Callable
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
import streamlit as st

from app.components import states, style
from app.components.charts import named
from app.core.flat import once
from app.core.query_pool import Answer
from app.text import formats
from oracle.base.arrow import utc_as_text
from oracle.base.parquet import bounded
from oracle.log import storable

MOST_DRAWN = 5000
MOST_NAMED = 1000  # different texts on an axis, or as colours: of thousands a browser draws for minutes
MOST_BYTES = 2_000_000  # of texts and numbers, which the app and the browser hold many times over while they draw
_CSV = "An apostrophe stands where a spreadsheet would begin a formula. Parquet has the texts as they are."
# What spreadsheets run, as OWASP's page on CSV injection has it: a text that begins so, or a part of it behind what ends a cell for
# them. In many countries that is a semicolon, and a quote within a text then ends nothing.
FORMULAS = (r"^([=+\-@\t\r\n＝＋－＠])", r"([;\t\r\n][\"']*)([=+\-@＝＋－＠])")


def show(answer: Answer, name: str, most: int, again: Callable[[], Answer]) -> None:
    """The first `most` rows of `answer`, which `again` gives once more: a file is made of it when somebody wants one.

    `name` is that of the files, and of no other answer's: of files of one name and length over 1 MB Streamlit compares some parts,
    and would hand on the one that it has, whoever's that is.
    """
    if not answer.rows.num_rows:
        return states.nothing("The query found no rows.")
    rows, readable = answer.rows.slice(0, most), answer.shown.slice(0, most)
    cut = f"Cut off after {formats.count(most)}." if answer.rows.num_rows > most else ""
    style.section(formats.plural(rows.num_rows, "row"), cut)
    table, chart = st.tabs(["Table", "Chart"])
    with table:
        st.dataframe(readable, hide_index=True, height=min(480, 40 + 36 * rows.num_rows), placeholder="null")
    with chart:
        _draw(readable)
    with st.container(horizontal=True):
        as_file = partial(st.download_button, on_click="ignore")
        as_file("CSV", lambda: as_csv(again().flat.slice(0, most)), f"{name}.csv", "text/csv", help=_CSV)
        kind = "application/vnd.apache.parquet"
        as_file("Parquet", lambda: as_parquet(again().rows.slice(0, most)), f"{name}.parquet", kind)


def as_csv(table: pa.Table) -> bytes:
    """The rows for a spreadsheet: an apostrophe stands where it would begin a formula in a text or a name."""
    cells = [
        _no_formulas(column) if pa.types.is_string(column.type) else utc_as_text(column) for column in table.columns
    ]
    names = _no_formulas(pa.array(table.column_names, pa.string())).to_pylist()
    sink = io.BytesIO()
    pyarrow.csv.write_csv(pa.table(cells, names=names), sink)
    return sink.getvalue()


def _no_formulas(texts: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    begins, within = FORMULAS
    return pc.replace_substring_regex(pc.replace_substring_regex(texts, within, r"\1'\2"), begins, r"'\1")


def as_parquet(table: pa.Table) -> bytes:
    """The rows with their types, as far as Parquet has them."""
    sink = io.BytesIO()
    stored = storable(table).rename_columns(once(table.column_names))
    pyarrow.parquet.write_table(stored, sink, write_statistics=bounded(stored.schema))
    return sink.getvalue()


def _draw(table: pa.Table) -> None:
    numeric = [field.name for field in table.schema if _is_number(field.type)]
    if not numeric:
        return states.nothing("No column holds numbers to draw.")
    names = table.column_names
    one, two, three = st.columns(3)
    across = one.selectbox("Across", names)
    up = two.selectbox("Up", numeric, index=min(len(numeric) - 1, int(names[0] in numeric)))
    colours = formats.told_apart([None, *names], lambda name: name or "none")
    colour = three.selectbox("Colour", list(colours), format_func=colours.__getitem__)
    # Names of Vega's own, because it reads dots and brackets in a name as a path.
    chosen = {"x": across, "y": up} | ({"color": colour} if colour else {})
    data = pa.table({channel: drawable(table[name]) for channel, name in chosen.items()}).slice(0, MOST_DRAWN)
    for channel, name in chosen.items():
        if name not in numeric and (different := len(data[channel].unique())) > MOST_NAMED:
            return states.nothing(
                f"{formats.count(different)} different values of {name} are too many to draw.",
                f"At most {formats.count(MOST_NAMED)} are drawn: choose another column, or narrow the query down.",
            )
    if data.nbytes > MOST_BYTES:
        return states.nothing(
            "These texts are too long to draw.", "Choose another column, or shorten them with left(…)."
        )
    encoding = {
        channel: {"field": channel, "type": "quantitative" if name in numeric else "nominal", "title": named(name)}
        for channel, name in chosen.items()
    }
    # Bars of one name would be stacked: two rates of 0.8 would stand there as 1.6.
    bars = across not in numeric and len(data["x"].unique()) == data.num_rows
    mark = {"type": "bar"} if bars else {"type": "circle", "size": 55}
    # Not by Altair's to_dict: what it does with data is one for all threads, and Streamlit changes it while others draw.
    st.vega_lite_chart(data, {"mark": mark, "encoding": encoding}, height=340, width="stretch")
    if table.num_rows > MOST_DRAWN:
        st.caption(f"The first {formats.count(MOST_DRAWN)} rows.")


def drawable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Numbers as a browser has them, which draws none that is infinite or no number; all else as the text by which Vega tells
    names apart: null and 'null' are one."""
    if not _is_number(column.type):
        return pc.fill_null(utc_as_text(column).cast(pa.string()), "null")
    numbers = column.cast(pa.float64(), safe=False)
    return pc.if_else(pc.is_finite(numbers), numbers, None)


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
