"""A small store with a log, and the small files that the pages' commands read: made once, copied for each page."""

import csv
import json
import pickle
import random
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from oracle import Oracle
from oracle.store import build_starter_store
from tests.app.sample_log import write_sample
from tests.docs.pages import REPOSITORY

FILMS = [
    ("Saw", 2004, "0387564"),
    ("Toy Story", 1995, "0114709"),
    ("Frozen", 2013, "2294629"),
    ("Coco", 2017, "2380307"),
]
ANSWER = "1. Toy Story (1995)\n2. Saw (2004)\n3. Coco"


def make(folder: Path) -> None:
    """Fill `folder` with demo/store.duckdb and its log, and with every file that a command of the pages names."""
    folder.mkdir(parents=True)
    Oracle(build_starter_store(folder / "store.duckdb"))  # makes the index, which is copied along
    (folder / "demo").mkdir()
    write_sample(folder / "demo", steps=5)
    titles = "\n".join(f"tt{number},{title},{year}" for title, year, number in FILMS)
    # Sources are known by their content: the name may be any.
    (folder / "titles.parquet").write_text(f"imdb_id,title,year\n{titles}\n")
    (folder / "films.csv").write_text("title,year\nSaw,2004\nCoco,2017\nNo Such Film,1999\n")
    with (folder / "gt_catalog_complete.pkl").open("wb") as file:
        pickle.dump({(title, year) for title, year, _ in FILMS}, file)
    dialogs = [
        {
            "id": f"s-{n}",
            "dialog_id": f"d-{n}",
            "dialog": "User: Hi, I liked Alien (1979)\nSystem:",
            "groundtruth": [list(FILMS[n % 4][:2])],
        }
        for n in range(40)
    ]
    films = bundled_films(40)
    make_movielens(folder / "ml-25m", films)
    (folder / "ddd.json").write_text(json.dumps([answer_of_doesthedogdie(n, film) for n, film in enumerate(films)]))
    recommended = [
        {
            "id": f"user-{user}",
            "text": "1. A Quiet Place (2018)\n2. Airplane! (1980)\n3. 28 Days Later (2002)\n4. Coco (2017)",
        }
        for user in range(1, 31)
    ]
    (folder / "answers.jsonl").write_text("\n".join(map(json.dumps, recommended)))
    shutil.copytree(REPOSITORY / "docs" / "examples", folder / "docs" / "examples")
    (folder / "data").mkdir()
    shutil.copyfile(REPOSITORY / "data" / "traits.json", folder / "data" / "traits.json")
    said = [{"text": "Hi!", "senderWorkerId": 1}, {"text": "Watch @10", "senderWorkerId": 2}]
    redial = [
        {"movieMentions": {"10": "Saw (2004)"}, "messages": said, "conversationId": str(n), "initiatorWorkerId": 1}
        for n in range(20)
    ]
    (folder / "train_data.jsonl").write_text("\n".join(map(json.dumps, redial)))
    (folder / "redial_dialogs.jsonl").write_text("\n".join(map(json.dumps, dialogs)))
    rows = [
        {"id": f"p{n}", "prompt": "I liked Alien. What else?", "groundtruth_with_release_year": [{"title": "Toy Story", "year": 1995}],
         "constraints": ["gore"] if n % 2 else []}
        for n in range(4)
    ]  # fmt: skip
    (folder / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(pa.Table.from_pylist(rows), folder / "data.parquet")
    several = [{"id": f"{m}-{n}", "model": m, "text": ANSWER} for m in ("gpt-4", "vicuna") for n in range(3)]
    (folder / "completions.jsonl").write_text("\n".join(map(json.dumps, several)))
    answers = [{"id": f"p{n}", "text": ANSWER} for n in range(4)]
    for name in ("gpt4.jsonl", "completions.jsonl"):
        (folder / name).write_text("\n".join(map(json.dumps, answers)))


def bundled_films(n: int) -> list[dict]:
    with (REPOSITORY / "data" / "films.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))[:n]


def answer_of_doesthedogdie(n: int, film: dict) -> dict:
    """What /media/{id} answers: of each fourth film people say that the dog dies, of each third that there is gore."""
    topics = (("a dog dies", "Does the dog die", n % 4 == 0), ("there's blood/gore", "Is there blood/gore", n % 3 == 0))
    return {
        "item": {"id": n, "name": film["title"], "releaseYear": film["year"], "imdbId": film["imdb_id"], "tmdbId": n},
        "topicItemStats": [
            {"yesSum": 9 if yes else 1, "noSum": 1 if yes else 9, "topic": {"name": name, "doesName": asks}}
            for name, asks, yes in topics
        ],
    }


def make_movielens(folder: Path, films: list[dict]) -> None:
    """The files of ml-25m.zip, with their heads and the forms of their cells, for these films and 30 people."""
    folder.mkdir()
    drawn = random.Random(1)
    scores = [(film, tag, drawn.random()) for film in range(1, 41) for tag in (1, 2, 3)]
    tables = {
        "movies.csv": [("movieId", "title", "genres")]
        + [(n, f"{article_last(film['title'])} ({film['year']})", "Drama|Horror") for n, film in enumerate(films, 1)],
        "links.csv": [("movieId", "imdbId", "tmdbId")] + [(n, f["imdb_id"][2:], n) for n, f in enumerate(films, 1)],
        "tags.csv": [
            ("userId", "movieId", "tag", "timestamp"),
            (3, 260, "classic", 1439472355),
            (4, 8, "gory", 1573944598),
        ],
        "genome-tags.csv": [("tagId", "tag"), (1, "007"), (2, "gore"), (3, "torture")],
        "genome-scores.csv": [("movieId", "tagId", "relevance"), *scores],
        "ratings.csv": [("userId", "movieId", "rating", "timestamp")]
        + [
            (user, film, drawn.choice([3.5, 4.0, 4.5, 5.0]), 1147868000 + place)
            for user in range(1, 31)
            for place, film in enumerate(drawn.sample(range(1, 41), 25))
        ],
    }
    for name, rows in tables.items():
        with (folder / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file, lineterminator="\n").writerows(rows)


def article_last(title: str) -> str:
    return f"{title[4:]}, The" if title.startswith("The ") else title
