"""A training run: what it is given, checked before it costs; its policy, its folder and its log."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from accelerate.utils import broadcast_object_list
from datasets import Dataset
from peft import PeftModel
from transformers import PreTrainedModel, PreTrainedTokenizerBase, ProgressCallback, set_seed

from oracle import UserError, create_oracle
from oracle.annotate import Annotator
from oracle.base.command import when_stopped
from oracle.base.unpacked import bytes_of
from oracle.log import LogWriter
from oracle.sources import read_catalog
from pipeline.samples.dataset import load_dataset
from pipeline.settings.checks import adapter_settings, check_model, check_training, starting_point
from pipeline.settings.chosen_rewards import reward_functions, reward_weights
from pipeline.settings.flags import SftSettings, TrainSettings
from pipeline.settings.parsing import Parsed, as_yaml, parse_settings
from pipeline.settings.trl_config import trainer_config
from pipeline.simulation.demo_data import demo_paths, make_demo_data
from pipeline.training.best import KeepBest, kept
from pipeline.training.fine_tuning import run_sft
from pipeline.training.logs import (
    EVALUATION_ID,
    drop_later,
    earlier_evaluations,
    open_evaluations,
    open_run,
    tell_of_end,
)
from pipeline.training.memory import needs_reference
from pipeline.training.models import (
    check_fit,
    empty_adapter,
    empty_model,
    has_tokenizer,
    load_tokenizer,
    read_adapter,
    weights_dtype,
    written_prompts,
)
from pipeline.training.plan import check_plan, planned_steps, print_plan
from pipeline.training.policy import is_merged, keep, new_adapter, policy
from pipeline.training.processes import tell, tell_if_alone, this_process
from pipeline.training.progress import Progress
from pipeline.training.replaced import note, replaced_folder
from pipeline.training.runs import (
    RUNS,
    absolute_paths,
    changed_settings,
    check_data,
    check_processes,
    check_store,
    finish,
    going_on,
    keep_data,
    keep_store,
    last_checkpoint,
    note_steps,
    steps_left,
)
from trainer import RankGRPOTrainer

MEMORY = (
    "--per_device_train_batch_size, --num_generations or --max_completion_length, or add --gradient_checkpointing or "
    "--use_lora; --dry_run estimates what is needed"
)
NEEDED = ("prompt", "groundtruth_with_release_year", "seen_titles")


def train(parsed: Parsed[TrainSettings]) -> None:
    """Check everything, then train, or show the plan; raises `UserError` for what can't be trained."""
    settings = parsed.settings
    tell_if_alone()
    changed: dict[str, str] = {}
    if parsed.of_run:
        changed = changed_settings(asdict(settings), asdict(parsed.of_run))
        check_processes(settings.resume or "", this_process().num_processes)
    check_training(settings, parsed.given)
    if parsed.of_run:
        tell(f"going on from {last_checkpoint(settings.resume or '')}{'; '.join(['', *changed.values()])}")
    with demo_inputs(parsed) as settings:
        settings = with_start(settings, parsed.given)
        inputs = checked_inputs(settings)
        is_trained = False
        if settings.resume:
            check_data(settings.resume, inputs.dataset, inputs.held_out)
            check_store(settings.resume, settings.store)
            steps = planned_steps(settings, inputs.dataset)
            is_trained = not steps_left(settings.resume, steps, by_epochs=settings.max_steps < 1)
        if settings.dry_run:
            print_plan(settings, inputs.model, inputs.dataset, inputs.prompt_tokens)
        elif is_trained:
            finish_training(settings)
        else:
            run_training(settings, inputs)


@contextlib.contextmanager
def demo_inputs(parsed: Parsed[TrainSettings]):
    """The settings, for the bundled demo with its paths filled in; makes its data and SFT model if they aren't there.

    A dry run makes no SFT model, and makes the data in a folder that is gone afterwards.
    """
    if not parsed.is_demo:
        yield parsed.settings
        return
    s, paths = parsed.settings, demo_paths(parsed.settings.seed)
    made = all(Path(paths[name]).exists() for name in ("store", "train_path", "model_name"))
    with contextlib.ExitStack() as stack:
        if s.dry_run and not made:
            s = replace(s, catalog_path=s.catalog_path and str(Path(s.catalog_path).absolute()))
            stack.enter_context(contextlib.chdir(stack.enter_context(tempfile.TemporaryDirectory())))
        with this_process().main_process_first():
            make_demo_data(s.seed)
        this_process().wait_for_everyone()
        start = paths["sft"]
        if not has_tokenizer(start):  # which SFT writes last
            if s.dry_run:
                start = paths["model_name"]
            else:
                make_demo_sft(s.seed, paths)
        yield replace(s, train_path=paths["train_path"], store=paths["store"], model_name=start, sft_model_path=start)


def make_demo_sft(seed: int, paths: dict[str, str]) -> None:
    tell("The demo's SFT model is not there yet: making it first.")
    sft = parse_settings(SftSettings, "sft.py", ["--seed", str(seed)], demo="sft").settings
    sft.train_path, sft.store = paths["train_path"], paths["store"]
    sft.model_name, sft.output_dir = paths["model_name"], paths["sft"]
    run_sft(sft, go_on=True)


def with_start(settings: TrainSettings, given: Set[str]) -> TrainSettings:
    """The settings with what to start from, which a resumed run keeps, and the values of an adapter to go on with."""
    s, start = settings, starting_point(settings, given)
    if not s.sft_model_path and Path(start).name != f"checkpoint-{s.sft_checkpoint}":
        tell(
            f"no SFT checkpoint {s.sft_checkpoint} of {s.model_name} in results/: starting from "
            f"{'the model itself' if start == s.model_name else f'the model that sft.py saved in {start}'}"
        )
    adapter: dict = adapter_settings(s, start, given) if s.sft_is_lora and s.use_lora else {}
    return replace(s, sft_model_path=start, **adapter)


@dataclass(frozen=True)
class Inputs:
    """What training needs beside the model's weights, all of it checked.

    Attributes:
        held_out: the prompts of --val_path.
        model: the model to train without its weights, its adapter included.
        prompt_tokens: of the longest prompt, held-out ones included.
    """

    annotator: Annotator
    dataset: Dataset
    held_out: Dataset | None
    prompt_tokens: int
    tokenizer: PreTrainedTokenizerBase
    model: PreTrainedModel | PeftModel


def checked_inputs(settings: TrainSettings) -> Inputs:
    """Read everything but the weights, with the settings of `with_start`; raises `UserError` for what can't be trained."""
    s, start = settings, settings.sft_model_path
    assert s.train_path is not None and start is not None
    oracle = create_oracle(store=s.store, risk_threshold=s.risk_threshold, unresolved=s.unresolved, unrated=s.unrated)
    largest = bytes_of(s.max_mb)
    annotator = Annotator(oracle, read_catalog(s.catalog_path, largest) if s.catalog_path else None, s.thought_tag)
    dataset = load_dataset(s.train_path, s.split, oracle, NEEDED, largest)
    dtype = weights_dtype(s.bf16, s.use_lora)
    base = empty_model(s.model_name if s.sft_is_lora else start, dtype)
    lora = read_adapter(start) if s.sft_is_lora else new_adapter(s)
    model = empty_adapter(base, lora) if s.use_lora else base
    check_model(s, model)
    speaker = start if has_tokenizer(start) else s.model_name  # SFT may have given it a chat template, or more tokens
    tokenizer = load_tokenizer(speaker)
    dataset, prompt_tokens = shorter_prompts(dataset, tokenizer, s.max_prompt_length)
    held_out = None
    if s.val_path and s.eval_strategy != "no":
        held_out = load_dataset(s.val_path, None, oracle, NEEDED, largest)
        held_out, longest = shorter_prompts(held_out, tokenizer, s.max_prompt_length)
        prompt_tokens = max(prompt_tokens, longest)
        if s.keep_best is not None:
            check_held_out(s.val_path, held_out)
    check_fit(model, tokenizer, start, prompt_tokens + s.max_completion_length)
    check_plan(s, dataset)
    return Inputs(annotator, dataset, held_out, prompt_tokens, tokenizer, model)


def check_held_out(path: str, held_out: Dataset) -> None:
    """Raises `UserError` for prompts that the best model can't be chosen by."""
    for column, what in (("constraints", "constraints"), ("groundtruth_with_release_year", "ground truth")):
        if not any(held_out[column]):
            raise UserError(
                f"--val_path {path}: no prompt has {what}, by which --keep_best chooses; leave it out, or name others"
            )


def run_training(settings: TrainSettings, inputs: Inputs) -> Path:
    """Train as the settings say; returns the folder of the run."""
    with contextlib.ExitStack() as logs:  # a run that fails before its first step leaves none
        trainer, folder = made_trainer(settings, inputs, logs)
        trainer.train(resume_from_checkpoint=str(last_checkpoint(settings.resume)) if settings.resume else None)
    with replaced_folder(folder / "final", this_process()) as new:
        trainer.save_model(str(new))
        if this_process().is_main_process:
            inputs.tokenizer.save_pretrained(new)
            note_steps(new, trainer.state.global_step)
    if this_process().is_main_process:
        print(f"trained: {folder / 'final'}")
        if settings.keep_best is not None:
            print(kept(folder / "best"))
    return folder


def made_trainer(settings: TrainSettings, inputs: Inputs, logs: contextlib.ExitStack) -> tuple[RankGRPOTrainer, Path]:
    """The trainer of a run, and the run's folder; its logs are open in `logs`."""
    weights = reward_weights(settings)
    state = this_process()
    start = settings.sft_model_path or settings.model_name
    set_seed(settings.seed)  # a new adapter is drawn before the trainer sets it
    model = policy(settings, start)
    log = logs.enter_context(open_run(settings)) if state.is_main_process else None
    evaluation_log = logs.enter_context(open_evaluations(settings, log)) if log and inputs.held_out else None
    if log and settings.resume:
        drop_later(settings.resume, log, evaluation_log)
    # The other processes have no log, and must write their share of a checkpoint into the same folder.
    shared = [settings.resume or settings.output_dir or (str(RUNS / log.run_id) if log else None)]
    folder = Path(broadcast_object_list(shared)[0])
    steps = planned_steps(settings, inputs.dataset)
    when_stopped(lambda: going_on(folder, steps), MEMORY)
    if log:
        logs.enter_context(folder_of(folder, log))
        note(folder / "run_id", log.run_id)
        if evaluation_log:
            note(folder / EVALUATION_ID, evaluation_log.run_id)
        keep_settings(settings, folder)
        keep_data(folder, inputs.dataset, inputs.held_out)
        keep_store(folder, settings.store, is_new=not settings.resume)
        unconstrained = sum(not c for c in inputs.dataset["constraints"])
        print(
            f"run {log.run_id} in {state.num_processes} process{'es' if state.num_processes > 1 else ''}: "
            f"{len(inputs.dataset)} prompts ({unconstrained} without constraints), "
            f"checkpoints in {folder}, verdicts in {log.folder}"
        )
    if settings.wandb_project:
        os.environ["WANDB_PROJECT"] = settings.wandb_project  # the only way that transformers' tracker reads
    if (start.endswith(".gguf") or is_merged(settings)) and (needs_reference(settings) or settings.use_vllm):
        keep(model, inputs.tokenizer, folder / "base")
    config = trainer_config(settings, weights, folder)
    places = getattr(model.config, "max_position_embeddings", None)
    if (
        places and config.vllm_max_model_length
    ):  # vLLM takes no more than the model has; check_fit saw that it is enough
        config.vllm_max_model_length = min(config.vllm_max_model_length, places)
    trainer = RankGRPOTrainer(
        model=model,
        reward_funcs=reward_functions(settings, inputs.annotator),
        args=config,
        annotator=inputs.annotator,
        rollout_log=log,
        evaluation_log=evaluation_log,
        train_dataset=inputs.dataset,
        eval_dataset=inputs.held_out,
        processing_class=inputs.tokenizer,
        peft_config=new_adapter(settings) if settings.use_lora and not settings.sft_is_lora else None,
    )
    if not config.disable_tqdm:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(Progress)
    if settings.keep_best is not None:
        trainer.add_callback(KeepBest(trainer, folder / "best", settings.keep_best))
    return trainer, folder


@contextlib.contextmanager
def folder_of(folder: Path, log: LogWriter) -> Iterator[None]:
    """Make a run's folder; a run that fails before its first step leaves none that it made."""
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        if made and not log.steps():
            shutil.rmtree(folder, ignore_errors=True)
            with contextlib.suppress(OSError):  # by now another run may be in a folder above
                for above in made[1:]:
                    above.rmdir()
        raise


def finish_training(settings: TrainSettings) -> None:
    """Make the final model of a run that was stopped behind its last step."""
    if this_process().is_main_process and settings.resume:
        with open_run(settings) as log, earlier_evaluations(settings) or contextlib.nullcontext() as evaluations:
            drop = drop_later(settings.resume, log, evaluations, trains=False)
            keep_settings(settings, Path(settings.resume))
            finish(Path(settings.resume))
            drop()
            tell_of_end(settings.resume, settings.eval_strategy != "no")
        print(f"trained: {Path(settings.resume, 'final')}")


def keep_settings(settings: TrainSettings, folder: Path) -> None:
    """Write a run's settings, from which it can be resumed in any working directory."""
    values = asdict(settings)
    kept = values | absolute_paths(values) | {"resume": None, "output_dir": str(folder)}
    note(folder / "settings.yaml", as_yaml(TrainSettings(**kept)))


def shorter_prompts(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> tuple[Dataset, int]:
    """Without the prompts of more than `max_length` tokens, as a cut prompt would ask for something else; and the
    number of tokens of the longest."""
    texts = written_prompts(tokenizer, dataset["prompt"][:])
    lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    kept = [i for i, n in enumerate(lengths) if n <= max_length]
    if not kept:
        raise UserError(
            f"--max_prompt_length {max_length}: every prompt is longer (the shortest: {min(lengths)} tokens)"
        )
    if len(kept) < len(dataset):
        tell(f"left out {len(dataset) - len(kept)} prompts of more than {max_length} tokens")
    return dataset.select(kept), max(lengths[i] for i in kept)
