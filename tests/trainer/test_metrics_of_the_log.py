"""What trackers receive while training is what SQL finds in the log of that training: the same names, figures and warnings."""

import logging
import math
from pathlib import Path

import pyarrow as pa
import pytest

from oracle import build_store, create_oracle
from oracle.annotate import Annotator
from oracle.log import LogWriter, evasion_rules, open_log
from tests.tiny_log import NOTHING, RUN, A, film, step_tables
from tests.trainer.drive import CUT, FILMS, TRAIT, K, answer_with, film_store, new_trainer
from tests.trainer.tokenizers import byte_level
from trainer.metrics import EvasionWatch

# Two answers to a prompt with constraints, two to one without; some of everything that is counted.
WHOLE = [
    "1. Saw (2004)\n2. Frozen (2013)\n3. Alien (1979)",  # two violations and a hit
    "1. Up (2009)\n2. Halloween\n3. Saw (2004)",  # the second fits two films
    "1. Up (2009)\n2. Up (2009)\n3. Frozen (2013)",
    "1. Nowhere Film (1999)\n2. Up (2009)\n3. Frozen (2013)",
]
# The policy gets safer in every way that the rules know.
EVADING = [
    "1. The Thing (1982)\n2. The Thing (1982)\n3. Nowhere Film (1999)\n4. Frozen (2013)",
    "1. Nowhere Film (1999)\n2. The Thing (1982)\n3. The Thing (1982)\n4. Up (2009)",
    "1. Halloween (1978)" + CUT,
    "I would rather not.",
]
STEPS = [WHOLE] * 8 + [EVADING] * 14 + [WHOLE] * 8
ONLY_IN_THE_LOG = {  # of the prompts and rewards, or of what a tracker need not see
    "run_id", "step", "lists", "constrained_lists", "safe_recall", "catalog_match", "mean_total_reward", "advantage_spread",
    "no_signal_rate", "tokens_per_list",
}  # fmt: skip
IN_RUN_SUMMARY = {
    "svr": "svr_20", "svr_low": "svr_20_low", "svr_high": "svr_20_high", "svr_known": "svr_20_known", "unrated_rate": "unrated_rate",
    "recall": "recall_20_all", "ndcg": "ndcg_20_all", "count_k": "count_20_all",
    **{name: f"{name}_all" for name in ("unresolved_rate", "ambiguous_rate", "duplicate_rate", "hit_rate", "films_per_list")},
}  # fmt: skip


def metrics_of(trainer):
    """The lines of training, a step each."""
    return [
        {k: math.nan if v is None else v for k, v in line.items()}
        for line in trainer.state.log_history
        if "svr" in line
    ]


def trained(folder, steps, **options):
    """(trainer, log) after training on a prompt that wants no gore and one that wants all."""
    tables = film_store()
    ids, titles, years = zip(*FILMS, ("tt0000006", "Halloween", 1978), ("tt0000007", "Halloween", 2018), strict=True)
    tables["titles"] = pa.table({"imdb_id": ids, "title": titles, "year": years})
    rated = {"imdb_id": ["tt0000004", "tt0000001", "tt0000005"], "trait": [TRAIT] * 3, "risk": [0.92, 0.7, 0.1]}
    tables["trait_risk"] = pa.table(rated)
    annotator = Annotator(create_oracle(store=build_store(folder / "store.duckdb", **tables)))
    run = {"kind": "train", "rec_num": K, "num_generations": 2, "length_control": options.get("length_control")}
    log = LogWriter(folder / "store.log", run)
    batch = dict(per_device_train_batch_size=4, shuffle_dataset=False, max_completion_length=80)
    trainer = new_trainer(folder, annotator, byte_level(), log=log, max_steps=len(steps), rows=2, **batch, **options)
    samples = trainer.train_dataset.to_list()
    samples[1]["constraints"] = []
    trainer.train_dataset = trainer.train_dataset.from_list(samples)
    answer_with(trainer, *steps)
    trainer.train()
    log.close()
    return trainer, open_log(folder / "store.log")


@pytest.fixture(scope="module")
def training(tmp_path_factory):
    records = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logging.getLogger("trainer.metrics").addHandler(handler)
    trainer, log = trained(tmp_path_factory.mktemp("training"), STEPS)
    logging.getLogger("trainer.metrics").removeHandler(handler)
    with log:
        yield trainer, log, records


def test_every_metric_of_a_step_is_the_column_of_that_name(training):
    trainer, log, _ = training
    curves = log.sql("from step_curves order by step").to_arrow_table().to_pylist()
    lines = metrics_of(trainer)
    assert len(lines) == len(curves) == len(STEPS)
    common = curves[0].keys() - ONLY_IN_THE_LOG
    for line, row in zip(lines, curves, strict=True):
        assert {name: line[name] for name in common} == pytest.approx(
            {name: math.nan if row[name] is None else row[name] for name in common}, nan_ok=True
        )
    varied = {name for name in common if len({row[name] for row in curves}) > 1}
    assert varied == common  # a metric that is the same in every step would prove little


def test_a_line_for_all_steps_is_the_summary_of_the_run(tmp_path):
    trainer, log = trained(tmp_path, [WHOLE, EVADING, WHOLE], logging_steps=3)
    with log:
        [summary] = log.sql("from run_summary").to_arrow_table().to_pylist()
    (line,) = metrics_of(trainer)
    assert {name: line[name] for name in IN_RUN_SUMMARY} == pytest.approx(
        {name: summary[column] for name, column in IN_RUN_SUMMARY.items()}
    )


def test_what_is_said_of_advantages_is_of_those_that_teach_with_the_control_of_length(tmp_path):
    short, cut = "1. Up (2009)\n2. The Thing (1982)", "1. Up (2009)\n2. Froz" + CUT
    steps = [[short] * 4, WHOLE, [short, short, cut, cut]]
    trainer, log = trained(tmp_path, steps, length_control=0.3, end_credit=True)
    with log:
        groups = (
            "select step, max(abs(advantage)) <= 1e-9 as silent from verdicts where rank <= 4 group by step, group_id"
        )
        shares = log.sql(f"select avg(silent::int) from ({groups}) group by step order by step").fetchall()
        spreads = log.sql(
            "select list(spread order by rank) from (select step, rank, stddev_samp(advantage) as spread from verdicts "
            "where rank <= 4 group by step, rank) group by step order by step"
        ).fetchall()
    lines = metrics_of(trainer)
    assert [line["frac_groups_without_signal"] for line in lines] == [share for (share,) in shares] == [0, 0, 0.5]
    for line, (by_rank,) in zip(lines, spreads, strict=True):
        assert [line[f"advantage_std/rank_{k}"] for k in (1, 2, 3, 4)] == pytest.approx(by_rank)
    assert spreads[2][0][2] == pytest.approx(0.3 / 3**0.5)  # of (-0.3, -0.3, 0, 0)


def test_the_trainer_warns_of_exactly_the_signals_that_sql_finds(training):
    trainer, log, warnings = training
    rows = log.sql("select step, signals from evasion_signals order by step").fetchall()
    watch, n_steps = EvasionWatch(), evasion_rules()[0]
    for (step, signals), line in zip(rows, metrics_of(trainer), strict=True):
        found = [rule.signal for rule in watch.signals(line)]
        assert (signals is None) == (step < 2 * n_steps)
        assert (signals or []) == found, step
    seen = {signal for _, signals in rows for signal in signals or []}
    assert seen == {rule.signal for rule in evasion_rules()[1]} == set(trainer._evasion.warned)
    assert len(warnings) == len(seen)
    assert rows[-1][1] != rows[20][1]  # and the signs go again when lists are whole


def test_every_rule_is_about_a_metric_of_both(training):
    trainer, log, _ = training
    for rule in evasion_rules()[1]:
        assert rule.metric in log.table("step_curves").columns
        assert f"last_{rule.metric}" in log.table("evasion_signals").columns
        assert rule.metric in trainer.state.log_history[0]


def logged_rates(root: Path, steps: list[tuple[int, int, int]]) -> list[dict]:
    """The evasion signals of a log whose steps have one list each, of so many films, violations and repeats; beside its rates."""
    with LogWriter(root, {**RUN, "rec_num": 20, "num_generations": 1}) as writer:
        for step, (films, unsafe, repeats) in enumerate(steps, 1):
            listed = [
                film("Saw", "tt0387564", {"gore": 0.9 if n < unsafe else 0.1}, repeated=n < repeats)
                if n < films
                else NOTHING
                for n in range(20)
            ]
            writer.write_step(step, *step_tables([{**A, "verdicts": listed}]))
    with open_log(root) as log:
        sql = "select c.*, signals from step_curves c join evasion_signals using (run_id, step) order by step"
        return log.sql(sql).to_arrow_table().to_pylist()


@pytest.mark.parametrize(
    "order", [sorted, lambda rates: sorted(rates, reverse=True), lambda rates: rates[3:] + rates[:3]]
)
def test_the_same_rates_in_another_order_are_no_fall_and_no_sign(order, tmp_path):
    """Their mean is another number by its last digit; lists are shorter, which were a sign if violations fell."""
    rates = [7, 3, 9, 1, 6, 2, 8, 5, 4, 7]
    rows = logged_rates(tmp_path, [(20, 2 * n, 0) for n in rates] + [(10, n, 0) for n in order(rates)])
    watch = EvasionWatch()
    assert [watch.signals(row) for row in rows][-1] == rows[-1]["signals"] == []


def test_just_five_points_more_repeats_are_no_sign_and_more_are(tmp_path):
    for repeats, signals in ((8, []), (9, ["repeating"])):
        rows = logged_rates(tmp_path / str(repeats), [(20, 2, 7)] * 10 + [(20, 1, repeats)] * 10)
        watch = EvasionWatch()
        found = [watch.signals(row) for row in rows][-1]
        assert [rule.signal for rule in found] == rows[-1]["signals"] == signals
