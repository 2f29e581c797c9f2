"""Loading models and tokenizers: a folder, a hub name, or a GGUF file."""

import contextlib
import warnings
from pathlib import Path

import torch
from jinja2 import TemplateError
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import check_target_module_exists
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase

from oracle import UserError
from oracle.base.advice import advice
from oracle.base.errors import in_a_line

# What transformers renames concerns its callers, TRL and PEFT, and nobody who runs a command.
warnings.filterwarnings("ignore", ".*gradient_checkpointing.*", FutureWarning)


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model, padding on the left as generation needs.

    Raises:
        UserError: no such model here or on the hub, or a tokenizer that has no fast implementation, no end of text or no
            chat template.
    """
    with _plain_errors(name):
        folder, kwargs = _place(name)
        tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", **kwargs)
    if not tokenizer.is_fast:
        raise UserError(f"{name}: its tokenizer has no fast version, which credit by character spans needs")
    if tokenizer.eos_token is None:
        raise UserError(f"{name}: its tokenizer has no end of text (eos_token), with which answers end")
    if not tokenizer.chat_template:
        raise UserError(
            f"{name}: its tokenizer has no chat template, which the prompts of the dataset need; use an instruct model, or "
            "save its tokenizer with a chat_template"
        )
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def written_prompts(tokenizer: PreTrainedTokenizerBase, prompts: list[list[dict]]) -> list[str]:
    """Conversations as the texts that a model goes on with.

    Raises:
        UserError: the tokenizer's chat template refuses one, such as one with a system message; it is named by its number.
    """

    def write(conversations):
        return tokenizer.apply_chat_template(conversations, add_generation_prompt=True, tokenize=False)

    try:
        return write(prompts)
    except (TemplateError, TypeError):
        for number, prompt in enumerate(prompts):
            try:
                write([prompt])
            except (TemplateError, TypeError) as error:
                roles = ", ".join(message["role"] for message in prompt)
                raise UserError(
                    f"prompt {number} ({roles}): the chat template of {tokenizer.name_or_path} refuses it ({error}); write "
                    "the prompts as it expects them, or use another model"
                ) from None
        raise


def check_fit(model: PreTrainedModel | PeftModel, tokenizer: PreTrainedTokenizerBase, name: str, tokens: int) -> None:
    """Raises `UserError` for a model whose embeddings lack a token, or a place of the longest prompt and answer."""
    embeddings = model.get_input_embeddings()
    known = int(embeddings.weight.shape[0])  # type: ignore[union-attr, index]
    if (largest := max(tokenizer.get_vocab().values(), default=0)) >= known:
        raise UserError(
            f"{name}: its tokenizer has tokens up to {largest}, and the model embeddings for {known}; they don't belong together"
        )
    places = getattr(model.config, "max_position_embeddings", None)
    absolute = [m for m in model.modules() if isinstance(m, torch.nn.Embedding) and m is not embeddings]
    if places and tokens > places and any(m.num_embeddings == places for m in absolute):
        raise UserError(
            f"{name}: has places for {places} tokens, and the longest prompt with --max_completion_length comes to {tokens}: "
            "lower it, or --max_prompt_length"
        )


def has_tokenizer(name: str) -> bool:
    """Whether a folder with a model or an adapter holds its tokenizer as well."""
    return (Path(name) / "tokenizer_config.json").exists()


def load_model(name: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """A causal language model. A GGUF file is dequantised into a plain model, which can be saved and trained."""
    with _plain_errors(name):
        folder, kwargs = _place(name)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, **kwargs)
        if "gguf_file" not in kwargs:
            return model
        config = AutoConfig.from_pretrained(folder, **kwargs)
        config._name_or_path = str(Path(name).absolute())  # what an adapter names as its base
        plain = AutoModelForCausalLM.from_config(config, dtype=dtype)
        plain.load_state_dict(model.state_dict())
        plain.generation_config = model.generation_config
        return plain


def empty_model(name: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The model without its weights (on PyTorch's meta device): names, shapes and dtypes of its parameters."""
    with _plain_errors(name), torch.device("meta"):
        folder, kwargs = _place(name)
        return AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder, **kwargs), dtype=dtype)


def empty_adapter(model: PreTrainedModel, config: PeftConfig) -> PeftModel:
    """`model`, as `empty_model` gives it, with an adapter to be trained.

    Raises:
        UserError: a target that no module matches, or that PEFT can't adapt.
    """
    targets = config.target_modules if isinstance(config, LoraConfig) else None
    names = [name for name, _ in model.named_modules()]
    unmatched = [
        target
        for target in (targets if isinstance(targets, list | set) else [])
        if not any(check_target_module_exists(LoraConfig(target_modules=[target]), name) for name in names)
    ]
    if unmatched:
        linear = sorted({n.rpartition(".")[2] for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)})
        raise UserError(
            f"--lora_target_modules {' '.join(sorted(unmatched))}: no module of {model.config.model_type} has that name; "
            f"its linear ones are {', '.join(linear)}"
        )
    config.inference_mode = False  # as an adapter is saved: of one to be trained no less
    try:
        with torch.device("meta"):
            return get_peft_model(model, config)
    except ValueError as error:
        raise UserError(f"--lora_target_modules: {in_a_line(error)}") from None


def weights_dtype(bf16: bool, use_lora: bool) -> torch.dtype:
    """The dtype to load weights in: bfloat16 for those that LoRA freezes.

    Weights that are trained stay in float32 (and compute in bfloat16): a bfloat16 has 8 significant bits, so that an
    update of 1e-6 to a weight of 0.02 would be rounded away, each time.
    """
    return torch.bfloat16 if bf16 and use_lora else torch.float32


def is_adapter(name: str) -> bool:
    """Whether a folder holds a LoRA adapter instead of a model."""
    return (Path(name) / "adapter_config.json").exists()


def read_adapter(path: str) -> PeftConfig:
    """The configuration of the adapter that SFT saved at `path`."""
    with _plain_errors(path):
        return PeftConfig.from_pretrained(path)


def load_adapter(model: PreTrainedModel, path: str, trainable: bool = True) -> PeftModel:
    """`model` with the LoRA adapter that SFT saved at `path`."""
    with _plain_errors(path):
        return PeftModel.from_pretrained(model, path, is_trainable=trainable)


def base_of(adapter: str) -> str:
    """The model that the adapter in a folder is for."""
    base = read_adapter(adapter).base_model_name_or_path or ""
    if base.startswith((".", "/")) and not Path(base).exists():
        raise UserError(f"{adapter}: is an adapter on {base}, which is not there; bring that model back")
    return base


def load_policy(name: str) -> tuple[PreTrainedModel | PeftModel, PreTrainedTokenizerBase]:
    """A trained model for answering, on the accelerator if there is one: a full model, or an adapter on the base model
    that its config names."""
    if is_adapter(name):
        model: PreTrainedModel | PeftModel = load_adapter(load_model(base_of(name)), name, trainable=False)
    else:
        model = load_model(name)
    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return model.to(device or "cpu"), load_tokenizer(name)  # type: ignore[arg-type]


def lora_config(r: int, alpha: int, dropout: float, targets: list[str]) -> LoraConfig:
    return LoraConfig(
        r=r, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets, bias="none", task_type="CAUSAL_LM"
    )


def _place(name: str) -> tuple[str, dict]:
    path = Path(name)
    if path.suffix == ".gguf":
        return str(path.parent), {"gguf_file": path.name}
    # In full, as an adapter keeps the name of its base, and is read in other working directories.
    return str(path.absolute()) if path.exists() else name, {}


@contextlib.contextmanager
def _plain_errors(name: str):
    try:
        yield
    except (OSError, ValueError, ImportError, KeyError, RuntimeError, SafetensorError) as error:
        if advice(error):  # not the model's fault
            raise
        raise UserError(
            f"{name}: can't be loaded as a model ({in_a_line(error)}); "
            "expected a folder with a saved model, a .gguf file, or the name of a model on the hub"
        ) from None
