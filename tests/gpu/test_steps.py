"""A step on the GPU in bfloat16 is the CPU's in float32, but for rounding; what saves memory changes no gradient."""

import importlib.util

import pytest
import torch
from peft import LoraConfig
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from tests.trainer.drive import K, answer_with, new_trainer, scored
from tests.trainer.tokenizers import byte_level
from trainer.rewards import make_repeat_func

ANSWERS = ["1. Up (2009)\n2. Frozen (2013)\n3. Saw (2004)", "1. Alien (1979)\n2. Frozen (2013)\n3. Up (2009)"]
# bfloat16 has 8 significant bits: a value is off by up to 2^-9 of itself. A log-probability is a difference of scores of
# about 4 that a few layers rounded; a gradient is a sum over many tokens, whose errors partly cancel.
LOGPS, COSINE, LENGTH = 0.05, 0.99, 0.05


def lora(dropout: float = 0.0) -> LoraConfig:
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    return LoraConfig(r=8, lora_alpha=16, lora_dropout=dropout, target_modules=targets, task_type="CAUSAL_LM",
                      init_lora_weights=False)  # fmt: skip


def model(dtype: torch.dtype = torch.float32) -> LlamaForCausalLM:
    tokenizer = byte_level()
    set_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=512, pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=None, initializer_range=0.1,
    )  # fmt: skip
    return LlamaForCausalLM(config).to(dtype)


def gradients(trainer) -> tuple[dict, torch.Tensor, torch.Tensor]:
    """What the trainer makes of the answers, their log-probabilities and the gradient of all trained weights, in float32 on
    the CPU."""
    out = scored(trainer, ANSWERS)
    kept: list[torch.Tensor] = []
    parent = type(trainer)._get_per_token_logps_and_entropies

    def watched(*args, **kwargs):
        result = parent(trainer, *args, **kwargs)
        kept.append(result[0].detach())
        return result

    trainer._get_per_token_logps_and_entropies = watched
    trainer.compute_loss(trainer.model, out).backward()
    real = out["completion_mask"].bool()
    flat = [p.grad.float().cpu().flatten() for p in trainer.model.parameters() if p.grad is not None]
    return out, kept[-1][real].float().cpu(), torch.cat(flat)


def compare(a: torch.Tensor, b: torch.Tensor) -> tuple[float, float]:
    """The cosine between two vectors, and how much longer the second is."""
    return float(torch.cosine_similarity(a, b, dim=0)), float(b.norm() / a.norm() - 1)


@pytest.mark.parametrize("adapter", [False, True], ids=["full weights", "LoRA"])
def test_a_bfloat16_step_is_the_cpus_float32_step_but_for_rounding(make_trainer, adapter):
    def trainer(dtype: torch.dtype, **options):
        peft = lora() if adapter else None
        set_seed(1)
        return make_trainer(byte_level(), model=model(dtype), peft_config=peft, rank_weighting="rank", **options)

    def rounded():
        return trainer(torch.bfloat16 if adapter else torch.float32, bf16=True)

    # One after the other: the device of Accelerate is that of the trainer which was made last, for all of them.
    weights = [p.detach().float().cpu() for p in rounded().model.parameters()]
    exact = trainer(torch.float32, use_cpu=True)
    for ours, theirs in zip(exact.model.parameters(), weights, strict=True):
        ours.data.copy_(theirs)  # the frozen weights of the adapter's base were rounded before
    out, logps, gradient = gradients(exact)
    out16, logps16, gradient16 = gradients(rounded())
    assert torch.equal(out["advantages"], out16["advantages"].cpu())
    assert out["advantages"].abs().max() > 0.1
    assert torch.equal(out["rank_ids"], out16["rank_ids"].cpu())
    assert (logps - logps16).abs().max() < LOGPS
    cosine, longer = compare(gradient, gradient16)
    assert cosine > COSINE and abs(longer) < LENGTH


def moved(make_trainer, policy: LlamaForCausalLM, adapter: LoraConfig | None, **options):
    """The trainer after three passes over the answers, and how far they moved its weights, in float32 on the CPU."""
    set_seed(1)
    trainer = make_trainer(
        byte_level(), model=policy, peft_config=adapter, num_iterations=3, max_steps=3, **options
    )  # fmt: skip
    before = [p.detach().float().cpu().clone() for p in trainer.model.parameters()]
    answer_with(trainer, ANSWERS)
    trainer.train()
    after = [p.detach().float().cpu() for p in trainer.model.parameters()]
    assert trainer.state.global_step == 3
    return trainer, torch.cat([(b - a).flatten() for a, b in zip(before, after, strict=True)])


# Adam's first steps are of the same length for each weight, and so of rounding alone where a gradient is 0.
SGD = {"optim": "sgd", "learning_rate": 0.5}


@pytest.mark.parametrize("adapter", [False, True], ids=["full weights", "LoRA"])
def test_three_bfloat16_steps_move_the_weights_as_the_cpus_float32_steps_do(make_trainer, adapter):
    peft, dtype = (lora(), torch.bfloat16) if adapter else (None, torch.float32)
    _, exact = moved(make_trainer, model(), peft, use_cpu=True, **SGD)
    _, rounded = moved(make_trainer, model(dtype), peft, bf16=True, **SGD)
    cosine, longer = compare(exact, rounded)
    assert cosine > COSINE - 0.02 and abs(longer) < 2 * LENGTH


@pytest.mark.parametrize("adapter", [False, True], ids=["full weights", "LoRA"])
def test_gradient_checkpointing_leaves_steps_as_they_are(make_trainer, adapter):
    """Dropout included, whose randomness must come back when a layer is computed again."""

    def step(checkpointing: bool) -> torch.Tensor:
        peft, dtype = (lora(0.1), torch.bfloat16) if adapter else (None, torch.float32)
        trainer, step = moved(
            make_trainer, model(dtype), peft, bf16=True, gradient_checkpointing=checkpointing, **SGD
        )  # fmt: skip
        assert any(getattr(m, "gradient_checkpointing", False) for m in trainer.model.modules()) == checkpointing
        return step

    cosine, longer = compare(step(False), step(True))
    assert cosine > 0.9999 and abs(longer) < 0.001


def test_paged_8_bit_adam_steps_as_adam_does_and_keeps_its_state_in_bytes(make_trainer, cuda):
    if importlib.util.find_spec("bitsandbytes") is None:
        pytest.skip("needs pip install 'safe-rank-grpo[bnb]'")

    def trained(optim: str):
        # A rate so low that nothing is clipped: then each step has a gradient, and not only momentum.
        return moved(make_trainer, model(), None, optim=optim, learning_rate=1e-4, bf16=True)

    trainer, step = trained("paged_adamw_8bit")
    states = {p: s["state1"] for p, s in trainer.optimizer.state.items()}
    embeddings = [m.weight for m in trainer.model.modules() if isinstance(m, torch.nn.Embedding)]
    # What bitsandbytes keeps in float32: small tensors and, as transformers asks it to, embeddings
    in_bytes = {p for p in states if p.numel() >= 4096 and all(p is not e for e in embeddings)}
    assert len(in_bytes) > 20 and {states[p].dtype for p in in_bytes} == {torch.uint8}
    assert {states[p].dtype for p in states if p not in in_bytes} == {torch.float32}
    cosine, longer = compare(trained("adamw_torch")[1], step)
    assert cosine > 0.95 and abs(longer) < 0.05


@pytest.mark.parametrize("adapter", [False, True], ids=["full weights", "LoRA"])
def test_a_run_that_was_stopped_goes_on_with_the_answers_it_would_have_sampled(tmp_path, annotator, device, adapter):
    """The generators of the CPU and of CUDA come back: answers, sampled anew, are the same; weights but for the order in
    which a GPU adds."""

    def trainer():
        policy = model(torch.bfloat16 if adapter else torch.float32)
        policy.save_pretrained(tmp_path / "model")
        policy.config._name_or_path = str(tmp_path / "model")  # where TRL finds the reference
        made = new_trainer(
            tmp_path, annotator, byte_level(), [make_repeat_func(annotator, 1.0, K), variety], model=policy,
            peft_config=lora(0.1) if adapter else None, use_cpu=device.type == "cpu", bf16=True, beta=0.1, max_steps=4,
            save_strategy="steps", save_steps=2, learning_rate=1e-4, gradient_accumulation_steps=2, temperature=2.0,
        )  # fmt: skip
        sampled: list[list] = []
        parent = type(made)._calculate_rewards

        def watched(inputs, prompts, completions, ids):
            sampled.append(ids)
            return parent(made, inputs, prompts, completions, ids)

        made._calculate_rewards = watched
        return made, sampled

    set_seed(3)
    whole, sampled = trainer()
    whole.train()
    weights = [p.detach().float().cpu().clone() for p in whole.model.parameters()]
    set_seed(4)
    resumed, again = trainer()
    resumed.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-2"))
    assert len(sampled) == 4 and again[0] == sampled[2]
    for ours, theirs in zip(weights, resumed.model.parameters(), strict=True):
        assert torch.allclose(ours, theirs.detach().float().cpu(), atol=1e-3)


def variety(completions, **_):
    """A reward that tells babble from babble."""
    return [[float(len(set(c)))] * K for c in completions]
