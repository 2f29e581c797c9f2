"""Tables of queries, as people hand them over, brought into the form that matching takes."""

import numpy as np
import pyarrow as pa

from oracle.errors import UserError


def title_and_year(table: pa.Table) -> tuple[pa.StringArray, np.ndarray]:
    """Return the columns title and year (int16, -1 = null) of a table; text of any string type, years of any integer.

    Raises `UserError` where a column is missing or holds something else.
    """
    missing = {"title", "year"} - set(table.column_names)
    if missing:
        raise UserError(f"the table to look up lacks the column {', '.join(sorted(missing))}: it has {', '.join(table.column_names)}")
    try:
        title = table["title"].cast(pa.string()).combine_chunks()
        year = table["year"].cast(pa.int16())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise UserError(f"title must be text and year a whole number or null: {str(error).splitlines()[0]}") from None
    return title, np.ascontiguousarray(year.fill_null(-1).to_numpy())
