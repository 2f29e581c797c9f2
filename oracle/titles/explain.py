"""Why a title was found, or was not: asked of the store in SQL, one title at a time."""

from pathlib import Path

import pyarrow as pa

from oracle.store import open_store
from oracle.titles.asked import one_film, title_and_year


def nearest(store: str | Path, title: str, year: int | None = None) -> list[dict]:
    """Return up to five films that a title could mean, the match first, then the nearest: SQL's `could_be`.

    Each has imdb_id, near_title, near_year, closeness (0..1), years_apart, is_match, why. Raises `UserError` for what is no store.
    """
    _, years = title_and_year(one_film(title, year))
    [asked_year] = pa.array(years, mask=years < 0).to_pylist()
    with open_store(store) as connection:
        films = connection.sql(
            "select * exclude place from could_be($title, $year) order by place",
            params={"title": title, "year": asked_year},
        )
        return films.to_arrow_table().to_pylist()


def sources(store: str | Path, imdb_id: str) -> list[dict]:
    """Return where what the store knows about a film comes from: path, kind, loaded_at, tells."""
    with open_store(store) as connection:
        return connection.sql("from film_sources($id)", params={"id": imdb_id}).to_arrow_table().to_pylist()
