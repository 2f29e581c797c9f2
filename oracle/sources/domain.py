"""What a store recommends where that is not films: its nouns, the form of its ids, and how it is asked for."""

import json

import duckdb

from oracle.base.errors import UserError
from oracle.base.resources import read_sql
from oracle.sources.json_files import read_document
from oracle.sources.kinds import Source

_FIELDS = {"noun": str, "nouns": str, "numeric_ids": bool, "first_words": bool, "ask": str}
EXPECTED = '{"noun": "game", "nouns": "games", "numeric_ids": true, "ask": "Please recommend 20 games ..."}'


def load_domain(connection: duckdb.DuckDBPyConnection, source: Source) -> int:
    """Make a domain that of the store; return 1. Raises `UserError` for a file that is no such description, and where
    the store holds titles whose ids would be read in another way from now on."""
    document = read_document(source.path, source.largest)
    domain = document[0] if isinstance(document, list) and len(document) == 1 else document
    if not isinstance(domain, dict):
        raise UserError(f"{source.path} describes no domain, or several; expected {EXPECTED}")
    for name, value in domain.items():
        kind = _FIELDS.get(name)
        if kind is None or not isinstance(value, kind) or value == "":
            raise UserError(f"{source.path}: {name} is {json.dumps(value)[:60]}; expected {EXPECTED}")
    numeric = domain.get("numeric_ids", False)
    [(held, was_numeric)] = connection.execute(
        "select (select count(*) from titles), numeric_ids from domain"
    ).fetchall()
    if held and numeric != was_numeric:
        raise UserError(
            f"{source.path}: numeric_ids is {json.dumps(numeric)}, and the store has ids that were read otherwise: "
            "load the domain first, into a store of its own (--no-starter)"
        )
    defaults = {"nouns": f"{domain['noun']}s", "numeric_ids": False, "first_words": True, "ask": None}
    connection.execute(read_sql("sources/domain"), {**defaults, **domain})
    return 1
