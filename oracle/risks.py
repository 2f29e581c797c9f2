"""The risks of a store's films, held in memory, with what led to them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.arrays import array_of, numbers_of, records_of
from oracle.records import RISK
from oracle.titles import Columns


@dataclass(frozen=True)
class Risks:
    """Risks of films for traits, both numbered from 0. Rows are the risks above 0, by film and trait."""

    traits: pa.StringArray
    rows: np.ndarray  # int32, blocks of as many as there are traits: row of each trait, -1 = no risk. Block 0 has none
    records: np.ndarray  # RISK, per row, and a risk of 0 at the end
    sources: pa.StringArray
    hit_tags: pa.ListArray  # per row
    severities: pa.ListArray  # per row

    @classmethod
    def of(cls, columns: Columns) -> "Risks":
        return cls(
            traits=array_of(columns["traits"], "trait"),
            rows=numbers_of(columns["risk_rows"], "row"),
            records=records_of(columns["risk_records"], "record", RISK),
            sources=array_of(columns["sources"], "source"),
            hit_tags=array_of(columns["risk_reasons"], "hit_tags"),
            severities=array_of(columns["risk_reasons"], "severities"),
        )

    def find(self, block: np.ndarray, which: np.ndarray, trait: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (row, its RISK record) of each pair of the film with the risks of block[which], and a trait.

        -1 and a risk of 0 where there is none.
        """
        row = self.rows.take(block.take(which) * len(self.traits) + trait)
        return row, self.records.take(row)

    def evidence(self, row: np.ndarray, record: np.ndarray, trait: np.ndarray) -> pa.StructArray:
        """Return what led to some risks above 0: trait, risk, source, hit_tags, severities."""
        return pa.StructArray.from_arrays(
            [
                self.traits.take(pa.array(trait)),
                pa.array(record["risk"]),
                self.sources.take(pa.array(record["source"])),
                _lists_of(self.hit_tags, row, record["tagged"]),
                _lists_of(self.severities, row, record["graded"]),
            ],
            names=["trait", "risk", "source", "hit_tags", "severities"],
        )


def _lists_of(lists: pa.ListArray, row: np.ndarray, filled: np.ndarray) -> pa.ListArray:
    """Return the lists of some rows, without a look at them where no list is filled."""
    if filled.any():
        return lists.take(pa.array(row))
    return pa.ListArray.from_arrays(pa.array(np.zeros(len(row) + 1, np.int32)), lists.values[:0], type=lists.type)
