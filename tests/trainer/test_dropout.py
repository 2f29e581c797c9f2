"""Dropout acts on the gradient, and on nothing that is compared with it: answers, old and reference probabilities."""

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model

from tests.trainer.drive import SAFE, UNSAFE_AT_3, answer_with, scored, tiny_model
from tests.trainer.test_lora import shaken
from tests.trainer.tokenizers import byte_level
from trainer.dropout import evaluating

LORA = LoraConfig(
    r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], lora_dropout=0.3, task_type="CAUSAL_LM"
)


@pytest.fixture
def sft_policy(tmp_path) -> PeftModel:
    """A policy that goes on with an SFT adapter which has learnt something, with dropout."""
    shaken(get_peft_model(tiny_model(), LORA)).save_pretrained(tmp_path / "sft")
    return PeftModel.from_pretrained(tiny_model(), tmp_path / "sft", is_trainable=True)


def forgetful() -> torch.nn.Module:
    """Full weights with dropout of its own, in attention."""
    model = tiny_model()
    for layer in model.model.layers:
        layer.self_attn.attention_dropout = 0.5
    return model


def test_an_exact_engine_agrees_with_the_policy_and_a_policy_with_its_reference(make_vllm_trainer, sft_policy):
    trainer = make_vllm_trainer(model=sft_policy, beta=0.1)
    trainer.vllm_generation.logprobs = None
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    out = trainer._generate_and_score_completions([trainer.train_dataset[0]] * 2)
    real = out["completion_mask"].bool()
    assert out["importance_sampling_ratio"][real].tolist() == pytest.approx([1.0] * int(real.sum()), abs=1e-4)
    gap = (out["ref_per_token_logps"] - out["old_per_token_logps"])[real]
    assert (gap.exp() - gap - 1).abs().max() < 1e-9


@pytest.mark.parametrize("model", ["adapter", "full weights"])
def test_scores_without_a_gradient_are_the_same_each_time_and_the_loss_keeps_its_dropout(
    make_trainer, sft_policy, model
):
    trainer = make_trainer(byte_level(), model=sft_policy if model == "adapter" else forgetful(), num_iterations=2)
    first, second = (scored(trainer, [SAFE, UNSAFE_AT_3]) for _ in range(2))
    assert torch.equal(first["old_per_token_logps"], second["old_per_token_logps"])
    modes = {name: module.training for name, module in trainer.model.named_modules()}
    assert all(modes.values())
    assert trainer.compute_loss(trainer.model, first).item() != trainer.compute_loss(trainer.model, first).item()


def test_answers_are_sampled_without_dropout(make_trainer):
    """The likeliest answer to one prompt is one answer; with dropout it would be another each time."""
    trainer = make_trainer(byte_level(), model=forgetful(), generation_kwargs={"do_sample": False})
    trainer.model.train()
    prompt = trainer.processing_class("What should I watch next?")["input_ids"]
    answers, _ = trainer._generate_single_turn([prompt] * 4, images=None, multimodal_fields={}, num_generations=4)
    assert len({tuple(answer) for answer in answers}) == 1
    assert trainer.model.training and all(module.training for module in trainer.model.modules())


def test_what_was_in_evaluation_stays_in_evaluation():
    model = tiny_model().train()
    model.model.layers[0].eval()
    before = [module.training for module in model.modules()]
    with pytest.raises(KeyError), evaluating(model):
        assert not any(module.training for module in model.modules())
        raise KeyError
    assert [module.training for module in model.modules()] == before


def test_steps_with_dropout_train_the_adapter(make_trainer, sft_policy):
    before = {n: p.clone() for n, p in sft_policy.named_parameters() if p.requires_grad}
    trainer = make_trainer(byte_level(), model=sft_policy, beta=0.1, num_iterations=2)
    answer_with(trainer, [SAFE, UNSAFE_AT_3])
    trainer.train()
    assert any(not torch.equal(before[n], p) for n, p in trainer.model.named_parameters() if n in before)
