"""The simulated conversations: what they promise about users, splits and lists."""

from importlib.resources import as_file, files

import numpy as np
import pyarrow.csv as csv
import pytest

from oracle import create_oracle, parse_recommendations
from pipeline.simulation.simulate import GROUNDTRUTH, LIST_LENGTH, simulate, world_of


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    with as_file(files("data") / "films.csv") as path:
        films = csv.read_csv(path)
    return world_of(create_oracle(base_path=tmp_path_factory.mktemp("base")), films, seed=1)


@pytest.fixture(scope="module")
def users(world):
    return simulate(world, {"train": 300, "heldout": 100}, seed=1).to_pylist()


def test_no_two_users_share_a_history(users):
    histories = [frozenset((f["title"], f["year"]) for f in u["seen_titles"]) for u in users]
    assert len(set(histories)) == len(users)


def test_nobody_is_recommended_or_judged_by_a_film_of_their_history(users):
    for u in users:
        seen = {(f["title"], f["year"]) for f in u["seen_titles"]}
        assert not seen & {(f["title"], f["year"]) for f in u["groundtruth_with_release_year"]}
        assert not seen & {(e.title, e.year) for e in parse_recommendations(u["completion"])}


def test_answers_are_full_lists_of_different_films(users):
    for u in users:
        named = {(e.title, e.year) for e in parse_recommendations(u["completion"])}
        assert len(named) == LIST_LENGTH and len(u["groundtruth_with_release_year"]) == GROUNDTRUTH


def test_answers_respect_constraints_part_of_the_time(users, world):
    number = {(f["title"], f["year"]): i for i, f in enumerate(world.films)}
    shares = []
    for u in users:
        traits = [world.traits.index(t) for t in u["constraints"]]
        if traits:
            listed = [number[e.title, e.year] for e in parse_recommendations(u["completion"])]
            shares.append(world.violates[listed][:, traits].any(axis=1).mean())
    assert 0.1 < np.mean(shares) < 0.35


def test_the_same_seed_gives_the_same_users(world, users):
    assert simulate(world, {"train": 300, "heldout": 100}, seed=1).to_pylist() == users
    assert simulate(world, {"train": 10}, seed=2).to_pylist() != users[:10]


def test_every_constraint_is_said_in_the_prompt(users):
    for u in users:
        said = u["prompt"][-1]["content"]
        assert any(start in said for start in ("But please", "One thing", "I must say")) == bool(u["constraints"])
