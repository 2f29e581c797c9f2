"""Weights for a vLLM engine that shares a CPU with training.

On a CPU vLLM repacks each weight for the processor's kernels once it is loaded, and nothing can be loaded into what it
packed: TRL's own way, parameter by parameter, fails. Reloading unpacks, loads and packs again.
"""

from collections.abc import Iterator
from copy import deepcopy
from functools import partial

import torch
from peft import PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from trl.generation.vllm_generation import VLLMGeneration


def reload_weights_on_sync(generation: VLLMGeneration) -> None:
    """Let a colocated engine on the CPU take over the policy's weights by reloading them."""
    generation.sync_weights = partial(_reload_weights, generation)  # type: ignore[method-assign]


def _reload_weights(generation: VLLMGeneration) -> None:
    runner = generation.llm.llm_engine.model_executor.driver_worker.model_runner
    runner.reload_weights(weights_iterator=merged_weights(generation.accelerator.unwrap_model(generation.model)))
    generation.llm.reset_prefix_cache()


def merged_weights(model: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """(name, weight) as in a checkpoint of the model, an adapter merged into copies: what is merged and taken out again
    in bfloat16 comes back rounded, and the base would drift.

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
