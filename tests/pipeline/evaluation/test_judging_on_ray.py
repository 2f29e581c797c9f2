"""evaluate.py judges on a Ray cluster as it does by itself: the log has the same rows."""

import json

import pytest

from oracle.log import open_log, query
from oracle.store import log_root
from pipeline.evaluate import main


@pytest.mark.parametrize("more", [["--unrated", "violation", "--samples", "2"]])
def test_the_log_has_the_same_rows(small, two_cores, tmp_path, monkeypatch, capsys, more):
    monkeypatch.setattr("pipeline.evaluation.judging.ANSWERS_AT_ONCE", 5)
    texts = ["1. Alien (1979)\n2. Saw (2004)", "none", "1. Zzyzx\n2. Up (2009)\n3. Up (2009)"]
    rows = [{"index": n, "text": texts[(n + s) % 3]} for n in range(12) for s in range(2)]
    (tmp_path / "answers.jsonl").write_text("\n".join(map(json.dumps, rows)))
    asked = [
        "--data",
        f"{small}/data.jsonl",
        "--store",
        f"{small}/store.duckdb",
        "--answers",
        f"{tmp_path}/answers.jsonl",
    ]
    runs = []
    for engine in ([], ["--engine", "ray"]):
        main([*asked, *more, "--ids", *engine])
        runs += capsys.readouterr().out.split()[-1:]
    with open_log(log_root(f"{small}/store.duckdb")) as log:
        for view, order in (("rollouts", "completion"), ("verdicts", "completion, rank")):
            sql = f"select * exclude (run_id) from {view} where run_id = $run order by {order}"
            one, other = (query(log, sql, {"run": run}) for run in runs)
            assert len(one) >= 24 and one.equals(other), view
