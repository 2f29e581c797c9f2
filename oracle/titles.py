"""The titles of a store, held in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.hash_index import HashIndex
from oracle.records import FORM

Columns = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Titles:
    """The title forms of a store and what they are found by. Title forms and films are numbered from 0."""

    title: pa.StringArray  # per title form
    forms: np.ndarray  # FORM, per title form
    long_ids: pa.StringArray  # the ids that records have no room for
    common: np.ndarray  # word classes whose titles many films share

    exact: HashIndex  # own title and year -> title form
    same: HashIndex  # title but for case -> some title form of that title
    keys: HashIndex  # any key of sql/forms.sql -> title forms
    group_start: np.ndarray  # int32 per key_no: where its title forms begin in group_form
    group_form: np.ndarray  # int32: title forms by key_no

    known_words: np.ndarray  # uint32, sorted: hashes of all words of titles
    aliases: Mapping[tuple[str, int], int]  # (normalised key, year or -1) -> title form; confirmed by a person
    aliased: np.ndarray  # int32: key_no of the titles that aliases are written like

    @classmethod
    def of(cls, columns: Columns) -> "Titles":
        titles = columns["titles"]
        aliases = columns["aliases"].to_pylist()
        return cls(
            title=array_of(titles, "title"),
            forms=records_of(titles, "form", FORM),
            long_ids=array_of(columns["long_ids"], "imdb_id"),
            common=numbers_of(columns["common"], "word_class"),
            **{  # type: ignore[arg-type]
                name: HashIndex(
                    numbers_of(columns[name], "slot"),
                    numbers_of(columns[f"{name}_buckets"], "start"),
                )
                for name in ("exact", "same", "keys")
            },
            group_start=numbers_of(columns["groups"], "start"),
            group_form=numbers_of(columns["group_forms"], "title"),
            known_words=numbers_of(columns["words"], "word_hash"),
            aliases={(row["key"], row["year"]): row["title"] for row in aliases},
            aliased=numbers_of(columns["aliased"], "key_no"),
        )


def array_of(table: pa.Table, name: str) -> pa.Array:
    """A column of a table that has one chunk or none."""
    return table[name].chunk(0) if table[name].num_chunks else pa.array([], table[name].type)


def numbers_of(table: pa.Table, name: str) -> np.ndarray:
    """A column of numbers without nulls, not copied."""
    return array_of(table, name).to_numpy()


def records_of(table: pa.Table, name: str, record: np.dtype) -> np.ndarray:
    """A column of records, not copied."""
    column = array_of(table, name)
    return np.frombuffer(column.buffers()[1], record, len(column)) if len(column) else np.empty(0, record)


def array_of_records(records: np.ndarray) -> pa.FixedSizeBinaryArray:
    """Records as a column."""
    return pa.Array.from_buffers(pa.binary(records.itemsize), len(records), [None, pa.py_buffer(records)])


def booleans_of(values: pa.BooleanArray) -> np.ndarray:
    """Booleans as numpy has them, null = False. (Arrow's own way would import pandas.)"""
    if values.null_count:
        values = values.fill_null(False)
    if len(values) == 0:
        return np.empty(0, np.bool_)
    bits = np.frombuffer(values.buffers()[1], np.uint8)
    return np.unpackbits(bits, count=values.offset + len(values), bitorder="little")[values.offset :].view(np.bool_)


def bits_of(flags: np.ndarray) -> pa.Buffer:
    """Flags (bool) as Arrow has them, in bits."""
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def flags_of(flags: np.ndarray) -> pa.BooleanArray:
    """Flags (bool) as a column."""
    return pa.Array.from_buffers(pa.bool_(), len(flags), [None, bits_of(flags)])
