"""`--dry_run`: what it promises is what training then does, and it leaves nothing behind."""

import json
import re

import pytest
import torch
from peft import get_peft_model

from oracle import UserError
from pipeline import train
from pipeline.checks import check_training
from pipeline.memory import activation_values, expected_memory
from pipeline.models import empty_adapter, empty_model, load_model, lora_config
from pipeline.plan import optimiser_steps
from pipeline.settings import LORA_TARGETS, TrainSettings, parse_settings
from pipeline.trl_config import trainer_config
from trainer import RankGRPOTrainer


def settings_of(flags: list[str]) -> TrainSettings:
    return parse_settings(TrainSettings, "train.py", flags, demo="train").settings


@pytest.fixture
def trained(monkeypatch) -> list[RankGRPOTrainer]:
    """The trainers that train.py makes."""
    made: list[RankGRPOTrainer] = []
    first = RankGRPOTrainer.__init__

    def init(self, *args, **kwargs):
        first(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(RankGRPOTrainer, "__init__", init)
    return made


def test_a_dry_run_tells_settings_batches_steps_and_memory_and_writes_nothing(small_flags, small, tmp_path, capsys):
    before = sorted(small.rglob("*"))
    train.main([*small_flags, "--dry_run", "--lambda_safe", "2", "--num_train_epochs", "2"])
    printed = capsys.readouterr().out
    for expected in (
        r"lambda_safe +2\.0 +1\.0 *\n",
        r"As by default: .*kl_beta 0\.001",
        r"prompts +12, 4 of them without constraints",
        r"answers a step +8 = 4 a device x 2 accumulated x 1 process",
        r"groups a step +4 of 2 answers each",
        r"optimiser steps +6,",
        r"optimiser +[\d.]+ MiB",
    ):
        assert re.search(expected, printed, re.DOTALL), expected
    assert not list(tmp_path.iterdir()) and sorted(small.rglob("*")) == before


@pytest.mark.parametrize("flags", [[], ["--use_lora", "--lora_r", "4"], ["--mu", "2"]])
def test_steps_and_memory_are_those_of_the_training_that_follows(flags, small_flags, small, trained):
    settings = settings_of([*small_flags, *flags, "--save_strategy", "no"])
    config = trainer_config(settings, [1.0, 1.0], "unused")
    model = empty_model(f"{small}/model")
    if settings.use_lora:
        model = empty_adapter(model, lora_config(4, 32, 0.05, settings.lora_target_modules))
    memory = expected_memory(settings, config, model, prompt_tokens=10)

    train.main([*small_flags, *flags, "--save_strategy", "no"])
    (trainer,) = trained
    assert optimiser_steps(config, 12) == trainer.state.global_step
    assert memory["weights"] == nbytes(trainer.model.parameters())
    assert memory.get("reference model", 0) == (nbytes(trainer.ref_model.parameters()) if trainer.ref_model else 0)
    states = [t for state in trainer.optimizer.state.values() for n, t in state.items() if n != "step"]
    assert memory["optimiser"] == nbytes(states)
    assert memory["gradients"] == nbytes(p for p in trainer.model.parameters() if p.requires_grad)


def nbytes(tensors) -> int:
    return sum(t.numel() * t.element_size() for t in tensors)


@pytest.mark.parametrize("with_adapter", [False, True])
def test_activations_are_estimated_within_a_fifth_of_what_autograd_keeps(with_adapter, small):
    model = load_model(f"{small}/model")
    if with_adapter:
        model = get_peft_model(model, lora_config(2, 32, 0.05, LORA_TARGETS))
    weights = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept: list[torch.Tensor] = []  # held, so that no two share an address
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        model.train().get_decoder()(input_ids=torch.zeros((4, 50), dtype=torch.long))
    storages = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in kept}
    measured = sum(size for at, size in storages.items() if at not in weights)
    assert activation_values(model, checkpointing=False) * 4 * 4 * 50 == pytest.approx(measured, rel=0.2)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--use_lora", "--lora_target_modules", "q_proj", "c_attn"], "c_attn: no module of llama has that name; .*q_proj"),
        (["--per_device_train_batch_size", "16"], "its 12 prompts don't fill a batch of 16"),
        (["--max_prompt_length", "1"], "every prompt is longer"),
        (["--sft_model_path", "nowhere/at/all"], "nowhere/at/all: can't be loaded as a model"),
        (["--catalog_path", "none.pkl"], "--catalog_path none.pkl: not found"),
        (["--sft_checkpoint", "7"], r"there is no results/.*/model/checkpoint-7; run sft.py"),
        (["--sft_is_lora"], "--sft_checkpoint 1500: there is no"),
        (["--trl", "top_entropy_quantile=0.5"], "top_entropy_quantile=0.5 can't be used with per-rank advantages"),
        (["--trl", "use_bias_correction_kl=true"], "use_bias_correction_kl=True can't be used"),
        (["--trl", "importance_sampling_level=sequence"], "importance_sampling_level='sequence' can't be used"),
        (["--trl", "loss_type=luspo"], "loss_type='luspo' has no per-rank form"),
        (["--trl", "learning_rate=1"], "set it with --lr"),
        (["--trl", "epsilonn=1"], "TRL has no such option; near: epsilon"),
        (["--trl", "epsilon=much"], "invalid float value"),
        (["--trl", "epsilon"], "expected NAME=VALUE"),
        (["--reward_weights", "1", "2", "3"], r"3 values for 2 rewards \(relevance, safety\)"),
        (["--report_to", "trackio"], "--report_to trackio: trackio is not installed; pip install trackio"),
        (["--wandb_project", "p"], "--wandb_project: wandb is not installed; pip install wandb"),
        (["--temperature", "0"], "--temperature 0.0: expected a positive number"),
        (["--risk_threshold", "66"], "--risk_threshold 66.0: expected a risk between 0 and 1"),
        (["--optim", "adam"], "--optim adam: unknown"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_before_a_weight_is_loaded(flags, said, small_flags, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.checks._installed", lambda package: False)
    monkeypatch.setattr("pipeline.train.load_model", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(UserError, match=said):
        train.main([*small_flags, *flags])
    assert not list(tmp_path.iterdir())


def test_all_that_is_wrong_is_told_at_once(small_flags):
    flags = [*small_flags, "--num_generations", "7", "--lr", "0", "--mu", "0", "--catalog_path", "none"]
    with pytest.raises(UserError) as refused:
        check_training(settings_of(flags))
    assert len(str(refused.value).splitlines()) == 4


def test_an_adapter_is_not_taken_for_a_full_model(small_flags, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    with pytest.raises(UserError, match="is a LoRA adapter: add --sft_is_lora"):
        check_training(settings_of([*small_flags, "--sft_model_path", str(adapter)]))
    (adapter / "adapter_config.json").unlink()
    with pytest.raises(UserError, match=r"has no adapter_config\.json; leave the flag out"):
        check_training(settings_of([*small_flags, "--sft_model_path", str(adapter), "--sft_is_lora"]))
