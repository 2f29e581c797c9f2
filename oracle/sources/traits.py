"""Trait definitions, of films or of any other domain."""

import duckdb

from oracle.base.resources import read_sql
from oracle.sources.kinds import Source
from oracle.store import read_definitions, trait_rows


def load_traits(connection: duckdb.DuckDBPyConnection, source: Source) -> int:
    """Add the definitions of a JSON file to the store, in place of those of the same names; return how many.

    Raises `UserError` for definitions that break their schema.
    """
    definitions = read_definitions(source.path, source.largest)
    tables = trait_rows(definitions.traits, definitions.tag_synonyms)
    for name, rows in tables.items():
        connection.register(f"new_{name}", rows)
    connection.execute(read_sql("sources/traits"))
    for name in tables:
        connection.unregister(f"new_{name}")
    return len(definitions.traits)
