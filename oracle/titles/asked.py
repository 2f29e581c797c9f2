"""Tables of queries, as people hand them over, brought into the form that matching takes."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.arrow import booleans_of
from oracle.base.errors import UserError, in_a_line


def one_film(title: str, year: int | None) -> pa.Table:
    """Return a table of one film. Raises `UserError` for a title that is no text, or a year that is no whole number."""
    what = f"title must be text and year a whole number or None: got {type(title).__name__} and {type(year).__name__}"
    if isinstance(year, float) and not year.is_integer():
        raise UserError(what)
    try:
        return pa.table({"title": pa.array([title], pa.string()), "year": pa.array([year], pa.int64())})
    except UnicodeEncodeError:
        raise UserError(f"the title {title!r} is no text: it has half a character") from None
    except OverflowError:
        raise UserError("the year has too many digits: expected a whole number such as 2004") from None
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        raise UserError(what) from None


def title_and_year(table: pa.Table) -> tuple[pa.StringArray, np.ndarray]:
    """Return the columns title and year (int16, -1 = null) of a table; text of any string type, years of any integer.

    Raises `UserError` where a column is missing or holds something else.
    """
    missing = {"title", "year"} - set(table.column_names)
    if missing:
        raise UserError(
            f"the table to look up lacks the column {', '.join(sorted(missing))}: it has {', '.join(table.column_names)}"
        )
    try:
        title = one_array(table["title"], pa.string())
        year = table["year"]
        if pa.types.is_floating(year.type):  # as pandas has years when some are missing
            year = pc.if_else(pc.is_nan(year), None, year)
        year = one_array(year, pa.int16())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"title must be text and year a whole number or null: {in_a_line(error)}") from None
    # -1 stands for "not given"; a year before year 0 is nobody's, as year 0 is.
    if year.null_count == 0:
        return title, np.maximum(year.to_numpy(), 0)
    numbers = np.maximum(year.fill_null(0).to_numpy(), 0)
    numbers[~booleans_of(year.is_valid())] = -1
    return title, numbers


def given_ids(table: pa.Table) -> pa.StringArray | None:
    """Return the column given_id of a table: films' ids that whoever asks was given, null where none was; None without the column.

    Raises `UserError` where it holds something else than text.
    """
    if "given_id" not in table.column_names or table["given_id"].null_count == table.num_rows:
        return None
    try:
        return one_array(table["given_id"], pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"given_id must be text or null: {in_a_line(error)}") from None


def one_array(column: pa.ChunkedArray | pa.Array, kind: pa.DataType) -> pa.Array:
    """Return a column as one array of a type; not copied where it is that already."""
    if column.type != kind:
        column = column.cast(kind)
    if isinstance(column, pa.Array):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
