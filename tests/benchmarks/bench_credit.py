"""What credit and accounting cost: `rank_ids` against decoding token by token, and each part of a step (their share of
a real step: bench_step.py).

python -m tests.benchmarks.bench_credit [--json FILE]
"""

import argparse
import json
import statistics
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from oracle import create_oracle, parse_recommendations
from oracle.annotate import Annotator
from oracle.log import LogWriter
from tests.benchmarks.synthetic_titles import titles
from tests.trainer.tokenizers import byte_level
from trainer.advantages import gdpo_advantages
from trainer.credit import list_slots, rank_ids
from trainer.rewards import make_relevance_func, make_repeat_func, make_safety_func
from trainer.rollout_log import step_tables

FILMS = ["Alien (1979)", "The Thing (1982)", "Frozen (2013)", "Saw (2004)", "Up (2009)", "Amélie (2001)"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path, help="write the figures to this file as well")
    args = parser.parse_args()
    rows = [*bench_rank_ids(), *bench_step()]
    table = Table("what", "CPU ms", "baseline", "ratio")
    for row in rows:
        table.add_row(
            row["what"], *(f"{row[k]:.2f}" if row.get(k) is not None else "" for k in ("ms", "baseline_ms", "ratio"))
        )
    Console(width=120).print(table)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1))


def lists_of(films: np.ndarray, numbers: bool = True) -> list[str]:
    """(n, length) films -> n lists."""
    return ["\n".join(f"{i}. {film}" if numbers else film for i, film in enumerate(row, 1)) for row in films.tolist()]


def answers(n: int, length: int, seed: int = 0) -> list[str]:
    return lists_of(np.array(FILMS)[np.random.default_rng(seed).integers(len(FILMS), size=(n, length))])


def invented_answers(n: int, length: int, repetitions: int, numbers: bool = True) -> list[list[str]]:
    """For each repetition, n lists of titles that hardly recur."""
    table = titles(n * length * repetitions).to_pydict()
    films = np.array([f"{title} ({year})" for title, year in zip(table["title"], table["year"], strict=True)])
    return [lists_of(part, numbers) for part in films.reshape(repetitions, n, length)]


def bench_rank_ids() -> list[dict]:
    """64 x 512 tokens, other lists at each call: of few films, as a policy names them again and again, and of titles that
    were never read before, with numbers and without (as SafeRec asks for them).

    Decoding prefix by prefix finds the same ranks; decoding each token by itself and counting line breaks does not, as
    soon as an answer has a preamble, a blank line, or a character split over tokens. Most of what that takes is to take
    the tokens out of a tensor one by one: where they are lists of numbers already, it is faster."""
    repetitions, tokenizer = 15, byte_level()
    lists = {
        "known titles": [answers(64, 90, seed) for seed in range(repetitions + 1)],
        "new titles": invented_answers(64, 90, repetitions + 1),
        "new titles without numbers": invented_answers(64, 90, repetitions + 1, numbers=False),
    }

    def encoded(texts: list[str]) -> torch.Tensor:
        rows = [tokenizer(t, add_special_tokens=False)["input_ids"][:512] for t in texts]
        return torch.tensor([r + [tokenizer.eos_token_id] * (512 - len(r)) for r in rows])

    def by_prefixes(ids: torch.Tensor) -> None:
        for row in ids.tolist():
            text = tokenizer.decode(row, skip_special_tokens=True)
            ends = [e.end for e in parse_recommendations(text)]
            for t in range(len(row)):
                bisect_left(ends, len(tokenizer.decode(row[: t + 1], skip_special_tokens=True)))

    def by_tokens(ids: torch.Tensor | list[list[int]]) -> None:
        for row in ids:
            rank = 0
            for token in row:
                rank += tokenizer.decode(token).count("\n")

    rows = []
    for kind, texts in lists.items():
        batches = [encoded(batch) for batch in texts]
        mask, fresh = torch.ones_like(batches[0]), iter(batches)
        fast = median_ms(lambda: rank_ids(tokenizer, next(fresh), mask), repetitions)
        slow = {
            "every prefix decoded": by_prefixes,
            "every token decoded": by_tokens,
            "every token of lists decoded": lambda ids: by_tokens(ids.tolist()),
        }
        for what, find in slow.items():
            ms = median_ms(lambda: find(batches[0]), 1)
            rows.append({"what": f"rank_ids, {kind}; {what}", "ms": fast, "baseline_ms": ms, "ratio": ms / fast})
    return rows


def bench_step() -> list[dict]:
    """Each part of what a step of 64 answers x 20 films costs beside generation and gradients."""
    tokenizer = byte_level()
    with tempfile.TemporaryDirectory() as folder:
        annotator = Annotator(create_oracle(base_path=folder))
        texts = answers(64, 20)
        rows = [np.array(tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
        batch = {
            "completions": texts,
            "groundtruth_with_release_year": [[{"title": "Alien", "year": 1979}] * 12] * 64,
            "seen_titles": [[{"title": "Up", "year": 2009}] * 4] * 64,
            "constraints": [["Anti-gore / squeamish"]] * 64,
        }
        functions = [make_relevance_func(annotator), make_safety_func(annotator), make_repeat_func(annotator, 1.0)]

        def verdicts():
            annotator._last = None
            return annotator.annotate(*batch.values())

        judged = verdicts()
        rewards = {f.__name__: f(**batch) for f in functions}
        stacked = torch.from_numpy(np.stack(list(rewards.values()), axis=1))
        slots = list_slots(tokenizer, rows, texts, judged.entries, 20)
        log = LogWriter(Path(folder) / "bench.log", {"kind": "train", "rec_num": 20, "num_generations": 8})

        def write() -> None:
            tables = step_tables(
                judged, step=1, prompts=["?"] * 64, rewards=rewards, weights=[1, 1, 1], advantages=np.zeros((64, 20)),
                slots=slots, ended=[True] * 64, num_generations=8,
            )  # fmt: skip
            log.write_step(1, *tables)

        parts: dict[str, Callable[[], object]] = {
            "parsing and verdicts": verdicts,
            "rewards": lambda: [f(**batch) for f in functions],
            "advantages": lambda: gdpo_advantages(stacked, torch.ones(3), 8),
            "credit": lambda: list_slots(tokenizer, rows, texts, judged.entries, 20),
            "log": write,
        }
        return [{"what": f"a step of 64 answers: {name}", "ms": median_ms(part, 15)} for name, part in parts.items()]


def median_ms(run: Callable[[], object], times: int) -> float:
    """CPU time, so that a busy machine, which interrupts what takes long, favours neither side."""
    run()
    measured = []
    for _ in range(times):
        start = time.process_time()
        run()
        measured.append(time.process_time() - start)
    return 1000 * statistics.median(measured)


if __name__ == "__main__":
    main()
