"""Memory and time of a step at the documented LoRA settings, of a random model of Qwen2.5-0.5B's shape."""

import gc
import time
from dataclasses import replace

import pytest
import torch
import yaml
from transformers import Qwen2Config, Qwen2ForCausalLM, TrainerCallback, set_seed

from pipeline.settings.flags import CONFIGS, TrainSettings
from pipeline.training.machine import planned_machine
from pipeline.training.memory import expected_memory, peak
from pipeline.training.models import empty_adapter, lora_config
from pipeline.training.policy import new_adapter
from tests.trainer.tokenizers import byte_level

STEPS = 2
DOCUMENTED = yaml.safe_load((CONFIGS / "one_gpu_lora.yaml").read_text())
# Without vLLM: its share is set by a flag, and its time is that of an engine. Four batches a step instead of eight, for time.
SETTINGS = TrainSettings(**DOCUMENTED | {"use_vllm": False, "gradient_accumulation_steps": 4})


def qwen(small: bool) -> Qwen2Config:
    """As https://huggingface.co/Qwen/Qwen2.5-0.5B-Instruct/blob/main/config.json has it."""
    tokenizer = byte_level()
    shape = dict(
        hidden_size=896, intermediate_size=4864, num_hidden_layers=24, num_attention_heads=14, vocab_size=151936
    )
    if small:
        shape = dict(hidden_size=64, intermediate_size=128, num_hidden_layers=3, num_attention_heads=4, vocab_size=600)
    return Qwen2Config(
        **shape, num_key_value_heads=2, tie_word_embeddings=True, max_position_embeddings=32768, rms_norm_eps=1e-6,
        rope_theta=1e6, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id, bos_token_id=None,
    )  # fmt: skip


class Timed(TrainerCallback):
    def __init__(self):
        self.seconds: list[float] = []

    def on_step_begin(self, *_, **__):
        self.began = time.perf_counter()

    def on_step_end(self, *_, **__):
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self.began)


class Moments:
    """Bytes held at most while answers are generated, and at all other times."""

    def __init__(self, trainer):
        self.generation = self.training = 0
        generate = trainer._generate_single_turn

        def watched(*args, **kwargs):
            self.end_of_training()
            answers = generate(*args, **kwargs)
            self.generation = max(self.generation, torch.cuda.max_memory_allocated())
            torch.cuda.reset_peak_memory_stats()
            return answers

        trainer._generate_single_turn = watched

    def end_of_training(self):
        self.training = max(self.training, torch.cuda.max_memory_allocated())
        torch.cuda.reset_peak_memory_stats()


def test_memory_of_a_step_is_what_a_dry_run_expects_and_its_time_is_told(make_trainer, device, capsys):
    on_gpu = device.type == "cuda"
    s = replace(SETTINGS) if on_gpu else replace(SETTINGS, max_prompt_length=64, max_completion_length=32)
    set_seed(0)
    config = qwen(small=not on_gpu)
    policy = Qwen2ForCausalLM(config).to(torch.bfloat16)
    trainer = make_trainer(
        byte_level(), model=policy, peft_config=new_adapter(s), rows=16, bf16=True, max_steps=STEPS, beta=s.kl_beta,
        num_generations=s.num_generations, per_device_train_batch_size=s.per_device_train_batch_size,
        gradient_accumulation_steps=s.gradient_accumulation_steps, gradient_checkpointing=s.gradient_checkpointing,
        max_completion_length=s.max_completion_length, learning_rate=s.lr, advantage_mode=s.advantage_mode, rec_num=20,
        generation_kwargs={"suppress_tokens": [byte_level().eos_token_id]},
    )  # fmt: skip
    tokenizer = byte_level()
    word = tokenizer.decode(tokenizer(" film")["input_ids"][:1])
    prompts = [word * s.max_prompt_length for _ in range(16)]  # a token each
    assert len(tokenizer(prompts[0])["input_ids"]) == s.max_prompt_length
    trainer.train_dataset = trainer.train_dataset.remove_columns("prompt").add_column("prompt", prompts)
    timed = Timed()
    trainer.add_callback(timed)
    gc.collect()
    if on_gpu:
        torch.cuda.reset_peak_memory_stats()
        moments = Moments(trainer)
    trainer.train()
    assert len(timed.seconds) == STEPS
    lines = [line for line in trainer.state.log_history if "loss" in line]
    assert [line["completions/mean_length"] for line in lines] == [s.max_completion_length] * STEPS
    a_step = trainer.args.generation_batch_size * (s.max_prompt_length + s.max_completion_length)
    assert lines[0]["num_tokens"] == a_step

    with torch.device("meta"):
        empty = empty_adapter(Qwen2ForCausalLM(config).to(torch.bfloat16), lora_config(
            s.lora_r, s.lora_alpha, s.lora_dropout, s.lora_target_modules
        ))  # fmt: skip
    expected = expected_memory(s, trainer.args, empty, s.max_prompt_length, planned_machine(None))
    lines = [f"0.5B, LoRA: {timed.seconds[-1]:.1f} s a step of {trainer.args.generation_batch_size} answers"]
    if on_gpu:
        moments.end_of_training()
        generation = "generation (estimated)"
        training = peak(expected | {generation: 0})
        answering = expected[generation] + sum(expected[name] for name in ("weights", "optimiser"))
        pairs = {"answering": (moments.generation, answering), "training": (moments.training, training)}
        for name, (measured, planned) in pairs.items():
            lines.append(f"{name}: {measured / 2**30:.2f} GiB at most, {planned / 2**30:.2f} GiB expected")
    with capsys.disabled():
        print("", *lines, sep="\n")
    if on_gpu:
        for measured, planned in pairs.values():
            assert measured == pytest.approx(planned, rel=0.15)
        assert max(moments.generation, moments.training) == pytest.approx(peak(expected), rel=0.15)
