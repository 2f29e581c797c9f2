"""What a person should know about a source that was loaded: what was taken for what, and what is missing."""

from collections.abc import Iterator

import duckdb

from oracle.base.resources import read_sql
from oracle.sources import kinds
from oracle.sources.kinds import Source


def told_of(connection: duckdb.DuckDBPyConnection, source: Source) -> Iterator[str]:
    """Yield lines about the source that was just loaded, for the person who named it."""
    statements = source.kind.statements
    if source.kind is kinds.DOMAIN:
        [(bundled, nouns)] = connection.execute(read_sql("sources/bundled_titles")).fetchall()
        if bundled:
            yield f"{bundled:,} bundled films are in this store, as {nouns}: a store of its own is made with --no-starter"
    if {"titles", "movielens", "imdb_basics"} & set(statements):
        [(films, undated)] = connection.execute(read_sql("sources/titles_without_years")).fetchall()
        if undated and undated * 10 >= films:
            yield (
                f"{undated:,} of its {films:,} titles have no year, and can be taken for others of the same name: "
                "expected a column such as year or release_date"
            )
    if "severities" in statements:
        read = connection.sql(
            "select said, category, highest, is_rounded, is_vote from categories_read order by all"
        ).fetchall()
        if renamed := [f"{said!r} as {category!r}" for said, category, *_ in read if said != category]:
            yield f"severities read: {', '.join(renamed)}"
        if rounded := [repr(said) for said, _, _, is_rounded, _ in read if is_rounded]:
            yield f"numbers between two levels are the nearer one: {', '.join(rounded)}"
        if low := [repr(said) for said, _, highest, _, _ in read if highest is not None and 0 < highest <= 1]:
            yield (
                f"no number is above 1, of a scale that ends at 3: {', '.join(low)}; if 1 says that it occurs, give rows "
                "of imdb_id, tag, present instead"
            )
        if source.kind in (kinds.SEVERITY_VOTES, kinds.LEVEL_VOTES) or any(is_vote for *_, is_vote in read):
            yield "votes on severities: the level with the most votes counts, of equals the more severe one"
    if "tags" in statements:
        [(nouns,)] = connection.sql("select nouns from domain").fetchall()
        [(tagged, asked)] = connection.execute(read_sql("sources/tag_counts")).fetchall()
        if asked:
            yield f"{tagged:,} {nouns} carry a tag; {asked:,} more were asked about, and carry none"
