"""The absolute length control of the public code: added to advantages, outside of any mean, and derived again."""

import pytest
import torch

from oracle import UserError
from oracle.log import LogWriter, open_log
from tests.trainer.drive import CUT, SAFE, G, K, answer_with, scored
from tests.trainer.tokenizers import byte_level
from trainer.advantages import length_control

SHORT = "1. Up (2009)"
LONG = SAFE + "\n4. Alien (1979)\n5. Saw (2004)"


def test_the_end_of_exactly_k_films_is_raised_and_an_early_or_late_one_lowered():
    expected = [[-0.1, 0, 0, 0], [0, -0.1, 0, 0], [0, 0, 0, 0.1], [0, 0, 0, -0.1], [0, 0, 0, -0.1]]
    assert torch.equal(
        length_control(torch.tensor([0, 1, 3, 4, 9]), 3, 0.1), torch.tensor(expected, dtype=torch.float64)
    )


@pytest.mark.parametrize(("texts", "at_end"), [([SAFE, SAFE], 0.25), ([SHORT, SHORT], -0.25), ([LONG, LONG], -0.25)])
def test_a_group_that_agrees_feels_it_where_its_list_ends_and_nowhere_else(make_trainer, texts, at_end):
    trainer = make_trainer(byte_level(), end_credit=True, length_control=0.25)
    out = scored(trainer, texts)
    n_films = texts[0].count("\n") + 1
    ends = (out["rank_ids"] == min(n_films, K)) & out["completion_mask"].bool()
    assert ends.any() and (out["advantages"][ends] == at_end).all()
    assert (out["advantages"][~ends] == 0).all()


def test_without_it_such_a_group_learns_nothing(make_trainer):
    assert (scored(make_trainer(byte_level(), end_credit=True), [SHORT, SHORT])["advantages"] == 0).all()


def test_an_evaluation_teaches_no_length(make_trainer):
    trainer = make_trainer(byte_level(), end_credit=True, length_control=0.25, num_generations_eval=1)
    answer_with(trainer, [SHORT])
    trainer.model.eval()
    assert (trainer._generate_and_score_completions([trainer.train_dataset[0]])["advantages"] == 0).all()


def test_a_title_that_was_cut_off_is_no_end(make_trainer):
    out = scored(make_trainer(byte_level(), end_credit=True, length_control=0.25), ["1. Up (2009)\n2. Froz" + CUT] * 2)
    assert (out["advantages"] == 0).all()


@pytest.mark.parametrize("mode", ["grpo", "gdpo"])
def test_it_has_a_column_of_its_own_and_is_derived_again(make_trainer, tmp_path, mode):
    run = {"kind": "train", "rec_num": K, "num_generations": G, "advantage_mode": mode, "length_control": 0.25,
           "w_count": 0.0, "w_end": 0.0, "w_repeat": 0.0}  # fmt: skip
    log = LogWriter(tmp_path / "store.log", run)
    trainer = make_trainer(
        byte_level(), None, log, advantage_mode=mode, end_credit=True, length_control=0.25, max_steps=3
    )
    answer_with(trainer, [SAFE, SHORT], [LONG, "No films."], ["1. Up (2009)\n2. Froz" + CUT, SAFE])
    trainer.train()
    log.close()
    with open_log(tmp_path / "store.log") as connection:
        placed = "select step, completion, rank, length_control from verdicts where length_control <> 0 order by all"
        assert connection.sql(placed).fetchall() == [
            (1, 0, 4, 0.25), (1, 1, 2, -0.25), (2, 0, 4, -0.25), (2, 1, 1, -0.25), (3, 1, 4, 0.25)
        ]  # fmt: skip
        assert connection.sql("select count(*), count(*) filter (differs) from rederivation").fetchall() == [(25, 0)]
        sentence = connection.sql("select sentence from why((select run_id from runs), 1, 1, 2)").fetchall()[0][0]
        assert "−0.25 of it for the length of the list" in sentence


def test_it_needs_the_credit_of_list_ends(make_trainer):
    with pytest.raises(UserError, match="set end_credit=True too"):
        make_trainer(byte_level(), length_control=0.1)
