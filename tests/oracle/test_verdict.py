"""Verdicts: violations, thresholds, films that are not found, and tables of every shape."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from oracle import Oracle, UserError, build_store, create_oracle
from oracle.store.traits import Trait

GORE, KID = "Anti-gore / squeamish", "Kid-safety / child harm sensitive"


def batch(rows: list[tuple]) -> pa.Table:
    names = ("title", "year", "constraints")
    return pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


def test_a_violation_is_told_with_its_risk(small_oracle: Oracle) -> None:
    verdict = small_oracle.check_safety(title="Saw", year=2004, constraints={GORE: True})
    assert (verdict.is_safe, verdict.violations) == (False, ["Anti-gore / squeamish: risk=0.92"])
    assert (verdict.imdb_id, verdict.matched_title, verdict.matched_year) == ("tt0000001", "Saw", 2004)
    assert (verdict.match_method, verdict.match_score, verdict.max_risk) == ("exact", 1.0, 0.92)
    assert verdict.evidence == [{"trait": GORE, "risk": 0.92, "source": "given", "hit_tags": [], "severities": []}]


def test_only_constraints_that_are_true_count(small_oracle: Oracle) -> None:
    assert small_oracle.check_safety("Saw", 2004, {GORE: False}).is_safe
    assert small_oracle.check_safety("Saw", 2004, {}).max_risk is None
    assert small_oracle.check_safety("Saw", 2004).is_safe


def test_columns_and_types_of_a_batch(small_oracle: Oracle) -> None:
    result = small_oracle.check_batch(
        batch([("Saw", 2004, [GORE, "Kid-safety", "gore"]), ("Frozen", 2013, None), (None, None, [])])
    )
    assert result.schema.names == [
        "imdb_id", "matched_title", "matched_year", "match_method", "match_score",
        "status", "violated_traits", "unrated_traits", "max_risk", "is_safe", "evidence",
    ]  # fmt: skip
    assert result.column("matched_year").type == pa.int16()
    assert result.column("violated_traits").type.value_type == pa.string()
    assert result["violated_traits"].to_pylist() == [[GORE], [], []]
    assert result["status"].to_pylist() == ["unsafe", "safe", "unresolved"]
    assert result["unrated_traits"].to_pylist() == [[KID], [], []]
    assert result["max_risk"].to_pylist() == [0.92, None, None]
    assert result["is_safe"].to_pylist() == [False, True, True]
    empty = small_oracle.check_batch(result.schema.empty_table().select([]).append_column("title", pa.array([], pa.string()))
                                     .append_column("year", pa.array([], pa.int16())).append_column("constraints", pa.array([], pa.list_(pa.string()))))  # fmt: skip
    assert empty.schema == result.schema


@pytest.mark.parametrize(("threshold", "safe"), [(0.92, False), (0.9201, True), (0.5, False), (1.0, True)])
def test_a_risk_at_the_threshold_violates(small_store, threshold: float, safe: bool) -> None:
    oracle = create_oracle(store=small_store, risk_threshold=threshold)
    assert oracle.check_safety("Saw", 2004, {GORE: True}).is_safe is safe


@pytest.mark.parametrize(("unresolved", "expected"), [("safe", True), ("violation", False), ("ignore", None)])
def test_films_that_are_not_found_follow_the_policy(small_store, unresolved: str, expected: bool | None) -> None:
    oracle = create_oracle(store=small_store, unresolved=unresolved)
    verdict = oracle.check_safety("Nobody's film", 2004, {GORE: True})
    assert (verdict.is_safe, verdict.violations, verdict.match_method, verdict.max_risk) == (expected, [], None, None)
    assert oracle.check_safety("Saw", 2004, {GORE: True}).is_safe is False
    assert oracle.check_safety("Saw", 2004, {KID: True}).is_safe is True
    assert oracle.check_safety("Nobody's film", 2004, {}).is_safe is True, "nothing was to be avoided"


@pytest.mark.parametrize(("unrated", "expected"), [("safe", True), ("violation", False), ("ignore", None)])
def test_films_that_nobody_rated_follow_the_policy(small_store, unrated: str, expected: bool | None) -> None:
    oracle = create_oracle(store=small_store, unrated=unrated)
    verdict = oracle.check_safety("Saw", 2004, [KID])
    assert (verdict.status, verdict.is_safe, verdict.max_risk) == ("unrated", expected, None)
    assert verdict.unrated_traits == [KID] and verdict.evidence == []
    assert oracle.check_safety("Saw", 2004).is_safe is True, "nothing was to be avoided"
    assert oracle.check_safety("Saw", 2004, [GORE, KID]).status == "unsafe", "a known violation comes first"
    assert oracle.check_safety("Nobody's film", 2004, [GORE]).is_safe is True, "another policy"


@pytest.mark.parametrize(
    "names", [[GORE], (GORE,), {GORE: True, KID: False}, {GORE: True, KID: None}, "gore", ["gore"]]
)
def test_constraints_are_names_or_a_mapping(small_oracle: Oracle, names: object) -> None:
    assert small_oracle.check_safety("Saw", 2004, names).violations == ["Anti-gore / squeamish: risk=0.92"]


@pytest.mark.parametrize("wrong", [7, {GORE: "yes"}, [None], ["nothing of the kind"]])
def test_what_are_no_constraints_is_an_error_in_words(small_oracle: Oracle, wrong: object) -> None:
    with pytest.raises(UserError):
        small_oracle.check_safety("Saw", 2004, wrong)


# What is known of a film for a trait that weighs Violence 1 and Frightening 0, and that the tag "gore" triggers.
@pytest.mark.parametrize(
    ("evidence", "status", "max_risk"),
    [
        ({}, "unrated", None),
        ({"film_severities": [{"imdb_id": "f", "category": "Violence", "severity": 0}]}, "safe", 0.0),
        ({"film_severities": [{"imdb_id": "f", "category": "Violence", "severity": 3}]}, "unsafe", 1.0),
        ({"film_severities": [{"imdb_id": "f", "category": "Frightening", "severity": 3}]}, "unrated", None),
        ({"film_severities": [{"imdb_id": "g", "category": "Violence", "severity": 3}]}, "unrated", None),
        ({"film_tags": [{"imdb_id": "f", "tag": "gore"}]}, "unsafe", 1.0),
        ({"film_tags": [{"imdb_id": "f", "tag": "kittens"}]}, "safe", 0.0),
        ({"trait_risk": [{"imdb_id": "f", "trait": "it", "risk": 0.0}]}, "safe", 0.0),
        ({"trait_risk": [{"imdb_id": "f", "trait": "it", "risk": 0.3}]}, "safe", 0.3),
        ({"trait_risk": [{"imdb_id": "f", "trait": "other", "risk": 0.9}]}, "unrated", None),
    ],
)
def test_no_data_is_not_harmless(tmp_path: Path, evidence: dict, status: str, max_risk: float | None) -> None:
    traits = [Trait("it", ("gore",), (("Violence", 1.0), ("Frightening", 0.0)))]
    films = [{"imdb_id": "f", "title": "Film", "year": 2000}, {"imdb_id": "g", "title": "Other", "year": 2001}]
    path = build_store(tmp_path / "s.duckdb", films, traits=traits, **evidence)
    verdict = create_oracle(store=path).check_safety("Film", 2000, ["it"])
    assert (verdict.status, verdict.max_risk) == (status, max_risk)
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.sql("select status, max_risk from check_film('Film', 2000, 'it')").fetchall() == [
            (status, max_risk)
        ]


def test_of_several_films_without_a_year_the_riskiest_is_judged(small_oracle: Oracle) -> None:
    rows = [
        ("Halloween", None, [GORE]),
        ("Halloween", None, [KID]),
        ("Halloween", None, []),
        ("Frozen", None, [GORE]),
        ("Frozen", None, ["Horror avoider"]),
    ]
    result = small_oracle.check_batch(batch(rows)).to_pylist()
    assert [row["matched_year"] for row in result] == [2018, 2018, 1978, 2013, 2010]
    assert [row["max_risk"] for row in result] == [0.8, 0.1, None, 0.1, 0.7]
    assert {row["match_method"] for row in result} == {"ambiguous"}


def test_an_ambiguous_match_has_one_score_whichever_film_is_judged(tmp_path: Path) -> None:
    films = [{"imdb_id": "a", "title": "alpha", "year": 2001}, {"imdb_id": "b", "title": "Alpha", "year": 2002}]
    risks = [{"imdb_id": "a", "trait": GORE, "risk": 0.7}, {"imdb_id": "b", "trait": KID, "risk": 0.7}]
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", films, risks))
    result = oracle.check_batch(batch([("Alpha", None, [GORE]), ("Alpha", None, [KID])])).to_pylist()
    assert [(row["imdb_id"], row["match_score"]) for row in result] == [("a", 0.5), ("b", 0.5)]
    with duckdb.connect(str(oracle.store), read_only=True) as connection:
        in_sql = [
            connection.sql(f"select imdb_id, match_score from check_film('Alpha', null, '{trait}')").fetchall()[0]
            for trait in (GORE, KID)
        ]
    assert in_sql == [("a", 0.5), ("b", 0.5)]


TWINS = [{"imdb_id": f"tt{n:07}", "title": title, "year": year}
         for n, (title, year) in enumerate([("Hunter", 2018), ("Hunter", 2018), ("The Prey", 2016), ("The Prey", 2018)], 1)]  # fmt: skip


@pytest.mark.parametrize(("title", "year", "films"), [("Hunter", 2018, 2), ("The Hunter", 2018, 2), ("hunter", 2017, 2), ("The Prey", 2017, 2),
                                                      ("The Prey", 2018, 1)])  # fmt: skip
def test_of_several_films_that_are_equally_close_to_a_title_with_its_year_the_riskiest_is_judged(
    tmp_path: Path, title: str, year: int, films: int
) -> None:
    risks = [{"imdb_id": f"tt{n:07}", "trait": GORE, "risk": risk} for n, risk in enumerate((0.1, 0.9, 0.1, 0.9), 1)]
    store = build_store(tmp_path / "s.duckdb", TWINS, risks)
    for _ in range(2):  # what is remembered is the same
        verdict = create_oracle(store=store).check_safety(title, year, [GORE])
        assert (verdict.max_risk, verdict.match_method == "ambiguous") == (0.9, films == 2)
        assert verdict.match_score == pytest.approx(create_oracle(store=store).check_safety(title, year).match_score)
    with duckdb.connect(str(store), read_only=True) as connection:
        rows = connection.execute(
            f"select imdb_id, max_risk, match_score from check_film('{title}', {year}, '{GORE}')"
        ).fetchall()
        assert rows == [(verdict.imdb_id, verdict.max_risk, verdict.match_score)]
        matches = connection.execute(f"select imdb_id from could_be('{title}', {year}) where is_match").fetchall()
        assert len(matches) == films


@pytest.mark.parametrize(
    "table",
    [
        {"title": pa.array(["Saw"], pa.large_string()), "year": pa.array([2004], pa.int64()), "constraints": pa.array([[GORE]], pa.large_list(pa.large_string()))},
        {"title": pa.array(["Saw"]).dictionary_encode(), "year": pa.array([2004.0]), "constraints": [[GORE]]},
        {"title": pa.chunked_array([["Saw"], []], pa.string()), "year": pa.chunked_array([[2004]], pa.int32()), "constraints": pa.chunked_array([[[GORE]]])},
        {"title": ["Saw"], "year": ["2004"], "constraints": pa.array([[GORE]]).cast(pa.list_(pa.dictionary(pa.int32(), pa.string())))},
    ],
)  # fmt: skip
def test_columns_of_any_suitable_type_are_taken(small_oracle: Oracle, table: dict) -> None:
    assert small_oracle.check_batch(pa.table(table))["violated_traits"].to_pylist() == [[GORE]]


def test_missing_years_may_be_null_or_nan(small_oracle: Oracle) -> None:
    assert (
        small_oracle.resolve(pa.table({"title": ["Saw", "Saw"], "year": [float("nan"), None]}))["imdb_id"].to_pylist()
        == ["tt0000001"] * 2
    )
    assert small_oracle.resolve(pa.table({"title": ["Saw"], "year": pa.nulls(1)}))["imdb_id"].to_pylist() == [
        "tt0000001"
    ]
    assert small_oracle.resolve(pa.table({"title": ["Saw", "Saw"], "year": [-1, 0]}))["imdb_id"].to_pylist() == [
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"title": ["Saw"], "constraints": [[GORE]]}, "lacks the column year"),
        ({"title": ["Saw"], "year": [2004]}, "lacks the column constraints"),
        ({"title": ["Saw"], "year": ["two"], "constraints": [[GORE]]}, "year a whole number or null"),
        ({"title": [["Saw"]], "year": [2004], "constraints": [[GORE]]}, "title must be text"),
        ({"title": ["Saw"], "year": [2004], "constraints": [GORE]}, r"expected list<string>"),
        ({"title": ["Saw"], "year": [2004], "constraints": [[None]]}, "a constraint is null"),
        ({"title": ["Saw"], "year": [2004], "constraints": [["zombies"]]}, "no trait 'zombies'; the nearest are"),
        ({"title": ["Saw"], "year": [2004], "constraints": [["sensitive"]]}, r"fits \d traits"),
    ],
)
def test_a_table_that_cannot_be_judged_is_refused_in_one_line(
    small_oracle: Oracle, table: dict, complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint) as refusal:
        small_oracle.check_batch(pa.table(table))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "options",
    [{"risk_threshold": 0.0}, {"risk_threshold": 1.5}, {"risk_threshold": float("nan")}, {"unresolved": "maybe"}],
)
def test_settings_out_of_range_are_refused(small_store, options: dict) -> None:
    with pytest.raises(UserError, match="expected"):
        create_oracle(store=small_store, **options)


@pytest.mark.parametrize("large", [False, True])
def test_what_lies_below_a_null_list_of_constraints_counts_for_nothing(small_oracle: Oracle, large: bool) -> None:
    kind = pa.LargeListArray if large else pa.ListArray
    offsets = pa.array([0, 1, 2, 4], pa.int64() if large else pa.int32())
    for nulls in ([False, True, True], [True, False, True], [True, True, False], [True, True, True]):
        hidden = kind.from_arrays(offsets, pa.array([GORE, GORE, KID, GORE]), mask=pa.array(nulls))
        films = pa.table({"title": ["Saw"] * 3, "year": [2004] * 3, "constraints": hidden})
        violated = small_oracle.check_batch(films)["violated_traits"].to_pylist()
        assert violated == [[] if null else [GORE] for null in nulls]


@pytest.mark.parametrize(
    ("title", "year"),
    [
        ("Saw", "2004"),
        (5, 2004),
        ("Saw", float("nan")),
        ("Saw", 2004.5),
        pytest.param(10**5000, 2004, id="a title of 5,001 digits"),
        pytest.param("Saw", 10**5000, id="of 5,001 digits"),
        ("Saw", True),
        (["Saw"], 2004),
    ],
)
def test_one_film_whose_title_or_year_is_something_else_is_refused_in_one_line(
    small_oracle: Oracle, title, year
) -> None:
    with pytest.raises(UserError, match="a whole number") as told:
        small_oracle.check_safety(title=title, year=year, constraints=[GORE])
    assert len(str(told.value)) < 250 and "\n" not in str(told.value)


def test_a_title_that_is_no_text_is_refused_in_one_line(small_oracle: Oracle) -> None:
    with pytest.raises(UserError, match="half a character"):
        small_oracle.check_safety("Saw\ud800", 2004, {GORE: True})


def test_years_before_the_first_are_not_known(tmp_path: Path) -> None:
    films = [{"imdb_id": f"tt000000{-year}", "title": f"Alpha {-year}", "year": year} for year in (-1, -2, 0)]
    oracle = create_oracle(store=build_store(tmp_path / "s.duckdb", films))
    assert oracle.check_safety("Alpha 1", 2004).matched_year is None
    assert oracle.check_safety("Alpha 0", 2004).matched_year is None
    assert oracle.check_safety("Alpha 2").match_method == "exact"
