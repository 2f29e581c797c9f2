"""The bundled starter data: complete, consistent, balanced, and true to the facts where a film index is at hand."""

import csv
import json
import re
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest

DATA = Path(__file__).parents[2] / "data"
REALDATA = Path(__file__).parents[3] / "shared" / "realdata"
SEVERITIES = ("None", "Mild", "Moderate", "Severe")
COLUMNS = ("sex_nudity", "violence_gore", "profanity", "alcohol_drugs", "frightening")
# The index lost the number of (500) Days of Summer, and gives the Creature from the Black Lagoon an article.
TITLED_OTHERWISE = {"tt1022603", "tt0046876"}

needs_index = pytest.mark.skipif(not REALDATA.is_dir(), reason=f"no film index to check facts against at {REALDATA}")


def rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


FILMS = rows("films.csv")
TAGS = rows("film_tags.csv")
ALTERNATIVES = rows("alternative_titles.csv")
TRAITS = json.loads((DATA / "traits.json").read_text(encoding="utf-8"))
TAGS_OF = defaultdict(set)
for row in TAGS:
    TAGS_OF[row["imdb_id"]].add(row["tag"])


def pg_risk(film: dict[str, str], trait: dict) -> float:
    """(w · s) / (3 · Σw), 0 where the trait has no weights."""
    weights = [trait["weights"][category] for category in TRAITS["categories"]]
    severities = [SEVERITIES.index(film[column]) for column in COLUMNS]
    total = sum(weights)
    return sum(w * s for w, s in zip(weights, severities, strict=True)) / (3 * total) if total else 0.0


def risk(film: dict[str, str], trait: dict) -> float:
    return 1.0 if TAGS_OF[film["imdb_id"]] & set(trait["avoid"]) else pg_risk(film, trait)


def film(title: str, year: int) -> dict[str, str]:
    return next(f for f in FILMS if (f["title"], f["year"]) == (title, str(year)))


def test_there_are_at_least_400_films_and_no_id_or_title_with_year_twice():
    assert len(FILMS) >= 400
    assert len({f["imdb_id"] for f in FILMS}) == len(FILMS)
    assert len({(f["title"].casefold(), f["year"]) for f in FILMS}) == len(FILMS)


def test_every_file_is_small_enough_to_review():
    assert all(path.stat().st_size < 1_000_000 for path in DATA.iterdir() if path.is_file())


def test_every_film_has_a_well_formed_id_a_title_a_sane_year_and_genres():
    for f in FILMS:
        assert re.fullmatch(r"tt\d{7,8}", f["imdb_id"]), f
        assert f["title"] and f["title"] == f["title"].strip(), f
        assert 1895 <= int(f["year"]) <= 2026, f
        assert all(re.fullmatch(r"[A-Z][A-Za-z-]+", genre) for genre in f["genres"].split("|")), f


def test_every_film_has_all_five_severities():
    assert not [f for f in FILMS if any(f[column] not in SEVERITIES for column in COLUMNS)]


def test_films_are_sorted_by_title_and_year():
    keys = [(f["title"].lower(), int(f["year"])) for f in FILMS]
    assert keys == sorted(keys)


def test_every_tag_is_a_known_one_of_a_known_film_and_is_given_once():
    known = {tag for trait in TRAITS["traits"] for tag in trait["avoid"]}
    assert {row["tag"] for row in TAGS} <= known
    assert {row["imdb_id"] for row in TAGS} <= {f["imdb_id"] for f in FILMS}
    assert len({(row["imdb_id"], row["tag"]) for row in TAGS}) == len(TAGS)


def test_about_a_quarter_of_the_films_carries_no_tag():
    assert 0.2 <= sum(not TAGS_OF[f["imdb_id"]] for f in FILMS) / len(FILMS) <= 0.35


def test_there_are_20_traits_with_tags_and_a_weight_for_each_category():
    assert len({trait["trait"] for trait in TRAITS["traits"]}) == 20 == len(TRAITS["traits"])
    assert len(TRAITS["categories"]) == len(COLUMNS)
    for trait in TRAITS["traits"]:
        assert trait["avoid"] and list(trait["weights"]) == TRAITS["categories"], trait
        assert all(0 <= weight <= 1 for weight in trait["weights"].values()), trait


@pytest.mark.parametrize("trait", TRAITS["traits"], ids=lambda trait: trait["trait"])
def test_a_trait_is_covered_by_tags_of_12_films_and_violated_by_4_to_30_percent(trait):
    tagged = sum(bool(TAGS_OF[f["imdb_id"]] & set(trait["avoid"])) for f in FILMS)
    violating = sum(risk(f, trait) >= 0.66 for f in FILMS) / len(FILMS)
    assert tagged >= 12
    assert 0.04 <= violating <= 0.30


def test_saw_is_gory_by_its_severities_alone():
    gore = next(trait for trait in TRAITS["traits"] if trait["trait"] == "Anti-gore / squeamish")
    saw = film("Saw", 2004)
    assert (saw["violence_gore"], saw["frightening"]) == ("Severe", "Moderate")
    assert not TAGS_OF[saw["imdb_id"]] & set(gore["avoid"])
    assert risk(saw, gore) == pytest.approx(3.6 / 3.9)  # (1.0 * 3 + 0.3 * 2) / (3 * 1.3)


def test_toy_story_is_safe_for_everybody():
    assert all(risk(film("Toy Story", 1995), trait) < 0.66 for trait in TRAITS["traits"])


def test_films_of_one_title_are_there_and_a_year_within_2_tells_them_apart():
    years = defaultdict(list)
    for f in FILMS:
        years[f["title"].casefold()].append(int(f["year"]))
    families = {title: sorted(found) for title, found in years.items() if len(found) > 1}
    assert len(families) >= 20
    assert {"halloween", "frozen", "the thing", "king kong", "crash", "the lion king"} <= families.keys()
    # With a tolerance of 2 years, and the nearest year winning, an exact year must never be in doubt.
    assert not {t: y for t, y in families.items() if any(later - earlier <= 2 for earlier, later in pairwise(y))}


def test_every_alternative_title_is_another_title_of_a_film_that_is_there():
    title_of = {f["imdb_id"]: f["title"] for f in FILMS}
    assert len(ALTERNATIVES) >= 40
    for row in ALTERNATIVES:
        assert row["imdb_id"] in title_of, row
        assert row["title"] and row["title"].casefold() != title_of[row["imdb_id"]].casefold(), row


def test_no_alternative_title_is_the_title_of_another_film_of_about_the_same_year():
    year_of = {f["imdb_id"]: int(f["year"]) for f in FILMS}
    forms = [(f["title"].casefold(), f["imdb_id"]) for f in FILMS]
    forms += [(row["title"].casefold(), row["imdb_id"]) for row in ALTERNATIVES]
    assert not [form for form, count in Counter(forms).items() if count > 1]
    films_of = defaultdict(list)
    for form, imdb_id in forms:
        films_of[form].append(imdb_id)
    clashes = {
        form: sorted(ids)
        for form, ids in films_of.items()
        if any(b - a <= 2 for a, b in pairwise(sorted(year_of[i] for i in ids)))
    }
    assert not clashes


@needs_index
def test_ids_titles_and_years_are_those_of_the_film_index():
    with (REALDATA / "popular_films.csv").open(encoding="utf-8", newline="") as file:
        index = {row["imdb_id"]: row for row in csv.DictReader(file)}
    shared = [f for f in FILMS if f["imdb_id"] in index and f["imdb_id"] not in TITLED_OTHERWISE]
    assert len(shared) >= 400
    ours = [(f["imdb_id"], f["title"], int(f["year"])) for f in shared]
    assert ours == [(f["imdb_id"], index[f["imdb_id"]]["title"], int(index[f["imdb_id"]]["year"])) for f in shared]


@needs_index
def test_every_other_id_has_its_title_and_a_year_within_1_in_the_large_film_index():
    parquet = pytest.importorskip("pyarrow.parquet")
    index = defaultdict(list)
    for row in parquet.read_table(REALDATA / "titles.parquet").to_pylist():
        index[row["imdb_id"]].append((row["title"].casefold(), row["year"]))
    wrong = [
        f
        for f in FILMS
        if f["imdb_id"] not in TITLED_OTHERWISE
        and not any(f["title"].casefold() == t and abs(int(f["year"]) - y) <= 1 for t, y in index[f["imdb_id"]])
    ]
    assert not wrong


@needs_index
def test_traits_tags_and_weights_are_those_of_the_research():
    source = json.loads((REALDATA / "traits_with_imdb_parentguide_weights.json").read_text(encoding="utf-8"))
    theirs = [(t["trait"], t["avoid"], t["imdb_parent_guide"]["weights"]) for t in source["traits"]]
    assert [(t["trait"], t["avoid"], t["weights"]) for t in TRAITS["traits"]] == theirs
    assert TRAITS["categories"] == source["meta"]["imdb_parent_guide_categories"]
