"""`--dry_run`: what it promises is what training then does, and it leaves nothing behind."""

import json
import re
import shutil
from pathlib import Path

import pytest
from transformers import GPT2Config

from oracle import UserError
from pipeline import evaluate, sft, train
from pipeline.settings.checks import check_training
from pipeline.settings.trl_config import trainer_config
from pipeline.training.machine import planned_machine
from pipeline.training.memory import expected_memory
from pipeline.training.models import empty_adapter, empty_model, load_tokenizer, lora_config
from pipeline.training.plan import optimiser_steps
from tests.pipeline.training.planned import nbytes, settings_of
from trainer import RankGRPOTrainer


@pytest.fixture
def trained(monkeypatch) -> list[RankGRPOTrainer]:
    """The trainers that train.py makes."""
    made: list[RankGRPOTrainer] = []
    first = RankGRPOTrainer.__init__

    def init(self, *args, **kwargs):
        first(self, *args, **kwargs)
        made.append(self)

    monkeypatch.setattr(RankGRPOTrainer, "__init__", init)
    return made


def test_a_dry_run_tells_settings_batches_steps_and_memory_and_writes_nothing(small_flags, small, tmp_path, capsys):
    before = sorted(small.rglob("*"))
    train.main([*small_flags, "--dry_run", "--lambda_safe", "2", "--num_train_epochs", "2"])
    printed = capsys.readouterr().out
    for expected in (
        r"lambda_safe +2\.0 +1\.0 *\n",
        r"As by default: .*kl_beta 0\.001",
        r"prompts +12, 4 of them without constraints",
        r"answers a step +8 = 4 a device x 2 accumulated x 1 process",
        r"groups a step +4 of 2 answers each",
        r"optimiser steps +6,",
        r"optimiser +[\d.]+ MiB",
    ):
        assert re.search(expected, printed, re.DOTALL), expected
    assert not list(tmp_path.iterdir()) and sorted(small.rglob("*")) == before


@pytest.mark.parametrize("flags", [[], ["--use_lora", "--lora_r", "4"], ["--mu", "2"]])
def test_steps_and_memory_are_those_of_the_training_that_follows(flags, small_flags, small, trained):
    settings = settings_of([*small_flags, *flags, "--save_strategy", "no"])
    config = trainer_config(settings, [1.0, 1.0], "unused")
    model = empty_model(f"{small}/model")
    if settings.use_lora:
        model = empty_adapter(model, lora_config(4, 32, 0.05, settings.lora_target_modules))
    memory = expected_memory(settings, config, model, 10, planned_machine(None))

    train.main([*small_flags, *flags, "--save_strategy", "no"])
    (trainer,) = trained
    assert optimiser_steps(config, 12) == trainer.state.global_step
    assert memory["weights"] == nbytes(trainer.model.parameters())
    assert memory.get("reference model", 0) == (nbytes(trainer.ref_model.parameters()) if trainer.ref_model else 0)
    states = [t for state in trainer.optimizer.state.values() for n, t in state.items() if n != "step"]
    assert memory["optimiser"] == nbytes(states)
    assert memory["gradients"] == nbytes(p for p in trainer.model.parameters() if p.requires_grad)


def test_a_plan_for_other_gpus_counts_their_processes_and_says_what_fits_and_what_to_lower(small_flags, capsys):
    flags = [*small_flags, "--dry_run", "--num_generations", "8", "--optim", "paged_adamw_8bit", "--use_vllm"]
    train.main([*flags, "--gradient_accumulation_steps", "1", "--assume_gpus", "2x46GB"])
    printed = capsys.readouterr().out
    assert re.search(r"answers a step +8 = 4 a device x 1 accumulated x 2 processes", printed)
    assert re.search(r"vLLM +12\.85 GiB", printed)  # 0.3 x 46e9 bytes
    assert re.search(r"of 42\.84 GiB of each of 2", printed) and "This fits" in printed
    train.main([*flags, "--assume_gpus", "1x0.004GB", "--num_generations", "4"])
    printed = capsys.readouterr().out
    assert "This will not fit" in printed and "too few, raise --vllm_gpu_memory_utilization" not in printed
    for change in (
        "--gradient_checkpointing",
        "--per_device_train_batch_size 1 --gradient_accumulation_steps 8",
        "all of these",
    ):
        assert re.search(rf"{change} +[\d.]+ [MG]iB", printed), change
    assert not re.search(r"--optim paged", printed)  # is set already


@pytest.mark.parametrize("text", ["46GB x2", "2x", "0x46GB", "2x0GB", "many"])
def test_gpus_that_are_no_gpus_are_refused(text, small_flags):
    with pytest.raises(UserError, match=r"--assume_gpus .*: expected GPUs and the memory of each, such as 2x46GB"):
        train.main([*small_flags, "--dry_run", "--assume_gpus", text])
    with pytest.raises(UserError, match="--assume_gpus: without effect unless --dry_run is given too"):
        train.main([*small_flags, "--assume_gpus", "2x46GB"])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--use_lora", "--lora_target_modules", "q_proj", "c_attn"], "c_attn: no module of llama has that name; .*q_proj"),
        (["--per_device_train_batch_size", "16"], "its 12 prompts don't fill a batch of 16"),
        (["--max_prompt_length", "1"], "every prompt is longer"),
        (["--sft_model_path", "nowhere/at/all"], "nowhere/at/all: can't be loaded as a model"),
        (["--catalog_path", "none.pkl"], "--catalog_path none.pkl: not found"),
        (["--sft_checkpoint", "7"], r"there is no results/.*/model/checkpoint-7; run sft.py"),
        (["--sft_is_lora"], "--sft_checkpoint 1500: there is no"),
        (["--trl", "top_entropy_quantile=0.5"], "top_entropy_quantile=0.5 can't be used here"),
        (["--trl", "use_bias_correction_kl=true"], "use_bias_correction_kl=True can't be used"),
        (["--trl", "importance_sampling_level=sequence"], "importance_sampling_level='sequence' can't be used"),
        (["--trl", "loss_type=luspo"], "loss_type='luspo' has no per-rank form"),
        (["--trl", "learning_rate=1"], "set it with --lr"),
        (["--trl", "epsilonn=1"], "TRL has no such option; near: epsilon"),
        (["--trl", "epsilon=much"], "invalid float value"),
        (["--trl", "epsilon"], "expected NAME=VALUE"),
        (["--reward_weights", "1", "2", "3"], r"3 values for 2 rewards \(relevance, safety\)"),
        (["--report_to", "trackio"], "--report_to trackio: trackio is not installed; pip install trackio"),
        (["--wandb_project", "p"], "--wandb_project: wandb is not installed; pip install wandb"),
        (["--temperature", "0"], "--temperature 0.0: expected a positive number"),
        (["--risk_threshold", "66"], "--risk_threshold 66.0: expected a risk between 0 and 1"),
        (["--optim", "adam"], "--optim adam: unknown"),
        (["--optim", "galore_adamw"], "--optim galore_adamw: .*; or use adamw_torch"),
        (["--optim", "lomo"], "--optim lomo: .*install"),
        (["--report_to", "wandb"], "--report_to wandb: wandb is not installed"),
        (["--use_lora", "--lora_target_modules", "q_proj", "lm_head"], "--lora_target_modules: .*output layer"),
        (["--trl", "scale_rewards=none"], "scale_rewards='none' can't be used .*: set 'group'"),
        (["--trl", "scale_rewards=batch"], "scale_rewards='batch' can't be used .*: set 'group'"),
        (["--trl", "remove_unused_columns=true"], "remove_unused_columns=True can't be used .*the ground truth"),
        (["--trl", "eval_strategy=epoch"], "--trl eval_strategy: set it with --eval_strategy"),
        (["--trl", "eval_on_start=true"], "eval_on_start: needs --eval_strategy and --val_path"),
        (["--eval_strategy", "epoch"], "--eval_strategy epoch: needs --val_path"),
        (["--eval_strategy", "steps", "--val_path", "nowhere.jsonl"], "--val_path nowhere.jsonl: not found"),
        (["--eval_strategy", "steps", "--eval_steps", "0"], "--eval_steps 0.0: expected a positive number"),
        (["--val_path", "x.jsonl", "--eval_steps", "3"], "--val_path, --eval_steps: without effect unless --eval_strategy"),
        (["--trl", "top_k=-1"], "--trl top_k=-1: expected at least 0"),
        (["--trl", "min_p=3"], "--trl min_p=3.0: expected 0 to 1"),
        (["--trl", "repetition_penalty=0"], "--trl repetition_penalty=0.0: expected a positive number"),
        (["--trl", "use_liger_kernel=true"], "use_liger_kernel=true: liger-kernel is not installed"),
        (["--trl", "save_only_model=true"], "--trl save_only_model: can't be set, as a checkpoint holds all"),
        (["--max_steps", "0"], "--max_steps 0: expected at least 1, or -1"),
        (["--num_train_epochs", "inf"], "--num_train_epochs inf: expected a positive number"),
        (["--reward_weights", "nan", "1"], "--reward_weights nan 1.0: expected numbers"),
        (["--lambda_safe", "inf"], "--lambda_safe inf: expected a number of at least 0"),
        (["--kl_beta", "inf"], "--kl_beta inf: expected a number"),
        (["--use_lora", "--lora_alpha", "0"], "--lora_alpha 0: expected at least 1"),
        (["--split", "validation"], "has no column split, and so no split 'validation'"),
        (["--trl", "sync_ref_model=true"], "sync_ref_model=True can't be used here .*no checkpoint keeps"),
        (["--trl", "log_completions=true"], "log_completions=True can't be used here .*rollout log has that of each rank"),
        (["--trl", "loss_type=cispo"], "loss_type='cispo' caps the ratio at epsilon_high: set it"),
        (["--lr_scheduler_type", "cosine_with_min_lr"], "--lr_scheduler_type cosine_with_min_lr: arguments .*use another"),
        (["--lr_scheduler_type", "reduce_lr_on_plateau"], "reduce_lr_on_plateau: needs evaluations"),
        (["--seed", "-1"], "--seed -1: expected a whole number from 0"),
        (["--warmup_steps", "-1"], "--warmup_steps -1.0: expected a number of at least 0"),
        (["--warmup_steps", "inf"], "--warmup_steps inf: expected a number"),
        (["--rec_num", "40000"], "--rec_num 40000: expected at most 32767"),
        (["--store", ""], '--store "": expected a path'),
        (["--catalog_path", ""], '--catalog_path "": expected a path'),
        (["--trl", "metric_for_best_model=svr"], "--trl metric_for_best_model: can't be set, as --keep_best keeps"),
        (["--trl", "load_best_model_at_end=true"], "--trl load_best_model_at_end: can't be set, as --keep_best keeps"),
        (["--trl", "ignore_data_skip=true"], "ignore_data_skip=True can't be used here .*begin its epoch again"),
        (["--trl", "resume_from_checkpoint=x"], "--trl resume_from_checkpoint: can't be set, as --resume names"),
        (["--trl", "adam_epsilon=-1"], "--trl adam_epsilon=-1.0: expected at least 0"),
        (["--save_steps", "1.5"], "--save_steps 1.5: expected a positive number, whole or"),
        (["--trl", "steps_per_generation=3", "--num_generations", "8"], "batch of 12 answers .* x steps_per_generation 3 x 1"),
    ],
)  # fmt: skip
def test_what_cannot_be_honoured_is_refused_before_a_weight_is_loaded(flags, said, small_flags, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.settings.checks._installed", lambda package: False)
    monkeypatch.setattr("pipeline.training.policy.load_model", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(UserError, match=said):
        train.main([*small_flags, *flags])
    assert not list(tmp_path.iterdir())


def test_all_that_is_wrong_is_told_at_once(small_flags):
    flags = [*small_flags, "--num_generations", "7", "--lr", "0", "--mu", "0", "--catalog_path", "none"]
    with pytest.raises(UserError) as refused:
        check_training(settings_of(flags))
    assert len(str(refused.value).splitlines()) == 4


def test_an_adapter_is_not_taken_for_a_full_model(small_flags, tmp_path):
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
    with pytest.raises(UserError, match="is a LoRA adapter: add --sft_is_lora"):
        check_training(settings_of([*small_flags, "--sft_model_path", str(adapter)]))
    (adapter / "adapter_config.json").unlink()
    with pytest.raises(UserError, match=r"has no adapter_config\.json; leave the flag out"):
        check_training(settings_of([*small_flags, "--sft_model_path", str(adapter), "--sft_is_lora"]))


def test_a_group_may_span_several_optimiser_steps(small_flags, trained, capsys):
    """TRL needs G to divide what is generated at once, not what one step uses."""
    flags = [*small_flags, "--num_generations", "8", "--per_device_train_batch_size", "1", "--save_strategy", "no"]
    flags += ["--gradient_accumulation_steps", "4", "--trl", "steps_per_generation=8"]
    train.main([*flags, "--dry_run"])
    assert re.search(r"groups a step +0\.5 of 8 answers each", capsys.readouterr().out)
    train.main([*flags, "--max_steps", "2"])
    assert trained[0].state.global_step == 2 and trained[0].args.generation_batch_size == 8


def test_a_model_without_a_chat_template_is_refused_before_its_weights_are_loaded(
    small_flags, small, tmp_path, monkeypatch
):
    monkeypatch.setattr("pipeline.training.policy.load_model", lambda *_: pytest.fail("a model was loaded"))
    tokenizer = load_tokenizer(f"{small}/model")
    tokenizer.chat_template = None
    tokenizer.save_pretrained("plain")
    Path("plain/config.json").write_bytes((small / "model" / "config.json").read_bytes())
    with pytest.raises(UserError, match="plain: its tokenizer has no chat template"):
        train.main([*small_flags, "--model_name", "plain"])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (
            ["--lora_r", "8", "--lora_alpha", "16"],
            "--lora_r, --lora_alpha: without effect unless --use_lora is given too",
        ),
        (["--vllm_tensor_parallel_size", "1"], "--vllm_tensor_parallel_size: without effect unless --use_vllm is"),
        (["--target_count", "10"], "--target_count: without effect unless --lambda_count is given too"),
    ],
)
def test_a_flag_that_would_do_nothing_is_refused_unless_what_it_needs_is_switched_off(small_flags, flags, said):
    with pytest.raises(UserError, match=said):
        train.main([*small_flags, *flags, "--dry_run"])
    off = ["--use_lora", "false", "--use_vllm", "false", "--lambda_count", "0"]
    train.main([*small_flags, *flags, *off, "--dry_run"])


def test_a_launcher_that_starts_a_single_process_is_told_of(small_flags, monkeypatch, capsys):
    train.main([*small_flags, "--dry_run"])
    assert "single process" not in capsys.readouterr().err
    monkeypatch.setenv("ACCELERATE_DYNAMO_BACKEND", "no")
    train.main([*small_flags, "--dry_run"])
    assert "accelerate launch starts a single process where there is no GPU" in capsys.readouterr().err


RAISING = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}{{ messages[0]['content'] }}"


@pytest.mark.parametrize("template", [RAISING, "{{ messages[0]['content'] }}{{ none.x.y }}"])
def test_a_prompt_that_the_chat_template_refuses_is_named(small_flags, small, tmp_path, template, monkeypatch):
    for module in ("policy", "fine_tuning"):
        monkeypatch.setattr(f"pipeline.training.{module}.load_model", lambda *_: pytest.fail("a model was loaded"))
    shutil.copytree(small / "model", "strict")
    Path("strict/chat_template.jinja").write_text(template)
    rows = [json.loads(line) for line in (small / "data.jsonl").read_text().splitlines()]
    rows[3]["prompt"] = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Hi"}]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    data = ["--train_path", "data.jsonl", "--model_name", "strict"]
    said = (
        r"prompt 3 \(system, user\): the chat template of .*strict refuses it" if template is RAISING else "prompt 0 "
    )
    for main, flags in ((train.main, [*small_flags, *data]), (sft.main, [*small_flags[:4], *data])):
        with pytest.raises(UserError, match=said):
            main(flags)
    with pytest.raises(UserError, match=said):
        evaluate.main(["--data", "data.jsonl", "--store", small_flags[3], "--model", "strict"])


def test_a_tokenizer_without_an_end_of_text_or_of_another_model_is_refused(small_flags, small):
    tokenizer = load_tokenizer(f"{small}/model")
    tokenizer.add_tokens([f"more {n}" for n in range(2000)])
    shutil.copytree(small / "model", "larger")
    tokenizer.save_pretrained("larger")
    with pytest.raises(
        UserError, match=r"larger: its tokenizer has tokens up to \d+, and the model embeddings for \d+"
    ):
        train.main([*small_flags, "--model_name", "larger", "--dry_run"])
    tokenizer.eos_token = None
    tokenizer.save_pretrained("endless")
    shutil.copy(small / "model" / "config.json", "endless")
    with pytest.raises(UserError, match="endless: its tokenizer has no end of text"):
        train.main([*small_flags, "--model_name", "endless", "--dry_run"])


def test_answers_beyond_the_places_of_a_model_that_counts_them_are_refused(small_flags, small):
    load_tokenizer(f"{small}/model").save_pretrained("gpt2")
    GPT2Config(vocab_size=1000, n_positions=48, n_embd=8, n_layer=1, n_head=1).save_pretrained("gpt2")
    flags = [*small_flags, "--model_name", "gpt2", "--dry_run", "--max_completion_length"]
    with pytest.raises(UserError, match="gpt2: has places for 48 tokens, and the longest prompt with --max_completion"):
        train.main([*flags, "48"])
    train.main([*flags, "8"])


def test_several_gpus_ask_for_a_launcher(small_flags, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    with pytest.raises(
        UserError, match="2 GPUs are visible to one process: start with accelerate launch, or set CUDA_V"
    ):
        train.main(small_flags)


@pytest.mark.parametrize("flag", ["--model_name", "--store", "--sft_model_path"])
def test_the_demo_refuses_another_model_or_store_instead_of_ignoring_it(flag, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"{flag}: without --train_path the demo runs, .*; add --train_path"):
        train.main([flag, "mine", "--dry_run"])


def test_a_dry_run_of_the_demo_writes_only_where_the_seeds_data_already_are(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    where: list[Path] = []

    def stop(seed):
        where.append(Path.cwd())
        raise InterruptedError

    monkeypatch.setattr("pipeline.training.session.make_demo_data", stop)
    for made in ("demo/store.duckdb", "demo/seed-1/conversations.parquet", "demo/seed-1/untrained"):
        Path(made).mkdir(parents=True)
    for seed in ("1", "2"):
        with pytest.raises(InterruptedError):
            train.main(["--dry_run", "--seed", seed])
    assert where[0] == tmp_path and not where[1].is_relative_to(tmp_path)


def test_weights_that_are_cut_short_are_told_before_a_run_is_opened(small_flags, small, tmp_path):
    damaged = shutil.copytree(Path(small) / "model", tmp_path / "damaged")
    with (damaged / "model.safetensors").open("r+b") as file:
        file.truncate(3000)
    runs = [p.name for p in Path(small).glob("store.log/*")]
    with pytest.raises(UserError, match="damaged: can't be loaded as a model"):
        train.main([*small_flags, "--sft_model_path", str(damaged), "--output_dir", str(tmp_path / "run")])
    assert not (tmp_path / "run").exists() and [p.name for p in Path(small).glob("store.log/*")] == runs
