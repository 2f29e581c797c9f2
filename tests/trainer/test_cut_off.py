"""A title that the length limit cut off is no recommendation: no verdict, no reward, no part in its group's mean."""

import math

import duckdb
import numpy as np
import pytest

from oracle import parse_batch
from oracle.cut_off import open_entries
from oracle.log import LogWriter
from tests.trainer.drive import CUT, SAFE, UNSAFE_AT_3, G, K, gradient_of_logps, scored, tiny_model
from tests.trainer.tokenizers import byte_level
from trainer.rewards import make_count_func, make_end_func, make_relevance_func, make_repeat_func, make_safety_func

TWO = "1. Up (2009)\n2. The Thing (1982)"


@pytest.mark.parametrize(
    ("text", "is_open"),
    [
        ("1. Up (2009)\n2. Saw", True), ("1. Up (2009)\n2. Saw ", True), ("1. Up (2009)\n2. Saw (20", True),
        ("1. Up (2009)\n2. **Sa", True), ('["Up", "Sa', True), ('[{"title": "Up", "year": 2009}, {"title": "Sa', True),
        ("1. Up (2009)\n2. Saw\n", False), ("1. Up (2009)\n2. Saw\n3", False), ("1. Up (2009)\n2. Saw (2004)", False),
        ("1. Up (2009)\n2. Saw (2004) - a cha", False), ("1. Up (2009)\n2. Saw\n\nEnj", False), ("1. Up (2009)\n2.", False),
    ],
)  # fmt: skip
def test_an_entry_is_open_if_nothing_stands_behind_it_and_its_film_is_not_named_in_full(text, is_open):
    entries = parse_batch([SAFE, text])
    assert open_entries(entries, [SAFE, text], [True, False]).tolist() == [False] * (len(entries) - 1) + [is_open]
    assert not open_entries(entries, [SAFE, text], [False, True]).any()
    assert not open_entries(entries, [SAFE, text], None).any()


def test_without_any_entry_nothing_is_open():
    assert open_entries(parse_batch(["", "No."]), ["", "No."], [False, False]).tolist() == []


@pytest.mark.parametrize("title", ["Saw", "Frozen"])  # of Sawdust and Tinsel, and of Frozen River
@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_a_cut_off_title_is_neither_punished_nor_a_hit_and_its_group_is_compared_without_it(make_trainer, title, mode):
    trainer = make_trainer(byte_level(), num_generations=3, per_device_train_batch_size=3, advantage_mode=mode)
    out = scored(trainer, [f"{TWO}\n3. {title}{CUT}", f"{TWO}\n3. Saw (2004)", f"{TWO}\n3. Frozen (2013)"])
    third = out["rank_ids"] == 2
    assert third.any(dim=1).all()  # its tokens still belong to the rank
    assert (out["advantages"][0] == 0).all()
    pair = [out["advantages"][i][third[i]][0].item() for i in (1, 2)]
    # Two rewards that differ, compared with each other alone: ±0.707 under grpo, the same size under gdpo.
    assert pair[0] == pytest.approx(-pair[1]) and pair[0] < 0
    if mode == "grpo":
        assert pair[1] == pytest.approx(0.5**0.5, abs=1e-3)
    gradient = gradient_of_logps(trainer, out)
    assert (gradient[0] == 0).all() and (gradient[1][third[1]] != 0).all()
    assert trainer._counts["train"]["films"] == 8 and trainer._counts["train"]["unsafe"] == 1


def test_the_same_answer_with_its_end_is_judged(make_trainer):
    out = scored(make_trainer(byte_level()), [f"{TWO}\n3. Saw", f"{TWO}\n3. Up"])
    assert (out["advantages"][0][out["rank_ids"][0] == 2] < 0).all()


def test_a_cut_off_title_is_neither_counted_nor_an_early_end(make_trainer, annotator):
    functions = [
        make_count_func(annotator, 1.0, 2, K),
        make_end_func(annotator, 1.0, K),
        make_repeat_func(annotator, 1.0, K),
    ]
    trainer = make_trainer(byte_level(), functions, end_credit=True)
    out = scored(trainer, [f"{TWO}\n3. Up{CUT}", SAFE])
    count, end, repeat = trainer._local_rewards[0]
    assert count[:2].tolist() == [1.0, 1.0]  # a list of two, as asked for
    assert end[[0, 1, 3]].tolist() == [0, 0, 0] and repeat[:2].tolist() == [0, 0]
    assert np.isnan([count[2], end[2], repeat[2]]).all()
    assert (out["advantages"][0][out["rank_ids"][0] == 2] == 0).all()


def test_a_title_cut_off_behind_rank_k_leaves_the_list_full(make_trainer, annotator):
    trainer = make_trainer(byte_level(), [make_end_func(annotator, 1.0, K)], end_credit=True)
    scored(trainer, [f"{SAFE}\n4. Sa{CUT}", SAFE])
    assert trainer._local_rewards[0][0][:K].tolist() == [0.0] * K and math.isnan(trainer._local_rewards[0][0][K])


def test_any_function_of_ranks_is_told_which_answers_ended(make_trainer):
    told = []

    def reward(completions, ended, **_):
        told.append(ended)
        return [[1.0] * K, [0.0] * K]

    out = scored(make_trainer(byte_level(), [reward]), [f"{TWO}\n3. Sa{CUT}", UNSAFE_AT_3])
    assert told == [[False, True]]
    assert (out["advantages"][out["rank_ids"] == 2] == 0).all() and (out["advantages"][out["rank_ids"] == 1] != 0).all()


def test_a_function_of_the_batch_is_not_shown_a_cut_off_title(make_trainer, annotator):
    shown = []

    def films(batch):
        shown.extend(batch.entries["title"].to_pylist())
        return np.zeros((2, K))

    trainer = make_trainer(byte_level(), [make_safety_func(annotator, rec_num=K), films])
    scored(trainer, [f"{TWO}\n3. Saw{CUT}", SAFE])
    assert shown == ["Up", "The Thing", "Up", "Frozen", "The Thing"]


def test_any_of_a_models_ends_of_text_ends_an_answer(make_trainer):
    tokenizer, model = byte_level(), tiny_model()
    other, word = tokenizer("!?")["input_ids"][:1], tokenizer("1. Saw")["input_ids"]
    model.generation_config.eos_token_id = [*other, tokenizer.eos_token_id]
    trainer = make_trainer(tokenizer, model=model, num_generations=3, per_device_train_batch_size=3)
    sampled = [[*word, *other], [*word, tokenizer.eos_token_id], word]
    trainer._generate_single_turn = lambda *_: (sampled, None)
    trainer._generate_and_score_completions([trainer.train_dataset[0]] * 3)
    assert trainer._answers.ended == [True, True, False]


def test_reward_functions_called_on_their_own_take_every_answer_as_ended(annotator):
    batch = {"completions": [f"{TWO}\n3. Saw"], "constraints": [["Anti-gore"]]}
    safety = make_safety_func(annotator, rec_num=K)
    assert safety(**batch).tolist() == [[0, 0, -1]]
    assert safety(**batch, ended=[False]).tolist() == [[0, 0, 0]]
    hit = make_relevance_func(annotator, "exp_inf", K)
    liked = {"groundtruth_with_release_year": [[{"title": "Saw", "year": 2004}]]}
    assert hit(**batch, **liked).tolist() == [[0, 0, 1]] and hit(**batch, **liked, ended=[False]).tolist() == [
        [0, 0, 0]
    ]


def test_the_log_has_the_place_of_a_cut_off_title_and_no_verdict_on_it(make_trainer, tmp_path):
    log = LogWriter(tmp_path / "store.log", {"kind": "train", "rec_num": K, "num_generations": G})
    trainer = make_trainer(byte_level(), log=log)
    scored(trainer, [f"{TWO}\n3. Saw{CUT}", SAFE])
    step = f"{log.folder}/step-*"
    [row] = duckdb.sql(
        f"select * from read_parquet('{step}/verdicts.parquet') where completion = 0 and rank = 3"
    ).fetchall()
    columns = duckdb.sql(f"describe from read_parquet('{step}/verdicts.parquet')").fetchall()
    found = dict(zip((name for name, *_ in columns), row, strict=True))
    assert f"{TWO}\n3. Saw"[found["start"] : found["end"]] == "3. Saw"
    for name in (
        "title",
        "imdb_id",
        "match_method",
        "is_safe",
        "hit",
        "r_rel",
        "r_safe",
        "r_count",
        "r_end",
        "r_total",
    ):
        assert found[name] is None, name
    assert found["advantage"] == 0 and found["n_tokens"] > 0 and found["n_films"] == 2
    [(ended, text)] = duckdb.sql(
        f"select ended, text from read_parquet('{step}/completions.parquet') where completion = 0"
    ).fetchall()
    assert not ended and text == f"{TWO}\n3. Saw"
