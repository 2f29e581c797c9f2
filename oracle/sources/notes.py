"""What a person should know about a source that was loaded: what was taken for what, and what is missing."""

from collections.abc import Iterator

import duckdb

from oracle.base.resources import read_sql
from oracle.sources import kinds
from oracle.sources.kinds import Source


def told_of(connection: duckdb.DuckDBPyConnection, source: Source) -> Iterator[str]:
    """Yield lines about the source that was just loaded, for the person who named it."""
    statements = source.kind.statements
    if {"titles", "movielens", "imdb_basics"} & set(statements):
        [(films, undated)] = connection.execute(read_sql("sources/titles_without_years")).fetchall()
        if undated and undated * 10 >= films:
            yield (
                f"{undated:,} of its {films:,} titles have no year, and can be taken for others of the same name: "
                "expected a column such as year or release_date"
            )
    if "severities" in statements:
        read = connection.sql("select said, category, is_unweighed from categories_read order by all").fetchall()
        if renamed := [f"{said!r} as {category!r}" for said, category, _ in read if said != category]:
            yield f"severities read: {', '.join(renamed)}"
    if source.kind is kinds.SEVERITY_VOTES:
        yield "votes on severities: the level with the most votes counts, of equals the more severe one"
    if "tags" in statements:
        [(tagged, asked)] = connection.execute(read_sql("sources/tag_counts")).fetchall()
        if asked:
            yield f"{tagged:,} films carry a tag; {asked:,} more were asked about, and carry none"
