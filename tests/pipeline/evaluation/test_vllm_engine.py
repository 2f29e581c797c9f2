"""What vLLM is asked, and what becomes of its answers: all but the engine is real, which needs a GPU."""

import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import ClassVar

import pytest
from peft import LoraConfig, get_peft_model

from oracle import UserError
from pipeline.evaluate import main
from pipeline.evaluation import vllm_engine
from pipeline.training.models import load_model, load_tokenizer
from trainer import RankGRPOTrainer  # noqa: F401 - brings TRL, which looks for vLLM, before the stand-in is there

TEXT = "1. Alien (1979)"


class Engine:
    """In place of vllm.LLM: it writes one answer to everything."""

    made: ClassVar[list[dict]] = []
    asked: ClassVar[list[tuple]] = []

    def __init__(self, **options):
        self.made.append(options)

    def generate(self, prompts, sampling, lora_request=None, use_tqdm=True):
        tokenizer = load_tokenizer(self.made[-1].get("tokenizer", self.made[-1]["model"]))
        self.asked += [
            (tokenizer.decode(p["prompt_token_ids"]), s, lora_request) for p, s in zip(prompts, sampling, strict=True)
        ]
        tokens = tokenizer(TEXT, add_special_tokens=False)["input_ids"] + [tokenizer.eos_token_id]
        return [SimpleNamespace(outputs=[SimpleNamespace(token_ids=tokens)]) for _ in prompts]


@pytest.fixture
def vllm(monkeypatch):
    module, lora, request = ModuleType("vllm"), ModuleType("vllm.lora"), ModuleType("vllm.lora.request")
    module.__spec__ = ModuleSpec("vllm", None)
    module.LLM, module.SamplingParams = Engine, lambda **options: options
    request.LoRARequest = lambda *what: what
    for name, stand_in in (("vllm", module), ("vllm.lora", lora), ("vllm.lora.request", request)):
        monkeypatch.setitem(sys.modules, name, stand_in)
    monkeypatch.setattr(Engine, "made", [])
    monkeypatch.setattr(Engine, "asked", [])
    return Engine


@pytest.fixture
def asked(small, tmp_path) -> list[str]:
    return ["--data", f"{small}/data.jsonl", "--store", f"{small}/store.duckdb", "--limit", "3", "--samples", "2", "--json",
            "--max_completion_length", "40", "--output", str(tmp_path), "--engine", "vllm", "--model"]  # fmt: skip


def test_each_prompt_and_sample_is_asked_once_as_training_samples_with_a_seed_of_its_own(small, vllm, asked, capsys):
    main([*asked, f"{small}/model"])
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["lists_all"], row["films_per_list_all"], row["recall_20_all"]) == (6, 1, 1)
    assert vllm.made == [{"model": f"{small}/model", "generation_config": "vllm"}]
    assert all("I liked film" in text for text, _, _ in vllm.asked) and len({s["seed"] for _, s, _ in vllm.asked}) == 6
    (sampling,) = {json.dumps({k: v for k, v in s.items() if k != "seed"}) for _, s, _ in vllm.asked}
    assert json.loads(sampling) == {"temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0, "max_tokens": 40}  # fmt: skip
    main([*asked, f"{small}/model"])  # all of it is kept
    assert len(vllm.asked) == 6


def test_an_adapter_runs_on_its_base(small, vllm, asked, tmp_path, capsys):
    adapter = tmp_path / "runs/checkpoint-2"
    get_peft_model(load_model(f"{small}/model"), LoraConfig(r=4, target_modules=["q_proj"])).save_pretrained(adapter)
    load_tokenizer(f"{small}/model").save_pretrained(adapter)
    main([*asked, str(adapter)])
    assert vllm.made[0] == {"model": f"{small}/model", "tokenizer": str(adapter), "generation_config": "vllm",
                            "enable_lora": True, "max_lora_rank": 4}  # fmt: skip
    assert {lora for *_, lora in vllm.asked} == {("adapter", 1, str(adapter))}


def test_without_vllm_the_way_to_get_it_is_said(small, asked, monkeypatch):
    monkeypatch.setitem(sys.modules, "vllm", None)
    with pytest.raises(UserError, match=r"--engine vllm: needs vLLM; pip install 'safe-rank-grpo\[vllm\]'"):
        main([*asked, f"{small}/model"])


def test_an_engine_without_a_model_of_this_machine_is_refused(small, tmp_path):
    flags = ["--data", f"{small}/data.jsonl", "--answers", "a.jsonl", "--engine", "vllm"]
    with pytest.raises(UserError, match="--engine vllm: generates with --model"):
        main(flags)


def test_a_clusters_engines_are_given_tokens_and_give_tokens_back(small, monkeypatch):
    pytest.importorskip("ray", reason="needs pip install 'safe-rank-grpo[ray]'")
    import ray
    import ray.data.llm

    monkeypatch.setattr(ray, "cluster_resources", lambda: {"GPU": 4.0})
    monkeypatch.setattr(ray.data, "from_items", lambda rows: rows)
    configs = []

    def build(config, preprocess, postprocess):
        configs.append(config)

        class Rows(list):
            iter_rows = list.__iter__

        return lambda rows: Rows(postprocess({**preprocess(row), "generated_tokens": [5, 6]}) for row in rows)

    monkeypatch.setattr(ray.data.llm, "build_processor", build)
    rows = [{"row": 1, "sample": 0, "tokens": [1, 2], "sampling": {"seed": 3}}]
    assert list(vllm_engine._on_ray(f"{small}/model", rows)) == [{"row": 1, "sample": 0, "tokens": [5, 6]}]
    (config,) = configs
    assert config.model_source == f"{small}/model" and config.concurrency == (1, 4)
    assert config.engine_kwargs["generation_config"] == "vllm"
