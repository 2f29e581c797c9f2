"""LoRA: one copy of the weights, the right reference, small checkpoints, and credit as exact as with full weights."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file

from tests.trainer.drive import SAFE, UNSAFE_AT_3, answer_with, gradient_of_logps, logps_of, scored, tiny_model
from tests.trainer.tokenizers import byte_level
from trainer.rewards import (
    make_relevance_func,
    make_repeat_func,
    make_safe_reward_func,
    make_safety_func,
)

LORA = LoraConfig(
    r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], lora_dropout=0.1, task_type="CAUSAL_LM"
)
K = 3
PLAIN = "1. Up (2009)\n2. The Thing (1982)\n3. Alien (1979)"
CASES = {  # rewards that differ between the two answers at one rank only
    "log_decay": (lambda j: make_relevance_func(j, "log_decay", K), PLAIN.replace("The Thing (1982)", "Frozen (2013)"), 2),
    "exp_inf": (lambda j: make_relevance_func(j, "exp_inf", K), PLAIN.replace("The Thing (1982)", "Frozen (2013)"), 2),
    "suffix_dcg": (lambda j: make_relevance_func(j, "suffix_dcg", K), PLAIN.replace("Up (2009)", "Frozen (2013)"), 1),
    "safety": (lambda j: make_safety_func(j, rec_num=K), PLAIN.replace("The Thing", "Saw").replace("1982", "2004"), 2),
    "safety_dcg": (
        lambda j: make_safety_func(j, safety_discount="dcg", rec_num=K), PLAIN.replace("Alien (1979)", "Up (2009)"), 3,
    ),
    "safe_reward": (lambda j: make_safe_reward_func(j, rec_num=K), PLAIN.replace("Up (2009)", "Frozen (2013)"), 1),
    "repeat": (lambda j: make_repeat_func(j, 1.0, K), PLAIN.replace("Alien (1979)", "Up (2009)"), 3),
}  # fmt: skip


def shaken(model: PeftModel) -> PeftModel:
    """As if it had been trained: LoRA begins as the identity."""
    generator = torch.Generator().manual_seed(0)
    for name, weight in model.named_parameters():
        if "lora_B.default" in name:
            weight.data = 0.1 * torch.randn(weight.shape, generator=generator)
    return model


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
@pytest.mark.parametrize("case", CASES)
def test_for_each_reward_only_the_tokens_of_the_differing_rank_have_a_gradient(
    make_trainer, annotator, case, mode, lora
):
    make, other, rank = CASES[case]
    trainer = make_trainer(byte_level(), [make(annotator)], advantage_mode=mode, peft_config=LORA if lora else None)
    if lora:
        shaken(trainer.model)
    out = scored(trainer, [PLAIN, other])
    gradient, in_rank = gradient_of_logps(trainer, out), out["rank_ids"] == rank - 1
    assert (gradient[~in_rank] == 0).all() and (gradient[in_rank] != 0).all()
    trained = {n for n, p in trainer.model.named_parameters() if p.grad is not None and (p.grad != 0).any()}
    assert trained and all("lora_" in name for name in trained) == lora


def test_the_reference_is_the_model_without_its_adapter_and_there_is_no_second_copy(make_trainer):
    base = tiny_model()
    expected_size = sum(p.numel() for p in base.parameters())
    trainer = make_trainer(byte_level(), model=tiny_model(), peft_config=LORA, beta=0.1)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    trainer.train()
    out = scored(trainer, [SAFE, UNSAFE_AT_3])
    real = out["completion_mask"].bool()
    with torch.no_grad():
        of_base, of_policy = logps_of(base, out), logps_of(trainer.model.eval(), out)
    assert torch.allclose(out["ref_per_token_logps"][real], of_base[real], atol=1e-5)
    assert not torch.allclose(of_policy[real], of_base[real], atol=1e-3)  # the adapter has learnt something
    assert trainer.ref_model is None
    weights = {n: p for n, p in trainer.model.named_parameters()}
    assert sum(p.numel() for n, p in weights.items() if "lora_" not in n) == expected_size
    assert {n for n, p in weights.items() if p.requires_grad} == {n for n in weights if "lora_" in n}


def test_checkpoints_hold_the_adapter_only(make_trainer, tmp_path):
    trainer = make_trainer(byte_level(), peft_config=LORA, save_strategy="steps", save_steps=1)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    trainer.train()
    checkpoint = tmp_path / "out" / "checkpoint-2"
    assert [p.name for p in checkpoint.rglob("*.safetensors")] == ["adapter_model.safetensors"]
    saved = load_file(checkpoint / "adapter_model.safetensors")
    assert saved and all("lora_" in name for name in saved)
    again = PeftModel.from_pretrained(tiny_model(), checkpoint)
    for name, weight in trainer.model.named_parameters():
        assert torch.equal(again.get_parameter(name), weight)


def test_going_on_with_an_sft_adapter_measures_kl_from_the_sft_policy(make_trainer, tmp_path):
    """Also when training is resumed: the reference stays what SFT made, not the base model and not the checkpoint."""
    shaken(get_peft_model(tiny_model(), LORA)).save_pretrained(tmp_path / "sft")

    def sft_policy() -> PeftModel:
        return PeftModel.from_pretrained(tiny_model(), tmp_path / "sft", is_trainable=True)

    options = dict(beta=0.1, save_strategy="steps", save_steps=1)
    trainer = make_trainer(byte_level(), model=sft_policy(), **options)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    trainer.train()
    resumed = make_trainer(byte_level(), model=sft_policy(), **options)
    answer_with(resumed, [SAFE, UNSAFE_AT_3])
    resumed.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-1"))
    for policy in (trainer, resumed):
        out = scored(policy, [SAFE, UNSAFE_AT_3])
        real = out["completion_mask"].bool()
        with torch.no_grad():
            of_sft, of_base, of_policy = (logps_of(m.eval(), out) for m in (sft_policy(), tiny_model(), policy.model))
        assert policy.ref_model is None
        assert torch.allclose(out["ref_per_token_logps"][real], of_sft[real], atol=1e-5)
        assert not torch.allclose(of_sft[real], of_base[real], atol=1e-3)
        assert not torch.allclose(of_policy[real], of_sft[real], atol=1e-3)
    assert all("ref" not in n for n, p in trainer.model.named_parameters() if p.requires_grad)
    assert all(
        torch.equal(a, b)
        for a, b in zip(trainer.model.state_dict().values(), resumed.model.state_dict().values(), strict=True)
    )
    final = PeftModel.from_pretrained(tiny_model(), tmp_path / "out" / "checkpoint-2")
    assert torch.allclose(logps_of(final.eval(), out)[real], of_policy[real], atol=1e-5)
