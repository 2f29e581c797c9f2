"""Risks from severities, computed again from the definition in exact fractions."""

from fractions import Fraction
from pathlib import Path

import pyarrow as pa
import pytest

from oracle import build_store, create_oracle
from oracle.store.build import build_starter_store
from oracle.store.file import open_store


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_starter_store(tmp_path_factory.mktemp("risks") / "store.duckdb")


@pytest.fixture(scope="module")
def risks(store: Path) -> list[tuple[str, str, float, Fraction]]:
    """Film, trait, stored and exact pg_risk, of every film of the starter store and every trait that weighs a category of it."""
    with open_store(store) as connection:
        weights = connection.sql("select trait, category, weight from trait_weights").fetchall()
        severities = connection.sql(
            "select imdb_id, category, max(severity) from film_severities group by all"
        ).fetchall()
        stored = connection.sql("select imdb_id, trait, pg_risk from trait_risk where pg_risk > 0").fetchall()
    of_trait, of_film = {}, {}
    for trait, category, weight in weights:
        of_trait.setdefault(trait, {})[category] = Fraction(str(weight))
    for film, category, severity in severities:
        of_film.setdefault(film, {})[category] = Fraction(severity)

    def exact(film: str, trait: str) -> Fraction:
        weighed, seen = of_trait[trait], of_film[film]
        return sum((w * seen.get(c, 0) for c, w in weighed.items()), Fraction(0)) / (3 * sum(weighed.values()))

    return [(film, trait, risk, exact(film, trait)) for film, trait, risk in stored]


def test_risks_are_those_of_the_definition_within_0_and_1(risks) -> None:
    assert len(risks) > 1000
    assert all(0 <= risk <= 1 and abs(Fraction(risk) - exact) < Fraction(1, 10**9) for _, _, risk, exact in risks)


def test_a_risk_that_is_the_threshold_reaches_it(risks, store: Path) -> None:
    """Sums of weights such as 0.1 miss their last digit: 0.39999999999999997 was below 0.4, and the film safe."""
    short = [(film, trait, risk, exact) for film, trait, risk, exact in risks if exact * 1000 % 1 == 0]
    assert {Fraction(1, 5), Fraction(2, 5), Fraction(1)} <= {exact for *_, exact in short}
    assert [row for row in short if row[2] != float(row[3])] == []
    with open_store(store) as connection:
        films = dict(connection.sql("select imdb_id, (title, year) from titles where is_primary").fetchall())
    for threshold in (0.2, 0.4, 1.0):
        film, trait, *_ = next(row for row in short if row[3] == Fraction(str(threshold)) and row[0] in films)
        oracle = create_oracle(store=store, risk_threshold=threshold)
        assert oracle.check_safety(*films[film], {trait: True}).status == "unsafe", (film, trait)


def test_a_threshold_of_more_digits_than_risks_have_is_reached_too(risks, store: Path) -> None:
    """A third is 0.333333333 as a risk; as a threshold it was one of 16 digits, which that did not reach."""
    with open_store(store) as connection:
        films = dict(connection.sql("select imdb_id, (title, year) from titles where is_primary").fetchall())
        for share in (Fraction(1, 3), Fraction(2, 3), Fraction(12, 13)):
            film, trait, *_ = next(row for row in risks if row[3] == share and row[0] in films)
            asked = {"t": films[film][0], "y": films[film][1], "trait": trait, "threshold": float(share)}
            sql = "select status from check_film($t, $y, $trait, risk_threshold := $threshold)"
            said = connection.execute(sql, asked).fetchone()
            oracle = create_oracle(store=store, risk_threshold=float(share))
            assert (oracle.check_safety(*films[film], {trait: True}).status, said) == ("unsafe", ("unsafe",))


@pytest.mark.parametrize("risk", [2 / 3, 0.1 + 0.2, 0.1234567894])
def test_a_ready_made_risk_that_is_the_threshold_reaches_it_too(tmp_path: Path, risk: float) -> None:
    film = {"imdb_id": ["tt0387564"], "title": ["Saw"], "year": [2004]}
    store = build_store(
        tmp_path / "store.duckdb", titles=pa.table(film), catalog=pa.table(film).drop_columns(["imdb_id"]),
        trait_risk=pa.table({"imdb_id": ["tt0387564"], "trait": ["Anti-gore / squeamish"], "risk": [risk]}),
    )  # fmt: skip
    verdict = create_oracle(store=store, risk_threshold=risk).check_safety("Saw", 2004, {"Anti-gore / squeamish": True})
    assert (verdict.status, verdict.max_risk) == ("unsafe", round(risk, 9))
