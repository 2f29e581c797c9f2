"""Answers of local models with vLLM: on this machine, or on the machines of a Ray cluster through `ray.data.llm`."""

from collections.abc import Iterator
from typing import Any

from tqdm import tqdm

from oracle import UserError
from pipeline.evaluation.journal import Journal
from pipeline.training.models import base_of, is_adapter, load_tokenizer, read_adapter, written_prompts

AT_ONCE = 1000
"""Prompts that vLLM is given at once: it fills the device by itself, and what came is kept after each lot."""


def answer(
    journal: Journal, name: str, prompts: list, *, samples: int, temperature: float, max_new_tokens: int, seed: int,
    engine: str,
) -> None:  # fmt: skip
    """Have the model answer what is missing in the journal; each answer has a seed of its own, so that none depends on others.

    Raises:
        UserError: no vLLM here (engine vllm), or a model that can't be loaded.
    """
    missing = journal.missing(len(prompts), samples)
    if not missing:
        return
    tokenizer = load_tokenizer(name)
    texts = written_prompts(tokenizer, [prompts[row] for row, _ in missing])
    ids = tokenizer(texts, add_special_tokens=False)["input_ids"]
    rows = [
        {
            "row": row, "sample": sample, "tokens": tokens,
            # Those of training: nothing that the model's own generation_config names.
            "sampling": {"temperature": temperature, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0,
                         "max_tokens": max_new_tokens, "seed": (seed + 1_000_003 * row + sample) % 2**31},
        }
        for (row, sample), tokens in zip(missing, ids, strict=True)
    ]  # fmt: skip
    answers = _on_ray(name, rows) if engine == "ray" else _here(name, rows)
    kept = len(journal.answers)
    for given in tqdm(answers, desc="answering", unit="answer", initial=kept, total=kept + len(rows)):
        tokens = list(given["tokens"])
        ended = tokens[-1:] == [tokenizer.eos_token_id] or len(tokens) < max_new_tokens
        text = tokenizer.decode(tokens, skip_special_tokens=True)
        journal.add([{"row": given["row"], "sample": given["sample"], "text": text, "ended": ended, "tokens": tokens}])


def engine_options(name: str) -> dict[str, Any]:
    """vLLM's arguments for a model; of an adapter, those of its base, with room for the adapter's rank."""
    if not is_adapter(name):
        return {"model": name, "generation_config": "vllm"}
    rank = getattr(read_adapter(name), "r", 16)
    return {
        "model": base_of(name),
        "tokenizer": name,
        "generation_config": "vllm",
        "enable_lora": True,
        "max_lora_rank": rank,
    }


def _here(name: str, rows: list[dict]) -> Iterator[dict]:
    try:
        from vllm import LLM, SamplingParams
        from vllm.lora.request import LoRARequest
    except ImportError:
        raise UserError("--engine vllm: needs vLLM; pip install 'safe-rank-grpo[vllm]'") from None
    adapter = LoRARequest("adapter", 1, name) if is_adapter(name) else None
    engine = LLM(**engine_options(name))
    for start in range(0, len(rows), AT_ONCE):
        lot = rows[start : start + AT_ONCE]
        asked = [{"prompt_token_ids": row["tokens"]} for row in lot]
        sampling = [SamplingParams(**row["sampling"]) for row in lot]
        outputs = engine.generate(asked, sampling, lora_request=adapter, use_tqdm=False)
        for row, output in zip(lot, outputs, strict=True):
            yield {**row, "tokens": output.outputs[0].token_ids}


def _on_ray(name: str, rows: list[dict]) -> Iterator[dict]:
    """Each of the cluster's GPUs has an engine; a row goes in with its tokens, and comes out with those of its answer."""
    import ray.data
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    options = engine_options(name)
    adapter = {"model": name} if is_adapter(name) else {}
    config = vLLMEngineProcessorConfig(
        model_source=options.pop("model"), engine_kwargs=options, batch_size=64,
        concurrency=(1, max(1, int(ray.cluster_resources().get("GPU", 1)))),
        chat_template_stage=False, tokenize_stage=False, detokenize_stage=False,
    )  # fmt: skip
    processor = build_processor(
        config,
        preprocess=lambda row: {
            "row": row["row"], "sample": row["sample"], "tokenized_prompt": row["tokens"],
            "sampling_params": row["sampling"], **adapter,
        },
        postprocess=lambda row: {"row": row["row"], "sample": row["sample"], "tokens": row["generated_tokens"]},
    )  # fmt: skip
    return iter(processor(ray.data.from_items(rows)).iter_rows())
