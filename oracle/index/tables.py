"""The titles of a store, held in memory."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.base.arrow import array_of, numbers_of, records_of
from oracle.index.hashing import HashIndex, UniqueHashes
from oracle.index.records import TITLE

Columns = Mapping[str, pa.Table]


@dataclass(frozen=True)
class Titles:
    """The titles of a store and what they are found by. Titles and films are numbered from 0."""

    title: pa.StringArray  # per title
    records: np.ndarray  # TITLE, per title
    long_ids: pa.StringArray  # the ids that records have no room for
    common: np.ndarray  # word classes whose titles many films share

    multipliers: np.ndarray  # uint64: those of the hashes of `exact` and `same`
    exact: UniqueHashes  # own title and year -> title, where no other film has both
    same: UniqueHashes  # title but for case -> any one of them
    keys: HashIndex  # any key of sql/titles/variants.sql -> titles
    group_start: np.ndarray  # int32 per key_no: where its titles begin in group_title_no
    group_title_no: np.ndarray  # int32: titles by key_no

    known_words: np.ndarray  # uint32, sorted: hashes of all words of titles
    aliases: Mapping[tuple[str, int], int]  # (normalised key, year or -1) -> title; confirmed by a person
    refused: Mapping[tuple[str, int], int]  # the same -> film that a person said it is not; -1: none that is known
    decided: np.ndarray  # int32: key_no of the titles that what people decided about is written like

    @classmethod
    def of(cls, columns: Columns) -> "Titles":
        titles = columns["titles"]
        aliases = columns["aliases"].to_pylist()
        return cls(
            title=array_of(titles, "title"),
            records=records_of(titles, "record", TITLE),
            long_ids=array_of(columns["long_ids"], "imdb_id"),
            common=numbers_of(columns["common"], "word_class"),
            multipliers=numbers_of(columns["multipliers"], "multiplier"),
            exact=_unique_hashes(columns, "exact"),
            same=_unique_hashes(columns, "same"),
            keys=HashIndex(numbers_of(columns["keys"], "slot"), numbers_of(columns["keys_buckets"], "start")),
            group_start=numbers_of(columns["groups"], "start"),
            group_title_no=numbers_of(columns["group_titles"], "title"),
            known_words=numbers_of(columns["words"], "word_hash"),
            aliases={(row["key"], row["year"]): row["title"] for row in aliases},
            refused={},
            decided=numbers_of(columns["aliased"], "key_no"),
        )


def _unique_hashes(columns: Columns, name: str) -> UniqueHashes:
    return UniqueHashes(
        numbers_of(columns[name], "hash"),
        numbers_of(columns[name], "entry"),
        numbers_of(columns[f"{name}_buckets"], "start"),
    )
