"""The model that is trained, and what it starts from."""

from pathlib import Path

from peft import LoraConfig
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from pipeline.settings.flags import TrainSettings
from pipeline.training.models import load_adapter, load_model, lora_config, weights_dtype
from pipeline.training.processes import this_process


def policy(settings: TrainSettings, start: str):
    """The model to train: full weights, or the base model with the SFT adapter to go on with."""
    dtype = weights_dtype(settings.bf16, settings.use_lora)
    if not settings.sft_is_lora:
        return load_model(start, dtype)
    model = load_adapter(load_model(settings.model_name, dtype), start)
    return model if settings.use_lora else model.merge_and_unload().requires_grad_(True)  # the adapter had frozen it


def is_merged(settings: TrainSettings) -> bool:
    """Whether the SFT adapter becomes part of the weights that are trained."""
    return settings.sft_is_lora and not settings.use_lora


def keep(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save a model that has no folder of its own: TRL loads the reference of the KL divergence, and vLLM its engine,
    from the folder that a model names. A merged model would name that of the base without its SFT."""
    if this_process().is_main_process:
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    this_process().wait_for_everyone()
    model.config._name_or_path = str(folder)


def new_adapter(settings: TrainSettings) -> LoraConfig:
    return lora_config(settings.lora_r, settings.lora_alpha, settings.lora_dropout, settings.lora_target_modules)
