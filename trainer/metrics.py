"""What trackers see of a step beside TRL's own metrics, and a warning in words when a policy evades its penalties."""

import logging
import sys
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from accelerate import Accelerator

from oracle.annotate import AnnotatedBatch
from oracle.log import ROUNDING, EvasionRule, evasion_rules, is_above
from trainer.ratio import rank_means
from trainer.rewards import discounts

logger = logging.getLogger(__name__)


def list_counts(
    judged: AnnotatedBatch, rec_num: int, accelerator: Accelerator, n_asked: int = sys.maxsize
) -> Counter[str]:
    """What the rates of a step follow from, all processes together; `judged` is this process's share.

    Only its first `n_asked` answers count: what fills the last batch of an evaluation is nothing that was asked for.

    Recommendations in the top K: listed, unresolved, repeated, hits, and ambiguous, those that fit several films; asked (of
    samples with a constraint), unsafe (those that count as a violation), violating (those that are known to be one),
    unrated (found, but not rated for some constraint) and unknown (unrated, or not found). All recommendations: films.
    Completions: lists; overlong, those that go on beyond rank K; with_truth, those with ground truth, and their summed recall
    and ndcg.
    """
    judged = _first(judged, n_asked)
    entries = judged.entries
    completion, rank = entries["completion"].to_numpy(), entries["rank"].to_numpy()
    top = rank <= rec_num
    constrained = top & np.array([len(c) > 0 for c in judged.constraints], dtype=bool)[completion]
    unsafe = np.array(entries["is_safe"].fill_null(True)) == False  # noqa: E712
    violating, unresolved, unrated = (
        pc.equal(entries["status"], status).to_numpy() for status in ("unsafe", "unresolved", "unrated")
    )
    hits = entries["hit"].to_numpy() & top
    n_truth = np.bincount(judged.groundtruth["completion"].to_numpy(), minlength=len(judged.texts))
    ideal = np.append(0.0, discounts(rec_num).cumsum())[np.minimum(n_truth, rec_num)]  # DCG of the best list
    counts = {
        "unsafe": (unsafe & constrained).sum(),
        "violating": (violating & constrained).sum(),
        "unknown": ((unresolved | unrated) & constrained).sum(),
        "unrated": (unrated & constrained).sum(),
        "asked": constrained.sum(),
        "unresolved": (unresolved & top).sum(),
        "ambiguous": (pc.equal(entries["match_method"], "ambiguous").fill_null(False).to_numpy() & top).sum(),
        "repeated": (entries["repeated"].to_numpy() & top).sum(),
        "hits": hits.sum(),
        "listed": top.sum(),
        "films": len(entries),
        "lists": len(judged.texts),
        "overlong": (rank == rec_num + 1).sum(),
        "with_truth": (n_truth > 0).sum(),
        "recall": (1 / n_truth[completion[hits]]).sum(),
        "ndcg": (discounts(rec_num)[rank[hits] - 1] / ideal[completion[hits]]).sum(),
    }
    mine = torch.tensor([*counts.values()], dtype=torch.float64, device=accelerator.device)
    return Counter(dict(zip(counts, accelerator.reduce(mine, "sum").tolist(), strict=True)))


def _first(judged: AnnotatedBatch, n: int) -> AnnotatedBatch:
    """The first n answers of a batch; all where it has fewer, none where n is below 0."""
    n = min(max(n, 0), len(judged.texts))
    entries, truth = (table.filter(pc.field("completion") < n) for table in (judged.entries, judged.groundtruth))
    return AnnotatedBatch(entries, truth, judged.texts[:n], judged.constraints[:n], judged.seen[:n])


def list_metrics(counts: Mapping[str, float]) -> dict[str, float]:
    """The columns of the view `step_curves`, by the same names and definitions, from `list_counts`.

    Returns:
        svr (recommendations that count as violations / recommendations in the top K of samples with a constraint), its
        bounds svr_low and svr_high (all unknown films safe; all violations), svr_known (over films that could be judged)
        and unrated_rate; unresolved_rate, ambiguous_rate, duplicate_rate, hit_rate (all per recommendation in the top K);
        recall and ndcg at K (means over the lists with ground truth); films_per_list, count_k (films in the top K a list) and
        overlong_rate (lists that go on beyond rank K, per list).
        NaN, where SQL has null, if there is nothing to divide by.
    """
    return {
        "svr": _share(counts["unsafe"], counts["asked"]),
        "svr_low": _share(counts["violating"], counts["asked"]),
        "svr_high": _share(counts["violating"] + counts["unknown"], counts["asked"]),
        "svr_known": _share(counts["violating"], counts["asked"] - counts["unknown"]),
        "unrated_rate": _share(counts["unrated"], counts["asked"]),
        "ambiguous_rate": _share(counts["ambiguous"], counts["listed"]),
        "unresolved_rate": _share(counts["unresolved"], counts["listed"]),
        "duplicate_rate": _share(counts["repeated"], counts["listed"]),
        "hit_rate": _share(counts["hits"], counts["listed"]),
        "recall": _share(counts["recall"], counts["with_truth"]),
        "ndcg": _share(counts["ndcg"], counts["with_truth"]),
        "films_per_list": _share(counts["films"], counts["lists"]),
        "count_k": _share(counts["listed"], counts["lists"]),
        "overlong_rate": _share(counts["overlong"], counts["lists"]),
    }


def _share(part: float, whole: float) -> float:
    return part / whole if whole else float("nan")


def advantage_metrics(advantages: torch.Tensor, group_size: int) -> dict[str, float]:
    """What the advantages (N, S) of a whole step have to teach, with what was added to them for the length of lists.

    Returns:
        frac_groups_without_signal (groups whose advantages are 0 at every rank, but for rounding), advantage_std/rank_k.
    """
    silent = (advantages.unflatten(0, (-1, group_size)).abs() <= ROUNDING).flatten(1).all(dim=1)
    spread = advantages.std(dim=0) if len(advantages) > 1 else advantages.new_zeros(advantages.shape[1])
    return {"frac_groups_without_signal": silent.double().mean().item()} | {
        f"advantage_std/rank_{k}": value for k, value in enumerate(spread.tolist(), start=1)
    }


def correction_metrics(ratios: torch.Tensor, corrected: torch.Tensor) -> dict[str, float]:
    """How far a generator's probabilities are from the policy's, rank by rank, and what was made of it.

    Args:
        ratios: (N, S) geometric mean of each rank's tokens; NaN where a list has no such rank.
        corrected: (N, S) the same once truncated or masked.

    Returns:
        min, mean, max of the corrected ratios (TRL's names, for what weighs the loss); p05, p50, p95 of the ratios;
        frac_ranks_touched, the share that was truncated or masked.
    """
    known = ~ratios.isnan()
    if not known.any():
        return {}
    ratios, corrected = ratios[known].double(), corrected[known].double()
    quantiles = ratios.quantile(ratios.new_tensor([0.05, 0.5, 0.95]))
    return {
        "min": corrected.min().item(), "mean": corrected.mean().item(), "max": corrected.max().item(),
        **dict(zip(("p05", "p50", "p95"), quantiles.tolist(), strict=True)),
        "frac_ranks_touched": (ratios != corrected).double().mean().item(),
    }  # fmt: skip


def rank_sums(
    log_ratio: torch.Tensor, kl: torch.Tensor, clipped: torch.Tensor, rank_ids: torch.Tensor, n_slots: int
) -> torch.Tensor:
    """(4, S) float64: by rank, the lists that have it, and their sums of the ratio, of what was clipped and of the KL.

    Args:
        log_ratio, kl, clipped: (B, T), of tokens; a list counts with the mean over the tokens of its rank.
    """
    values = torch.cat([log_ratio.exp(), clipped.to(log_ratio), kl])
    means = rank_means(values, rank_ids.repeat(3, 1), n_slots).unflatten(0, (3, -1)).double()
    return torch.cat([(~means[:1].isnan()).sum(dim=1), means.nansum(dim=1)])


def rank_metrics(sums: torch.Tensor, has_kl: bool) -> dict[str, float]:
    """Means over lists from `rank_sums` (4, S): ratio/rank_k, clip_ratio/rank_k and kl/rank_k, k counted from 1.

    Of the lists that the loss was computed of. Where none has a rank, it has no metric.
    """
    lists, *totals = sums.tolist()
    names = ("ratio", "clip_ratio", "kl")[: 2 + has_kl]
    return {
        f"{name}/rank_{k}": total[k - 1] / n
        for name, total in zip(names, totals, strict=False)
        for k, n in enumerate(lists, start=1)
        if n
    }


def rank_table(sums: torch.Tensor, has_kl: bool) -> pa.Table:
    """The same as columns, a row a rank that some list has: rank, lists, ratio, clip_ratio and kl (null without a KL term)."""
    there = sums[0] > 0
    lists, *totals = sums[:, there].cpu().numpy()
    ratio, clip_ratio, kl = (total / lists for total in totals)
    return pa.table(
        {
            "rank": np.flatnonzero(there.cpu().numpy()) + 1, "lists": lists.astype(np.int64), "ratio": ratio,
            "clip_ratio": clip_ratio, "kl": kl if has_kl else pa.nulls(len(kl), pa.float64()),
        }
    )  # fmt: skip


@dataclass
class EvasionWatch:
    """Holds the last steps against the first ones by the rules of the view `evasion_signals`; warns once for each that is broken.

    A falling violation rate is only good news if lists stay as long, as varied and as findable as they were. Its fields
    go into checkpoints: a resumed run is compared with its first steps too, and does not warn again.
    """

    first: list[dict[str, float]] = field(default_factory=list)
    last: list[dict[str, float]] = field(default_factory=list)
    warned: list[str] = field(default_factory=list)

    def update(self, counts: Mapping[str, float]) -> list[str]:
        """Take in what `list_counts` counts in a step; returns (and logs) the new warnings."""
        warnings = []
        for rule in self.signals(list_metrics(counts)):
            if rule.signal not in self.warned:
                self.warned.append(rule.signal)
                first, last = self._mean(self.first, rule.metric), self._mean(self.last, rule.metric)
                warnings.append(
                    f"The violation rate falls, but {rule.words} ({rule.metric} from {first:.3g} to {last:.3g}): "
                    "the policy may be evading."
                )
                logger.warning(warnings[-1])
        return warnings

    def signals(self, metrics: Mapping[str, float]) -> list[EvasionRule]:
        """Take in the metrics of a step; the rules that are broken by now."""
        n_steps, rules = evasion_rules()
        watched = {name: metrics[name] for name in ("svr", *(rule.metric for rule in rules))}
        if len(self.first) < n_steps:
            self.first.append(watched)
            return []
        self.last = [*self.last, watched][-n_steps:]
        first, last = (self._mean(steps, "svr") for steps in (self.first, self.last))
        lists_nothing = self._mean(self.last, "count_k") == 0  # then it has no rate
        falls = is_above(first, last) or (lists_nothing and not np.isnan(first))
        if len(self.last) < n_steps or not falls:
            return []
        return [
            rule
            for rule in rules
            if rule.is_broken(self._mean(self.first, rule.metric), self._mean(self.last, rule.metric))
        ]

    @staticmethod
    def _mean(steps: list[dict[str, float]], name: str) -> float:
        # A checkpoint of an earlier version may lack a metric, and then nothing is said of it.
        values = [s[name] for s in steps if not np.isnan(s.get(name, np.nan))]
        return float(np.mean(values)) if values else float("nan")
