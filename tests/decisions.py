"""What people decided about titles, for tests."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from oracle.titles.aliases import current_decisions


def current_aliases(store: Path) -> pa.Table:
    """The confirmed aliases: title, year (null: written without one), imdb_id. Later ones stand later."""
    decisions, _ = current_decisions(store)
    return decisions.filter(pc.equal(decisions["action"], "confirm")).select(["title", "year", "imdb_id"])
