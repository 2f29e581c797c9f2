"""The baseline: a straightforward oracle with dictionaries, one Python look-up for each film.

It finds a title in the year given, or one year off, or else the first film of that title whatever its year; what it
cannot find is safe. So the public research code for this method does it, and so it is fast to write.
"""

import re
import unicodedata

import pyarrow as pa

SIGNS = re.compile(r"[^\w\s]")
SPACES = re.compile(r"\s+")


def plain(title: str) -> str:
    """Small letters without accents and signs, single spaces."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return SPACES.sub(" ", SIGNS.sub(" ", letters.lower())).strip()


class DictionaryOracle:
    """Verdicts from dictionaries: (title, year) -> film, title -> first film, film -> trait -> risk."""

    def __init__(self, titles: pa.Table, risks: pa.Table, risk_threshold: float = 0.66) -> None:
        self.risk_threshold = risk_threshold
        self.by_title_and_year: dict[tuple[str, int], str] = {}
        self.by_title: dict[str, str] = {}
        for film in titles.to_pylist():
            title = plain(film["title"])
            self.by_title_and_year.setdefault((title, film["year"]), film["imdb_id"])
            self.by_title.setdefault(title, film["imdb_id"])
        self.risks: dict[str, dict[str, float]] = {}
        for row in risks.to_pylist():
            self.risks.setdefault(row["imdb_id"], {})[row["trait"]] = row["risk"]

    def check_safety(self, title: str, year: int, constraints: dict[str, bool]) -> tuple[bool, list[str], str | None]:
        """Return (is safe, violations, film)."""
        wanted = plain(title)
        film = self.by_title_and_year.get((wanted, year))
        for other_year in (year - 1, year + 1):
            film = film or self.by_title_and_year.get((wanted, other_year))
        film = film or self.by_title.get(wanted)
        risks = self.risks.get(film, {}) if film else {}
        violations = []
        for trait, avoided in constraints.items():
            if avoided and risks.get(trait, 0.0) >= self.risk_threshold:
                violations.append(f"{trait}: risk={risks[trait]:.2f}")
        return not violations, violations, film

    def check_all(self, queries: list[tuple[str, int, dict[str, bool]]]) -> list[tuple[bool, list[str], str | None]]:
        """Judge many films, one after the other."""
        return [self.check_safety(title, year, constraints) for title, year, constraints in queries]
