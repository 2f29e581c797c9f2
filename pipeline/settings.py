"""The settings of SFT and training: one dataclass each, read from flags, or from a YAML file that flags override."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml
from transformers import HfArgumentParser

from oracle import UserError

CONFIGS = Path(__file__).parent / "configs"
LORA_TARGETS = ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def _flag(default, help: str):
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"help": help})
    return field(default=default, metadata={"help": help})


@dataclass
class CommonSettings:
    """What SFT and training share."""

    train_path: str | None = _flag(
        None, "Dataset in the SafeRec columns. Left out: the bundled demo, with its settings."
    )
    split: str | None = _flag("train", "Rows of this split, if the data have such a column.")
    model_name: str = _flag("meta-llama/Llama-3.2-3B-Instruct", "Folder, .gguf file, or name on the hub.")
    store: str = _flag("store.duckdb", "The oracle's store, as pipeline/prepare.py makes it.")
    output_dir: str | None = _flag(
        None, "Where checkpoints go. Default: results/<model_name> (SFT), runs/<run id> (training)."
    )
    max_steps: int = _flag(-1, "Optimiser steps; -1: as many as the epochs have.")
    num_train_epochs: float = _flag(1.0, "Passes over the dataset.")
    per_device_train_batch_size: int = _flag(8, "Answers a device takes at once.")
    gradient_accumulation_steps: int = _flag(8, "Batches an optimiser step.")
    lr_scheduler_type: str = _flag("linear", "Learning-rate schedule, as transformers names it.")
    warmup_steps: float = _flag(0.0, "Steps of warm-up; below 1: a share of all steps.")
    logging_steps: int = _flag(1, "Steps between two lines of metrics.")
    save_strategy: str = _flag("steps", "When to keep a checkpoint: steps, epoch or no.")
    save_steps: float = _flag(200, "Steps between two checkpoints.")
    lr: float = _flag(2e-5, "Peak learning rate.")
    seed: int = _flag(3407, "Seed of everything random.")
    bf16: bool = _flag(False, "Train in bfloat16.")
    gradient_checkpointing: bool = _flag(False, "Recompute activations to save memory.")
    use_lora: bool = _flag(False, "Train a LoRA adapter instead of all weights.")
    lora_r: int = _flag(16, "LoRA rank.")
    lora_alpha: int = _flag(32, "LoRA scale.")
    lora_dropout: float = _flag(0.05, "LoRA dropout.")
    lora_target_modules: list[str] = _flag(LORA_TARGETS, "Modules that get an adapter.")
    report_to: str = _flag("none", "Tracker: none, wandb, trackio or tensorboard.")


@dataclass
class SftSettings(CommonSettings):
    """Supervised fine-tuning on the `completion` column."""

    max_length: int = _flag(2048, "Tokens of prompt and completion; longer samples lose their beginning.")


@dataclass
class TrainSettings(CommonSettings):
    """Safe-Rank-GRPO."""

    sft_checkpoint: int = _flag(1500, "Start from results/<model_name>/checkpoint-<n>, if there is one.")
    sft_model_path: str | None = _flag(None, "Start from this model (or adapter, with --sft_is_lora) instead.")
    sft_is_lora: bool = _flag(False, "The SFT checkpoint is an adapter on --model_name.")
    catalog_path: str | None = _flag(None, "Ground-truth catalog (.pkl, .parquet or .csv) in place of the store's.")
    reward_func: str = _flag("log_decay", "Relevance reward: log_decay, exp_inf or suffix_dcg.")
    rec_num: int = _flag(20, "K: ranks that are rewarded.")
    lambda_safe: float = _flag(1.0, "λ: weight of the safety penalty.")
    penalty_safe: float = _flag(1.0, "P: penalty of a violation.")
    safety_discount: str = _flag("none", "dcg divides the penalty by log2(k + 1).")
    risk_threshold: float = _flag(0.66, "Risk from which a film violates a constraint.")
    unresolved: str = _flag("safe", "Films that are not found: safe, violation or ignore.")
    lambda_count: float = _flag(0.0, "λc: reward of a list of the target length; 0: off.")
    target_count: int | None = _flag(None, "Target length of a list. Default: rec_num.")
    lambda_end: float = _flag(
        0.0, "Penalty of ending a list early or running on past K, at the token that does it; 0: off."
    )
    lambda_repeat: float = _flag(0.0, "Penalty of a film that an earlier rank named; 0: off.")
    reward_weights: list[float] | None = _flag(
        None, "Weights of relevance and safety, then of count, end and repeat where they are on. Default: all 1."
    )
    advantage_mode: str = _flag("grpo", "grpo, or gdpo: each reward normalised on its own.")
    lr: float = _flag(1e-6, "Peak learning rate.")
    adam_beta1: float = _flag(0.9, "Adam's β1.")
    adam_beta2: float = _flag(0.99, "Adam's β2.")
    optim: str = _flag("adamw_torch", "Optimiser, as transformers names it (paged_adamw_8bit, …).")
    max_grad_norm: float = _flag(1.0, "Gradient clipping.")
    kl_beta: float = _flag(1e-3, "β: weight of the KL divergence from the SFT model.")
    mu: int = _flag(1, "μ: optimiser passes over each generated batch.")
    num_generations: int = _flag(8, "G: answers to each prompt.")
    temperature: float = _flag(1.0, "Sampling temperature of the rollouts.")
    per_device_eval_batch_size: int = _flag(8, "Answers a device takes at once in evaluation.")
    max_prompt_length: int = _flag(2048, "Prompts with more tokens are left out.")
    max_completion_length: int = _flag(1024, "Tokens of an answer at most.")
    use_vllm: bool = _flag(False, "Generate with vLLM.")
    vllm_mode: str = _flag("colocate", "colocate or server.")
    vllm_gpu_memory_utilization: float = _flag(0.3, "Share of GPU memory that vLLM takes.")
    vllm_tensor_parallel_size: int = _flag(1, "GPUs a vLLM engine spans.")
    wandb_project: str | None = _flag(None, "Report to this Weights & Biases project.")
    resume: str | None = _flag(None, "Continue the run in this folder (as --output_dir was) from its last checkpoint.")


Settings = TypeVar("Settings", bound=CommonSettings)


class _Parser(HfArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help lists the flags")


def parse_settings(kind: type[Settings], prog: str, argv: list[str], demo: str) -> tuple[Settings, bool]:
    """Settings from `argv`, and whether they are the bundled demo's.

    Precedence: flags, then the YAML file of `--config`, then (without any train_path) the section `demo` of
    configs/demo.yaml, then the defaults.

    Raises:
        UserError: an unknown or mistyped flag or key, or a config file that can't be read.
    """
    parser = _Parser(kind, prog=prog, description=kind.__doc__, allow_abbrev=False)  # type: ignore[arg-type]
    parser.add_argument("--config", metavar="YAML", help="File of settings with the same names; flags override it.")
    given = vars(parser.parse_args(argv))
    from_file = read_config(Path(given["config"]), kind) if given["config"] else {}
    flagged = {a.split("=")[0] for a in argv if a.startswith("--")}
    is_demo = "--train_path" not in flagged and "train_path" not in from_file
    defaults = (read_config(CONFIGS / "demo.yaml", kind, section=demo) if is_demo else {}) | from_file
    parser.set_defaults(**defaults)
    (settings, _) = parser.parse_args_into_dataclasses(argv, return_remaining_strings=False)
    return settings, is_demo


def read_config(path: Path, kind: type[CommonSettings], section: str | None = None) -> dict:
    """The settings in a YAML file."""
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"{path}: can't be read as YAML ({str(error).splitlines()[0]})") from None
    content = content[section] if section else content
    known = kind.__dataclass_fields__
    if not isinstance(content, dict) or (unknown := sorted(content.keys() - known.keys())):
        what = f"unknown setting {unknown[0]!r}" if isinstance(content, dict) else "not a mapping of settings"
        raise UserError(f"{path}: {what}; the names are those of the flags, without the dashes")
    return content


def as_yaml(settings: CommonSettings) -> str:
    return yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True)
