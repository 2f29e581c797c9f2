"""The reward that docs/extending.md shows: trained on, logged by its name, shown by the app, gone on with."""

import json
import re
from pathlib import Path

import pytest

from app.components.answer_html import chips_of
from oracle import UserError
from oracle.base.resources import read_sql
from oracle.log import open_log
from pipeline import evaluate, train
from pipeline.settings.chosen_rewards import own_reward, reward_names
from pipeline.settings.flags import TrainSettings

DOCS = Path(__file__).parents[2] / "docs" / "extending.md"


@pytest.fixture
def novelty(tmp_path, monkeypatch) -> str:
    """The documented module under a name of its own, as Python keeps what it has imported; and what --reward takes."""
    monkeypatch.chdir(tmp_path)
    [module] = re.findall(r"```python\n# my_rewards.py\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    name = f"my_rewards_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(module)
    return f"{name}:novelty"


def test_the_documented_reward_is_trained_on_logged_and_shown(small_flags, small, novelty, monkeypatch):
    # The little model writes no list by itself; and of the prompt nothing is asked here.
    answers = ["1. Alien (1979)\n2. Saw (2004)", "1. Alien (1979)\n2. Heat (1995)\n3. Zzyzx (1999)"]

    def sample(trainer, *_):
        ids = trainer.processing_class([answers[i % 2] for i in range(8)], add_special_tokens=False)["input_ids"]
        return [[*row, trainer.processing_class.eos_token_id] for row in ids], None

    monkeypatch.setattr("trainer.rank_grpo_trainer.RankGRPOTrainer._generate_single_turn", sample)
    flags = ["--reward", novelty, "--reward_weights", "1", "1", "0.5", "--max_steps", "1", "--output_dir", "run"]
    train.main([*small_flags, *flags, "--max_completion_length", "60"])
    run_id = Path("run/run_id").read_text()
    with open_log(small / "store.log") as log:
        assert log.sql("select own_weights from runs where run_id = $run", params={"run": run_id}).fetchall() == [
            ({"novelty": 0.5},)
        ]
        rewards = log.sql(
            "select title, any_value(own_rewards['novelty']) from verdicts where run_id = $run and title is not null group by title order by title",
            params={"run": run_id},
        ).fetchall()
        assert rewards == [("Alien", 0.0), ("Heat", 0.5), ("Saw", 0.5), ("Zzyzx", 0.0)]
        assert log.sql(
            "select count(*) filter (differs), count(*) > 20 from rederive($run)", params={"run": run_id}
        ).fetchall() == [(0, True)]
        rows = (
            log.sql(read_sql("app/answer_ranks"), params={"run": run_id, "step": 1, "group": 0})
            .to_arrow_table()
            .to_pylist()
        )
        assert ("+0.25 novelty", "good") in [chip for row in rows if row["title"] == "Heat" for chip in chips_of(row)]
        assert any("+0.25 novelty" in row["sentence"] for row in rows)


def test_the_names_and_weights_of_rewards_follow_from_the_settings(novelty):
    settings = TrainSettings(reward=[novelty], lambda_end=1.0)
    assert reward_names(settings) == ["relevance", "safety", "end", "novelty"]


@pytest.mark.parametrize(
    ("reward", "said"),
    [
        ("novelty", "expected MODULE:FUNCTION"),
        ("no_such_module_here:novelty", "importing no_such_module_here failed"),
        ("math:no_such", "math has no function no_such"),
        ("math:pi", "math has no function pi"),
        ("anything:safety", "the log has a column for the reward safety"),
        ("shutil:copyfile", r"expected \(batch\)"),
    ],
)
def test_what_is_no_reward_is_refused(reward, said):
    with pytest.raises(UserError, match=said):
        own_reward(reward)


def test_answers_of_any_model_are_given_the_documented_reward(small, novelty, tmp_path, capsys):
    given = [
        {"id": f"{i}", "text": text} for i, text in enumerate(["1. Alien (1979)\n2. Saw (2004)", "1. Alien (1979)"])
    ]
    (tmp_path / "given.jsonl").write_text("\n".join(map(json.dumps, given)))
    flags = ["--answers", "given.jsonl", "--constraints", "gore", "--store", f"{small}/store.duckdb", "--ids"]
    evaluate.main([*flags, "--reward", novelty])
    with open_log(small / "store.log") as log:
        rewards = log.sql(
            "select title, any_value(own_rewards['novelty']), any_value(r_total - own_rewards['novelty'] - r_rel - r_safe) "
            "from verdicts where run_id = $run and title is not null group by title order by title",
            params={"run": capsys.readouterr().out.strip()},
        ).fetchall()
    assert rewards == [("Alien", 0.0, 0.0), ("Saw", 0.5, 0.0)]
    with pytest.raises(UserError, match="--reward: is not known to the machines of --engine ray"):
        evaluate.main([*flags, "--reward", novelty, "--engine", "ray"])


@pytest.mark.parametrize(
    ("width", "said"), [(1, None), (20, None), (21, None), (22, "gives 22 slots, and there are 21")]
)
def test_answers_of_any_model_are_given_a_reward_of_any_width_that_training_takes(
    small, tmp_path, capsys, monkeypatch, width, said
):
    (tmp_path / f"wide{width}.py").write_text(
        f"def wide(completions, **_):\n    return [[1.0] * {width}] * len(completions)\n"
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "given.jsonl").write_text(json.dumps({"id": "0", "text": "1. Alien (1979)"}))
    flags = [
        "--answers",
        "given.jsonl",
        "--constraints",
        "gore",
        "--store",
        f"{small}/store.duckdb",
        "--ids",
        "--reward",
        f"wide{width}:wide",
    ]
    if said:
        with pytest.raises(UserError, match=said):
            evaluate.main(flags)
        return
    evaluate.main(flags)
    with open_log(small / "store.log") as log:
        asked = "select sum(own_rewards['wide']), count(*) filter (differs) from verdicts join rederivation using (run_id, step, completion, rank) where run_id = $run"
        assert log.sql(asked, params={"run": capsys.readouterr().out.strip()}).fetchall() == [(min(width, 20), 0)]


def test_two_rewards_of_one_name_are_refused_before_anything_is_answered(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("one_of_two", "other_of_two"):
        (tmp_path / f"{name}.py").write_text("def same(completions, **_):\n    return [[1.0]] * len(completions)\n")
    flags = ["--answers", "not-read.jsonl", "--constraints", "gore", "--store", f"{small}/store.duckdb"]
    with pytest.raises(UserError, match="two reward functions are called 'same': name one otherwise"):
        evaluate.main([*flags, "--reward", "one_of_two:same", "--reward", "other_of_two:same"])
