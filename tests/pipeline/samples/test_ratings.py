"""MovieLens' ratings as conversations: what a person liked last is the ground truth, and bad rows and files are told."""

import gzip
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from oracle import UserError, build_store
from oracle.sources import load_sources, recognise
from pipeline import prepare
from pipeline.samples.ratings import Rated, RatingRules, as_conversations, read_ratings

HEAD = "userId,movieId,rating,timestamp\n"
RULES = RatingRules(users=10, liked=4.0, named=2, wanted=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ratings")
    (folder / "movies.csv").write_text(
        "movieId,title,genres\n" + "".join(f'{n},"Film {n}, The (199{n})",Drama\n' for n in range(1, 7))
    )
    (folder / "links.csv").write_text("movieId,imdbId,tmdbId\n" + "".join(f"{n},990000{n},{n}\n" for n in range(1, 7)))
    path = build_store(folder / "store.duckdb")
    load_sources(path, recognise([folder / "movies.csv", folder / "links.csv"]))
    return path


def read(folder: Path, text: str | bytes, rules: RatingRules = RULES, seed: int = 1) -> Rated:
    path = folder / "ratings.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_ratings(recognise([path])[0], rules, seed)


def rows(person: int, *rated: tuple[int, float, int]) -> str:
    return "".join(f"{person},{film},{stars},{at}\n" for film, stars, at in rated)


def test_the_films_liked_last_are_the_ground_truth_and_those_before_stand_in_the_prompt(store, tmp_path):
    own = rows(7, (1, 5.0, 50), (2, 4.0, 10), (3, 3.5, 20), (4, 4.5, 40), (5, 4.0, 30), (6, 5.0, 60), (2, 4.5, 35))
    [dialog] = as_conversations(read(tmp_path, HEAD + own + rows(8, (1, 5.0, 1))), store).dialogs
    # Liked, by when they were rated last: 5, 2, 4, 1, 6. Of these 1 and 6 are wanted, 2 and 4 named; 3 was not liked.
    assert dialog.id == dialog.dialog_id == "user-7"
    assert dialog.turns == [("user", "I liked The Film 2 (1992) and The Film 4 (1994).")]
    assert [film["title"] for film in dialog.groundtruth] == ["The Film 1", "The Film 6"]
    assert dialog.seen == [{"title": "The Film 2", "year": 1992}, {"title": "The Film 4", "year": 1994}]


def test_people_are_drawn_by_the_seed_alone(store, tmp_path):
    people = [rows(n, *((film, 5.0, film) for film in range(1, 7))) for n in range(40)]
    one = read(tmp_path, HEAD + "".join(people)).histories
    assert len(one) == 10
    assert one == read(tmp_path, gzip.compress((HEAD + "".join(reversed(people))).encode())).histories
    assert one != read(tmp_path, HEAD + "".join(people), seed=2).histories


def test_rows_that_are_no_ratings_are_set_aside(store, tmp_path):
    bad = "7,1,many,3\n,1,5,3\n7,,5,3\n7,1,9,3\n7,1,5,soon\n7,1,5\n"
    found = read(tmp_path, HEAD + bad + rows(7, *((film, 5.0, film) for film in range(1, 7))))
    assert [ids for _, ids in found.histories] == [list("123456")]
    reasons = found.rejects["reason"].to_pylist()
    assert len(reasons) == 6
    for reason, told in zip(
        reasons, ("'many' is no", "no userId", "no movieId", "'9' is no", "'soon' is no", "3 columns"), strict=True
    ):
        assert told in reason


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEAD, "nobody gave 4 stars to 4 films or more; lower --liked"),
        (HEAD + "7,1,5,soon\n", r"or more \(row 2: the timestamp 'soon' is no number of seconds\)"),
        (gzip.compress((HEAD + rows(7, (1, 5.0, 1)) * 4000).encode())[:-20], r"ratings\.csv"),
    ],
    ids=["empty", "of words", "cut off"],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_one_line(tmp_path, text, told):
    with pytest.raises(UserError, match=told) as refusal:
        read(tmp_path, text)
    assert "\n" not in str(refusal.value)


def test_without_the_films_of_movielens_nothing_is_stored(tmp_path):
    (tmp_path / "ratings.csv").write_text(HEAD + rows(7, *((film, 5.0, film) for film in range(1, 7))))
    store, dataset = tmp_path / "s.duckdb", tmp_path / "d.parquet"
    argv = [
        "--store",
        str(store),
        "--dataset",
        str(dataset),
        "--named",
        "2",
        "--wanted",
        "2",
        str(tmp_path / "ratings.csv"),
    ]
    with pytest.raises(UserError, match=r"knows no film by MovieLens' ids: name movies\.csv and links\.csv"):
        prepare.main(argv)
    with pytest.raises(UserError, match=r"ratings\.csv holds ratings: say where they go, --dataset"):
        prepare.main(["--store", str(store), str(tmp_path / "ratings.csv")])
    assert not store.exists() and not dataset.exists()


@pytest.mark.parametrize("flag", ["users", "named", "wanted", "liked"])
def test_a_rule_out_of_range_is_refused(flag):
    with pytest.raises(UserError, match=f"--{flag} 0"):
        RatingRules(**{flag: 0})


def test_the_rules_stand_in_the_dataset(store, tmp_path, capsys):
    (tmp_path / "ratings.csv").write_text(HEAD + rows(7, *((film, 5.0, film) for film in range(1, 7))))
    dataset = tmp_path / "d.parquet"
    prepare.main(
        [
            "--store",
            str(store),
            "--dataset",
            str(dataset),
            "--named",
            "2",
            "--wanted",
            "3",
            str(tmp_path / "ratings.csv"),
        ]
    )
    assert "1 samples" in capsys.readouterr().out
    curation = pq.read_schema(dataset).metadata[b"curation"].decode()
    assert '"ratings": {"users": 2000, "liked": 4.0, "named": 2, "wanted": 3}' in curation
