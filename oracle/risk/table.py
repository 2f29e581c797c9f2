"""The risks of a store's films, held in memory, with what led to them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.base.arrow import array_of, numbers_of, records_of
from oracle.index import RISK, Columns


@dataclass(frozen=True)
class Risks:
    """Risks of films for traits.

    A block holds a pair of its film and each trait; block 0 is that of films of which nothing is known.
    """

    traits: pa.StringArray
    kinds: (
        np.ndarray
    )  # unsigned, per pair: number of its record. So few bytes that a batch's pairs stay near one another
    records: np.ndarray  # RISK, those that occur, the first one unknown
    sources: pa.StringArray
    rows: np.ndarray  # int32, per pair: number of its reasons, -1 = no risk, or none known
    hit_tags: pa.ListArray  # per row
    severities: pa.ListArray  # per row

    @classmethod
    def of(cls, columns: Columns) -> "Risks":
        return cls(
            traits=array_of(columns["traits"], "trait"),
            kinds=numbers_of(columns["risk_kinds"], "kind"),
            records=records_of(columns["risk_records"], "record", RISK),
            sources=array_of(columns["sources"], "source"),
            rows=numbers_of(columns["risk_rows"], "row"),
            hit_tags=array_of(columns["risk_reasons"], "hit_tags"),
            severities=array_of(columns["risk_reasons"], "severities"),
        )

    def find(self, block: np.ndarray, which: np.ndarray, trait: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (pair, its RISK record) of each pair of a trait and the film whose block is block[which]."""
        pair = block.take(which) * len(self.traits) + trait
        return pair, self.records.take(self.kinds.take(pair))

    def evidence(self, pair: np.ndarray, record: np.ndarray, trait: np.ndarray) -> pa.StructArray:
        """Return what led to some risks above 0: trait, risk, source, hit_tags, severities."""
        return pa.StructArray.from_arrays(
            [
                self.traits.take(pa.array(trait)),
                pa.array(record["risk"]),
                self.sources.take(pa.array(record["source"])),
                self._reasons(self.hit_tags, pair, record["tagged"]),
                self._reasons(self.severities, pair, record["graded"]),
            ],
            names=["trait", "risk", "source", "hit_tags", "severities"],
        )

    def _reasons(self, lists: pa.ListArray, pair: np.ndarray, filled: np.ndarray) -> pa.ListArray:
        """Return the lists of some pairs, without a look at them where no list is filled."""
        if filled.any():
            return lists.take(pa.array(self.rows.take(pair)))
        return pa.ListArray.from_arrays(pa.array(np.zeros(len(pair) + 1, np.int32)), lists.values[:0], type=lists.type)
