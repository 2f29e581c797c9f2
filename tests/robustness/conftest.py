"""One small place that all of these tests share: a store with a log, a dataset, a model, answers."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from oracle import build_store, create_oracle
from oracle.base.files import hold
from pipeline.simulation.tiny import make_model, make_tokenizer
from tests.tiny_log import write_tiny_log

TITLES = [("tt0387564", "Saw", 2004), ("tt0078748", "Alien", 1979), ("tt1049413", "Up", 2009)]
ROW = {"prompt": "Films?", "completion": "1. Alien (1979)\n2. Up (2009)", "constraints": ["gore"],
       "groundtruth_with_release_year": [["Alien", 1979]], "seen_titles": []}  # fmt: skip


def lines(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture(scope="package")
def small_place(tmp_path_factory) -> Path:
    """A folder with store.duckdb, its log and what opening it leaves beside it; data.jsonl, answers.jsonl, titles.csv,
    catalog.csv and model/."""
    folder = tmp_path_factory.mktemp("place")
    titles = pa.Table.from_pylist([dict(zip(("imdb_id", "title", "year"), row, strict=True)) for row in TITLES])
    risks = [{"imdb_id": "tt0387564", "trait": "Anti-gore / squeamish", "risk": 0.92}]
    build_store(folder / "store.duckdb", titles, risks, catalog=titles.select(["title", "year"]))
    create_oracle(store=folder / "store.duckdb")
    hold(folder / ".store.duckdb.lock", "").release()
    write_tiny_log(folder / "store.log")
    (folder / "data.jsonl").write_text(lines([{"id": n, **ROW} for n in range(4)]))
    (folder / "answers.jsonl").write_text(lines([{"id": n, "text": "1. Saw (2004)"} for n in range(4)]))
    (folder / "titles.csv").write_text("imdb_id,title,year\ntt0113277,Heat,1995\n")
    (folder / "catalog.csv").write_text("title,year\nAlien,1979\n")
    tokenizer = make_tokenizer([ROW["prompt"], ROW["completion"]], vocab_size=300)
    make_model(tokenizer, seed=0, hidden_size=16, layers=1).save_pretrained(folder / "model")
    tokenizer.save_pretrained(folder / "model")
    return folder


@pytest.fixture
def place(small_place, monkeypatch) -> Path:
    """The small place as the working directory; nothing in it may change."""
    monkeypatch.chdir(small_place)
    return small_place
