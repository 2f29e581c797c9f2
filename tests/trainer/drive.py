"""Trainers of a tiny model that are told what to sample, and what the loss then does to each token."""

from pathlib import Path

import pyarrow as pa
import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from oracle.annotate import Annotator
from tests.trainer.tokenizers import byte_level
from trainer import RankGRPOConfig, RankGRPOTrainer
from trainer.rewards import make_relevance_func, make_safety_func

TRAIT = "Anti-gore / squeamish"
FILMS = [("tt0000001", "Alien", 1979), ("tt0000002", "The Thing", 1982), ("tt0000003", "Frozen", 2013),
         ("tt0000004", "Saw", 2004), ("tt0000005", "Up", 2009)]  # fmt: skip
K, G = 3, 2
SAFE = "1. Up (2009)\n2. Frozen (2013)\n3. The Thing (1982)"
UNSAFE_AT_3 = "1. Up (2009)\n2. Frozen (2013)\n3. Saw (2004)"


def film_store() -> dict[str, pa.Table]:
    """What `build_store` needs for a store of these films, two of them risky."""
    ids, titles, years = zip(*FILMS, strict=True)
    return {
        "titles": pa.table({"imdb_id": ids, "title": titles, "year": years}),
        "trait_risk": pa.table({"imdb_id": ["tt0000004", "tt0000001"], "trait": [TRAIT] * 2, "risk": [0.92, 0.7]}),
        "catalog": pa.table({"title": titles, "year": years}),
    }


def tiny_model(tokenizer=None, seed: int = 0) -> LlamaForCausalLM:
    tokenizer = tokenizer or byte_level()
    set_seed(seed)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=512,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
            bos_token_id=None,
        )
    )


def new_trainer(
    folder: Path,
    annotator: Annotator,
    tokenizer,
    functions=None,
    log=None,
    model=None,
    peft_config=None,
    rows=4,
    eval_rows=0,
    evaluation_log=None,
    **options,
) -> RankGRPOTrainer:
    """A trainer of K ranks and groups of G on prompts that want no gore and liked Frozen."""
    settings = dict(
        output_dir=str(folder / "out"), rec_num=K, num_generations=G, per_device_train_batch_size=G, beta=0.0,
        max_completion_length=40, report_to="none", save_strategy="no", use_cpu=True, learning_rate=1e-2, seed=1,
        max_steps=2, logging_steps=1, disable_tqdm=True, bf16=False,
    ) | options  # fmt: skip
    k = settings["rec_num"]
    dataset = Dataset.from_list(
        [{
            "prompt": "What should I watch next?" + "!" * i, "constraints": [TRAIT],
            "groundtruth_with_release_year": [{"title": "Frozen", "year": 2013}], "seen_titles": [],
        } for i in range(rows)]
    )  # fmt: skip
    return RankGRPOTrainer(
        model or tiny_model(tokenizer),
        functions or [make_relevance_func(annotator, rec_num=k), make_safety_func(annotator, rec_num=k)],
        RankGRPOConfig(**settings),
        rollout_log=log,
        evaluation_log=evaluation_log,
        train_dataset=dataset,
        eval_dataset=dataset.select(range(eval_rows)) if eval_rows else None,
        processing_class=tokenizer,
        peft_config=peft_config,
    )


CUT = "✂"


def answer_with(trainer: RankGRPOTrainer, *batches: list[str]) -> None:
    """Have the trainer sample these answers: a batch each time, the last one again and again.

    Each ends with the end-of-text token, but for those that end with `CUT`: the length limit cut them off there.
    """
    tokenizer, left = trainer.processing_class, list(batches)

    def sample(*_):
        texts = left.pop(0) if len(left) > 1 else left[0]
        ids = tokenizer([t.removesuffix(CUT) for t in texts], add_special_tokens=False)["input_ids"]
        ends = [[] if t.endswith(CUT) else [tokenizer.eos_token_id] for t in texts]
        return [row + end for row, end in zip(ids, ends, strict=True)], None

    trainer._generate_single_turn = sample


def scored(trainer: RankGRPOTrainer, texts: list[str]) -> dict:
    """What the trainer makes of answers that it is told to have sampled."""
    answer_with(trainer, texts)
    trainer.model.train()
    trainer.current_gradient_accumulation_steps = 1
    return trainer._generate_and_score_completions([trainer.train_dataset[0]] * len(texts))


def gradient_of_logps(trainer: RankGRPOTrainer, out: dict) -> torch.Tensor:
    """(B, T) gradient of the loss on the log-probability of each token."""
    kept: list[torch.Tensor] = []
    parent = type(trainer)._get_per_token_logps_and_entropies

    def watched(*args, **kwargs):
        result = parent(trainer, *args, **kwargs)
        result[0].retain_grad()
        kept.append(result[0])
        return result

    trainer._get_per_token_logps_and_entropies = watched
    trainer.compute_loss(trainer.model, out).backward()
    return kept[-1].grad


def logps_of(model, out: dict) -> torch.Tensor:
    """(B, T) log-probabilities that a model gives the completions."""
    ids = torch.cat([out["prompt_ids"], out["completion_ids"]], 1)
    attention = torch.cat([out["prompt_mask"], out["completion_mask"]], 1)
    width = out["completion_ids"].shape[1]
    logits = model(input_ids=ids, attention_mask=attention).logits[:, -width - 1 : -1]
    return logits.log_softmax(-1).gather(-1, ids[:, -width:, None])[..., 0]
