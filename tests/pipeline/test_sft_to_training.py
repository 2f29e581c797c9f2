"""From SFT to training by the documented flags: full weights, and an adapter that training goes on with or merges."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from peft import PeftModel
from safetensors.torch import load_file

from oracle import UserError
from pipeline import sft, train
from pipeline.settings.flags import SftSettings
from pipeline.training.fine_tuning import sft_arguments
from pipeline.training.models import load_model, load_policy, load_tokenizer
from trainer import RankGRPOTrainer


@pytest.fixture
def sft_flags(small_flags) -> list[str]:
    return [
        *small_flags[:6],
        "--max_steps",
        "2",
        "--save_steps",
        "2",
        "--lr",
        "1e-2",
        "--per_device_train_batch_size",
        "2",
    ]


@pytest.fixture
def first_step(monkeypatch) -> dict:
    """What the trainer holds before its first step."""
    seen: dict = {}

    def train_one(self, **_):
        seen["model"], seen["reference"], seen["tokenizer"] = self.model, self.ref_model, self.processing_class

    monkeypatch.setattr(RankGRPOTrainer, "train", train_one)
    return seen


def checkpoint(model_name: str) -> Path:
    return Path(f"results/{model_name}/checkpoint-2")


def test_training_starts_from_the_sft_checkpoint_that_is_named(small_flags, sft_flags, small, first_step):
    sft.main(sft_flags)
    assert checkpoint(f"{small}/model").is_dir() and not (small / "model" / "checkpoint-2").exists()
    with pytest.raises(UserError, match="has a model already"):
        sft.main(sft_flags)
    train.main([*small_flags, "--sft_checkpoint", "2"])
    trained_by_sft = load_file(checkpoint(f"{small}/model") / "model.safetensors")
    for model in (first_step["model"], first_step["reference"]):
        assert all(torch.equal(model.state_dict()[name], value) for name, value in trained_by_sft.items())


@pytest.mark.parametrize("adapter", [[], ["--use_lora", "--sft_is_lora"]])
def test_prompts_are_written_as_the_model_of_sft_learnt_them(small_flags, sft_flags, small, first_step, adapter):
    sft.main([*sft_flags, *adapter[:1]])
    template = checkpoint(f"{small}/model") / "chat_template.jinja"
    template.write_text("In other words: " + template.read_text())
    train.main([*small_flags, *adapter, "--sft_checkpoint", "2"])
    assert first_step["tokenizer"].chat_template.startswith("In other words: ")


def test_after_sft_training_starts_from_the_model_that_sft_ended_with(
    small_flags, sft_flags, small, first_step, capsys
):
    sft.main([*sft_flags, "--save_steps", "200"])
    train.main([*small_flags, "--output_dir", "run"])
    end = Path(f"results/{small}/model")
    assert f"starting from the model that sft.py saved in {end}" in capsys.readouterr().err
    state, trained_by_sft = first_step["model"].state_dict(), load_file(end / "model.safetensors")
    assert all(torch.equal(state[name], value) for name, value in trained_by_sft.items())
    untrained = load_file(small / "model" / "model.safetensors")
    assert not all(torch.equal(trained_by_sft[name], value) for name, value in untrained.items())
    assert yaml.safe_load(Path("run/settings.yaml").read_text())["sft_model_path"] == str(end.absolute())
    with pytest.raises(UserError, match=f"take 2, name the model .*, or leave the flag out to start from {end}"):
        train.main([*small_flags, "--sft_checkpoint", "7"])


def test_other_checkpoints_of_sft_are_named_instead_of_passed_over(small_flags, small):
    for step in (1000, 200):
        Path(f"results/{small}/model/checkpoint-{step}").mkdir(parents=True)
    with pytest.raises(
        UserError, match=r"--sft_checkpoint 1500: there is no .*checkpoint-1500; take 200 or 1000, name"
    ):
        train.main(small_flags)


def test_an_adapter_keeps_its_own_lora_settings(small_flags, sft_flags, small, first_step, capsys):
    sft.main(
        [*sft_flags, "--use_lora", "--lora_r", "4", "--lora_alpha", "6", "--lora_target_modules", "v_proj", "q_proj"]
    )
    flags = [*small_flags, "--sft_is_lora", "--use_lora"]  # from the adapter that SFT ended with
    train.main([*flags, "--dry_run", "--lora_r", "4", "--lora_target_modules", "q_proj", "v_proj"])
    printed = capsys.readouterr().out
    for shown in (r"lora_r +4 +16", r"lora_alpha +6 +32", r"lora_target_modules +q_proj v_proj +q_proj v_proj k_proj"):
        assert re.search(shown, printed), shown
    with pytest.raises(UserError) as refused:
        train.main([*flags, "--lora_r", "8", "--lora_alpha", "9", "--lora_target_modules", "q_proj"])
    said = str(refused.value).splitlines()
    assert [line.split(":")[0] for line in said] == ["--lora_r 8", "--lora_alpha 9", "--lora_target_modules q_proj"]
    assert "has 4; leave the flag out" in said[0] and "has q_proj v_proj;" in said[2]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--save_steps", "1.5"], "--save_steps 1.5: expected a positive number, whole or"),
        (["--warmup_steps", "-1"], "--warmup_steps -1.0: expected a number of at least 0"),
        (["--seed", "-1"], "--seed -1: expected a whole number"),
        (["--lr_scheduler_type", "warmup_stable_decay"], r"warmup_stable_decay: arguments .*\); use another schedule"),
        (
            ["--lr_scheduler_type", "reduce_lr_on_plateau"],
            "--lr_scheduler_type reduce_lr_on_plateau: needs evaluations",
        ),
        (["--report_to", "wandb"], "--report_to wandb: wandb is not installed"),
        (["--model_name", "plain"], "plain: its tokenizer has no chat template"),
    ],
)
def test_what_sft_cannot_honour_is_refused_before_a_model_is_loaded(flags, said, sft_flags, small, monkeypatch):
    monkeypatch.setattr("pipeline.settings.checks._installed", lambda package: False)
    monkeypatch.setattr("pipeline.training.fine_tuning.load_model", lambda *_: pytest.fail("a model was loaded"))
    tokenizer = load_tokenizer(f"{small}/model")
    tokenizer.chat_template = None
    tokenizer.save_pretrained("plain")
    with pytest.raises(UserError, match=said):
        sft.main([*sft_flags, *flags])
    assert not Path("results").exists()


def test_what_transformers_refuses_of_sft_is_one_line(monkeypatch):
    with pytest.raises(UserError, match=r"transformers refuses these settings: .*--save_steps must be an integer"):
        sft_arguments(SftSettings(save_steps=1.5), Path("unused"))


def test_the_demo_of_sft_refuses_another_model_instead_of_ignoring_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--model_name: without --train_path the demo runs"):
        sft.main(["--model_name", "mine"])
    assert not list(tmp_path.iterdir())


def test_an_sft_adapter_is_gone_on_with_or_merged_and_is_the_reference_of_both(
    small_flags, sft_flags, small, first_step
):
    sft.main([*sft_flags, "--use_lora", "--lora_r", "4"])
    start = checkpoint(f"{small}/model")
    expected = PeftModel.from_pretrained(load_model(f"{small}/model"), start).merge_and_unload().state_dict()
    with pytest.raises(UserError, match="is a LoRA adapter: add --sft_is_lora"):
        train.main([*small_flags, "--sft_checkpoint", "2"])
    flags = [*small_flags, "--sft_checkpoint", "2", "--sft_is_lora"]

    train.main([*flags, "--use_lora", "--output_dir", "on"])
    assert first_step["reference"] is None
    went_on = first_step["model"]
    went_on.set_adapter("ref")  # TRL's copy of the SFT adapter
    same(went_on.merge_and_unload().state_dict(), expected)
    assert (Path("on/final/adapter_model.safetensors")).exists() and not list(Path("on").rglob("model.safetensors"))
    evaluated, _ = load_policy("on/final")
    same(evaluated.merge_and_unload().state_dict(), expected)

    train.main([*flags, "--output_dir", "merged"])
    same(first_step["model"].state_dict(), expected)
    same(first_step["reference"].state_dict(), expected)


@pytest.mark.parametrize("more", [[], ["--gradient_checkpointing", "--kl_beta", "0"]])
def test_a_merged_adapter_is_trained_with_all_weights(small_flags, sft_flags, small, more):
    sft.main([*sft_flags, "--use_lora", "--lora_r", "4"])
    flags = [
        *small_flags,
        "--sft_checkpoint",
        "2",
        "--sft_is_lora",
        "--max_steps",
        "1",
        "--lr",
        "1e-2",
        "--output_dir",
        "run",
    ]
    train.main([*flags, *more, "--trl", "entropy_coef=0.1"])
    start = PeftModel.from_pretrained(load_model(f"{small}/model"), checkpoint(f"{small}/model")).merge_and_unload()
    trained = load_file("run/final/model.safetensors")
    assert not any(torch.equal(trained[name], start.state_dict()[name]) for name in trained)


def test_sft_on_an_adapter_is_refused(sft_flags, small):
    sft.main([*sft_flags, "--use_lora", "--lora_r", "4", "--output_dir", "adapter"])
    with pytest.raises(UserError, match="--model_name adapter: is a LoRA adapter; name the model that it is for"):
        sft.main([*sft_flags, "--model_name", "adapter"])


def test_an_adapter_is_found_its_base_in_any_working_directory(sft_flags, small, tmp_path, monkeypatch):
    Path("model").symlink_to(small / "model")
    sft.main([*sft_flags, "--model_name", "model", "--use_lora", "--lora_r", "4", "--output_dir", "adapter"])
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    load_policy("../adapter")
    Path("../model").unlink()
    with pytest.raises(
        UserError, match=r"\.\./adapter: is an adapter on /.*/model, which is not there; bring that model back"
    ):
        load_policy("../adapter")


def test_a_new_adapter_follows_from_the_seed(small_flags, first_step):
    adapters = []
    for run, seed in enumerate(("1", "1", "2")):
        torch.rand(run)  # whatever was drawn before
        train.main([*small_flags, "--use_lora", "--seed", seed, "--output_dir", f"run-{run}"])
        adapters.append({n: p.detach() for n, p in first_step["model"].named_parameters() if "lora_A" in n})
    assert all(torch.equal(adapters[0][name], adapters[1][name]) for name in adapters[0])
    assert not any(torch.equal(adapters[0][name], adapters[2][name]) for name in adapters[0])


def same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
