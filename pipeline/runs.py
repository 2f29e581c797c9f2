"""The folders of training runs: which one to go on with, from which checkpoint, and what must not change meanwhile."""

from collections.abc import Mapping
from pathlib import Path

from oracle import UserError

RUNS = Path("runs")

# A run's log has one value of each, from which its rewards are derived again; or the checkpoint fits no other: it holds
# the rollouts that are still to be used, in the batches of each process.
FIXED = {
    "train_path", "split", "model_name", "store", "sft_checkpoint", "sft_model_path", "sft_is_lora", "use_lora", "lora_r",
    "lora_alpha", "lora_target_modules", "per_device_train_batch_size", "gradient_accumulation_steps", "mu", "rec_num",
    "num_generations", "reward_func", "lambda_safe", "penalty_safe", "safety_discount", "risk_threshold", "unresolved",
    "lambda_count", "target_count", "lambda_end", "lambda_repeat", "reward_weights", "advantage_mode",
}  # fmt: skip
_FIXED_TRL = ("steps_per_generation=", "generation_batch_size=")


def find_run(name: str, output_dir: str | None = None) -> Path:
    """The folder of the run that `--resume` names: its folder, its id, or "newest" (in `output_dir`, or of all).

    Raises:
        UserError: no such run, or one without a checkpoint to go on from.
    """
    if name == "newest" and not output_dir:
        runs = [p.parent for p in RUNS.glob("*/run_id") if _checkpoints(p.parent)]
        if not runs:
            raise UserError(f"--resume: no run with a checkpoint in {RUNS}/; name the folder that train.py printed")
        return max(runs, key=lambda run: (run / "run_id").read_text())  # ids begin with the time
    folder = Path(output_dir if name == "newest" and output_dir else name)
    if not folder.is_dir() and (RUNS / folder).is_dir():
        folder = RUNS / folder
    last_checkpoint(folder)
    return folder


def last_checkpoint(run: str | Path) -> Path:
    """The newest whole checkpoint in the folder of a run; raises `UserError` if there is none to go on from."""
    checkpoints = _checkpoints(Path(run))
    if not checkpoints or not (Path(run) / "run_id").exists():
        raise UserError(f"--resume {run}: no checkpoint of a run there; name the folder that train.py printed")
    return checkpoints[-1]


def changed_settings(now: Mapping, then: Mapping) -> dict[str, str]:
    """What a resumed run changes, "name: then → now" by name.

    Raises:
        UserError: a setting that a run has one value of.
    """
    changed = {n: f"{n}: {then[n]} → {now[n]}" for n in then if now[n] != then[n] and n not in ("resume", "dry_run")}
    fixed = sorted(changed.keys() & FIXED)
    if _batches(now.get("trl", [])) != _batches(then.get("trl", [])):
        fixed.append("trl")
    if fixed:
        raise UserError(
            f"--resume {now['resume']}: a run keeps its {', '.join(fixed)} ({'; '.join(changed[n] for n in fixed)}): "
            "leave the flags out, or start a new run"
        )
    return changed


def check_processes(run: str | Path, processes: int) -> None:
    """Raises `UserError` if the checkpoint to go on from was written by another number of processes."""
    wrote = len(list(last_checkpoint(run).glob("rollouts_*.pt")))
    if wrote not in (0, processes):
        raise UserError(
            f"--resume {run}: a run keeps its number of processes ({wrote}, and here {processes}): start it with "
            f"accelerate launch --num_processes {wrote} or torchrun --nproc_per_node {wrote}, or start a new run"
        )


def checkpoint_step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def _batches(trl: list[str]) -> set[str]:
    return {option for option in trl if option.startswith(_FIXED_TRL)}


def _checkpoints(run: Path) -> list[Path]:
    """Whole checkpoints, oldest first: their state is written last, so that one without was cut short."""
    whole = [p.parent for p in run.glob("checkpoint-*/trainer_state.json") if p.parent.name[11:].isdigit()]
    return sorted(whole, key=checkpoint_step)
