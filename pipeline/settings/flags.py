"""The settings of SFT and training: one dataclass each, whose fields are the flags. A new flag is a line here."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from oracle.base.flags import tag_name
from oracle.base.unpacked import LARGEST_MB, MAX_MB_HELP
from oracle.rewards import REWARDS
from oracle.rewards import SETTINGS as REWARD_SETTINGS
from pipeline.settings.flag_metadata import (
    AT_LEAST_ONE,
    BELOW_ONE,
    MAX_STEPS,
    NOT_NEGATIVE,
    PART,
    POSITIVE,
    RISK,
    SEED,
    SHARE,
    STEPS,
    flag,
    flags_with,
)

_T = TypeVar("_T")
_ALWAYS = " and ".join(reward.name for reward in REWARDS if reward.switch is None)
_WHERE_ON = ", ".join(reward.name for reward in REWARDS if reward.switch)
CONFIGS = Path(__file__).parents[1] / "configs"
LORA_TARGETS = ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


@dataclass
class CommonSettings:
    """What SFT and training share."""

    train_path: str | None = flag(
        None,
        "Dataset in the SafeRec columns: .parquet, .jsonl, .json or a saved folder. Left out: the bundled demo.",
        path=True,
    )
    split: str | None = flag("train", "Rows of this split; data without splits are all train. all: every row.")
    max_mb: int = flag(LARGEST_MB, f"{MAX_MB_HELP[0].upper()}{MAX_MB_HELP[1:]}.", bound=AT_LEAST_ONE, resume=True)
    model_name: str = flag("meta-llama/Llama-3.2-3B-Instruct", "Folder, .gguf file, or name on the hub.", path=True)
    store: str = flag("store.duckdb", "The oracle's store, as pipeline/prepare.py makes it.", path=True)
    output_dir: str | None = flag(
        None,
        "Where checkpoints go, a folder that is not in use. SFT: results/<model_name>; training: runs/<run id>.",
        path=True,
    )
    max_steps: int = flag(
        -1, "Optimiser steps; -1: as many as the epochs have.", bound=MAX_STEPS, trl=True, resume=True
    )
    num_train_epochs: float = flag(1.0, "Passes over the dataset.", bound=POSITIVE, trl=True, resume=True)
    per_device_train_batch_size: int = flag(
        8,
        "Answers a device takes at once. Out of memory: lower this first, in a new run.",
        bound=AT_LEAST_ONE,
        trl=True,
    )
    gradient_accumulation_steps: int = flag(
        8, "Batches an optimiser step; raise it as the batch size falls.", bound=AT_LEAST_ONE, trl=True
    )
    lr_scheduler_type: str = flag("linear", "Learning-rate schedule, as transformers names it.", trl=True)
    warmup_steps: float = flag(0.0, "Steps of warm-up; below 1: a share of all steps.", bound=NOT_NEGATIVE, trl=True)
    logging_steps: int = flag(1, "Steps between two lines of metrics.", bound=AT_LEAST_ONE, trl=True)
    save_strategy: Literal["steps", "epoch", "no"] = flag("steps", "When to keep a checkpoint.", trl=True)
    save_steps: float = flag(
        200, "Steps between two checkpoints; below 1: a share of all steps.", bound=STEPS, trl=True
    )
    lr: float = flag(2e-5, "Peak learning rate.", bound=POSITIVE, trl="learning_rate")
    seed: int = flag(3407, "Seed of everything random.", bound=SEED, trl=True)
    bf16: bool = flag(
        False,
        "Compute in bfloat16. Trained weights stay in float32: an update of 1e-6 would round away in bfloat16.",
        trl=True,
    )
    gradient_checkpointing: bool = flag(
        False, "Recompute activations: less memory, about a third more time.", trl=True, resume=True
    )
    use_lora: bool = flag(False, "Train a LoRA adapter instead of all weights.")
    lora_r: int = flag(16, "LoRA rank.", bound=AT_LEAST_ONE, needs="use_lora")
    lora_alpha: int = flag(
        32, "LoRA scale: the adapter's output is multiplied by alpha / r.", bound=AT_LEAST_ONE, needs="use_lora"
    )
    lora_dropout: float = flag(0.05, "LoRA dropout.", bound=BELOW_ONE, needs="use_lora")
    lora_target_modules: list[str] = flag(LORA_TARGETS, "Modules that get an adapter.", needs="use_lora")
    report_to: Literal["none", "wandb", "trackio", "tensorboard"] = flag("none", "Tracker of the metrics.", resume=True)


@dataclass
class SftSettings(CommonSettings):
    """Supervised fine-tuning on the `completion` column."""

    max_length: int = flag(
        2048, "Tokens of prompt and completion; longer samples lose their beginning.", bound=AT_LEAST_ONE
    )


def _with_reward_flags(kind: type[_T]) -> type[_T]:
    """Add a flag for each setting of each reward (oracle/rewards.py), in front of the class's own."""
    types: dict[str, object] = {}
    for s in REWARD_SETTINGS:
        if s.choices:
            types[s.name], bound, metavar = Literal[s.choices], None, None
        elif s.type is float:
            types[s.name], bound, metavar = float, NOT_NEGATIVE, "X"
        else:
            types[s.name], bound, metavar = int | None, AT_LEAST_ONE, "N"
        setattr(kind, s.name, flag(s.default, s.help, bound=bound, needs=s.needs, metavar=metavar))
    kind.__annotations__ = types | kind.__annotations__
    return kind


@dataclass
@_with_reward_flags
class TrainSettings(CommonSettings):
    """Safe-Rank-GRPO: one reward and one advantage per rank."""

    sft_checkpoint: int = flag(
        1500,
        "Start from results/<model_name>/checkpoint-<n>, as sft.py saves it. Not there, and the flag not given: from the "
        "model that sft.py ended with, in results/<model_name>.",
    )
    sft_model_path: str | None = flag(
        None, "Start from this model (or adapter, with --sft_is_lora) instead.", path=True
    )
    sft_is_lora: bool = flag(False, "The SFT checkpoint is an adapter on --model_name; --use_lora goes on with it.")
    catalog_path: str | None = flag(
        None, "Ground-truth catalog (.pkl, .parquet or .csv) in place of the store's.", path=True
    )
    rec_num: int = flag(20, "K: ranks that are rewarded.", bound=AT_LEAST_ONE, trl=True)
    risk_threshold: float = flag(0.66, "Risk from which a film violates a constraint.", bound=RISK)
    unresolved: Literal["safe", "violation", "ignore"] = flag("safe", "What films that are not found count as.")
    unrated: Literal["safe", "violation", "ignore"] = flag(
        "safe", "What films count as of which nothing is known for something that the user avoids."
    )
    thought_tag: list[str] = flag(
        [],
        "Marks of thoughts besides the usual ones: plan for <plan> or [plan]. What stands in them is no recommendation.",
        type=tag_name,
        metavar="NAME",
    )
    length_control: float = flag(
        0.0,
        "Added to the advantages, unnormalised, of the tokens that end a list: +X after exactly rec_num films, -X where it "
        "ends early, and -X on all that goes on beyond; 0: off.",
        bound=NOT_NEGATIVE,
        trl=True,
    )
    reward: list[str] = flag(
        [],
        "Rewards of your own: functions of the annotated batch or of TRL's keyword arguments that give (N, K) numbers.",
        metavar="MODULE:FUNCTION",
    )
    reward_weights: list[float] | None = flag(
        None,
        f"Weights of {_ALWAYS}, then of {_WHERE_ON} where they are on, then of own rewards. Left out: all 1.",
        metavar="X",
    )
    advantage_mode: Literal["grpo", "gdpo"] = flag(
        "grpo",
        "grpo sums the rewards, then normalises over the group; gdpo normalises each reward on its own first.",
        trl=True,
    )
    silent_groups: Literal["keep", "drop"] = flag(
        "keep",
        "drop: groups that teach nothing cost no forward pass in the loss; the same gradient. Needs --kl_beta 0.",
        trl=True,
    )
    missing_ranks: Literal["zero", "leave_out"] = flag(
        "zero", "A rank that a list doesn't have: a reward of 0, or no part in its group's mean.", trl=True
    )
    rank_weighting: Literal["token", "rank"] = flag(
        "token",
        "token: a rank weighs as many times as it has tokens, as in Rank-GRPO's public code; rank: each the same, as in "
        "its paper.",
        trl=True,
    )
    lr: float = flag(
        1e-6, "Peak learning rate. With LoRA, 10 times as much and more is usual.", bound=POSITIVE, trl="learning_rate"
    )
    adam_beta1: float = flag(0.9, "Adam's β1.", bound=BELOW_ONE, trl=True)
    adam_beta2: float = flag(0.99, "Adam's β2.", bound=BELOW_ONE, trl=True)
    optim: str = flag(
        "adamw_torch", "Optimiser, as transformers names it (paged_adamw_8bit saves 6 bytes a weight).", trl=True
    )
    max_grad_norm: float = flag(1.0, "Gradient clipping; 0: none.", bound=NOT_NEGATIVE, trl=True)
    kl_beta: float = flag(
        1e-3,
        "β: weight of the KL divergence from the SFT model; 0 keeps no reference model.",
        bound=NOT_NEGATIVE,
        trl="beta",
    )
    mu: int = flag(1, "μ: optimiser passes over each generated batch.", bound=AT_LEAST_ONE, trl="num_iterations")
    num_generations: int = flag(
        8,
        "G: answers to each prompt; divides per_device_train_batch_size x gradient_accumulation_steps x processes.",
        trl=True,
    )
    temperature: float = flag(
        1.0, "Sampling temperature of the rollouts, which must differ within a group.", bound=POSITIVE, trl=True
    )
    val_path: str | None = flag(
        None,
        "Held-out prompts, in the SafeRec columns: a file of their own, all rows of it. Needs --eval_strategy.",
        path=True,
    )
    eval_strategy: Literal["no", "steps", "epoch"] = flag(
        "no",
        "When to answer the prompts of --val_path: violations, recall, NDCG and length, as metrics eval_… and in the log.",
        trl=True,
    )
    eval_steps: float = flag(
        200, "Steps between two evaluations; below 1: a share of all steps.", bound=STEPS, trl=True
    )
    keep_best: float | None = flag(
        None,
        "Keep in best/ the evaluated model of the fewest violations whose recall is at least this share of that before "
        "training. Needs --eval_strategy.",
        bound=PART, metavar="SHARE",)  # fmt: skip
    per_device_eval_batch_size: int = flag(
        8, "Held-out prompts that a device answers at once, one answer each.", bound=AT_LEAST_ONE, trl=True, resume=True
    )
    max_prompt_length: int = flag(2048, "Prompts with more tokens are left out.", bound=AT_LEAST_ONE)
    max_completion_length: int = flag(1024, "Tokens of an answer at most.", bound=AT_LEAST_ONE, trl=True)
    use_vllm: bool = flag(False, "Generate with vLLM.", trl=True, resume=True)
    vllm_mode: Literal["colocate", "server"] = flag(
        "colocate", "vLLM in the training processes, or a server.", trl=True, resume=True, needs="use_vllm"
    )
    vllm_gpu_memory_utilization: float = flag(
        0.3,
        "Share of a GPU's memory that a colocated vLLM takes.",
        bound=SHARE,
        trl=True,
        resume=True,
        needs="use_vllm",
    )
    vllm_tensor_parallel_size: int = flag(
        1, "GPUs a vLLM engine spans; divides the number of processes.", trl=True, resume=True, needs="use_vllm"
    )
    run_name: str | None = flag(
        None, "Name of the run at the tracker. Left out: the tracker's own choice.", trl=True, resume=True
    )
    wandb_project: str | None = flag(None, "Report to this project of Weights & Biases (or of trackio).", resume=True)
    trl: list[str] = flag(
        [], "Further options of TRL's GRPOConfig, such as loss_type=dr_grpo epsilon_high=0.28.", metavar="NAME=VALUE"
    )
    resume: str | None = flag(
        None,
        "Go on from the last checkpoint of a run (its folder or id), or of the newest run in runs/ or --output_dir. "
        "The run's own settings hold; only its length, its tracker, vLLM and --gradient_checkpointing can change.",
        nargs="?", const="newest", metavar="RUN", resume=True,)  # fmt: skip
    dry_run: bool = flag(
        False, "Check everything, load no weights, print settings, steps and memory, and stop.", resume=True
    )
    assume_gpus: str | None = flag(
        None,
        "Plan for GPUs that are not here, a process each: 2x46GB. What fits, or what to lower.",
        needs="dry_run",
        resume=True,
        metavar="NxSIZE",
    )


PATHS = tuple(f.name for f in flags_with(TrainSettings, "path"))
