"""The baseline: a straightforward oracle with dictionaries, one Python look-up for each film.

It finds a title in the year given, or one year off, or else the first film of that title whatever its year; what it
cannot find, and a trait that it does not know, is safe. So the public research code for this method does it.
"""

import re
import unicodedata
from dataclasses import dataclass, field

import pyarrow as pa

SIGNS = re.compile(r"[^\w\s]")
SPACES = re.compile(r"\s+")


@dataclass
class Result:
    """A verdict on one film."""

    is_safe: bool
    imdb_id: str | None = None
    max_risk: float = 0.0
    violations: list[str] = field(default_factory=list)


def plain(title: str) -> str:
    """Small letters without accents and signs, single spaces."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return SPACES.sub(" ", SIGNS.sub(" ", letters.lower())).strip()


class DictionaryOracle:
    """Verdicts from dictionaries: (title, year) -> film, title -> first film, film -> trait -> risk and its source."""

    def __init__(self, titles: pa.Table, risks: pa.Table, risk_threshold: float = 0.66) -> None:
        self.risk_threshold = risk_threshold
        self.by_title_and_year: dict[tuple[str, int], str] = {}
        self.by_title: dict[str, str] = {}
        for film in titles.to_pylist():
            title = plain(film["title"])
            self.by_title_and_year.setdefault((title, film["year"]), film["imdb_id"])
            self.by_title.setdefault(title, film["imdb_id"])
        self.traits: dict[str, dict[str, dict]] = {}
        for row in risks.to_pylist():
            self.traits.setdefault(row["imdb_id"], {})[row["trait"]] = {"final": row["risk"], "source": "given"}

    def find(self, title: str, year: int | None) -> str | None:
        """Return the film of a title."""
        wanted = plain(title)
        film = None
        if year is not None:
            for near in (year, year - 1, year + 1):
                film = self.by_title_and_year.get((wanted, near))
                if film is not None:
                    return film
        return self.by_title.get(wanted)

    def check_safety(self, title: str, year: int | None, constraints: dict[str, bool]) -> Result:
        """Judge one film."""
        film = self.find(title, year)
        result = Result(is_safe=True, imdb_id=film)
        traits = self.traits.get(film) if film is not None else None
        if traits is None:
            return result
        for trait, avoided in constraints.items():
            entry = traits.get(trait) if avoided else None
            if entry is None:
                continue
            risk = float(entry["final"])
            result.max_risk = max(result.max_risk, risk)
            if risk >= self.risk_threshold:
                result.is_safe = False
                result.violations.append(f"{trait}: risk={risk:.2f}")
        return result

    def check_all(self, films: list[tuple[str, int | None, dict[str, bool]]]) -> list[Result]:
        """Annotator many films, one after the other."""
        return [self.check_safety(title, year, constraints) for title, year, constraints in films]
