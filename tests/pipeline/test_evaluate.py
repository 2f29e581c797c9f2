"""Evaluation samples as training does, wherever the model lies, and refuses what makes no sense."""

import json

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from oracle import UserError, create_oracle
from oracle.annotate import Annotator
from oracle.log import LogWriter, compact, open_log, query
from oracle.store import log_root
from pipeline.evaluate import main
from pipeline.evaluation.judging import Answers, log_answers
from pipeline.evaluation.local import generate
from pipeline.evaluation.results import summaries
from pipeline.samples.dataset import load_dataset
from pipeline.training.models import load_policy

PROMPTS = [[{"role": "user", "content": f"I liked film {n}. What else?"}] for n in range(3)]


def answers(model, tokenizer, temperature: float = 1.0) -> tuple[list[list[int]], list[bool]]:
    _, ids, ended = generate(model, tokenizer, PROMPTS, temperature, max_new_tokens=12, batch_size=3, seed=1)
    return [row.tolist() for row in ids], ended


def test_a_policy_lies_on_the_accelerator_where_there_is_one(small, monkeypatch):
    assert load_policy(f"{small}/model")[0].device.type == "cpu"
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda: torch.device("meta"))
    assert load_policy(f"{small}/model")[0].device.type == "meta"


@pytest.mark.parametrize(
    ("option", "temperature"),
    [({"top_p": 0.01}, 1.0), ({"min_p": 1.0}, 1.0), ({"top_k": 1}, 1.0), ({"repetition_penalty": 9.0}, 0.0)],
)
def test_how_training_samples_wins_over_the_models_own_generation_config(small, option, temperature):
    model, tokenizer = load_policy(f"{small}/model")
    expected = answers(model, tokenizer, temperature)
    model.generation_config.update(**option)
    assert answers(model, tokenizer, temperature) == expected


@pytest.mark.parametrize("of_tokenizer", [False, True])
def test_an_answer_ends_at_whichever_end_of_text_comes_first(small, of_tokenizer):
    model, tokenizer = load_policy(f"{small}/model")
    whole, ended = answers(model, tokenizer)
    assert not any(ended)
    end = whole[0][4]
    if of_tokenizer:
        tokenizer.eos_token = tokenizer.convert_ids_to_tokens(end)
        model.generation_config.eos_token_id = None
    else:
        model.generation_config.eos_token_id = [tokenizer.eos_token_id, end]
    found, ended = answers(model, tokenizer)
    assert found[0] == whole[0][: whole[0].index(end) + 1]
    assert ended == [end in row for row in found] and ended[0] and not all(ended)


@pytest.mark.parametrize(
    ("flags", "said"),
    [("--seed -1", "--seed -1: expected a whole number"), ("--temperature -1", "--temperature -1.0: expected at least 0"),
     ("--temperature nan", "--temperature nan: expected at least 0"), ("--rec_num 32768", "expected at most 32767"),
     ("--catalog_path=", '--catalog_path "": expected a path'), ("--split heldout", "no split 'heldout'")],
)  # fmt: skip
def test_values_out_of_range_are_refused(small, flags, said):
    with pytest.raises(UserError, match=said):
        main(["--data", f"{small}/data.jsonl", "--store", f"{small}/store.duckdb", "--answers", "a", *flags.split()])


def test_no_model_answers_before_all_are_known_to_be_able_to(small, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.evaluation.local.load_policy", lambda name: pytest.fail(f"{name} was loaded"))
    (tmp_path / "broken").mkdir()
    data = ["--data", f"{small}/data.jsonl", "--store", f"{small}/store.duckdb"]
    with pytest.raises(UserError, match="broken: can't be loaded as a model"):
        main([*data, "--model", f"{small}/model", str(tmp_path / "broken")])


@pytest.fixture
def asked(small, tmp_path, monkeypatch) -> list[str]:
    """Flags for three prompts with ids a, b and c, and a store."""
    rows = [{"id": name, "prompt": "Hi", "constraints": ["gore"]} for name in "abc"]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)))
    monkeypatch.chdir(tmp_path)
    return [
        "--data",
        f"{tmp_path}/data.jsonl",
        "--store",
        f"{small}/store.duckdb",
        "--json",
        "--answers",
        "[v2].jsonl",
    ]


def given(tmp_path, *lines: dict) -> None:
    (tmp_path / "[v2].jsonl").write_text("\n".join(map(json.dumps, lines)))


def test_answers_without_prompts_and_prompts_without_answers_are_told(asked, small, tmp_path, capsys):
    given(tmp_path, {"id": "b", "text": "1. Saw (2004)"}, {"id": "c", "text": ""}, {"id": "z", "text": "1. Up (2009)"})
    main(asked)
    out, err = capsys.readouterr()
    assert json.loads(out)[0]["lists"] == 2
    assert "1 of 3 prompts have no answer" in err and "1 answers are to none of the prompts" in err
    (tmp_path / "catalog.csv").write_text("title,year\nUp,2009\n")
    main([*asked, "--limit", "1", "--catalog_path", "catalog.csv"])
    assert json.loads(capsys.readouterr().out)[0]["svr_20"] == 1.0
    with open_log(small / "store.log") as log:  # so that the answers can be judged again with the same
        [[path]] = log.sql(
            "select settings->>'$.catalog.path' from runs where run_id = (select max(run_id) from runs)"
        ).fetchall()
    assert path == str(tmp_path / "catalog.csv")
    main([flag for flag in asked if flag != "--json"])
    assert "[v2].jsonl" in capsys.readouterr().out


def test_files_whose_names_are_no_text_are_evaluated_and_keep_their_settings(asked, small, tmp_path, capsys):
    given(tmp_path, {"id": "a", "text": "1. Up (2009)"})
    (tmp_path / "[v2].jsonl").rename(tmp_path / "m\udce9.jsonl")
    (tmp_path / "data.jsonl").rename(tmp_path / "d\udce9.jsonl")
    main([flag.replace("[v2]", "m\udce9").replace("data.jsonl", "d\udce9.jsonl") for flag in asked])
    with open_log(log_root(f"{small}/store.duckdb")) as log:
        sql = "select settings->>'data' as settings from runs where model = 'm[U+DCE9].jsonl' and dataset = $data"
        assert query(log, sql, {"data": f"{tmp_path}/d[U+DCE9].jsonl"}).to_pylist() == [
            {"settings": f"{tmp_path}/d[U+DCE9].jsonl"}
        ]


@pytest.mark.parametrize(
    ("line", "said"),
    [({"id": "a", "text": None}, "answer 2 is .*None.*; expected"), ({"id": "a", "text": ["x"]}, "answer 2 is"),
     ({"text": "x"}, "answer 2 is"), ({"id": "a", "text": "\ud83d"}, "answer 2 is"), ({"id": "b", "text": ""}, "answer 2 is a second one to b")],
)  # fmt: skip
def test_a_line_that_is_no_answer_is_named(asked, tmp_path, line, said):
    given(tmp_path, {"id": "b", "text": ""}, line)
    with pytest.raises(UserError, match=said):
        main(asked)


def test_an_answer_to_either_of_two_prompts_is_refused(asked, tmp_path):
    given(tmp_path, {"id": "b", "text": "1. Saw (2004)"})
    with (tmp_path / "data.jsonl").open("a") as file:
        file.write('\n{"id": "b", "prompt": "Hello", "constraints": []}')
    with pytest.raises(UserError, match=r"data\.jsonl: two rows have the id b; name one --split"):
        main(asked)


@pytest.mark.parametrize("flags", ["--limit 0", "--limit -1", "--batch_size 0", "--max_completion_length 0"])
def test_less_than_one_of_anything_is_refused(flags):
    with pytest.raises(UserError, match=f"^{flags}: expected at least 1$"):
        main(["--data", "x", "--answers", "a", *flags.split()])


def test_a_title_that_the_length_limit_cut_off_is_not_judged_and_of_foreign_answers_none_was(small):
    """The same text as of a model that stopped at its limit, and as of one that nothing is known of."""
    oracle = create_oracle(store=f"{small}/store.duckdb")
    annotator, dataset = Annotator(oracle), load_dataset(f"{small}/data.jsonl", None, oracle).select([1])
    store, text = f"{small}/store.duckdb", "1. Alien (1979)\n2. Saw"
    answers = [Answers("model", [0], [text], [ended]) for ended in (False, True)]
    runs = [log_answers(store, a, dataset, annotator, data="data.jsonl", rec_num=3, settings={}) for a in answers]
    assert [row["films_per_list"] for row in summaries(store, runs)] == [1, 2]
    with open_log(log_root(store)) as log:
        ids = query(log, "select distinct run_id, dataset_id from rollouts").to_pylist()
    assert {row["dataset_id"] for row in ids if row["run_id"] in runs} == {None}  # this dataset has no ids


@pytest.mark.parametrize("known", [True, False])
def test_tokens_that_nobody_knows_are_null_and_an_answer_without_any_has_none(known, small, tmp_path):
    oracle = create_oracle(store=f"{small}/store.duckdb")
    dataset, texts = load_dataset(f"{small}/data.jsonl", None, oracle).select([1, 2]), ["Sure:\n1. Alien (1979)", ""]
    tokenizer = AutoTokenizer.from_pretrained(f"{small}/model")
    ids = [np.array(row, np.int64) for row in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    told = {"tokens": ids, "tokenizer": f"{small}/model"} if known else {}
    given, root = Answers("model", [0, 1], texts, [True, True], **told), log_root(tmp_path / "store.duckdb")
    run = log_answers(f"{tmp_path}/store.duckdb", given, dataset, Annotator(oracle), data="d", rec_num=3, settings={})
    for merge in (lambda: None, lambda: compact(root, run, grace_s=0)):
        merge()
        with open_log(root) as log:
            of_answers = log.sql("select list(n_tokens order by completion) from rollouts").fetchall()[0][0]
            of_ranks = log.sql("select list(n_tokens order by completion, rank) from verdicts").fetchall()[0][0]
            a_list = log.sql("select tokens_per_list from step_curves").fetchall()[0][0]
        if known:
            assert of_answers == [len(ids[0]), 0] and 0 < of_ranks[0] < len(ids[0]) and of_ranks[1:] == [0] * 5
            assert a_list == of_ranks[0] / 2
        else:
            assert (of_answers, of_ranks, a_list) == ([None] * 2, [None] * 6, None)


def test_an_evaluation_is_in_the_log_only_once_it_is_whole(small, monkeypatch):
    oracle, store = create_oracle(store=f"{small}/store.duckdb"), f"{small}/store.duckdb"
    dataset, seen, write_step = load_dataset(f"{small}/data.jsonl", None, oracle).select([1]), [], LogWriter.write_step

    def looking(writer, *step):
        seen.append(set(log_root(store).glob("[0-9]*")))
        write_step(writer, *step)

    monkeypatch.setattr(LogWriter, "write_step", looking)
    before, answers = set(log_root(store).glob("[0-9]*")), Answers("model", [0], ["1. Alien (1979)"], [True])
    run = log_answers(store, answers, dataset, Annotator(oracle), data="data.jsonl", rec_num=3, settings={})
    assert seen == [before] and (log_root(store) / run).is_dir()
