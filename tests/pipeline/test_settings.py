"""Flags, config files and the demo's settings, and what is refused before a model is loaded."""

import pytest

from oracle import UserError
from pipeline.checks import check_training
from pipeline.settings import SftSettings, TrainSettings, parse_settings


def parsed(*argv: str) -> TrainSettings:
    return parse_settings(TrainSettings, "train.py", list(argv), demo="train")[0]


def test_documented_defaults_hold_once_a_dataset_is_named():
    s = parsed("--train_path", "x")
    assert (s.model_name, s.sft_checkpoint, s.lr, s.kl_beta, s.mu) == (
        "meta-llama/Llama-3.2-3B-Instruct",
        1500,
        1e-6,
        1e-3,
        1,
    )
    assert (s.reward_func, s.advantage_mode, s.num_generations, s.seed) == ("log_decay", "grpo", 8, 3407)
    assert (s.lora_r, s.lora_alpha, s.lora_dropout) == (16, 32, 0.05)
    assert s.lora_target_modules == ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def test_without_a_dataset_the_demos_settings_hold_and_flags_override_them():
    settings, is_demo = parse_settings(TrainSettings, "train.py", ["--lr", "1e-5"], demo="train")
    assert is_demo and settings.lambda_end > 0 and settings.lr == 1e-5


def test_flags_override_the_config_file(tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("train_path: x\nlr: 0.5\nuse_lora: true\n")
    s = parsed("--config", str(config), "--lr", "0.25")
    assert (s.train_path, s.lr, s.use_lora) == ("x", 0.25, True)


@pytest.mark.parametrize(
    ("content", "said"), [("nonsense: 1", "unknown setting 'nonsense'"), ("- a", "not a mapping"), (": :", "YAML")]
)
def test_a_bad_config_file_is_one_clear_error(tmp_path, content, said):
    (tmp_path / "c.yaml").write_text(content)
    with pytest.raises(UserError, match=said):
        parsed("--config", str(tmp_path / "c.yaml"))


@pytest.mark.parametrize("argv", [["--nonsense"], ["--lr", "fast"], ["--num_gen", "4"]])
def test_an_unknown_or_mistyped_flag_is_one_clear_error(argv):
    with pytest.raises(UserError, match="--help lists the flags"):
        parsed("--train_path", "x", *argv)


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
        (["--output_dir", "pyproject.toml"], "is a file"),
        (["--output_dir", "tests"], "in use"),
    ],
)
def test_what_cannot_be_honoured_is_refused(argv, said, request, monkeypatch):
    monkeypatch.chdir(request.config.rootpath)
    with pytest.raises(UserError, match=said):
        check_training(parsed("--train_path", "x", *argv))


def test_sft_has_settings_of_its_own():
    assert parse_settings(SftSettings, "sft.py", ["--train_path", "x"], demo="sft")[0].lr == 2e-5
