"""A tiny real model and a real oracle for the trainer's tests."""

import pyarrow as pa
import pytest
from transformers import LlamaConfig, LlamaForCausalLM, set_seed

from oracle import build_store, create_oracle
from oracle.judge import Judge
from tests.trainer.tokenizers import byte_level

TRAIT = "Anti-gore / squeamish"
FILMS = [("tt0000001", "Alien", 1979), ("tt0000002", "The Thing", 1982), ("tt0000003", "Frozen", 2013),
         ("tt0000004", "Saw", 2004), ("tt0000005", "Up", 2009)]  # fmt: skip


@pytest.fixture(scope="session")
def judge(tmp_path_factory) -> Judge:
    ids, titles, years = zip(*FILMS, strict=True)
    store = build_store(
        tmp_path_factory.mktemp("store") / "store.duckdb",
        titles=pa.table({"imdb_id": ids, "title": titles, "year": years}),
        trait_risk=pa.table({"imdb_id": ["tt0000004", "tt0000001"], "trait": [TRAIT] * 2, "risk": [0.92, 0.7]}),
        catalog=pa.table({"title": titles, "year": years}),
    )
    return Judge(create_oracle(store=store))


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
