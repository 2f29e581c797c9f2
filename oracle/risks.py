"""The risks of a store's films, held in memory, with what led to them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.titles import Columns, array_of, numbers_of


@dataclass(frozen=True)
class Risks:
    """Risks of films for traits, both numbered from 0. Rows are the risks above 0, by film and trait."""

    traits: pa.StringArray
    rows: np.ndarray  # int32, blocks of as many as there are traits: row of each trait, -1 = no risk. Block 0 has none
    risk: np.ndarray  # float64 in 0..1, per row, and 0 at the end
    sources: pa.StringArray
    source: np.ndarray  # int8 per row: number of its source
    hit_tags: pa.ListArray  # per row
    severities: pa.ListArray  # per row

    @classmethod
    def of(cls, columns: Columns) -> "Risks":
        risks = columns["risks"]
        return cls(
            traits=array_of(columns["traits"], "trait"),
            rows=numbers_of(columns["risk_rows"], "row"),
            risk=numbers_of(columns["risk_values"], "risk"),
            sources=array_of(columns["sources"], "source"),
            source=numbers_of(risks, "source"),
            hit_tags=array_of(risks, "hit_tags"),
            severities=array_of(risks, "severities"),
        )

    def find(self, block: np.ndarray, which: np.ndarray, trait: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (row, risk) of each pair of the film with the risks of block[which], and a trait; -1 and 0 for no risk."""
        row = self.rows.take(block.take(which) * len(self.traits) + trait)
        return row, self.risk.take(row)

    def evidence(self, row: np.ndarray, trait: np.ndarray) -> pa.StructArray:
        """Return what led to some risks above 0: trait, risk, source, hit_tags, severities."""
        rows = pa.array(row)
        return pa.StructArray.from_arrays(
            [
                self.traits.take(pa.array(trait)),
                pa.array(self.risk.take(row)),
                self.sources.take(pa.array(self.source.take(row))),
                self.hit_tags.take(rows),
                self.severities.take(rows),
            ],
            names=["trait", "risk", "source", "hit_tags", "severities"],
        )
