"""Why a title was found, or was not: asked of the store in SQL, one title at a time."""

from pathlib import Path

import duckdb
import pyarrow as pa

from oracle.base.resources import read_sql
from oracle.store import open_store
from oracle.titles.aliases import current_aliases
from oracle.titles.asked import one_film, title_and_year


def nearest(store: str | Path, title: str, year: int | None = None) -> list[dict]:
    """Return up to five films whose titles come near, the match first, then the nearest.

    Each has imdb_id, near_title, near_year, closeness (0..1), years_apart, is_match, why; where no film has anything in
    common with the title, those whose letters are most alike. Raises `UserError` for what is no store.
    """
    _, years = title_and_year(film := one_film(title, year))
    queries = film.set_column(1, "year", pa.array(years, mask=years < 0))
    with open_store(store) as connection:
        connection.register("queries", queries)
        confirmed = _confirmed(connection, store, title, year)
        films = (
            connection.sql("select * exclude (title, year, place) from nearest_titles('queries')")
            .to_arrow_table()
            .to_pylist()
        )
        if confirmed:
            others = [film for film in films if film["imdb_id"] != confirmed[0]["imdb_id"]]
            why = "a person confirmed another film"
            return confirmed + [
                {**film, "is_match": False, "why": why if film["is_match"] else film["why"]} for film in others[:4]
            ]
        if films:
            return films
        alike = connection.sql("from similar_titles($title, $year)", params={"title": title, "year": year})
        return [
            {
                "imdb_id": film["imdb_id"],
                "near_title": film["near_title"],
                "near_year": film["near_year"],
                "closeness": film["similarity"],
                "years_apart": None if year is None or film["near_year"] is None else abs(film["near_year"] - year),
                "is_match": False,
                "why": "other words; only its letters are alike",
            }
            for film in alike.to_arrow_table().to_pylist()
        ]


def _confirmed(connection: duckdb.DuckDBPyConnection, store: str | Path, title: str, year: int | None) -> list[dict]:
    """Return the film that people confirmed for a title beside the store, or nothing."""
    aliases = current_aliases(store)
    connection.register("confirmed", aliases.append_column("place", pa.array(range(len(aliases)), pa.int64())))
    films = connection.sql(read_sql("titles/confirmed"), params={"title": title, "year": year})
    return films.to_arrow_table().to_pylist()


def sources(store: str | Path, imdb_id: str) -> list[dict]:
    """Return where what the store knows about a film comes from: path, kind, loaded_at, tells."""
    with open_store(store) as connection:
        return connection.sql("from film_sources($id)", params={"id": imdb_id}).to_arrow_table().to_pylist()
