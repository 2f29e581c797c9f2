"""The policy's weights for a vLLM engine that trains beside it or serves it.

An adapter is merged into copies, a layer at a time. TRL merges it into the base itself and takes it out again at each
generation: in bfloat16 the base comes back rounded, so that it, and with it the reference of the KL divergence, drifts
away from what the adapter is saved for (by 0.8 % of its norm in 1000 steps at lr 1e-4).

On a CPU, vLLM repacks each weight for the processor's kernels once it is loaded, and nothing can be loaded into what it
packed: TRL's own way, parameter by parameter, fails. Reloading unpacks, loads and packs again.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial

import torch
from accelerate.utils import broadcast_object_list
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import AuxiliaryTrainingWrapper
from trl.generation.vllm_generation import VLLMGeneration

from oracle import UserError


def sync_without_rounding(generation: VLLMGeneration) -> None:
    """Let an engine take over the policy's weights while they stay as they are, on GPUs and CPUs.

    TRL's way stays where the model is sharded (FSDP, ZeRO-3), which only it can gather, and for other than LoRA adapters.

    Raises:
        UserError: an adapter that can't be merged so, on a CPU, where TRL's way fails.
    """
    model = generation.model
    mergeable = not isinstance(model, PeftModel) or (
        model.prefix == "lora_" and not any(isinstance(module, AuxiliaryTrainingWrapper) for module in model.modules())
    )
    if generation.mode == "colocate" and generation.accelerator.device.type == "cpu":
        if not mergeable:
            raise UserError("vLLM on a CPU takes full weights or a LoRA adapter without modules_to_save")
        generation.sync_weights = partial(_reload_weights, generation)  # type: ignore[method-assign]
    elif isinstance(model, PeftModel) and mergeable and not (generation._dist.is_fsdp or generation._dist.is_zero3):
        generation._iter_named_params = partial(_merged_parameters, model)  # type: ignore[method-assign]


def check_server(generation: VLLMGeneration, temperature: float) -> None:
    """Raises `UserError`, in all processes, for a server whose log-probabilities leave out a temperature other than 1."""
    raw = [None]
    if generation.accelerator.is_main_process and hasattr(generation.vllm_client, "get_server_info"):
        mode = generation.vllm_client.get_server_info()["model_config"]["logprobs_mode"]
        raw = [None if mode == "processed_logprobs" else mode]
    broadcast_object_list(raw)
    if raw[0] and temperature != 1.0:
        raise UserError(
            f"temperature={temperature} with a vLLM server that runs with --logprobs-mode {raw[0]}: training would apply "
            "the temperature, and the probabilities that it is corrected by would not have it; start the server with "
            "--logprobs-mode processed_logprobs, or set vllm_importance_sampling_correction=False"
        )


def _reload_weights(generation: VLLMGeneration) -> None:
    runner = generation.llm.llm_engine.model_executor.driver_worker.model_runner
    runner.reload_weights(weights_iterator=merged_weights(generation.accelerator.unwrap_model(generation.model)))
    generation.llm.reset_prefix_cache()


def _merged_parameters(model: PeftModel) -> Iterator[tuple[str, torch.Tensor]]:
    """What TRL would push: of tied weights the first only, and no buffers."""
    names = {name.replace(".base_layer", "") for name, _ in model.get_base_model().named_parameters()}
    yield from ((name, weight) for name, weight in merged_weights(model) if name in names)


def merged_weights(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, weight) as in a checkpoint of the model with its adapter merged.

    Tied weights come under each of their names: of an output layer that was left out, the packed copy would stay old.
    """
    if not isinstance(model, PeftModel):
        yield from model.state_dict().items()
        return
    base = model.get_base_model()
    layers = dict(base.named_modules())
    merged_layer, merged = "", {}
    for name, weight in base.state_dict().items():
        layer, adapted, leaf = name.rpartition(".base_layer.")
        if adapted and layer != merged_layer:
            merged_layer, merged = layer, _merged_copy(layers[layer])
        if "lora_" not in name:
            yield (f"{layer}.{leaf}", merged[leaf].to(weight.dtype)) if adapted else (name, weight)


@torch.no_grad()
def _merged_copy(layer: torch.nn.Module) -> dict[str, torch.Tensor]:
    copy = deepcopy(layer).float()
    assert isinstance(copy, BaseTunerLayer)
    copy.merge()
    return copy.get_base_layer().state_dict()
