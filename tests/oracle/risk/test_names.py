"""Traits are found by any short name that means one of them, and by no other."""

import json
from pathlib import Path

import pytest

from oracle import UserError
from oracle.risk.names import TraitNames
from oracle.store.build import bundled_traits
from oracle.store.traits import read_traits

NAMES = TraitNames([trait.name for trait in bundled_traits()])


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("Anti-gore / squeamish", "Anti-gore / squeamish"),
        ("anti-gore / SQUEAMISH", "Anti-gore / squeamish"),
        ("Anti-gore", "Anti-gore / squeamish"),
        ("gore", "Anti-gore / squeamish"),
        ("Kid-safety", "Kid-safety / child harm sensitive"),
        ("kid safety", "Kid-safety / child harm sensitive"),
        ("Horror avoider", "Horror avoider (avoids scares & supernatural)"),
        ("suicide", "Self-harm & suicide sensitive"),
        ("arachno", "Arachnophobia / reptile phobia"),
        ("happy", "Happy-ending preference"),
    ],
)
def test_a_short_name_means_its_trait(short: str, full: str) -> None:
    assert NAMES.resolve([short]) == [full]


def test_names_of_one_trait_are_one_trait() -> None:
    assert NAMES.resolve(["gore", "happy", "Anti-gore / squeamish", "gore"]) == NAMES.resolve(["gore", "happy"])


def test_every_trait_is_found_by_its_own_name() -> None:
    assert NAMES.resolve(NAMES.names) == NAMES.names
    assert len(NAMES.names) == 20


@pytest.mark.parametrize("name", ["zombies", "gorey", "", "  ", "-"])
def test_a_name_that_fits_no_trait_is_refused_with_the_nearest(name: str) -> None:
    with pytest.raises(UserError, match=r"traits? ") as refusal:
        NAMES.resolve([name])
    assert "Anti-gore / squeamish" in str(refusal.value) or "nearest" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_name_that_fits_several_traits_lists_them() -> None:
    with pytest.raises(UserError, match=r"'phobia' fits \d traits: .*Arachnophobia.*Needle"):
        NAMES.resolve(["phobia"])


def test_definitions_are_read_in_both_layouts(tmp_path: Path) -> None:
    trait = {"trait": "Spoilers", "avoid": ["Is it spoilt"], "weights": {"Profanity": 0.5}}
    nested = {"trait": "Spoilers", "avoid": ["Is it spoilt"], "imdb_parent_guide": {"weights": {"Profanity": 0.5}}}
    path = tmp_path / "traits.json"
    for content in ([trait], {"meta": {}, "traits": [nested]}):
        path.write_text(json.dumps(content))
        assert read_traits(path)[0].weights == (("Profanity", 0.5),)


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "[1]", '[{"avoid": []}]', '[{"trait": "a", "weights": {"b": "c"}}]', '{"traits": 3}']
)
def test_what_holds_no_definitions_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "traits.json"
    path.write_text(content)
    with pytest.raises(UserError, match=r"traits\.json") as refusal:
        read_traits(path)
    assert "\n" not in str(refusal.value)


def test_everyday_words_mean_the_trait_that_lists_them():
    traits = bundled_traits()
    names = TraitNames([trait.name for trait in traits], [trait.synonyms for trait in traits])
    said = {"spiders": "Arachnophobia / reptile phobia", "animal death": "Animal lover (avoid animal harm/death)",
            "gore": "Anti-gore / squeamish", "Suicide": "Self-harm & suicide sensitive"}  # fmt: skip
    assert {word: names.names[names.number(word)] for word in said} == said


def test_a_word_that_two_traits_list_is_ambiguous():
    names = TraitNames(["One", "Two"], [["loot"], ["loot", "boxes"]])
    assert names.number("boxes") == 1
    with pytest.raises(UserError, match="fits 2 traits: One; Two"):
        names.number("loot")
