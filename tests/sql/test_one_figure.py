"""A figure has one value, wherever it is read: views, macros, named queries, the app's pages and the report of an evaluation."""

import random
from collections import Counter, defaultdict

import pyarrow as pa
import pytest

from oracle.base.resources import read_sql
from oracle.log import LogWriter, ask, open_log, query
from pipeline.evaluation.figures import figures, totals
from pipeline.evaluation.report import _by_film
from tests.synthetic_log import World, write_run
from tests.tiny_log import NOTHING, RUN, film, step_tables

SHAPES = [
    {"rec_num": 20, "num_generations": 1, "unresolved": "safe"},
    {"rec_num": 7, "num_generations": 3, "unresolved": "violation", "lambda_end": 0.4, "lambda_safe": 0.0},
    {"rec_num": 24, "num_generations": 2, "unresolved": "ignore"},
]


@pytest.mark.parametrize(("seed", "shape"), enumerate(SHAPES))
def test_a_figure_of_an_evaluation_has_one_value_wherever_it_is_read(seed, shape, tmp_path):
    run = write_run(tmp_path / "store.log", 1, 12, seed, World(n_films=60, seed=2), kind="evaluate", **shape)
    (report,) = figures(totals(f"{tmp_path}/store.duckdb", [run]), None)
    report = {name: figure.value for name, figure in report.items()}
    k = shape["rec_num"]

    def up_to_k(table: list[dict]) -> list[dict]:
        return [row for row in table if row["rank"] <= k]

    with open_log(tmp_path / "store.log") as log:

        def rows(sql: str, **params: object) -> list[dict]:
            return query(log, sql, {**params, "run": run} if "$run" in sql.replace("$runs", "") else params).to_pylist()

        [summary] = rows("from run_summary")
        [curve] = rows("from step_curves")
        [model] = rows(read_sql("app/leaderboard"), most=9, named=[], dataset=None)
        [in_list] = rows(read_sql("app/summaries"))
        [overview] = rows(read_sql("app/headline"))
        [kept] = rows("from what_if_summary($run)")
        itself = {row["metric"]: row["value_b"] for row in rows("from compare_runs($run, $run, resamples := 1)")}
        prompts = [row for row in rows(read_sql("app/differing_prompts"), other=run) if row["constraints"]]
        [counted] = rows(
            "select count(*) filter (not is_safe) as violations, count(*) filter (status = 'unsafe') as known, count(title) as films, "
            "count(*) filter (hit) as hits, count(*) filter (match_method is null and title is not null) as unresolved "
            "from verdicts where rank <= run_k"
        )
        by_rank = {
            "violations": [
                rows("select violations from rank_penalties where rank <= $k", k=k),
                rows("select violations from film_penalties"),
                up_to_k(rows(read_sql("app/rank_totals"))),
                up_to_k(rows(read_sql("app/rank_cells"))),
                up_to_k(ask(log, "penalties_by_rank", run=run).to_pylist()),
            ],
            "known": [
                rows("select count(distinct (completion, rank)) as known from violations"),
                [{"known": row["violations"]} for row in rows(read_sql("app/groups"), step=1)],
            ],
            "films": [
                rows("select films from rank_penalties where rank <= $k", k=k),
                rows(read_sql("app/groups"), step=1),
            ],
            "hits": [
                rows("select hits from rank_penalties where rank <= $k", k=k),
                rows(read_sql("app/groups"), step=1),
            ],
            "unresolved": [
                rows("select unresolved from rank_penalties where rank <= $k", k=k),
                rows(read_sql("app/groups"), step=1),
            ],
        }
        hardest = ask(log, "hardest_prompts", run=run).to_pylist()

    def share(table: list[dict], up: str, down: str) -> float:
        return sum(row[up] for row in table) / sum(row[down] for row in table)

    for what, tables in by_rank.items():
        assert [sum(row[what] for row in table) for table in tables] == [counted[what]] * len(tables), what
    of_constrained = {
        "svr_20": [model["svr"], itself["svr"], in_list["svr_20"], share(prompts, "a_violations", "a_films")],
        "svr_20_low": [model["svr_low"], itself["svr_low"], in_list["svr_20_low"], report["svr_low_20"]],
        "svr_20_high": [model["svr_high"], itself["svr_high"], in_list["svr_20_high"], report["svr_high_20"]],
        "svr_20_known": [model["svr_known"], itself["svr_known"], in_list["svr_20_known"], report["svr_known_20"]],
        "recall_20": [model["recall"], in_list["recall_20"]],
        "ndcg_20": [model["ndcg"], in_list["ndcg_20"]],
        "unresolved_rate": [model["unresolved_rate"], in_list["unresolved_rate"], report["unresolved_rate_20"]],
        "unrated_rate": [model["unrated_rate"], itself["unrated_rate"], in_list["unrated_rate"]],
        "duplicate_rate": [in_list["duplicate_rate"], report["duplicate_rate_20"]],
        "films_per_list": [in_list["films_per_list"]],
        "count_20": [model["films"], report["count_20"]],
        "sensitivity_dcg": [in_list["sensitivity_dcg"], report["sensitivity_dcg_20"]],
        "recall_20_all": [itself["recall"]],
        "ndcg_20_all": [itself["ndcg"]],
        "unresolved_rate_all": [itself["unresolved_rate"]],
        "ambiguous_rate_all": [itself["ambiguous_rate"]],
        "duplicate_rate_all": [itself["duplicate_rate"]],
        "films_per_list_all": [itself["films_per_list"], curve["films_per_list"], overview["last_films"]],
    }
    in_top_k = {
        "svr": [kept["svr"], kept["svr_if"], overview["last_svr"], share(hardest, "violations", "films")],
        "svr_high": [overview["last_svr_high"]],
        "svr_known": [overview["last_svr_known"]],
        "recall": [overview["last_recall"]],
        "unresolved_rate": [overview["last_unresolved"]],
        "unrated_rate": [overview["last_unrated"]],
        "duplicate_rate": [overview["last_duplicates"]],
    }
    same_in_both = {"svr": "svr_20", "svr_high": "svr_20_high", "recall": "recall_20_all", "ndcg": "ndcg_20_all"}
    same_in_both |= {"unresolved_rate": "unresolved_rate_all", "duplicate_rate": "duplicate_rate_all"}
    for figure, values in of_constrained.items():
        of_report = [report[figure]] if figure in report and figure in summary else []
        assert values + of_report == pytest.approx([summary[figure]] * len(values + of_report)), figure
    for figure, values in in_top_k.items():
        assert values == pytest.approx([curve[figure]] * len(values)), figure
    if k <= 20:
        assert {own: curve[own] for own in same_in_both} == pytest.approx(
            {own: summary[of_20] for own, of_20 in same_in_both.items()}
        )


UNSAFE, NEAR, UNRATED = (
    {"risks": {"gore": 0.9}},
    {"risks": {"gore": 0.64}},
    {"unrated_traits": ["gore"], "is_safe": False},
)
KNOWN = [  # as it is written, its id, the title and year that were matched
    ("The Phantom Menace", "tt1", "The Phantom Menace", 1999, UNSAFE),
    ("Episode I", "tt1", "Star Wars: Episode I - The Phantom Menace", 2000, UNSAFE),
    ("Phantom", "tt1", "A fantom", None, UNSAFE),
    ("Twins", "tt2", "Twins", 1988, UNSAFE),
    ("Twins", "tt3", "Twins", 1988, UNSAFE),
    ("Near", "tt4", "Near", 2000, NEAR),
    ("Close", "tt4", "Close", 2001, NEAR),
    ("Double", "tt5", "Double", 2002, NEAR),
    ("Double", "tt6", "Double", 2002, NEAR),
    ("Nobody", "tt7", "Nobody", 2003, UNRATED),
    ("Personne", "tt7", "Personne", 2004, UNRATED),
    ("Same", "tt8", "Same", 2005, UNRATED),
    ("Same", "tt9", "Same", 2005, UNRATED),
    ("Heet", None, None, 1995, {"is_safe": False}),
    ("Heet", None, None, 1996, {"is_safe": False}),
]


def _drawn(seed: int, lists: int) -> list[list[dict]]:
    """Lists of six films, of which four are in the top K."""
    rng = random.Random(seed)
    verdicts = []
    for written, found, title, year, more in rng.choices(KNOWN, range(len(KNOWN), 0, -1), k=6 * lists):
        verdict = {"unrated_traits": [], **film(written, found, hit=rng.random() < 0.5, **more), "matched_title": title}
        verdicts.append(verdict | {"matched_year" if found else "year": year})
    return [verdicts[at : at + 6] for at in range(0, len(verdicts), 6)]


def _by_hand(verdicts: list[dict], also: str = "violations", name_of: list[dict] | None = None) -> list[tuple]:
    """(title, year, value of `also`, times) of each film, by its id or else by what was written; named as most of its verdicts are."""

    def key(verdict: dict) -> object:
        return verdict["imdb_id"] or (verdict["title"], verdict["year"])

    titles, times = defaultdict(Counter), Counter()
    for verdict in name_of or verdicts:
        name = "matched_" if verdict["imdb_id"] else ""
        titles[key(verdict)][verdict[f"{name}title"], verdict[f"{name}year"]] += 1
    for verdict in verdicts:
        times[key(verdict), str(verdict.get(also))] += 1
    named = {of: min(found, key=lambda name: (-found[name], name)) for of, found in titles.items()}
    return sorted(((*named[of], value, n) for (of, value), n in times.items()), key=str)


@pytest.mark.parametrize("seed", range(3))
def test_a_film_is_one_row_by_its_id_whatever_titles_it_has_and_whoever_has_its_title(seed, tmp_path):
    settings = RUN | {
        "kind": "evaluate",
        "rec_num": 4,
        "num_generations": 1,
        "unrated": "violation",
        "unresolved": "violation",
    }
    drawn, runs = [_drawn(seed, 40), _drawn(seed + 9, 30)], []
    for lists in drawn:
        with LogWriter(tmp_path / "store.log", settings) as writer:
            asked = {"prompt_id": "p", "constraints": ["gore"], "groundtruth": {}}
            writer.write_step(1, *step_tables([asked | {"verdicts": verdicts} for verdicts in lists]))
            runs.append(writer.run_id)
    of_runs = [[verdict for verdicts in lists for verdict in verdicts[:4]] for lists in drawn]
    listed = of_runs[0]
    unsafe = [verdict for verdict in listed if not verdict["is_safe"]]

    def told(rows: list[dict], times: str, also: str | None = None) -> list[tuple]:
        return sorted(((row["title"], row["year"], str(row.get(also)), row[times]) for row in rows), key=str)

    with open_log(tmp_path / "store.log") as log:

        def rows(sql: str, **params: object) -> list[dict]:
            return query(log, sql, {"run": runs[0], **params}).to_pylist()

        assert told(ask(log, "most_recommended", run=runs[0]).to_pylist(), "times") == _by_hand(
            [verdict for verdict in listed if verdict["imdb_id"]], "nothing"
        )
        for films in (
            rows("from film_penalties where run_id = $run"),
            rows(read_sql("app/films_of_run"), trait=None),
            ask(log, "worst_films", run=runs[0]).to_pylist(),
        ):
            assert told(films, "violations", "imdb_id") == _by_hand(unsafe, "imdb_id")
        known = [verdict for verdict in unsafe if verdict["violated_traits"]]
        assert told(rows(read_sql("app/films_of_run"), trait="gore"), "violations") == _by_hand(known, "nothing")
        hits = [verdict for verdict in unsafe if verdict["hit"]]
        assert told(ask(log, "unsafe_hits", run=runs[0]).to_pylist(), "times", "violated_traits") == _by_hand(
            hits, "violated_traits"
        )
        near = [verdict for verdict in listed if verdict["max_risk"] == 0.64]
        assert told(ask(log, "near_the_threshold", run=runs[0]).to_pylist(), "verdicts", "risk") == _by_hand(
            near, "max_risk"
        )
        tables = {
            name: query(log, read_sql(f"log/evaluation_{name}"), {"runs": runs, "most": 50, "k": 4}).to_pylist()
            for name in ("films", "unknown")
        }
    every = of_runs[0] + of_runs[1]
    for table, counts in (
        (tables["films"], lambda verdict: not verdict["is_safe"]),
        (tables["unknown"], lambda verdict: verdict.get("unrated_traits") or not verdict["imdb_id"]),
    ):
        name_of = [verdict for verdict in every if counts(verdict)]
        for nth, run in enumerate(runs):
            own = [verdict for verdict in of_runs[nth] if counts(verdict)]
            assert told([row for row in table if row["run_id"] == run], "times") == _by_hand(own, "nothing", name_of)
        shown = _by_film(table, runs)
        assert sorted(sum(times) for _, _, times in shown) == sorted(n for *_, n in _by_hand(name_of, "nothing"))


def _own_log(root, answers, own: list, **settings) -> tuple:
    """A log of one step, with a reward of somebody's own for each verdict."""
    completions, verdicts = step_tables(answers)
    entries = [[("nice", value)] for value in own]
    verdicts = verdicts.append_column("own_rewards", pa.array(entries, pa.map_(pa.string(), pa.float64())))
    with LogWriter(root, RUN | {"own_weights": {"nice": 1.0}} | settings) as writer:
        writer.write_step(1, completions, verdicts)
    return open_log(root), writer.run_id


@pytest.mark.parametrize("beyond", [0, 1])
def test_an_own_reward_has_one_mean_over_all_answers_whatever_is_listed_beyond_rank_k(tmp_path, beyond):
    """Of two answers the second has a reward at no rank: (1 + 1 + 1) / 2 an answer."""
    of = {"prompt_id": "A", "constraints": ["gore"], "groundtruth": {}}
    films = [film(f"F{n}", f"tt{n}", advantage=0.0) for n in range(4)]
    answers = [
        of | {"verdicts": films[:3]},
        of | {"verdicts": [*films[:3], *([films[3] | {"advantage": None}] * beyond)]},
    ]
    log, run = _own_log(tmp_path, answers, [1, 1, 1, None, None, None, *[0.0] * beyond])
    with log:
        [tile] = query(log, read_sql("app/own_mean"), {"run": run, "reward": "nice"}).to_pylist()
        [point] = query(log, read_sql("app/own_curve"), {"runs": [run], "reward": "nice"}).to_pylist()
        ranks = query(log, read_sql("app/rank_rewards"), {"run": run}).to_pylist()
    assert (tile["own"], point["own"]) == (1.5, 1.5)
    assert sum(row["reward"] for row in ranks if row["part"] == "nice") == 1.5


@pytest.mark.parametrize("constraints", [[], ["gore"]])
def test_the_signal_of_a_rank_is_a_mean_over_all_groups_whatever_they_want_avoided(tmp_path, constraints):
    """One group deviates by sqrt(2), the other is silent."""
    parts = ("r_rel", "r_safe", "r_count", "r_end", "r_repeat", "r_total")
    silent = NOTHING | dict.fromkeys(parts) | {"advantage": 0.0}
    of = {"prompt_id": "A", "constraints": ["gore"], "groundtruth": {}}
    taught = [of | {"verdicts": [film("F", "tt1", advantage=a, r_total=a)]} for a in (1.0, -1.0)]
    left = [of | {"prompt_id": "B", "constraints": constraints, "verdicts": [silent]}] * 2
    log, run = _own_log(tmp_path, [*taught, *left], [0] * 4)
    with log:
        cells = query(log, read_sql("app/rank_cells"), {"run": run}).to_pylist()
        [curve] = query(log, "select advantage_spread from step_curves").to_pylist()
    assert cells[0]["signal"] == pytest.approx(2**0.5 / 2) == curve["advantage_spread"]


def test_a_run_without_constraints_has_its_figures_over_all_in_the_list_of_runs(tmp_path):
    answers = [
        {
            "prompt_id": "A",
            "constraints": [],
            "groundtruth": {},
            "verdicts": [film("F", "tt1", match_method="ambiguous"), film("G", "tt2")],
        }
    ]
    with LogWriter(tmp_path, RUN | {"kind": "evaluate", "num_generations": 1}) as writer:
        writer.write_step(0, *step_tables(answers))
    with open_log(tmp_path) as log:
        [row] = query(log, read_sql("app/summaries")).to_pylist()
        [summary] = query(log, "from run_summary").to_pylist()
    assert row["lists"] == 0 and row["ambiguous_rate"] == summary["ambiguous_rate_all"] == 0.5
