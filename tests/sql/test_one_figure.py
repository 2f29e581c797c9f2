"""A figure has one value, wherever it is read: views, macros, named queries, the app's pages and the report of an evaluation."""

import pytest

from oracle.base.resources import read_sql
from oracle.log import ask, open_log, query
from pipeline.evaluation.figures import figures, totals
from tests.synthetic_log import World, write_run

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
