"""The memory that a training process is expected to need, from the shapes of the parameters alone.

What is exact: weights, gradients and the optimiser's state. Activations and the KV cache are estimated for the longest
prompt and an answer of full length. What PyTorch, CUDA and the other libraries need themselves comes on top.
"""

import os

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from pipeline.settings.fields import TrainSettings
from trainer import RankGRPOConfig

_STEP_COPIES = ("adamw_torch", "adagrad", "rmsprop")  # torch's, which step through lists of all weights at once on CUDA
# Values that an optimiser keeps for each trained weight, where it isn't Adam's two.
_STATES = {"sgd": 0, "adagrad": 1, "rmsprop": 1, "lion": 1, "adafactor": 0}


def expected_memory(
    settings: TrainSettings, config: RankGRPOConfig, model: PreTrainedModel | PeftModel, prompt_tokens: int
) -> dict[str, int]:
    """Bytes a process, by what they are for.

    Args:
        model: without weights, as `pipeline.training.models.empty_model` gives it, its adapter included.
        prompt_tokens: of the longest prompt.
    """
    weights = sum(_nbytes(p) for p in model.parameters())
    trained = [p for p in model.parameters() if p.requires_grad]
    architecture = model.config.get_text_config()  # type: ignore[union-attr]
    tokens = prompt_tokens + settings.max_completion_length
    compute = 2 if settings.bf16 else 4
    shards = _shards(config.world_size)
    activations = activation_values(model, settings.gradient_checkpointing) * compute
    answers = config.per_device_train_batch_size * (config.steps_per_generation or 1)
    memory = {
        "weights": weights // shards["weights"],
        "reference model": _reference(settings, weights, trained) // shards["weights"],
        "bfloat16 copies": sum(p.numel() * 2 for p in model.parameters() if p.dtype == torch.float32)
        * (settings.bf16 and not settings.use_lora),
        "gradients": sum(map(_nbytes, trained)) * (2 if _ddp(config.world_size) else 1) // shards["gradients"],
        "optimiser": sum(p.numel() * _state_bytes(settings.optim, p) for p in trained) // shards["optimiser"],
        "optimiser's step": sum(map(_nbytes, trained)) // shards["optimiser"] * _copies_weights(settings.optim),
        "activations (estimated)": int(activations * tokens * config.per_device_train_batch_size),
        "KV cache (estimated)": _kv_values(architecture) * compute * tokens * answers,
    }
    if settings.use_vllm and settings.vllm_mode == "colocate":
        memory["KV cache (estimated)"] = 0
        memory["vLLM"] = int(settings.vllm_gpu_memory_utilization * available_memory())
    return {name: size for name, size in memory.items() if size}


def needs_reference(settings: TrainSettings) -> bool:
    """Whether the KL divergence needs a second model; with LoRA it is the first, its adapter switched off."""
    return settings.kl_beta > 0 and not settings.use_lora


def _reference(settings: TrainSettings, weights: int, trained: list[torch.nn.Parameter]) -> int:
    if needs_reference(settings):
        return weights
    # TRL keeps a copy of the adapter that SFT trained: without any adapter, the model is not the SFT policy.
    return sum(map(_nbytes, trained)) if settings.kl_beta and settings.sft_is_lora else 0


def peak(memory: dict[str, int]) -> int:
    """What is held at once: a cache is gone before activations come, and they are before the optimiser's step."""
    passing = ("activations (estimated)", "KV cache (estimated)", "optimiser's step")
    return sum(size for name, size in memory.items() if name not in passing) + max(
        memory.get(name, 0) for name in passing
    )


def available_memory() -> int:
    """Bytes of the first GPU, or of the machine without one."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def activation_values(model: PreTrainedModel | PeftModel, checkpointing: bool) -> int:
    """Values that the layers keep for the backward pass, a token.

    With hidden size h and m in the MLP, a gated layer of today's models keeps 11 h + 4 m, attention scores apart, which
    fused attention does not keep (counted on Llama and Qwen2; Korthikanti et al. 2022, section 4, derive the like for
    GPT). An adapter with dropout keeps its inputs. Checkpointing keeps the h of each layer's input, and one layer at a
    time in full.
    """
    architecture = model.config.get_text_config()  # type: ignore[union-attr]
    h, layers = architecture.hidden_size, architecture.num_hidden_layers
    adapters = [m for m in model.modules() if isinstance(m, LoraLayer)]
    dropped = sum(
        m.in_features or 0 for m in adapters if any(isinstance(d, nn.Dropout) for d in m.lora_dropout.values())
    )
    layer = 11 * h + 4 * getattr(architecture, "intermediate_size", 4 * h) + dropped // layers
    return layers * h + layer if checkpointing else layers * layer


def _kv_values(architecture: PretrainedConfig) -> int:
    """Keys and values of all layers, a token."""
    heads = architecture.num_attention_heads
    size = getattr(architecture, "head_dim", None) or architecture.hidden_size // heads
    return 2 * architecture.num_hidden_layers * (getattr(architecture, "num_key_value_heads", None) or heads) * size


def _nbytes(parameter: torch.nn.Parameter) -> int:
    return parameter.numel() * parameter.element_size()


def _state_bytes(optim: str, parameter: torch.nn.Parameter) -> int:
    states = next((n for name, n in _STATES.items() if name in optim), 2)
    return states * (1 if "8bit" in optim else parameter.element_size())


def _copies_weights(optim: str) -> bool:
    """Whether a step of the optimiser holds a temporary value for each trained weight."""
    return torch.cuda.is_available() and optim in _STEP_COPIES


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
