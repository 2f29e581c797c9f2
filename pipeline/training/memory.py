"""The memory that a training process is expected to need, from the shapes of the parameters alone.

What is exact: weights, gradients and the optimiser's state. Activations and the KV cache are estimated for the longest
prompt and an answer of full length. What PyTorch, CUDA and the other libraries need themselves comes on top.
"""

import os

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from pipeline.settings.flags import TrainSettings
from pipeline.training.activations import activation_bytes, cache_values, generation_bytes, output_layer_bytes
from pipeline.training.machine import Machine
from trainer import RankGRPOConfig

_STEP_COPIES = ("adamw_torch", "adagrad", "rmsprop")  # torch's, which step through lists of all weights at once on CUDA
# Values that an optimiser keeps for each trained weight, where it isn't Adam's two.
_STATES = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "lion": 1, "adafactor": 0}


def expected_memory(
    settings: TrainSettings,
    config: RankGRPOConfig,
    model: PreTrainedModel | PeftModel,
    prompt_tokens: int,
    machine: Machine,
) -> dict[str, int]:
    """Bytes a process, by what they are for.

    Args:
        model: without weights, as `pipeline.training.models.empty_model` gives it, its adapter included.
        prompt_tokens: of the longest prompt.
    """
    weights = sum(_nbytes(p) for p in model.parameters())
    trained = [p for p in model.parameters() if p.requires_grad]
    rows, lengths = config.per_device_train_batch_size, (prompt_tokens, settings.max_completion_length)
    compute = 2 if settings.bf16 else 4
    processes = machine.processes
    shards = _shards(processes)
    answers = rows * (config.steps_per_generation or 1)
    kept = activation_bytes(model, compute, machine.cuda, settings.gradient_checkpointing)
    memory = {
        "weights": weights // shards["weights"],
        "reference model": _reference(settings, weights, trained) // shards["weights"],
        "bfloat16 copies": _cast_copies(model) * (settings.bf16 and not settings.use_lora),
        "gradients": sum(map(_nbytes, trained)) * (2 if _ddp(processes) else 1) // shards["gradients"],
        "optimiser": _optimiser_bytes(settings.optim, model) // shards["optimiser"],
        "optimiser's step": sum(map(_nbytes, trained))
        // shards["optimiser"]
        * (machine.cuda and settings.optim in _STEP_COPIES),
        "activations (estimated)": kept * sum(lengths) * rows,
        "output layer (estimated)": output_layer_bytes(model, compute, machine.cuda, rows, lengths),
        "generation (estimated)": generation_bytes(model, compute, machine.cuda, answers, lengths),
    }
    if settings.use_vllm and settings.vllm_mode == "colocate":
        memory["generation (estimated)"] = 0
        memory["vLLM"] = int(settings.vllm_gpu_memory_utilization * machine.memory)
    return {name: size for name, size in memory.items() if size}


def peak(memory: dict[str, int]) -> int:
    """What is held at once: a cache is gone before activations come, and they are before the optimiser's step."""
    moments = [
        ("generation (estimated)",),
        ("activations (estimated)", "output layer (estimated)"),
        ("optimiser's step",),
    ]
    passing = [sum(memory.get(name, 0) for name in names) for names in moments]
    return sum(memory.values()) - sum(passing) + max(passing)


def vllm_answers(settings: TrainSettings, model: PreTrainedModel | PeftModel, tokens: int, machine: Machine) -> float:
    """Answers of full length whose keys and values fit into a colocated vLLM's share, beside its copy of the weights.

    Args:
        tokens: of a prompt and its answer.
    """
    compute, gpus = 2 if settings.bf16 else 4, settings.vllm_tensor_parallel_size
    weights = sum(p.numel() for name, p in model.named_parameters() if "lora_" not in name) * compute
    share = settings.vllm_gpu_memory_utilization * machine.memory * gpus
    return (share - weights) / (cache_values(model) * compute * tokens)


def needs_reference(settings: TrainSettings) -> bool:
    """Whether the KL divergence needs a second model; with LoRA it is the first, its adapter switched off."""
    return settings.kl_beta > 0 and not settings.use_lora


def _reference(settings: TrainSettings, weights: int, trained: list[torch.nn.Parameter]) -> int:
    if needs_reference(settings):
        return weights
    # TRL keeps a copy of the adapter that SFT trained: without any adapter, the model is not the SFT policy.
    return sum(map(_nbytes, trained)) if settings.kl_beta and settings.sft_is_lora else 0


def _cast_copies(model: PreTrainedModel | PeftModel) -> int:
    """Bytes of the copies in bfloat16 that autocast makes of float32 matrices, but for the embeddings."""
    embeddings = {id(m.weight) for m in (model.get_input_embeddings(), model.get_output_embeddings())}  # type: ignore[union-attr]
    matrices = (p for p in model.parameters() if p.dim() == 2 and p.dtype == torch.float32 and id(p) not in embeddings)
    return 2 * sum(p.numel() for p in matrices)


def _nbytes(parameter: torch.nn.Parameter) -> int:
    return parameter.numel() * parameter.element_size()


def _optimiser_bytes(optim: str, model: PreTrainedModel | PeftModel) -> int:
    """Of the states. With 8 bits, those of embeddings and of tensors with fewer than 4,096 values stay in float32
    (transformers' `Trainer.create_optimizer` and bitsandbytes' `min_8bit_size` have it so)."""
    states = next((n for name, n in _STATES.items() if name in optim), 2)
    embeddings = {id(m.weight) for m in model.modules() if isinstance(m, torch.nn.Embedding)}

    def size(p: torch.nn.Parameter) -> int:
        if "8bit" not in optim:
            return p.element_size()
        return 4 if id(p) in embeddings or p.numel() < 4096 else 1

    return states * sum(p.numel() * size(p) for p in model.parameters() if p.requires_grad)


def _ddp(processes: int) -> bool:
    """Whether PyTorch's DDP keeps a second copy of the gradients, in its buckets."""
    sharded = ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED")
    return processes > 1 and not any(os.environ.get(name) == "true" for name in sharded)


def _shards(processes: int) -> dict[str, int]:
    """Over how many processes each part is divided, by FSDP or DeepSpeed as accelerate launch sets them."""
    stage = 0
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        stage = 3
    elif os.environ.get("ACCELERATE_USE_DEEPSPEED") == "true":
        stage = int(os.environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", 2))
    return {
        "optimiser": processes if stage >= 1 else 1,
        "gradients": processes if stage >= 2 else 1,
        "weights": processes if stage >= 3 else 1,
    }
