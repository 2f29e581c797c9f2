"""The settings of SFT and training: one dataclass each, read from flags, or from a YAML file that flags override."""

import argparse
import json
from collections.abc import Iterator
from copy import copy
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Generic, Literal, NoReturn, TypeVar

import yaml
from transformers import HfArgumentParser

from oracle import UserError
from pipeline.training.runs import find_run

CONFIGS = Path(__file__).parents[1] / "configs"
LORA_TARGETS = ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


_WORDS = ("save_strategy", "eval_strategy")  # settings that may be the word "no"
_METAVAR = {int: "N", float: "X", bool: "true|false"}


def _flag(default, help: str, **argument):
    shown = " ".join(default) if isinstance(default, list) else default
    text = help if default in (None, False, []) else f"{help} (default: {shown})"
    metadata = {"help": text.replace("%", "%%"), "metavar": _METAVAR.get(type(default)), **argument}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass
class CommonSettings:
    """What SFT and training share."""

    train_path: str | None = _flag(
        None, "Dataset in the SafeRec columns: .parquet, .jsonl, .json or a saved folder. Left out: the bundled demo."
    )
    split: str | None = _flag("train", "Rows of this split; data without splits are all train. all: every row.")
    model_name: str = _flag("meta-llama/Llama-3.2-3B-Instruct", "Folder, .gguf file, or name on the hub.")
    store: str = _flag("store.duckdb", "The oracle's store, as pipeline/prepare.py makes it.")
    output_dir: str | None = _flag(
        None, "Where checkpoints go, a folder that is not in use. SFT: results/<model_name>; training: runs/<run id>."
    )
    max_steps: int = _flag(-1, "Optimiser steps; -1: as many as the epochs have.")
    num_train_epochs: float = _flag(1.0, "Passes over the dataset.")
    per_device_train_batch_size: int = _flag(
        8, "Answers a device takes at once. Out of memory: lower this first, in a new run."
    )
    gradient_accumulation_steps: int = _flag(8, "Batches an optimiser step; raise it as the batch size falls.")
    lr_scheduler_type: str = _flag("linear", "Learning-rate schedule, as transformers names it.")
    warmup_steps: float = _flag(0.0, "Steps of warm-up; below 1: a share of all steps.")
    logging_steps: int = _flag(1, "Steps between two lines of metrics.")
    save_strategy: Literal["steps", "epoch", "no"] = _flag("steps", "When to keep a checkpoint.")
    save_steps: float = _flag(200, "Steps between two checkpoints; below 1: a share of all steps.")
    lr: float = _flag(2e-5, "Peak learning rate.")
    seed: int = _flag(3407, "Seed of everything random.")
    bf16: bool = _flag(
        False, "Compute in bfloat16. Trained weights stay in float32: an update of 1e-6 would round away in bfloat16."
    )
    gradient_checkpointing: bool = _flag(False, "Recompute activations: less memory, about a third more time.")
    use_lora: bool = _flag(False, "Train a LoRA adapter instead of all weights.")
    lora_r: int = _flag(16, "LoRA rank.")
    lora_alpha: int = _flag(32, "LoRA scale: the adapter's output is multiplied by alpha / r.")
    lora_dropout: float = _flag(0.05, "LoRA dropout.")
    lora_target_modules: list[str] = _flag(LORA_TARGETS, "Modules that get an adapter.")
    report_to: Literal["none", "wandb", "trackio", "tensorboard"] = _flag("none", "Tracker of the metrics.")


@dataclass
class SftSettings(CommonSettings):
    """Supervised fine-tuning on the `completion` column."""

    max_length: int = _flag(2048, "Tokens of prompt and completion; longer samples lose their beginning.")


@dataclass
class TrainSettings(CommonSettings):
    """Safe-Rank-GRPO: one reward and one advantage per rank."""

    sft_checkpoint: int = _flag(
        1500,
        "Start from results/<model_name>/checkpoint-<n>, as sft.py saves it. Not there, and the flag not given: from the "
        "model that sft.py ended with, in results/<model_name>.",
    )
    sft_model_path: str | None = _flag(None, "Start from this model (or adapter, with --sft_is_lora) instead.")
    sft_is_lora: bool = _flag(False, "The SFT checkpoint is an adapter on --model_name; --use_lora goes on with it.")
    catalog_path: str | None = _flag(None, "Ground-truth catalog (.pkl, .parquet or .csv) in place of the store's.")
    reward_func: Literal["log_decay", "exp_inf", "suffix_dcg"] = _flag("log_decay", "Relevance reward.")
    rec_num: int = _flag(20, "K: ranks that are rewarded.")
    lambda_safe: float = _flag(1.0, "λ: weight of the safety penalty; 0: plain Rank-GRPO.")
    penalty_safe: float = _flag(1.0, "P: penalty of a violation.")
    safety_discount: Literal["none", "dcg"] = _flag("none", "dcg divides the penalty by log2(k + 1).")
    risk_threshold: float = _flag(0.66, "Risk from which a film violates a constraint.")
    unresolved: Literal["safe", "violation", "ignore"] = _flag("safe", "What films that are not found count as.")
    unrated: Literal["safe", "violation", "ignore"] = _flag(
        "safe", "What films count as of which nothing is known for something that the user avoids."
    )
    thought_tag: list[str] = _flag(
        [], "Marks of thoughts besides the usual ones: plan for <plan> or [plan]. What stands in them is no recommendation.",
        metavar="NAME",
    )  # fmt: skip
    lambda_count: float = _flag(0.0, "λc: reward of a list of the target length; 0: off.")
    target_count: int | None = _flag(None, "Target length of a list. Left out: rec_num.", metavar="N")
    lambda_end: float = _flag(
        0.0, "Penalty of ending a list early or running on past K, at the token that does it; 0: off."
    )
    lambda_repeat: float = _flag(0.0, "Penalty of a film that an earlier rank named; 0: off.")
    reward_weights: list[float] | None = _flag(
        None,
        "Weights of relevance and safety, then of count, end and repeat where they are on. Left out: all 1.",
        metavar="X",
    )
    advantage_mode: Literal["grpo", "gdpo"] = _flag(
        "grpo", "grpo sums the rewards, then normalises over the group; gdpo normalises each reward on its own first."
    )
    silent_groups: Literal["keep", "drop"] = _flag(
        "keep",
        "drop: groups that teach nothing cost no forward pass in the loss; the same gradient. Needs --kl_beta 0.",
    )
    missing_ranks: Literal["zero", "leave_out"] = _flag(
        "zero", "A rank that a list doesn't have: a reward of 0, or no part in its group's mean."
    )
    rank_weighting: Literal["token", "rank"] = _flag(
        "token",
        "token: a rank weighs as many times as it has tokens, as in Rank-GRPO's public code; rank: each the same, as in "
        "its paper.",
    )
    lr: float = _flag(1e-6, "Peak learning rate. With LoRA, 10 times as much and more is usual.")
    adam_beta1: float = _flag(0.9, "Adam's β1.")
    adam_beta2: float = _flag(0.99, "Adam's β2.")
    optim: str = _flag("adamw_torch", "Optimiser, as transformers names it (paged_adamw_8bit saves 6 bytes a weight).")
    max_grad_norm: float = _flag(1.0, "Gradient clipping.")
    kl_beta: float = _flag(1e-3, "β: weight of the KL divergence from the SFT model; 0 keeps no reference model.")
    mu: int = _flag(1, "μ: optimiser passes over each generated batch.")
    num_generations: int = _flag(
        8, "G: answers to each prompt; divides per_device_train_batch_size x gradient_accumulation_steps x processes."
    )
    temperature: float = _flag(1.0, "Sampling temperature of the rollouts.")
    val_path: str | None = _flag(
        None, "Held-out prompts, in the SafeRec columns: a file of their own, all rows of it. Needs --eval_strategy."
    )
    eval_strategy: Literal["no", "steps", "epoch"] = _flag(
        "no", "When to answer the prompts of --val_path: violations, recall, NDCG and length, as metrics eval_…."
    )
    eval_steps: float = _flag(200, "Steps between two evaluations; below 1: a share of all steps.")
    per_device_eval_batch_size: int = _flag(8, "Held-out prompts that a device answers at once, one answer each.")
    max_prompt_length: int = _flag(2048, "Prompts with more tokens are left out.")
    max_completion_length: int = _flag(1024, "Tokens of an answer at most.")
    use_vllm: bool = _flag(False, "Generate with vLLM.")
    vllm_mode: Literal["colocate", "server"] = _flag("colocate", "vLLM in the training processes, or a server.")
    vllm_gpu_memory_utilization: float = _flag(0.3, "Share of a GPU's memory that a colocated vLLM takes.")
    vllm_tensor_parallel_size: int = _flag(1, "GPUs a vLLM engine spans; divides the number of processes.")
    run_name: str | None = _flag(None, "Name of the run at the tracker. Left out: the tracker's own choice.")
    wandb_project: str | None = _flag(None, "Report to this project of Weights & Biases (or of trackio).")
    trl: list[str] = _flag(
        [], "Further options of TRL's GRPOConfig, such as loss_type=dr_grpo epsilon_high=0.28.", metavar="NAME=VALUE"
    )
    resume: str | None = _flag(
        None,
        "Go on from the last checkpoint of a run (its folder or id), or of the newest run in runs/ or --output_dir. "
        "The run's own settings hold; only its length, its tracker, vLLM and --gradient_checkpointing can change.",
        nargs="?", const="newest", metavar="RUN",
    )  # fmt: skip
    dry_run: bool = _flag(False, "Check everything, load no weights, print settings, steps and memory, and stop.")


Settings = TypeVar("Settings", bound=CommonSettings)


@dataclass(frozen=True)
class Parsed(Generic[Settings]):
    """Settings, and where they are from.

    Attributes:
        is_demo: no dataset is named, so that the bundled demo's settings hold.
        given: names of the settings that a flag or the config file set.
        of_run: the settings of the run to go on with, for `--resume`.
    """

    settings: Settings
    is_demo: bool
    given: frozenset[str]
    of_run: Settings | None = None


class _Parser(HfArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; {self.prog} --help lists the flags")


def parse_settings(kind: type[Settings], prog: str, argv: list[str], demo: str, help: str = "") -> Parsed[Settings]:
    """Settings from `argv`; `help` stands above the flags in `--help`.

    Precedence: flags, then the YAML file of `--config`, then (with --resume) the settings of the run, then (without any
    train_path) the section `demo` of configs/demo.yaml, then the defaults.

    Raises:
        UserError: an unknown or mistyped flag or key, a config file that can't be read, or no such run.
    """
    parser = _Parser(
        kind,  # type: ignore[arg-type]
        prog=prog, description=help or kind.__doc__, allow_abbrev=False, formatter_class=_Help,
    )  # fmt: skip
    parser.add_argument("--config", metavar="YAML", help="File of settings with the same names; flags override it.")
    flags = given_only(parser, kind, argv)
    config = flags.pop("config", None)
    given = (_from_file(parser, Path(config), kind) if config else {}) | flags
    of_run = None
    if "resume" in given:
        run = find_run(given["resume"], given.get("output_dir"))
        of_run = kind(**_from_file(parser, run / "settings.yaml", kind) | {"output_dir": str(run)})
        if of_run.train_path is None:
            raise UserError(f"{run / 'settings.yaml'}: has no train_path; bring it back, or start a new run")
        return Parsed(kind(**asdict(of_run) | given | {"resume": str(run)}), False, frozenset(given), of_run)
    is_demo = "train_path" not in given
    base = _from_file(parser, CONFIGS / "demo.yaml", kind, section=demo) if is_demo else {}
    return Parsed(kind(**base | given), is_demo, frozenset(given))


def as_yaml(settings: CommonSettings) -> str:
    return yaml.safe_dump(asdict(settings), sort_keys=False, allow_unicode=True)


class _Help(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=32, width=120)

    def _format_usage(self, usage, actions, groups, prefix):
        return ""  # sixty flags in brackets say nothing that the list below them doesn't

    def _format_action_invocation(self, action):
        """One spelling of a flag: `--lora-r` works as well, and needs no telling sixty times."""
        shown = copy(action)
        shown.option_strings = [o for o in action.option_strings if "-" not in o[2:]]
        return super()._format_action_invocation(shown)


def given_only(parser: HfArgumentParser, kind: type, argv: list[str]) -> dict:
    """What `argv` sets; the defaults are left to the dataclass."""
    parser.set_defaults(**{f.name: None for f in fields(kind)})
    namespace, unknown = parser.parse_known_args(argv)
    if unknown:
        name = unknown[0].split("=")[0].lstrip("-")
        hint = (
            f" (an option of TRL's: --trl {name}=VALUE)" if "trl" in vars(namespace) and name in _trl_fields() else ""
        )
        parser.error(f"unrecognized arguments: {' '.join(unknown)}{hint}")
    return {name: value for name, value in vars(namespace).items() if value is not None}


def _trl_fields() -> set[str]:
    from trl import GRPOConfig  # slow to import, and rarely needed here

    return set(GRPOConfig.__dataclass_fields__)


def _from_file(parser: _Parser, path: Path, kind: type[CommonSettings], section: str | None = None) -> dict:
    """The settings in a YAML file, checked as flags are."""
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path}: can't be read as YAML ({str(error).splitlines()[0]})") from None
    content = content[section] if section else content
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a mapping of settings; the names are those of the flags, without the dashes")
    if unknown := sorted(str(name) for name in content.keys() - kind.__dataclass_fields__.keys()):
        names = ", ".join(map(repr, unknown))
        raise UserError(f"{path}: unknown setting {names}; the names are those of the flags, without the dashes")
    try:
        return given_only(parser, kind, [token for name, value in content.items() for token in _tokens(name, value)])
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _tokens(name: str, value: object) -> Iterator[str]:
    """A setting of a YAML file as flags; a mapping becomes NAME=VALUE."""
    if value is False and name in _WORDS:
        value = "no"  # as YAML reads it
    if isinstance(value, dict):
        value = [f"{key}={v if isinstance(v, str) else json.dumps(v)}" for key, v in value.items() if v is not None]
    if isinstance(value, list) and (value or name == "lora_target_modules"):
        yield from (f"--{name}", *map(str, value))
    elif value is not None and value != []:
        yield f"--{name}={value}"
