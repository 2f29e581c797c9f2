"""A small store with a log, and the small files that the pages' commands read: made once, copied for each page."""

import json
import pickle
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from oracle import Oracle
from oracle.store import build_starter_store
from tests.app.sample_log import write_sample

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
    (folder / "ml-25m").mkdir()
    (folder / "ml-25m" / "movies.csv").write_text("movieId,title,genres\n1,Red Barn (1999),Horror\n")
    (folder / "ml-25m" / "links.csv").write_text("movieId,imdbId,tmdbId\n1,9900002,12\n")
    votes = {"yesSum": 9, "noSum": 1, "topic": {"name": "a dog dies", "doesName": "Does the dog die"}}
    item = {"id": 2, "name": "Red Barn", "releaseYear": "1999", "imdbId": "tt9900002"}
    (folder / "ddd.json").write_text(json.dumps([{"item": item, "topicItemStats": [votes]}]))
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
