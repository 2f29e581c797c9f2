"""Whether a statement is a SELECT that only reads: judged by what DuckDB's own parser makes of it, at any depth.

DuckDB calls much a SELECT that writes: `with x as (copy … to …) select 1`, or a function that runs SQL from a text. So
the statement's tree is walked, and every node and every function in it must be one that is known to do no harm:

    with x as (copy (select 1) to 'f') select 1     refused: COPY_QUERY_NODE
    from json_execute_serialized_sql(…)             refused: a function that sql/log/allowed_functions.sql does not list
    from pg_settings, show memory_limit             refused: they tell of the machine; names and columns may be asked for
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import accumulate

import duckdb

from oracle.base.advice import advice, is_shortage
from oracle.base.database import connect
from oracle.base.errors import UserError, first_line
from oracle.base.resources import read_sql

ALLOWED_NODES = {
    *("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"),
    *("BASE_TABLE", "TABLE_FUNCTION", "JOIN", "SUBQUERY", "EMPTY", "EXPRESSION_LIST", "PIVOT", "SHOW_REF"),
    *("ORDER_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "DISTINCT_MODIFIER"),
    *("ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
}
CATALOG = {"columns", "tables", "views", "duckdb_columns", "duckdb_tables", "duckdb_views"}
"""DuckDB's own views that tell no more than which tables, views and columns there are."""
SHOWN = {'"tables"', "__show_tables_expanded"}
"""What SHOW may be asked, as the parser names it; it would show any setting too."""
PLUMBING = re.compile(
    r"log_(root|files?|kept|listed|found|(step_)?is_left_out|is_foreign|part|folder|paths|rows)|alias_files|((older|newest)_)?(single|merged)_(files|rows|schema|\w+_sums)"
    r"|title_(queries|probes|pairs|matches|variants)|distinct_queries|scored_pairs|best_pairs|nearest_titles"
)
"""Macros that views and other macros are made with: they tell paths, and read files or tables by their names."""
READS_BY_NAME = {"check_films", "resolve_titles"}
"""The macros that people may tell which table to read: no other than they may read without it."""
# Of a statement: a parser looks at no clock, nor lets Python look at one. Within both it takes some seconds and 1 GB. (Ten times as
# many CTEs take a minute, and four times as many tables in a row end the process.)
MOST_CHARACTERS = 100_000
MOST_BRACKETS = 300
"""Within each other: for twice as many it takes four times as long, and as much memory."""
HALF_A_CHARACTER = re.compile("[\ud800-\udfff]")  # what Python makes of bytes in a command that are no UTF-8
# What DuckDB's parser takes for a space, and more.
ODD_SPACE = re.compile("[\u0080-\u00a0\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]")
MOST_TOLD = 5  # statements by their kinds
LONGEST = 500  # of what DuckDB says; it repeats names of any length
TOO_DEEP = "the statement is nested too deeply, or has too many terms in a row: simplify it"


def check_reads_only(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Raises `UserError` for anything but one SELECT of nodes and functions that read and compute."""
    called, tables = set(), set()
    for node in _nodes(_parsed(connection, sql)):
        kind = node.get("type")
        if "class" in node:  # an expression; of these, functions alone can do more than compute
            called.add(name := str(node.get("function_name") or "").lower())
            if name in READS_BY_NAME:
                tables |= {*_tables_named(name, node)}
        elif isinstance(kind, str) and kind not in ALLOWED_NODES:
            raise UserError(f"this reads the log only: expected one SELECT, and it holds a {kind}")
        elif kind == "BASE_TABLE":
            tables.add(tuple(filter(None, (node["catalog_name"], node["schema_name"], node["table_name"]))))
        elif kind == "TABLE_FUNCTION" and (name := str(node["function"]["function_name"]).lower()) in _table_macros():
            raise UserError(f"this reads the log only: {name}, which is told a table's name, is not for FROM")
        elif kind == "SHOW_REF" and node.get("query") is None and node["table_name"] not in SHOWN:
            raise UserError(
                "this reads the log only: SHOW TABLES and DESCRIBE show names and columns, and nothing else is shown"
            )
    _check_tables(connection, tables)
    unknown = {name for name in called - _allowed_functions() if any(c.isalnum() or c == "_" for c in name)}
    if unknown and (refused := sorted(unknown - _own_macros(connection))):
        raise UserError(
            f"this reads the log only: the function {refused[0][:100]} is not among those that it may call "
            "(sql/log/allowed_functions.sql lists them)"
        )


def _tables_named(macro: str, call: dict) -> Iterator[tuple[str, ...]]:
    """The tables that a call of a macro names. Raises `UserError` unless it says in so many words which they are."""
    for argument in (given["expression"] for given in call["arguments"]):
        if argument["class"] not in ("CONSTANT", "COLUMN_REF"):
            raise UserError(f"this reads the log only: {macro} takes the name of one table, as it is")
        if argument.get("literal", {}).get("kind", "STRING") == "STRING":  # a number is no table
            said = argument["literal"]["text"] if "literal" in argument else ".".join(argument["column_names"])
            yield tuple(part.strip() for part in str(said).replace('"', "").split("."))


def _check_tables(connection: duckdb.DuckDBPyConnection, tables: set[tuple[str, ...]]) -> None:
    """Raises `UserError` for a table that is none to be read. Each is its name, behind its database and schema if it has them."""
    for *_, name in tables:
        _check_view(name)
    # Where DuckDB finds no table csv in the schema main, it opens the file main.csv.
    may_be_files = {table for table in tables if len(table) > 1 or "." in table[0]}
    known = connection.execute(read_sql("log/relations")).fetchall() if may_be_files else []
    for table in may_be_files:
        *place, name = (part.lower() for part in table)
        if not any(name == known_name and {*place} <= {*where} for known_name, *where in known):
            raise UserError(
                f"this reads the log only: {'.'.join(table)[:100]} is no table or view, and no file is read (what has a dot in "
                "its name is taken for a file's: give a CTE one without)"
            )


def _check_view(name: str) -> None:
    if name.lower() in _system_views() - CATALOG:
        raise UserError(
            f"this reads the log only: {name.lower()} is not among the views of the system that it may ask "
            f"({', '.join(sorted(CATALOG))})"
        )


def _parsed(connection: duckdb.DuckDBPyConnection, sql: str) -> dict:
    """The tree of the one statement."""
    if len(sql) > MOST_CHARACTERS:
        raise UserError(
            f"the statement has {len(sql):,} characters, and at most {MOST_CHARACTERS:,} are read: shorten it, with a join "
            "or a range in place of a long list"
        )
    if half := HALF_A_CHARACTER.search(sql):
        raise UserError(f"the statement is not UTF-8 text: character {half.start() + 1} of it is no whole one")
    if _depth(sql) > MOST_BRACKETS:
        raise UserError(TOO_DEEP)
    try:
        kinds = list(map(_kind, connection.extract_statements(sql)))
        if kinds != ["SELECT"]:
            raise UserError(f"this reads the log only: expected one SELECT, got {_told(kinds)}")
        [(text,)] = connection.execute("select json_serialize_sql($1::varchar)", [sql]).fetchall()
        tree = json.loads(text)
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise UserError(what_duckdb_said(error)) from None
    except RecursionError:
        raise UserError(TOO_DEEP) from None
    if tree["error"] or len(tree["statements"]) != 1:
        raise UserError(f"this reads the log only: expected one SELECT ({tree.get('error_message', 'got several')})")
    return tree


def _depth(sql: str) -> int:
    """How many brackets of a statement are open at most at a time, but for those in texts and comments.

    Of a statement with odd spaces, all of them: the parser takes these for spaces, and the tokenizer for parts of names, so that
    what is text to one are brackets to the other.
    """
    if ODD_SPACE.search(sql):
        return sum(map(sql.count, "([{"))
    text = sql.encode()
    signs = (text[start : start + 1] for start, kind in duckdb.tokenize(sql) if kind == duckdb.token_type.operator)
    steps = ((sign in (b"(", b"[", b"{")) - (sign in (b")", b"]", b"}")) for sign in signs)
    return max(accumulate(steps, lambda depth, step: max(depth + step, 0)), default=0)


def _kind(statement: duckdb.Statement) -> str:
    try:
        return statement.type.name
    except ValueError:  # DuckDB's Python has no name for all of them: UPDATE EXTENSIONS
        return "something else"


def _told(kinds: list[str]) -> str:
    if kinds == ["MULTI"]:  # DuckDB first makes a type of the values that it finds
        return "a PIVOT that does not name its values: write ON … IN (…)"
    return ", ".join(kinds) or "nothing" if len(kinds) <= MOST_TOLD else f"{len(kinds):,} statements"


def what_duckdb_said(error: duckdb.Error | UnicodeDecodeError) -> str:
    """In a line; of settings that it names, none can be changed here. Where it cuts a character in two, Python can't read it."""
    if isinstance(error, UnicodeDecodeError):
        error = duckdb.Error(error.object.decode(errors="replace"))
    if isinstance(error, duckdb.OutOfMemoryException):
        return "the query needs more memory than it may have: narrow it down to a run or a step"
    if is_shortage(error):
        return str(advice(error))
    said = first_line(error)
    if isinstance(error, duckdb.InternalException):  # with the names of DuckDB's own functions behind it
        return f"DuckDB itself failed at this ({said.split(' Stack Trace:')[0][:LONGEST]}): ask in another way"
    return TOO_DEEP if "max_expression_depth" in said else said if len(said) <= LONGEST else f"{said[:LONGEST]} …"


def _nodes(tree: dict) -> Iterator[dict]:
    """Every object of the tree."""
    left: list = [tree]
    while left:
        part = left.pop()
        if isinstance(part, dict):
            yield part
            left.extend(part.values())
        elif isinstance(part, list):
            left.extend(part)


@cache
def _allowed_functions() -> frozenset[str]:
    with connect() as connection:
        return frozenset(name for (name,) in connection.sql(read_sql("log/allowed_functions")).fetchall()) | {""}


@cache
def _system_views() -> frozenset[str]:
    with connect() as connection:
        names = connection.execute("select lower(view_name) from duckdb_views() where internal")
        return frozenset(name for (name,) in names.fetchall())


@cache
def _table_macros() -> frozenset[str]:
    """DuckDB's own, which read whatever table they are told, and may bear the name of a harmless function: histogram."""
    with connect() as connection:
        names = connection.execute(
            "select function_name from duckdb_functions() where internal and function_type = 'table_macro'"
        )
        return frozenset(name for (name,) in names.fetchall())


def _own_macros(connection: duckdb.DuckDBPyConnection) -> set[str]:
    """The macros of this connection that people ask: those of the log and the store, as nobody can add any."""
    names = connection.execute("select distinct lower(function_name) from duckdb_functions() where not internal")
    return {name for (name,) in names.fetchall() if not PLUMBING.fullmatch(name)}
