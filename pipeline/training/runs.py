"""The folders of training runs: which one to go on with, from which checkpoint, and what must not change meanwhile."""

import hashlib
import json
import shlex
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.base.errors import UserError
from oracle.store import STORE_FORMAT, made_from
from pipeline.settings.flag_metadata import flags_with
from pipeline.settings.flags import PATHS, TrainSettings
from pipeline.training.processes import tell
from pipeline.training.replaced import note, replaced_folder

if TYPE_CHECKING:
    from datasets import Dataset

RUNS = Path("runs")

CHANGEABLE = {f.name for f in flags_with(TrainSettings, "resume")}
_TRAINING_ONLY = (
    "optimizer*",
    "scheduler.pt",
    "rng_state*",
    "rollouts_*",
    "trainer_state.json",
    "global_step*",
    "latest",
)
_STEPS = "trained_steps"
_DATA = "data.sha256"
_HELD_OUT = "held_out.sha256"
_STORE = "store.sha256"
_STORE_FORMAT = "store.format"


def find_run(name: str, output_dir: str | None = None) -> Path:
    """The folder of the run that `--resume` names: its folder, its id, or "newest" (in `output_dir`, or of all).

    Raises:
        UserError: no such run, or one without a checkpoint to go on from.
    """
    if name == "newest" and not output_dir:
        runs = sorted(RUNS.glob("*/run_id"), key=lambda file: file.read_text())  # ids begin with the time
        if not runs:
            raise UserError(f"--resume: no run in {RUNS}/; name the folder that train.py printed")
        newest, whole = runs[-1].parent, [file.parent for file in runs if whole_checkpoints(file.parent)]
        if newest not in whole:
            older = f", or go on with the one before, --resume {shlex.quote(str(whole[-1]))}" if whole else ""
            raise UserError(
                f"--resume: the newest run, {newest}, has no checkpoint (it saves none before --save_steps); start it "
                f"again{older}"
            )
        return newest
    if not name:
        raise UserError('--resume "": expected the folder or the id of a run, or nothing for the newest')
    folder = Path(output_dir if name == "newest" and output_dir else name)
    if not folder.is_dir() and (RUNS / folder).is_dir():
        folder = RUNS / folder
    last_checkpoint(folder)
    return folder


def can_be_resumed(run: str | Path) -> bool:
    """Whether a folder is that of a run with a checkpoint to go on from."""
    return bool(whole_checkpoints(Path(run))) and (Path(run) / "run_id").exists()


def last_checkpoint(run: str | Path) -> Path:
    """The newest whole checkpoint in the folder of a run; raises `UserError` if there is none to go on from."""
    if can_be_resumed(run):
        return whole_checkpoints(Path(run))[-1]
    if (Path(run) / "run_id").exists():
        raise UserError(
            f"--resume {run}: that run stopped before its first checkpoint; start it again, in another folder"
        )
    raise UserError(f"--resume {run}: no checkpoint of a run there; name the folder that train.py printed")


def going_on(run: Path, steps: int) -> str:
    """What is left of a run of so many steps that stops now, and how to go on with it."""
    if final_steps(run) == steps:
        return f"the run has ended, its model is {run / 'final'}"
    if not can_be_resumed(run):
        return (
            f"its finished steps are in the log; {run} has no checkpoint yet (--save_steps says how often), so begin again "
            "in another folder"
        )
    step = checkpoint_step(last_checkpoint(run))
    return f"its finished steps are in the log; go on from step {step} with --resume {shlex.quote(str(run))}"


def changed_settings(now: Mapping, then: Mapping) -> dict[str, str]:
    """What a resumed run changes, "name: then → now" by name.

    Raises:
        UserError: a setting that a run has one value of.
    """
    changed = {
        name: f"{name}: {then[name]} → {now[name]}"
        for name in then
        if _comparable(name, now[name]) != _comparable(name, then[name])
        and name not in ("resume", "dry_run", "assume_gpus")
    }
    if fixed := sorted(changed.keys() - CHANGEABLE):
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


def steps_left(run: str | Path, steps: int, by_epochs: bool) -> int:
    """How many steps a run of so many, or of epochs that come to so many, still has to do.

    Raises:
        UserError: it has ended, or has done more already. Where only its final model is missing, 0 are left.
    """
    done = checkpoint_step(last_checkpoint(run))
    longer = "raise --num_train_epochs" if by_epochs else "raise --max_steps"
    if done > steps:
        raise UserError(f"--resume {run}: step {done} is done, and the run would end at {steps}: {longer}")
    if final_steps(Path(run)) == steps:
        raise UserError(f"--resume {run}: it has ended, after {steps} steps; {longer} to go on")
    return steps - done


def keep_data(run: Path, dataset: "Dataset", held_out: "Dataset | None") -> None:
    """Note what a run is trained on, and evaluated on meanwhile."""
    for name, prompts in ((_DATA, dataset), (_HELD_OUT, held_out)):
        if prompts:
            note(run / name, _digest(prompts))


def check_data(run: str | Path, dataset: "Dataset", held_out: "Dataset | None") -> None:
    """Raises `UserError` if the prompts to go on with are not those that the run began with."""
    for name, prompts, what in ((_DATA, dataset, "prompts"), (_HELD_OUT, held_out, "held-out prompts")):
        noted = Path(run) / name
        if prompts and noted.exists() and noted.read_text() != _digest(prompts):
            raise UserError(
                f"--resume {run}: the {what}, or what is known of them, are not those that the run began with; bring back the "
                "data, or start a new run"
            )


def keep_store(run: Path, store: str | Path, *, is_new: bool) -> None:
    """Note what the store was made from when a run began, or was gone on with for the first time; and by the rules of which format
    a new run is judged. Of an earlier one nobody knows."""
    if not (run / _STORE).exists():
        note(run / _STORE, made_from(store))
    if is_new:
        note(run / _STORE_FORMAT, str(STORE_FORMAT))


def check_store(run: str | Path, store: str | Path) -> None:
    """Tell where the store to go on with is made from something else than when the run began, or is of another format.

    That may be wanted (a source that was missing), so it is not refused.
    """
    noted, noted_format = Path(run) / _STORE, Path(run) / _STORE_FORMAT
    if noted.exists() and noted.read_text() != made_from(store):
        tell(
            f"{store} was built anew, or given other sources, since run {Path(run).name} began: the steps from here on are "
            "judged by what it holds now, those before by what it held; bring it back, or start a new run, to have one oracle"
        )
    if noted_format.exists() and (began := noted_format.read_text().strip()) != str(STORE_FORMAT):
        tell(
            f"{store} is of format {STORE_FORMAT}, and was of {began} when run {Path(run).name} began: the steps from here on are "
            "judged by the rules of now, those before by the rules of then; start a new run to have one oracle"
        )


def finish(run: Path) -> None:
    """Make the final model of a run that was stopped behind its last step."""
    checkpoint = last_checkpoint(run)
    with replaced_folder(run / "final") as new:
        shutil.copytree(checkpoint, new, ignore=shutil.ignore_patterns(*_TRAINING_ONLY))
        note_steps(new, checkpoint_step(checkpoint))


def note_steps(final: Path, steps: int) -> None:
    """Note in a final model's folder after how many steps it is: a run that is prolonged has that of its earlier end till then."""
    note(final / _STEPS, str(steps))


def final_steps(run: Path) -> int | None:
    """After how many steps the final model of a run is; None: it has none. An earlier version noted nothing: as many as the last
    checkpoint."""
    if not (run / "final" / "tokenizer_config.json").exists():
        return None
    noted = run / "final" / _STEPS
    return int(noted.read_text()) if noted.exists() else max(map(checkpoint_step, whole_checkpoints(run)), default=None)


def checkpoint_step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def absolute_paths(settings: Mapping) -> dict[str, str]:
    """The settings that name something on this disk, wherever they are read again."""
    return {n: str(Path(settings[n]).absolute()) for n in PATHS if settings.get(n) and Path(settings[n]).exists()}


def _comparable(name: str, value: object) -> object:
    if name in PATHS and value:
        return Path(str(value)).absolute()
    return sorted(value) if name in ("lora_target_modules", "trl") else value  # type: ignore[call-overload]


def _digest(dataset: "Dataset") -> str:
    return hashlib.sha256(json.dumps(dataset.to_dict(), sort_keys=True).encode()).hexdigest()


def whole_checkpoints(run: Path) -> list[Path]:
    """Whole checkpoints, oldest first: their state is written last, so that one without was cut short."""
    states = run.glob("checkpoint-*/trainer_state.json")
    whole = [p.parent for p in states if p.parent.name[11:].isdigit() and _is_whole(p)]
    return sorted(whole, key=checkpoint_step)


def _is_whole(state: Path) -> bool:
    try:
        json.loads(state.read_text())
    except (OSError, ValueError):
        return False
    needed = (("*model*.safetensors", "pytorch_model*", "global_step*"), ("optimizer*", "global_step*"))
    parts = [[part for name in names for part in state.parent.glob(name)] for names in needed]
    return all(found and all(map(_is_complete, found)) for found in parts)


def _is_complete(part: Path) -> bool:
    """Whether a file of weights, or of the optimiser's state, has the end that its beginning speaks of."""
    if part.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(part, "pt"):
                return True
        except SafetensorError:
            return False
    return part.suffix not in (".pt", ".bin") or zipfile.is_zipfile(part)
