"""The bundled demo's inputs: a store, a simulated dataset and a tiny untrained model, made once in one folder."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq
import yaml

from oracle import create_oracle
from oracle.base.resources import DATA
from pipeline.settings.flags import CONFIGS
from pipeline.simulation.simulate import SCHEMA, simulate, world_of
from pipeline.simulation.tiny import make_model, make_tokenizer

FOLDER = Path("demo")


def demo_paths(seed: int) -> dict[str, str]:
    """Where the demo of a seed keeps its things."""
    base = FOLDER / f"seed-{seed}"
    return {
        "store": str(FOLDER / "store.duckdb"),
        "train_path": str(base / "conversations.parquet"),
        "model_name": str(base / "untrained"),
        "sft": str(base / "sft"),
    }


def make_demo_data(seed: int) -> dict[str, str]:
    """Make what is missing of `demo_paths(seed)`, but for the SFT model; returns the paths."""
    paths = demo_paths(seed)
    oracle = create_oracle(base_path=FOLDER)
    if not Path(paths["train_path"]).exists():
        world = yaml.safe_load((CONFIGS / "demo.yaml").read_text())["world"]
        dataset = simulate(world_of(oracle, _films(world.pop("films"), seed), seed), users=world, seed=seed)
        _write(dataset, Path(paths["train_path"]))
    if not Path(paths["model_name"]).exists():
        dataset = pq.read_table(paths["train_path"], columns=["prompt", "completion"], schema=SCHEMA)
        texts = [m["content"] for p in dataset["prompt"].to_pylist() for m in p] + dataset["completion"].to_pylist()
        tokenizer = make_tokenizer(texts)
        with _whole(Path(paths["model_name"])) as folder:
            make_model(tokenizer, seed).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    return paths


@contextlib.contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A folder to write in, which gets its name at the end: there in full, or not at all."""
    partial = folder.with_name(f".{folder.name}")
    shutil.rmtree(partial, ignore_errors=True)
    yield partial
    partial.replace(folder)


def _films(n: int, seed: int) -> pa.Table:
    """n of the bundled films, drawn at random: a catalog that so small a model can know."""
    films = csv.read_csv(DATA / "films.csv")
    chosen = np.random.default_rng([seed, 9]).choice(len(films), size=n, replace=False)
    return films.take(np.sort(chosen))


def _write(table: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}")
    pq.write_table(table, partial, compression="zstd")
    partial.replace(path)
