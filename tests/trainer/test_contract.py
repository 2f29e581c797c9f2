"""The private seams of TRL that the trainer stands on. When this fails, TRL moved: the message says which seam."""

import inspect
import math

import pytest
import torch
import trl
from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer
from trl.generation.vllm_generation import VLLMGeneration

from tests.trainer.drive import SAFE, UNSAFE_AT_3, answer_with, gradient_of_logps, tiny_model
from tests.trainer.tokenizers import byte_level

PARAMETERS = {
    "_calculate_rewards": ["self", "inputs", "prompts", "completions", "completion_ids_list"],
    "_generate_and_score_completions": ["self", "inputs"],
    "_compute_loss": ["self", "model", "inputs"],
    "_get_train_sampler": ["self", "dataset"],
    "_save_checkpoint": ["self", "model", "trial"],
    "_load_optimizer_and_scheduler": ["self", "checkpoint"],
    "_generate_single_turn": ["self", "prompt_ids"],
    "_get_per_token_logps_and_entropies": ["self", "model"],
}
ATTRIBUTES = ["vllm_importance_sampling_mode", "vllm_importance_sampling_clip_min", "vllm_importance_sampling_clip_max", "_step", "_buffered_inputs", "_tokenizer", "_metrics", "eos_token_ids", "reward_func_names", "reward_weights", "num_generations", "num_generations_eval"]  # fmt: skip
OUTPUTS = [
    "prompt_ids",
    "prompt_mask",
    "completion_ids",
    "completion_mask",
    "advantages",
    "old_per_token_logps",
    "num_items_in_batch",
]
OUTPUTS_WITH_VLLM = ["importance_sampling_ratio", "sampling_per_token_logps", "old_per_token_logps"]


def test_the_private_seams_of_trl_are_where_the_trainer_expects_them(tmp_path):
    moved: list[str] = []
    for seam, names in PARAMETERS.items():
        method = getattr(GRPOTrainer, seam, None)
        found = list(inspect.signature(method).parameters) if method else None
        if found is None or found[: len(names)] != names:
            moved.append(f"GRPOTrainer.{seam}: expected parameters {names}, found {found}")

    sync = inspect.getsource(VLLMGeneration.sync_weights)
    if "self._iter_named_params()" not in sync or "self._dist" not in inspect.getsource(VLLMGeneration.__init__):
        moved.append("VLLMGeneration.sync_weights: no longer pushes what _iter_named_params gives, or has no _dist")

    tokenizer = byte_level()
    trainer = GRPOTrainer(
        tiny_model(),
        lambda completions, **_: [float(len(c)) for c in completions],
        GRPOConfig(
            output_dir=str(tmp_path), num_generations=2, per_device_train_batch_size=2, num_iterations=2, beta=0.0,
            use_bias_correction_kl=False, report_to="none", use_cpu=True, bf16=False, max_completion_length=40,
        ),
        train_dataset=Dataset.from_list([{"prompt": "Which films?"}] * 2),
        processing_class=tokenizer,
    )  # fmt: skip
    moved += [f"GRPOTrainer.{name}: gone" for name in ATTRIBUTES if not hasattr(trainer, name)]
    if not moved:
        answer_with(trainer, [SAFE, UNSAFE_AT_3])
        trainer.model.train()
        trainer.current_gradient_accumulation_steps = 1
        out = trainer._generate_and_score_completions([{"prompt": "Which films?"}] * 2)
        moved += [
            f"_generate_and_score_completions: no {name!r} in what it returns" for name in OUTPUTS if name not in out
        ]
    if not moved:
        one_token = torch.zeros_like(out["completion_ids"], dtype=torch.float32)
        one_token[1, 3] = 1.0
        gradient = gradient_of_logps(trainer, out | {"advantages": one_token})
        if gradient.shape != one_token.shape or ((gradient != 0) != (one_token != 0)).any():
            moved.append("_compute_loss: no longer takes advantages of shape (B, T), each for its own token")
        if ratio_seen_by_the_loss(trainer, out) != pytest.approx(1.1, abs=1e-3):
            moved.append(
                "_compute_loss: inputs['old_per_token_logps'] is not what it reads behind the log-probabilities"
            )
    if not moved:
        # As if vLLM had answered: the loss alone is asked what it makes of the correction.
        trainer.use_vllm = True
        weighed = torch.ones_like(one_token)
        weighed[1, 3] = 0.5
        gradients = [
            gradient_of_logps(trainer, out | {"advantages": one_token, "importance_sampling_ratio": ratio})[1, 3]
            for ratio in (torch.ones_like(one_token), weighed)
        ]
        if gradients[1].item() != pytest.approx(0.5 * gradients[0].item()):
            moved.append("_compute_loss: no longer weighs each token by an importance_sampling_ratio of shape (B, T)")
    source = inspect.getsource(GRPOTrainer._generate_and_score_completions)
    moved += [
        f"_generate_and_score_completions: no longer gives {name!r} for vLLM's answers"
        for name in OUTPUTS_WITH_VLLM
        if f'output["{name}"]' not in source
    ]
    moved += [
        f"_generate_and_score_completions: no metric {name} of the correction"
        for name in ("min", "mean", "max")
        if f'"sampling/importance_sampling_ratio/{name}"' not in source
    ]
    assert not moved, (
        f"TRL {trl.__version__} moved private seams that trainer/ stands on; adapt it, or narrow the "
        "range of trl in pyproject.toml:\n  " + "\n  ".join(moved)
    )


def ratio_seen_by_the_loss(trainer: GRPOTrainer, out: dict) -> float:
    """The importance ratio in the loss if the old log-probabilities are changed, to 1.1, while it computes the new."""
    inputs = out | {"advantages": torch.ones_like(out["completion_ids"], dtype=torch.float32)}

    def loss(ratio: float) -> float:
        def shifting(*args, **kwargs):
            result = GRPOTrainer._get_per_token_logps_and_entropies(trainer, *args, **kwargs)
            inputs["old_per_token_logps"] = result[0].detach() - math.log(ratio)
            return result

        trainer._get_per_token_logps_and_entropies = shifting
        return trainer.compute_loss(trainer.model, inputs).item()

    return loss(1.1) / loss(1.0)
