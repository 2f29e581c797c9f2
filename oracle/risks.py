"""The risks of a store's films, held in memory, with what led to them."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from oracle.titles import Columns, array_of, numbers_of


@dataclass(frozen=True)
class Risks:
    """Risks of films for traits, both numbered from 0. Rows are the risks above 0, by film and trait."""

    traits: pa.StringArray
    block: np.ndarray  # int32 per film: its block of rows_of, -1 = no risk
    rows_of: np.ndarray  # int32 (blocks, traits): row of each trait, -1 = no risk
    trait: np.ndarray  # int32 per row
    risk: np.ndarray  # float64 in 0..1, per row
    source: pa.StringArray  # per row, as are the next two
    hit_tags: pa.ListArray
    severities: pa.ListArray

    @classmethod
    def of(cls, columns: Columns) -> "Risks":
        risks = columns["risks"]
        return cls(
            traits=array_of(columns["traits"], "trait"),
            block=numbers_of(columns["films"], "risk_block"),
            rows_of=numbers_of(columns["risk_rows"], "row").reshape(-1, max(len(columns["traits"]), 1)),
            trait=numbers_of(risks, "trait"),
            risk=numbers_of(risks, "risk"),
            **{name: array_of(risks, name) for name in ("source", "hit_tags", "severities")},
        )

    def find(self, film: np.ndarray, trait: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (row, risk) of each (film, trait) pair; -1 and 0 where there is no risk."""
        if len(self.risk) == 0:
            return np.full(len(film), -1), np.zeros(len(film))
        block = self.block[film]
        row = np.where(block >= 0, self.rows_of[block, trait], -1)
        return row, np.where(row >= 0, self.risk[row], 0.0)

    def evidence(self, row: np.ndarray) -> pa.StructArray:
        """Return what led to the risks of some rows: trait, risk, source, hit_tags, severities."""
        rows = pa.array(row)
        return pa.StructArray.from_arrays(
            [
                self.traits.take(pa.array(self.trait[row])),
                pa.array(self.risk[row], pa.float64()),
                *(column.take(rows) for column in (self.source, self.hit_tags, self.severities)),
            ],
            names=["trait", "risk", "source", "hit_tags", "severities"],
        )
