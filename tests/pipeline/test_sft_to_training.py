"""From SFT to training by the documented flags: full weights, and an adapter that training goes on with or merges."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file

from oracle import UserError
from pipeline import sft, train
from pipeline.models import load_model, load_policy
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
        seen["model"], seen["reference"] = self.model, self.ref_model

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


def same(one: dict, other: dict) -> None:
    assert one.keys() == other.keys()
    assert all(torch.allclose(one[name], other[name], atol=1e-6) for name in one)
