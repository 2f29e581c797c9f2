"""Credit on what GPT-4, GPT-3.5, Vicuna and others really answered."""

import json
from pathlib import Path

import pytest
import torch
from peft import LoraConfig

from oracle import parse_recommendations
from tests.trainer.drive import gradient_of_logps, scored
from tests.trainer.tokenizers import FAMILIES, byte_level
from trainer.credit import rank_ids

REAL = Path(__file__).parents[3] / "shared" / "realdata" / "llm_completions.jsonl"
pytestmark = pytest.mark.skipif(not REAL.exists(), reason=f"the real answers are not here: {REAL}")
LORA = LoraConfig(r=4, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)


def answers(every: int) -> list[dict]:
    return [json.loads(line) for line in REAL.read_text().splitlines()][::every]


def prefix_ends(tokenizer, row: list[int]) -> list[int]:
    """Where each token ends in the decoded text, in characters: the length of the text of its prefix, the slow way.

    A prefix that ends inside a character decodes to a text that ends in U+FFFD.
    """
    prefixes = tokenizer.batch_decode([row[: t + 1] for t in range(len(row))], skip_special_tokens=True)
    return [len(p.rstrip("�")) for p in prefixes]


@pytest.mark.parametrize("family", FAMILIES)
def test_the_tokens_of_a_rank_are_exactly_those_that_overlap_its_span(family):
    tokenizer, ranks_seen = FAMILIES[family](), 0
    for answer in answers(every=9):
        ids = tokenizer(answer["text"], add_special_tokens=False)["input_ids"]
        row = [*ids[:600], tokenizer.eos_token_id]
        text = tokenizer.decode(row, skip_special_tokens=True)
        entries, ends = parse_recommendations(text), prefix_ends(tokenizer, row)
        found = rank_ids(tokenizer, torch.tensor([row]), torch.ones(1, len(row)))[0].tolist()
        for token, (start, end) in enumerate(zip([0, *ends], ends, strict=False)):
            if start < end:  # a part of a character, or a token that adds nothing, may go with its neighbour
                overlapping = [e.rank - 1 for e in entries[:20] if e.start < end and start < e.end]
                assert found[token] == (overlapping[0] if overlapping else -1), (answer["text"], token)
        ranks_seen += len({rank for rank in found if rank >= 0})
    assert ranks_seen > 100


def test_every_rank_is_written_by_tokens_that_hold_its_title():
    tokenizer = byte_level()
    for answer in answers(every=10):
        row = tokenizer(answer["text"], add_special_tokens=False)["input_ids"]
        found = rank_ids(tokenizer, torch.tensor([row]), torch.ones(1, len(row)))[0]
        for entry in parse_recommendations(answer["text"])[:20]:
            assert entry.title in tokenizer.decode(torch.tensor(row)[found == entry.rank - 1])


@pytest.mark.parametrize("lora", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_if_one_rank_of_a_real_answer_is_unsafe_only_its_tokens_have_a_gradient(make_trainer, family, lora):
    tokenizer, tried = FAMILIES[family](), set()

    def as_written(text: str) -> str:
        return tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"], skip_special_tokens=True)

    for answer in answers(every=5):
        safe = as_written(answer["text"])
        entries = parse_recommendations(safe)
        if answer["model"] in tried or not 4 <= len(entries) <= 20:
            continue
        start, end, title, year = entries[2].start, entries[2].end, entries[2].title, entries[2].year
        third = safe[start:end].replace(title, "Saw" if year else "Saw (2004)").replace(str(year), "2004")
        unsafe = as_written(safe[:start] + third + safe[end:])
        if [e.title for e in parse_recommendations(unsafe)] != [e.title if e.rank != 3 else "Saw" for e in entries]:
            continue
        tried.add(answer["model"])
        trainer = make_trainer(tokenizer, peft_config=LORA if lora else None, rec_num=20)
        out = scored(trainer, [safe, unsafe])
        gradient, in_rank = gradient_of_logps(trainer, out), out["rank_ids"] == 2
        assert in_rank.any(dim=1).all()
        assert (gradient[~in_rank] == 0).all() and (gradient[in_rank] != 0).all()
    assert len(tried) >= 2
