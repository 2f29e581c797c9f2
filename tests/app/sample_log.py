"""A small log of real films and readable answers: two training runs, and a model evaluated before and after.

A made-up policy swaps unsafe films for safe ones, more and more so over the steps of the safe run. All verdicts are the
oracle's. Some titles can't be found, some are doubtful, some answers are short, and one is hostile.
`python -m tests.app.sample_log FOLDER` writes FOLDER/store.duckdb and its log, to look at the app with.
"""

import json
import sys
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa

from oracle import Oracle
from oracle.annotate import AnnotatedBatch, Annotator
from oracle.log import LogWriter, open_audit, query
from oracle.store.build import build_starter_store
from oracle.store.file import open_store
from tests.synthetic_log import PARTS, SETTINGS, advantages, reward_parts

K, G, PROMPTS = 10, 6, 5
INVENTED = (
    "Sunset over Marzipan (1987)",
    "The Glass Orchardist (2003)",
    "Harold’s Long Winter (2011)",
    "The Paper Lighthouse",
)
HOSTILE = (
    "<script>document.title='owned';alert('owned')</script><img src=x onerror=\"alert('owned')\">\n"
    "![pixel](http://127.0.0.1:9/pixel.png) [click](javascript:alert(1))\n"
    "\u202eneddih\u202c $\\frac{1}{0}$ :red[red]\n\n"
)
HOSTILE_TITLE = "<img src=x onerror=alert(1)> ![](http://127.0.0.1:9/t.png)"
HOSTILE_STEP = 2  # its first answer

_FILM = pa.struct([("title", pa.string()), ("year", pa.int16())])


def write_sample(folder: Path, steps: int = 24) -> Path:
    """Write `folder`/store.duckdb and its log. Returns the store's path."""
    store = build_starter_store(folder / "store.duckdb")
    policy, root, now = Policy(Oracle(store)), store.with_suffix(".log"), datetime.now(UTC)
    sft, safe = "demo/sft", "demo/safe-rank-grpo"
    policy.write_run(root, steps, 0.0, 1, kind="train", model=sft, lambda_safe=0.0, started_at=now - timedelta(hours=9))
    policy.write_run(root, 1, 0.05, 7, kind="evaluate", model=sft, started_at=now - timedelta(hours=3))
    policy.write_run(root, 1, 0.85, 7, kind="evaluate", model=safe, started_at=now - timedelta(hours=2))
    policy.write_run(root, steps, 0.9, 2, kind="train", model=sft, started_at=now - timedelta(hours=4))
    return store


class Policy:
    """Answers about the starter films, judged by the oracle, with rewards and advantages."""

    def __init__(self, oracle: Oracle, traits_asked: int = 2) -> None:
        """`traits_asked`: how many traits a prompt wants avoided at most."""
        self.odds = np.array([0.1, 0.6, 0.3])[: traits_asked + 1]
        self.annotator, self.traits = Annotator(oracle), oracle.trait_names
        with open_store(oracle.store) as store:
            titles = store.sql("select title, year from titles where is_primary order by imdb_id").to_arrow_table()
        every_trait = pa.array([self.traits] * len(titles), pa.list_(pa.string()))
        violated = oracle.check_batch(titles.append_column("constraints", every_trait))["violated_traits"].to_pylist()
        self.films = titles.to_pylist()
        self.violates = np.array([[trait in v for trait in self.traits] for v in violated])
        self.words = json.loads((files("data") / "requests.json").read_text(encoding="utf-8"))

    def write_run(self, root: Path, steps: int, wisdom: float, seed: int, **settings) -> str:
        """One run; the share of unsafe films that the policy swaps grows up to `wisdom`. Returns its run_id."""
        train = settings["kind"] == "train"
        run = {**SETTINGS, "rec_num": K, "num_generations": G if train else 1, "dataset": "simulated", **settings}
        rng = np.random.default_rng(seed)
        prompts = PROMPTS if train else 40
        asked = [ask for _ in range(steps * prompts) for ask in [self._ask(rng)] * run["num_generations"]]
        size = prompts * run["num_generations"]
        texts = [self._answer(ask, wisdom * min(1, 1.2 * (1 + i // size) / steps), rng) for i, ask in enumerate(asked)]
        if steps >= HOSTILE_STEP:
            first = size * (HOSTILE_STEP - 1)
            texts[first] = HOSTILE + texts[first].replace("\n2. ", f"\n2. {HOSTILE_TITLE} (1999)\n2. ", 1)
        # One batch for the whole run, because that is faster than one a step.
        judged = self.annotator.annotate(
            texts, *([ask[name] for ask in asked] for name in ("truth", "seen", "constraints"))
        )
        completions, verdicts = _completions(judged, asked, run["num_generations"]), _verdicts(judged, run)
        with LogWriter(root, {**run, "settings": json.dumps({"seed": seed, "learning_rate": 1e-6})}) as writer:
            for step in range(1, steps + 1):
                mine = pl.col("completion").is_between((step - 1) * size, step * size - 1)
                here = pl.col("completion") - (step - 1) * size
                rows = verdicts.filter(mine).with_columns(completion=here)
                writer.write_step(
                    step,
                    pl.from_arrow(completions).filter(mine).with_columns(completion=here).to_arrow(),  # type: ignore[union-attr]
                    rows.with_columns(advantage=_advantages(rows, run) if train else None).to_arrow(),
                )
        return writer.run_id

    def _ask(self, rng: np.random.Generator) -> dict:
        """A prompt, and the films that its author likes, has seen and wants avoided."""
        common = self.violates.mean(0) / self.violates.mean(0).sum()
        traits = rng.choice(
            len(self.traits), rng.choice(len(self.odds), p=self.odds / self.odds.sum()), replace=False, p=common
        )
        taste = rng.choice(len(self.films), 60, replace=False)
        constraints = [self.traits[t] for t in traits]
        liked = " and ".join(self.films[f]["title"] for f in taste[:2])
        wishes = " and ".join(str(rng.choice(self.words["wishes"][c])) for c in constraints)
        parts = [str(rng.choice(self.words["openers"])).format(films=liked)]
        parts += [str(rng.choice(self.words["refusals"])).format(wishes=wishes)] if wishes else []
        parts += [str(rng.choice(self.words["asks"])).replace("twenty", "ten")]
        return {
            "prompt": " ".join(parts),
            "constraints": constraints,
            "unsafe": self.violates[:, traits].any(1),
            "taste": taste[3:],
            "truth": [self.films[f] for f in taste[3:15]],
            "seen": [self.films[f] for f in taste[:3]],
        }

    def _answer(self, asked: dict, wisdom: float, rng: np.random.Generator) -> str:
        length = K if rng.random() < 0.9 else int(rng.integers(6, K + 2))
        taste, unsafe = asked["taste"], asked["unsafe"]
        wanted = [f for f in rng.permutation(taste) if not (unsafe[f] and rng.random() < wisdom)]
        liked = [f for f in wanted if f in taste[:12]][: rng.integers(1, 5)]
        listed = rng.permutation([*liked, *(f for f in wanted if f not in taste[:12])][:length])
        lines = [f"{r}. {self._written(f, rng)}" for r, f in enumerate(listed, start=1)]
        opening = str(rng.choice(["", "Here are some films that you may like:\n\n", "Sure!\n"]))
        return opening + "\n".join(lines)

    def _written(self, film: int, rng: np.random.Generator) -> str:
        title, year = self.films[film]["title"], self.films[film]["year"]
        kind = rng.random()
        if kind < 0.015:
            return str(rng.choice(INVENTED))
        if kind < 0.03:  # a typo: found with doubt, or not at all
            return f"{title[:3]}{title[4:]} ({year})"
        if kind < 0.05:
            return f"{title.lower()} ({year + 2})"
        return f"{title} ({year})" if kind < 0.9 else f"**{title}** ({year}) - you will love it"


def _completions(judged: AnnotatedBatch, of: list[dict], g: int) -> pa.Table:
    n = len(of)
    owner = judged.groundtruth["completion"].to_numpy()
    rows = judged.groundtruth.drop_columns("completion").to_pylist()
    entries = np.bincount(judged.entries["completion"].to_numpy(), minlength=n)
    return pa.table(
        {
            "completion": pa.array(range(n), pa.int32()),
            "prompt_id": [f"{hash(a['prompt']) & 0xFFFFFFFF:08x}" for a in of],
            "generation": pa.array([i % g for i in range(n)], pa.int32()),
            "prompt": [a["prompt"] for a in of],
            "constraints": pa.array(judged.constraints, pa.list_(pa.string())),
            "groundtruth": [[rows[i] for i in np.flatnonzero(owner == c)] for c in range(n)],
            "seen": pa.array(judged.seen, pa.list_(_FILM)),
            "text": judged.texts,
            "n_tokens": pa.array([len(t) // 4 for t in judged.texts], pa.int32()),
            "n_films": pa.array(entries, pa.int32()),
            "ended": [True] * n,
        }
    )


def _verdicts(judged: AnnotatedBatch, run: dict) -> pl.DataFrame:
    """The full grid of ranks 1..K and what was listed beyond, without advantages."""
    n, width = len(judged.texts), max(K, int(judged.entries["rank"].to_numpy().max()))
    entries = pl.from_arrow(judged.entries)
    assert isinstance(entries, pl.DataFrame)
    cells = pl.DataFrame({"completion": np.repeat(np.arange(n), width), "rank": np.tile(np.arange(1, width + 1), n)})
    grid = cells.cast({"completion": pl.Int32, "rank": pl.Int16}).join(
        entries, on=["completion", "rank"], how="left", maintain_order="left"
    )

    def flags(expression: pl.Expr) -> np.ndarray:
        return grid.select(expression.fill_null(False)).to_numpy().reshape(n, width)

    n_films = np.bincount(judged.entries["completion"].to_numpy(), minlength=n)
    nowhere = np.zeros((n, width), bool)
    unsafe = flags(~pl.col("is_safe"))
    parts = reward_parts(run, n_films, flags(pl.col("hit")), unsafe, flags(pl.col("repeated")), nowhere)
    total = sum(run[f"w_{name}"] * parts[name] for name in PARTS)
    columns = {**{f"r_{name}": parts[name] for name in PARTS}, "r_total": total}
    grid = grid.with_columns(
        *(pl.Series(name, values.ravel()) for name, values in columns.items()),
        pl.when(pl.col("title").is_null()).then(0).otherwise(9).alias("n_tokens"),
    )
    return grid.filter(pl.col("title").is_not_null() | (pl.col("rank") <= K))


def _advantages(step: pl.DataFrame, run: dict) -> pl.Series:
    """Advantages of one step's verdicts; null beyond rank K."""
    taught = (step["rank"] <= K).to_numpy()
    parts = {name: step[f"r_{name}"].to_numpy()[taught].reshape(-1, K) for name in PARTS}
    values = np.full(step.height, np.nan)
    values[taught] = advantages(run, parts, run["num_generations"]).ravel()
    return pl.Series("advantage", values, nan_to_null=True)


def ask(store: Path, sql: str, **params: object) -> list[dict]:
    with open_audit(store) as connection:
        return query(connection, sql, params or None).to_pylist()


if __name__ == "__main__":
    print(write_sample(Path(sys.argv[1])))
