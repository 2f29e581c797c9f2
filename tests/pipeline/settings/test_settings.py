"""Flags, config files and the demo's settings, and what is refused before a model is loaded."""

from dataclasses import fields

import pytest

from oracle import UserError
from pipeline.settings.checks import check_training
from pipeline.settings.chosen_rewards import reward_weights
from pipeline.settings.flag_metadata import trl_names
from pipeline.settings.flags import CONFIGS, SftSettings, TrainSettings
from pipeline.settings.parsing import as_yaml, parse_settings
from pipeline.settings.trl_config import trainer_config
from pipeline.training.runs import CHANGEABLE
from trainer import RankGRPOConfig


def parsed(*argv: str) -> TrainSettings:
    return parse_settings(TrainSettings, "train.py", list(argv), demo="train").settings


def test_without_a_dataset_the_demos_settings_hold_and_flags_override_them():
    parsed = parse_settings(TrainSettings, "train.py", ["--lr", "1e-5"], demo="train")
    assert parsed.is_demo and parsed.settings.lambda_end > 0 and parsed.settings.lr == 1e-5


def test_flags_override_the_config_file(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("train_path: x\nlr: 0.5\nuse_lora: true\n")
    s = parsed("--config", str(config), "--lr", "0.25")
    assert (s.train_path, s.lr, s.use_lora) == ("x", 0.25, True)


def test_settings_survive_the_file_that_a_run_keeps_of_them(tmp_path):
    flags = ["--train_path", "x", "--trl", "loss_type=dr_grpo", "epsilon=0.1", "--reward_weights", "1", "2.5"]
    before = parsed(*flags, "--save_strategy", "no", "--max_steps=-1", "--use_lora", "--lr", "3e-7")
    (tmp_path / "settings.yaml").write_text(as_yaml(before))
    assert parsed("--config", str(tmp_path / "settings.yaml")) == before


def test_trls_options_can_be_a_mapping_in_the_config_file(tmp_path):
    (tmp_path / "c.yaml").write_text(
        "train_path: x\ntrl: {loss_type: dr_grpo, epsilon: 0.1, num_completions_to_print: null}"
    )
    given = parsed("--config", str(tmp_path / "c.yaml")).trl
    assert given == ["loss_type=dr_grpo", "epsilon=0.1"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nonsense: 1", "unknown setting 'nonsense'"),
        (b"- a", "not a mapping"),
        (b": :", "YAML"),
        (b"train_path: caf\xe9.jsonl", "YAML"),
        (b"output_dir: 2024-99-99", "YAML"),
    ],
)
def test_a_bad_config_file_is_one_clear_error(tmp_path, content, said):
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(UserError, match=said):
        parsed("--config", str(tmp_path / "c.yaml"))


@pytest.mark.parametrize("argv", [["--nonsense"], ["--lr", "fast"], ["--num_gen", "4"]])
def test_an_unknown_or_mistyped_flag_is_one_clear_error(argv):
    with pytest.raises(UserError, match="--help lists the flags"):
        parsed("--train_path", "x", *argv)


def test_a_flag_of_trls_is_told_how_to_be_given():
    with pytest.raises(UserError, match="--trl top_entropy_quantile=VALUE"):
        parsed("--train_path", "x", "--top_entropy_quantile", "0.5")


@pytest.mark.parametrize("kind", [SftSettings, TrainSettings])
def test_help_tells_each_flag_with_its_meaning(kind, capsys):
    with pytest.raises(SystemExit):
        parse_settings(kind, "train.py", ["--help"], demo="train")
    printed = capsys.readouterr().out
    for f in fields(kind):
        assert f"--{f.name} " in printed and " ".join(f.metadata["help"].replace("%%", "%").split()) in " ".join(
            printed.split()
        )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--num_generations", "7"], "--num_generations 7 does not divide the batch of 64"),
        (["--num_generations", "1"], "at least 2"),
        (["--mu", "0"], "--mu 0"),
        (["--lr", "nan"], "positive"),
        (["--per_device_train_batch_size", "0"], "at least 1"),
        (["--use_vllm"], "vLLM is not installed|no GPU"),
        (["--optim", "paged_adamw_8bit"], "bitsandbytes|needs a GPU"),
        (["--output_dir", "pyproject.toml"], "is no folder that can be written"),
        (["--output_dir", "pyproject.toml/run"], "pyproject.toml is no folder that can be written"),
        (["--output_dir", "tests"], "in use; name another folder$"),
    ],
)
def test_what_cannot_be_honoured_is_refused(argv, said, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(UserError, match=said):
        check_training(parsed("--train_path", "x", *argv))


def test_yaml_that_means_a_word_by_no_is_understood(tmp_path):
    (tmp_path / "my.yaml").write_text("train_path: x\nsave_strategy: no\nlr: 1e-6\nbf16: no\n")
    s = parsed("--config", str(tmp_path / "my.yaml"))
    assert (s.save_strategy, s.lr, s.bf16) == ("no", 1e-6, False)
    (tmp_path / "my.yaml").write_text("train_path: x\nlora_target_modules: []\n")
    with pytest.raises(UserError, match=r"my.yaml: .*lora_target_modules.*: expected at least one argument"):
        parsed("--config", str(tmp_path / "my.yaml"))


def test_sft_has_settings_of_its_own():
    assert parse_settings(SftSettings, "sft.py", ["--train_path", "x"], demo="sft").settings.lr == 2e-5


def test_flags_come_before_the_config_file_which_comes_before_a_preset(tmp_path):
    (tmp_path / "c.yaml").write_text("train_path: x\nnum_train_epochs: 3\nmu: 4\ntrl: {epsilon: 0.5}\n")
    s = parsed("--preset", "rank-grpo", "--config", str(tmp_path / "c.yaml"), "--mu", "5", "--trl", "loss_type=grpo")
    assert (s.lr_scheduler_type, s.num_train_epochs, s.mu) == ("constant", 3.0, 5)
    assert s.trl == ["loss_type=grpo", "epsilon=0.5", "epsilon_high=0.08"]
    with pytest.raises(UserError, match="invalid choice: 'other'"):
        parsed("--preset", "other")


@pytest.mark.parametrize(
    ("preset", "reward", "discount", "safety", "clip", "passes"),
    [("saferec", "suffix_dcg", "dcg", 1.0, (0.2, None), 1), ("rank-grpo", "exp_inf", "none", 0.0, (0.06, 0.08), 2)],
)
def test_a_preset_reaches_trl_as_the_public_code_has_it(preset, reward, discount, safety, clip, passes):
    s = parsed("--train_path", "x", "--preset", preset)
    assert (s.reward_func, s.safety_discount, s.lambda_safe, s.lambda_count) == (reward, discount, safety, 0.0)
    config = trainer_config(s, reward_weights(s), "unused")
    assert (config.epsilon, config.epsilon_high, config.num_iterations, config.loss_type) == (*clip, passes, "bnpo")
    assert (config.learning_rate, config.lr_scheduler_type, config.num_train_epochs) == (1e-6, "constant", 2)
    assert (config.gradient_accumulation_steps, config.per_device_train_batch_size) == (12, 8)
    assert config.num_generations == 8
    assert (config.optim, config.length_control, config.end_credit) == ("paged_adamw_8bit", 0.1, True)
    assert (config.rank_weighting, config.ratio_level, config.beta, config.logging_steps) == ("token", "item", 1e-3, 10)


def test_the_docs_tell_all_that_a_preset_changes():
    text = (
        (CONFIGS.parents[1] / "docs" / "training.md").read_text().split("## As published: presets")[1].split("\n## ")[0]
    )
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| ")
    ]
    told = {row[0]: row[1:] for row in rows[2:]}
    defaults = parsed("--train_path", "x")
    for column, name in ((1, "saferec"), (2, "rank-grpo")):
        preset = parsed("--train_path", "x", "--preset", name)
        changed = {f.name for f in fields(preset) if getattr(preset, f.name) != getattr(defaults, f.name)} - {"trl"}
        assert changed == {flag for flag, cells in told.items() if cells[column] and not flag.startswith("trl ")}
        for flag in changed:
            assert type(value := getattr(preset, flag))(told[flag][column]) == value
            assert getattr(defaults, flag) is None or type(value)(told[flag][0]) == getattr(defaults, flag)
        assert {f"trl {option.replace('=', ' ')}" for option in preset.trl} == {
            f"{flag} {cells[column]}" for flag, cells in told.items() if flag.startswith("trl ") and cells[column]
        }


def test_what_trl_may_be_told_and_a_resume_may_change_is_said_with_each_flag():
    names = trl_names(TrainSettings)
    assert names["lr"] == "learning_rate" and names["mu"] == "num_iterations" and names["rec_num"] == "rec_num"
    assert set(names.values()) <= set(RankGRPOConfig.__dataclass_fields__)
    assert {"max_steps", "use_vllm"} <= CHANGEABLE and not {"lr", "rec_num", "reward", "length_control"} & CHANGEABLE
