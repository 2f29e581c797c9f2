"""Trait definitions, of films or of any other domain."""

import duckdb
import pyarrow as pa

from oracle.base.errors import UserError
from oracle.base.resources import read_sql
from oracle.sources.kinds import Source
from oracle.store import read_traits

_TABLES = {
    "new_traits": pa.schema([("trait", pa.string()), ("ordinal", pa.int32())]),
    "new_tags": pa.schema([("trait", pa.string()), ("tag", pa.string())]),
    "new_weights": pa.schema([("trait", pa.string()), ("category", pa.string()), ("weight", pa.float64())]),
}


def load_traits(connection: duckdb.DuckDBPyConnection, source: Source) -> int:
    """Add the definitions of a JSON file to the store, in place of those of the same names; return how many.

    Raises `UserError` for a trait that is defined twice, has no name, or a weight that is no number >= 0.
    """
    traits = read_traits(source.path)
    names = [trait.name for trait in traits]
    if repeated := sorted({name for name in names if names.count(name) > 1 or not name}):
        raise UserError(f"{source.path} defines {', '.join(map(repr, repeated))} more than once, or without a name")
    for trait in traits:
        for category, weight in trait.weights:
            if not 0 <= weight < float("inf"):
                raise UserError(
                    f"{source.path}: trait {trait.name!r} weighs {category!r} {weight}; expected a number of at least 0"
                )
    rows: dict[str, list[dict]] = {
        "new_traits": [{"trait": trait.name, "ordinal": number} for number, trait in enumerate(traits)],
        "new_tags": [{"trait": trait.name, "tag": tag.strip()} for trait in traits for tag in trait.avoid],
        "new_weights": [
            {"trait": trait.name, "category": category, "weight": weight}
            for trait in traits
            for category, weight in trait.weights
        ],
    }
    for name, schema in _TABLES.items():
        connection.register(name, pa.Table.from_pylist(rows[name], schema))
    connection.execute(read_sql("sources/traits"))
    for name in _TABLES:
        connection.unregister(name)
    return len(traits)
