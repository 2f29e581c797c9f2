"""Records of what is known of a title and its film, or of a risk: one access to memory each, not one a column.

A look-up of some thousand titles jumps about in tables of a million: what it waits for is memory, so all that it needs of a film
lies in 16 bytes. They are laid out as Arrow lays out a short text (length, then up to 12 bytes), so that the ids of a whole batch
become an Arrow column without being looked at one by one. A length needs 4 of its 32 bits; the film's risk block has the others.
Example, "tt0387564" (9 bytes) with risk block 5:

    packed = 5 << 4 | 9 = 89          89 >> 4 = 5, the block; 89 & 15 = 9, the length
    id     = b"tt0387564\\0\\0\\0"

An id of more than 12 bytes has the length 15 (LONG), and in place of its bytes its number in a list of long ids.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from oracle.base.arrow import bits_of, flags_of

INLINE = 12  # bytes of an id that fit into a record, as they fit into a view of Arrow
LONG = 15  # in place of the length of an id that does not fit
LENGTH_AND_ID = np.array([15, *[2**32 - 1] * 3], np.uint32)  # the bits of a record that a view has

# An Arrow view of the film's id, but that the high bits of the length hold the film's risk block. Of a long id, the first
# four bytes of `id` are its number among the long ones.
FILM = np.dtype([("packed", np.uint32), ("id", np.uint32, 3)])
TITLE = np.dtype(
    [
        ("film", np.int32),  # its number
        ("key_no", np.int32),  # the same where titles are the same when normalised
        ("wording_no", np.int32),  # the same where they have the same words
        ("year", np.int16),  # -1 = not known
        ("primary", np.bool_),  # the film's own title
        ("word_class", np.int8),  # number of words that count, 4 = more
        ("of_film", FILM),
    ]
)

UNKNOWN = -1.0  # in place of a risk of which nothing is known
RISK = np.dtype(
    [
        ("risk", np.float64),  # 0..1, or UNKNOWN
        ("source", np.int8),  # number of its source
        ("tagged", np.bool_),  # whether it has hit tags
        ("graded", np.bool_),  # whether it has severities
    ],
    align=True,
)


def film_records(imdb_id: pa.StringArray, risk_block: np.ndarray) -> tuple[np.ndarray, pa.StringArray]:
    """Return the FILM records of films, given their risk blocks (integers from 0), and the ids that they have no room for."""
    length = pc.binary_length(imdb_id).to_numpy()
    long = np.flatnonzero(length > INLINE)
    films = np.zeros(len(imdb_id), FILM)
    if len(films):
        films.view(np.uint32)[:] = np.frombuffer(imdb_id.cast(pa.string_view()).buffers()[1], np.uint32, 4 * len(films))
    films["packed"] = risk_block.astype(np.uint32) << 4 | np.where(length > INLINE, LONG, length).astype(np.uint32)
    films["id"][long, 0] = np.arange(len(long))
    return films, imdb_id.take(pa.array(long))


def risk_blocks(films: np.ndarray) -> np.ndarray:
    """Return the risk block of each FILM record (int64)."""
    return (films["packed"] >> 4).astype(np.int64)


def imdb_ids(films: np.ndarray, long_ids: pa.StringArray, none: np.ndarray | None = None) -> pa.StringArray:
    """Return the ids (string) of FILM records; null where `none` (bool) says so."""
    views = np.ascontiguousarray(films).view(np.uint32).reshape(-1, 4) & LENGTH_AND_ID
    is_long = views[:, 0] == LONG
    numbers = pa.array(views[:, 1], mask=~is_long) if is_long.any() else None
    views[is_long] = 0
    valid = None if none is None else bits_of(~none)
    ids = pa.Array.from_buffers(pa.string_view(), len(films), [valid, pa.py_buffer(views)]).cast(pa.string())
    if numbers is None:
        return ids
    return pc.if_else(flags_of(is_long if none is None else is_long & ~none), long_ids.take(numbers), ids)
