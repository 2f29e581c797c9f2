"""A run of TRL's trainer that was stopped and resumed goes on as if it had never stopped.

TRL keeps neither the order of prompts beyond the first epoch nor a batch of answers that is still to be used. Both are
kept here, with what a trainer wants to know of its first steps, and what was gathered for the next line of metrics.
"""

from pathlib import Path
from pickle import UnpicklingError

import torch
from transformers import TrainerCallback
from trl import GRPOTrainer

from oracle import UserError
from trainer.config import RankGRPOConfig
from trainer.sampling import EpochSeeded


class LogBeforeEvaluation(TrainerCallback):
    """A line of metrics whenever the policy is evaluated, and at the last step, whatever `logging_steps` says.

    An evaluation leaves the model in evaluation mode, so TRL's closing line would take what was gathered of the last steps for
    evaluation's; and the last checkpoint would hold it still, for a resumed run to log it again.
    """

    def on_step_end(self, args, state, control, **_):
        control.should_log |= control.should_evaluate or control.should_training_stop

    on_epoch_end = on_step_end


class SaveAtEpochEnd(TrainerCallback):
    """The checkpoint of an epoch's last step is written at the end of the epoch: behind the line of metrics and the evaluation of
    that step, as within an epoch.

    transformers writes it before both. Who goes on from there would log again what that line holds, and never make the evaluation.
    """

    is_due = False

    def on_step_end(self, args, state, control, **_):
        ends_epoch = state.epoch == int(state.epoch) or control.should_epoch_stop or control.should_training_stop
        self.is_due = control.should_save and ends_epoch
        control.should_save &= not ends_epoch

    def on_epoch_end(self, args, state, control, **_):
        control.should_save |= self.is_due
        self.is_due = False


class ResumableGRPOTrainer(GRPOTrainer):
    """`trl.GRPOTrainer` whose checkpoints hold all that a resumed run needs.

    Private seams of TRL: `_get_train_sampler`, `_save_checkpoint`, `_load_optimizer_and_scheduler`, and the attributes
    `_step`, `_buffered_inputs` and `_metrics`. A subclass keeps more with `_kept` and `_restore`.
    """

    args: RankGRPOConfig

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.add_callback(LogBeforeEvaluation)
        self.add_callback(SaveAtEpochEnd)

    def _kept(self) -> dict:
        """What else a checkpoint holds: plain containers, numbers, strings and tensors."""
        return {"metrics": {name: [float(v) for v in values] for name, values in self._metrics["train"].items()}}

    def _restore(self, kept: dict) -> None:
        """Take what `_kept` gave; a checkpoint of an earlier version has only some of it."""
        self._metrics["train"].clear()
        self._metrics["train"].update(kept.get("metrics", {}))

    def _get_train_sampler(self, dataset=None):
        return EpochSeeded(super()._get_train_sampler(dataset), lambda: int(self.state.epoch or 0))

    def _save_checkpoint(self, model, trial):
        if not self.args.save_only_model:
            # First, as the checkpoint counts as whole once super has written its last file.
            self._save_rollouts(Path(self._get_output_dir(trial=trial)) / f"checkpoint-{self.state.global_step}")
            self.accelerator.wait_for_everyone()
        super()._save_checkpoint(model, trial)

    def _save_rollouts(self, checkpoint: Path) -> None:
        """With num_iterations > 1 a batch may be used again after this step; TRL would sample another one instead."""
        checkpoint.mkdir(parents=True, exist_ok=True)
        state = {
            "step": self._step, "rollouts": self._buffered_inputs, "made_for": self._made_for,
            **self._kept(),
        }  # fmt: skip
        part = checkpoint / f"{self._rollouts_file}.part"
        torch.save(state, part)
        part.replace(checkpoint / self._rollouts_file)

    def _load_optimizer_and_scheduler(self, checkpoint):
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        saved, device = Path(checkpoint) / self._rollouts_file, self.accelerator.device
        if saved.exists():
            place = "cpu" if device.type == "cpu" else device  # torch.load knows no cpu:0
            try:
                state = torch.load(saved, map_location=place, weights_only=True)
            except (EOFError, RuntimeError, UnpicklingError):
                raise UserError(
                    f"{saved}: can't be read; without {checkpoint}, the one before is gone on with"
                ) from None
            self._restore(state)
            made_for, half_used = state["made_for"], state["step"] % state["made_for"]["steps"]
            if other := [name for name, value in self._made_for.items() if value != made_for[name]]:
                if half_used:
                    raise UserError(
                        f"{saved}: holds answers that are still to be used, made for other {', '.join(other)} "
                        f"({made_for}): resume with the same, or from another checkpoint"
                    )
            else:
                self._step, self._buffered_inputs = state["step"], state["rollouts"]
        elif self._made_for["steps"] > self.args.gradient_accumulation_steps:
            raise UserError(
                f"{saved}: not there, but this run uses a generated batch for several steps: resume from another "
                "checkpoint, with as many processes as wrote it"
            )

    @property
    def _made_for(self) -> dict[str, int | bool]:
        """What a generated batch fits: its size, the backward passes that it is used for, and what they need of it."""
        args = self.args
        return {
            "batch": args.per_device_train_batch_size, "steps": (args.steps_per_generation or 1) * args.num_iterations,
            "kl_beta": args.beta != 0, "use_vllm": args.use_vllm,
        }  # fmt: skip

    @property
    def _rollouts_file(self) -> str:
        return f"rollouts_{self.accelerator.process_index}.pt"
