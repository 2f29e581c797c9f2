"""What a run's settings become: the oracle that judges, the rewards that are given."""

import json
from contextlib import ExitStack
from math import log2

import pytest

from oracle.log import LogWriter
from pipeline.settings.chosen_rewards import reward_functions, reward_names
from pipeline.settings.flags import TrainSettings
from pipeline.settings.parsing import parse_settings
from pipeline.training.logs import open_run
from pipeline.training.session import Inputs, checked_inputs, folder_of, made_trainer, with_start
from tests.tiny_log import RUN

LISTED = "1. Up (2009)\n2. Saw (2004)\n3. Saw (2004)\n4. Zzyzx Qwv (1999)"


def checked(flags: list[str]) -> tuple[TrainSettings, Inputs]:
    parsed = parse_settings(TrainSettings, "train.py", flags, demo="train")
    settings = with_start(parsed.settings, parsed.given)
    return settings, checked_inputs(settings)


def test_what_verdicts_follow_from_reaches_the_oracle(small_flags, tmp_path):
    (tmp_path / "catalog.csv").write_text("title,year\nUp,2009\n")
    flags = ["--unresolved", "violation", "--unrated", "ignore", "--risk_threshold", "0.99", "--thought_tag", "plan"]
    settings, inputs = checked([*small_flags, *flags, "--catalog_path", "catalog.csv"])
    oracle = inputs.annotator.oracle
    assert (oracle.unresolved, oracle.unrated, oracle.risk_threshold) == ("violation", "ignore", 0.99)
    liked = [[["Up", 2009], ["Saw", 2004]]]
    judged = inputs.annotator.annotate([f"<plan>\n1. Heat (1995)\n</plan>\n{LISTED}"], liked, constraints=[["gore"]])
    assert judged.entries["title"].to_pylist() == ["Up", "Saw", "Saw", "Zzyzx Qwv"]
    assert judged.entries["hit"].to_pylist() == [True, False, False, False]  # Saw is not in the catalog given
    assert judged.entries["is_safe"].to_pylist()[-1] is False  # not found
    with open_run(settings) as log:
        noted = json.loads(log.run["settings"])
        log.discard()
    assert (noted["thought_tag"], noted["catalog"]["path"]) == (["plan"], str(tmp_path / "catalog.csv"))


def test_held_out_prompts_longer_than_the_limit_are_not_asked(small, small_flags, tmp_path):
    first = json.loads((small / "data.jsonl").read_text().splitlines()[0])
    rows = [first | {"prompt": "Another film?"}, first | {"prompt": "I liked film 1. " * 40}]
    (tmp_path / "val.jsonl").write_text("\n".join(map(json.dumps, rows)))
    flags = ["--eval_strategy", "epoch", "--val_path", "val.jsonl", "--max_prompt_length", "60"]
    _, inputs = checked([*small_flags, *flags])
    assert len(inputs.held_out) == 1 and "Another film?" in str(inputs.held_out[0]["prompt"])
    assert inputs.prompt_tokens <= 60


def test_each_setting_of_a_reward_reaches_its_function(small_flags):
    flags = ["--reward_func", "exp_inf", "--lambda_safe", "2", "--penalty_safe", "0.5", "--safety_discount", "dcg"]
    flags += ["--lambda_count", "0.3", "--target_count", "2", "--lambda_end", "0.7", "--lambda_repeat", "0.4"]
    settings, inputs = checked([*small_flags, *flags])  # three ranks
    batch = {"completions": [LISTED], "groundtruth_with_release_year": [[["Up", 2009]]], "constraints": [["gore"]]}
    functions = reward_functions(settings, inputs.annotator)
    given = dict(zip(reward_names(settings), (f(**batch)[0].tolist() for f in functions), strict=True))
    assert given["relevance"] == [1, 0, 0]
    assert given["safety"] == pytest.approx([0, -1 / log2(3), -0.5])
    assert given["count"] == pytest.approx([-0.3] * 3)
    assert given["end"] == [0, 0, 0, -0.7]
    assert given["repeat"] == [0, 0, -0.4]


@pytest.mark.parametrize(("prompt", "expected"), [("100", 106), ("4000", None)])
def test_an_engine_is_asked_for_a_prompt_and_an_answer_but_no_more_than_the_model_has(small_flags, prompt, expected):
    settings, inputs = checked([*small_flags, "--max_prompt_length", prompt])
    with ExitStack() as logs:
        trainer, _ = made_trainer(settings, inputs, logs)
    places = inputs.model.config.max_position_embeddings
    assert places < 4000 and trainer.args.vllm_max_model_length == (expected or places)


def test_a_run_that_fails_leaves_what_another_run_has_made_beside_it(tmp_path):
    folder = tmp_path / "runs" / "mine"
    with LogWriter(tmp_path / "store.log", RUN) as log:
        with pytest.raises(RuntimeError), folder_of(folder, log):
            (folder.parent / "other").mkdir()
            raise RuntimeError
        assert [path.name for path in folder.parent.iterdir()] == ["other"]
        with pytest.raises(RuntimeError), folder_of(tmp_path / "new" / "mine", log):
            raise RuntimeError
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "store.log"]
