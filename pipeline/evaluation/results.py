"""What an evaluation found, as one value that tables, reports and the app are written from."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from oracle.base.nouns import FILMS, Nouns
from oracle.base.printable import one_line
from oracle.base.resources import read_sql
from oracle.log import open_log, query
from oracle.store import log_root, read_nouns
from pipeline.evaluation.comparison import Difference, differences
from pipeline.evaluation.conclusion import conclusion
from pipeline.evaluation.figures import Averaging, Figure, Positions, figures, resampled, totals
from pipeline.evaluation.names import without_common_folders


@dataclass(frozen=True)
class Results:
    """Several runs of one evaluation, in order.

    Attributes:
        summaries: the rows of run_summary, with `model`: over all answers of each run.
        figures: name, such as "svr_20" or "svr_20: gore", -> figure; over the prompts that all runs answered.
        differences: of each pair of runs, each figure over the prompts that define it for both.
        prompts: how many prompts all of them answered; left_out: how many each run answered besides.
        constrained: whether figures are over prompts with constraints; else no prompt has any.
    """

    summaries: list[dict]
    figures: list[dict[str, Figure]]
    differences: list[Difference]
    prompts: int
    left_out: list[int]
    constrained: bool
    positions: Positions
    averaging: Averaging
    k: int
    nouns: Nouns = FILMS

    @property
    def names(self) -> dict[str, str]:
        return {row["run_id"]: row["model"] for row in self.summaries}

    @property
    def short_names(self) -> dict[str, str]:
        """Names for tables and drawings, without the folders that all models are in."""
        return dict(zip(self.names, without_common_folders(list(self.names.values())), strict=True))

    @property
    def counted_prompts(self) -> str:
        """ "30 prompts"."""
        return f"{self.prompts} prompt{'' if self.prompts == 1 else 's'}"

    @property
    def traits(self) -> list[str]:
        """The traits that some prompt wants avoided, those with most violations first."""
        prefix = f"svr_{self.k}: "
        worst: dict[str, float] = {}
        for run in self.figures:
            for name, figure in run.items():
                if name.startswith(prefix) and figure.value is not None:
                    worst[name] = max(figure.value, worst.get(name, 0.0))
        return [name.removeprefix(prefix) for name in sorted(worst, key=lambda n: (-worst[n], n))]

    @property
    def conclusion(self) -> str:
        return conclusion(
            self.names,
            self.figures,
            self.differences,
            self.prompts,
            self.k,
            self.nouns,
            self.averaging,
            self.positions,
        )

    def rows(self) -> list[dict]:
        """A row a run, for JSON: run_summary, figures with intervals, differences to the runs after it."""
        return [
            {
                **row,
                "compared_prompts": self.prompts, "left_out_prompts": left_out, "positions": self.positions,
                "svr_averaging": self.averaging, "figures": {n: f.as_dict() for n, f in of_run.items() if f.value is not None},
                "differences": [vars(d) for d in self.differences if d.a == row["run_id"]],
                "conclusion": self.conclusion,
            }
            for row, of_run, left_out in zip(self.summaries, self.figures, self.left_out, strict=True)
        ]  # fmt: skip


def results_of(
    store: str, runs: Sequence[str], positions: Positions = "emitted", averaging: Averaging = "micro"
) -> Results:
    """Read runs from the log of `store`, and compare them on the prompts that all of them answered."""
    rows = summaries(store, list(runs))
    sums = totals(store, runs, positions, averaging)
    k = max(c for c in (5, 10, 15, 20) if c <= max(5, min(row["rec_num"] for row in rows)))
    return Results(
        rows, figures(sums, resampled(sums)), differences(sums, k) if len(rows) > 1 else [], len(sums.prompts),
        sums.left_out, sums.constrained, positions, averaging, k, read_nouns(store),
    )  # fmt: skip


def summaries(store: str, runs: list[str]) -> list[dict]:
    """The rows of `run_summary` for these runs, in order; a model's name, which may be a stranger's, is one harmless line."""
    with open_log(log_root(store)) as log:
        rows = query(log, read_sql("log/evaluation"), {"runs": runs}).to_pylist()
    in_order = sorted(rows, key=lambda row: runs.index(row["run_id"]))
    return [{**row, "model": one_line(row["model"])} for row in in_order]


def settings_of(row: dict) -> dict:
    return json.loads(row["settings"] or "{}")
