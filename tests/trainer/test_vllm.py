"""What vLLM would be asked, and what becomes of its answers: TRL's own vLLM path, with the engine alone replaced."""

from contextlib import nullcontext
from copy import deepcopy
from types import SimpleNamespace

import pytest
import torch
from accelerate import Accelerator
from peft import IA3Config, LoraConfig, get_peft_model
from trl.distributed import DistributedBackend
from trl.generation.vllm_generation import VLLMGeneration

from oracle import UserError
from tests.trainer.drive import tiny_model
from tests.trainer.engine import Engine
from trainer import rank_grpo_trainer
from trainer.vllm_sync import check_server, merged_weights, sync_without_rounding


def test_the_settings_reach_the_engine(make_vllm_trainer):
    trainer = make_vllm_trainer(
        vllm_gpu_memory_utilization=0.35, vllm_tensor_parallel_size=1, temperature=0.8, top_p=0.9,
        vllm_importance_sampling_correction=False,
    )  # fmt: skip
    asked = trainer.vllm_generation.options
    assert asked["mode"] == "colocate" and asked["gpu_memory_utilization"] == 0.35
    assert asked["tensor_parallel_size"] == 1 and asked["max_completion_length"] == 40
    assert asked["temperature"] == 0.8 and asked["top_p"] == 0.9


def test_weights_are_synchronised_before_each_generation_and_training_moves_them(make_vllm_trainer):
    trainer = make_vllm_trainer(vllm_importance_sampling_mode="token_truncate")
    before = [p.clone() for p in trainer.model.parameters()]
    trainer.train()
    assert trainer.vllm_generation.syncs == 2
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.model.parameters(), strict=True))
    assert "sampling/importance_sampling_ratio/mean" in trainer.state.log_history[0]


@pytest.mark.parametrize("adapter", [{}, {"use_dora": True}])
def test_merging_for_the_engine_leaves_a_bfloat16_base_as_it_was_bit_for_bit(adapter):
    model = tiny_model().to(torch.bfloat16)
    targets = ["q_proj", "down_proj", "embed_tokens"]
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=targets, init_lora_weights=False, **adapter))
    before = {name: weight.clone() for name, weight in adapted.state_dict().items()}
    merged = dict(merged_weights(adapted))
    assert all(torch.equal(weight, before[name]) for name, weight in adapted.state_dict().items())
    exact = deepcopy(adapted).float().merge_and_unload().state_dict()
    assert merged.keys() == exact.keys()
    for name, weight in merged.items():
        assert weight.dtype == torch.bfloat16
        assert torch.allclose(weight.float(), exact[name], rtol=2**-8, atol=1e-6), name


def generation_on_a_gpu(model) -> VLLMGeneration:
    """TRL's own, without an engine."""
    generation = VLLMGeneration.__new__(VLLMGeneration)
    generation.model, generation.mode = model, "colocate"
    generation.accelerator = SimpleNamespace(device=torch.device("cuda"))  # type: ignore[assignment]
    generation._dist = DistributedBackend(Accelerator(cpu=True))
    return generation


@pytest.mark.parametrize("tied", [False, True])
def test_a_gpus_engine_is_pushed_what_trl_would_push_but_the_base_stays_as_it_was_bit_for_bit(tied):
    """TRL's own way changes it: should that no longer be so, ours is no longer needed."""
    base = tiny_model()
    base.config.tie_word_embeddings = tied
    base.tie_weights()
    config = LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False)
    model = get_peft_model(base.to(torch.bfloat16), config)
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    generation = generation_on_a_gpu(model)
    sync_without_rounding(generation)
    ours = {name: weight.clone() for name, weight in generation._iter_named_params()}
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    theirs = {name: weight.clone() for name, weight in VLLMGeneration._iter_named_params(generation)}
    assert not all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())
    assert list(ours) == list(theirs)
    assert all(torch.allclose(ours[name], theirs[name], rtol=2**-7, atol=1e-5) for name in theirs)


@pytest.mark.parametrize("why", ["full weights", "modules_to_save", "another adapter", "sharded"])
def test_what_only_trl_can_push_is_left_to_it(why, monkeypatch):
    model = tiny_model()
    if why == "another adapter":
        model = get_peft_model(model, IA3Config(target_modules=["k_proj"], feedforward_modules=[]))
    elif why != "full weights":
        saved = ["lm_head"] if why == "modules_to_save" else None
        model = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=saved))
    generation = generation_on_a_gpu(model)
    generation._dist.fsdp_version = 2 if why == "sharded" else None
    sync_without_rounding(generation)
    assert "_iter_named_params" not in vars(generation) and "sync_weights" not in vars(generation)


def test_an_adapter_that_a_cpus_engine_cannot_take_is_refused():
    generation = generation_on_a_gpu(get_peft_model(tiny_model(), LoraConfig(r=4, modules_to_save=["lm_head"])))
    generation.accelerator.device = torch.device("cpu")
    with pytest.raises(UserError, match="vLLM on a CPU takes full weights or a LoRA adapter without modules_to_save"):
        sync_without_rounding(generation)


def test_all_active_adapters_are_merged_for_the_engine():
    config = LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False)
    adapted = get_peft_model(tiny_model(), config)
    for name in ("second", "idle"):
        adapted.add_adapter(name, config)
    adapted.base_model.set_adapter(["default", "second"])
    merged = dict(merged_weights(adapted))
    exact = adapted.merge_and_unload(adapter_names=["default", "second"]).state_dict()
    assert all(torch.allclose(merged[name], exact[name], atol=1e-6) for name in exact)


def test_an_engine_on_the_cpu_reloads_what_a_checkpoint_of_the_merged_model_would_hold():
    model = tiny_model()
    expected = {name: weight.clone() for name, weight in model.state_dict().items()}
    assert {name: True for name, _ in merged_weights(model)} == dict.fromkeys(expected, True)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj", "down_proj"], init_lora_weights=False))
    before = {name: weight.clone() for name, weight in adapted.state_dict().items()}
    merged = {name: weight.clone() for name, weight in merged_weights(adapted)}
    assert merged.keys() == expected.keys()
    changed = {name for name, weight in merged.items() if not torch.equal(weight, expected[name])}
    assert changed == {name for name in expected if "q_proj" in name or "down_proj" in name}
    for name, weight in adapted.state_dict().items():
        assert torch.allclose(weight, before[name], atol=1e-6), name
    whole = adapted.merge_and_unload().state_dict()
    assert all(torch.allclose(merged[name], whole[name], atol=1e-6) for name in expected)


def server(mode: str | None) -> SimpleNamespace:
    client = SimpleNamespace()
    if mode:
        client.get_server_info = lambda: {"model_config": {"logprobs_mode": mode}}
    return SimpleNamespace(accelerator=Accelerator(cpu=True), vllm_client=client)


@pytest.mark.parametrize("corrected", [True, False])
def test_a_trainer_asks_its_server_how_it_computes_only_where_it_corrects_for_that(
    make_vllm_trainer, monkeypatch, corrected
):
    monkeypatch.setattr(Engine, "logprobs_mode", "raw_logprobs")
    options = {"vllm_mode": "server", "temperature": 0.7, "vllm_importance_sampling_correction": corrected}
    with pytest.raises(UserError, match="--logprobs-mode raw_logprobs") if corrected else nullcontext():
        make_vllm_trainer(**options)


def test_a_trainer_gives_its_engine_copies_with_the_adapter_merged(make_vllm_trainer, monkeypatch):
    monkeypatch.setattr(rank_grpo_trainer, "sync_without_rounding", sync_without_rounding)
    lora = LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False)
    trainer = make_vllm_trainer(vllm_mode="server", peft_config=lora)
    base = {name: weight.clone() for name, weight in trainer.model.get_base_model().state_dict().items()}
    pushed = dict(trainer.vllm_generation._iter_named_params())
    changed = {name for name, weight in pushed.items() if name not in base or not torch.equal(weight, base[name])}
    assert changed == {f"model.layers.{i}.self_attn.q_proj.weight" for i in range(2)}
    assert all(torch.equal(base[n], weight) for n, weight in trainer.model.get_base_model().state_dict().items())


def test_a_server_whose_probabilities_leave_the_temperature_out_is_refused():
    with pytest.raises(UserError, match="start the server with --logprobs-mode processed_logprobs"):
        check_server(server("raw_logprobs"), temperature=0.7)


@pytest.mark.parametrize(("mode", "temperature"), [("raw_logprobs", 1.0), ("processed_logprobs", 0.7), (None, 0.7)])
def test_a_server_that_applies_the_temperature_or_needs_none_is_taken(mode, temperature):
    check_server(server(mode), temperature)
