"""Why a title was found, or was not: asked of the store in SQL, one title at a time."""

from pathlib import Path

import pyarrow as pa

from oracle.store import open_store


def nearest(store: str | Path, title: str, year: int | None = None) -> list[dict]:
    """Return up to five films whose titles come near, the match first, then the nearest.

    Each has imdb_id, near_title, near_year, closeness (0..1), years_apart, is_match, why; where no film has anything in
    common with the title, those whose letters are most alike. Raises `UserError` for what is no store.
    """
    query = pa.table({"title": pa.array([title], pa.string()), "year": pa.array([year], pa.int16())})
    with open_store(store) as connection:
        connection.register("queries", query)
        films = (
            connection.sql("select * exclude (title, year, place) from nearest_titles('queries')")
            .to_arrow_table()
            .to_pylist()
        )
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


def sources(store: str | Path, imdb_id: str) -> list[dict]:
    """Return where what the store knows about a film comes from: path, kind, loaded_at, tells."""
    with open_store(store) as connection:
        return connection.sql("from film_sources($id)", params={"id": imdb_id}).to_arrow_table().to_pylist()
