"""Files of answers are read whoever wrote them, matched with their prompts, and refused where that would be a guess."""

import csv
import gzip
import itertools
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset

from oracle import UserError
from pipeline.samples.given_answers import own_prompts, read_all, read_answers
from trainer.rollout_log import prompt_id

TEXT = "1. Coco (2017)\n2. Up (2009)"
PROMPTS = ["Something for a rainy day?", "A film about the sea?", "What do I watch with my aunt?"]
MESSAGE = {"role": "assistant", "content": TEXT}


def dataset(ids: str | None = "abc") -> Dataset:
    columns: dict = {"prompt": [[{"role": "user", "content": text}] for text in PROMPTS]}
    return Dataset.from_dict({**columns, **({"id": list(ids)} if ids else {})})


def read(tmp_path, rows: list, data: Dataset | None = None, samples: int = 1, name: str = "answers.jsonl"):
    path = tmp_path / name
    path.write_text("\n".join(map(json.dumps, rows)))
    return read_answers(str(path), data or dataset(), "data", samples)


OPENAI = {
    "id": "batch_1", "custom_id": "b", "error": None,
    "response": {"status_code": 200, "body": {"model": "gpt", "choices": [{"message": MESSAGE, "finish_reason": "stop"}]}},
}  # fmt: skip
RESPONSES_API = {
    "id": "batch_1", "custom_id": "b",
    "response": {"status_code": 200, "body": {"model": "gpt", "output": [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": TEXT}]},
    ]}},
}  # fmt: skip
ANTHROPIC = {"custom_id": "b", "result": {"type": "succeeded", "message": {
    "model": "claude", "stop_reason": "end_turn", "content": [{"type": "thinking", "thinking": "1. Saw"}, {"type": "text", "text": TEXT}],
}}}  # fmt: skip
LM_EVAL = {
    "doc_id": 1,
    "doc": {"x": 0},
    "arguments": {"gen_args_0": {"arg_0": PROMPTS[1]}},
    "resps": [[TEXT]],
    "filtered_resps": ["Coco"],
}
VERIFIERS = {
    "example_id": 1,
    "prompt": [{"role": "user", "content": PROMPTS[1]}],
    "completion": [MESSAGE],
    "reward": 0.5,
}


@pytest.mark.parametrize(
    "row",
    [
        {"id": "b", "text": TEXT}, {"id": "b", "completion": TEXT}, {"custom_id": "b", "response": TEXT},
        {"prompt_id": "b", "output": TEXT}, {"index": 1, "generated_text": TEXT}, {"id": "b", "text": "the prompt", "response": TEXT},
        {"prompt_id": prompt_id("user: " + PROMPTS[1]), "text": TEXT}, {"prompt": PROMPTS[1], "completion": TEXT},
        {"prompt": " A film  about the sea?\n", "text": TEXT}, {"messages": [{"role": "user", "content": PROMPTS[1]}, MESSAGE], "text": TEXT},
        {"prompt": PROMPTS[1], "outputs": [{"text": TEXT}]}, {"id": "b", "response": MESSAGE}, {"id": "b", "choices": [{"text": TEXT}]},
        OPENAI, RESPONSES_API, ANTHROPIC, LM_EVAL, VERIFIERS,
    ],
)  # fmt: skip
def test_an_answer_is_found_under_the_usual_keys(tmp_path, row):
    (given,) = read(tmp_path, [row])
    assert (given.rows, given.texts) == ([1], [TEXT])


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".csv", ".txt"])
def test_answers_packed_by_gzip_are_read_as_they_would_be_unpacked(tmp_path, suffix):
    rows = [{"id": "b", "text": TEXT}]
    content = json.dumps(rows) if suffix == ".json" else json.dumps(rows[0])
    if suffix == ".csv":
        content = f'id,text\nb,"{TEXT}"\n'
    path = tmp_path / f"answers{suffix}.gz"
    path.write_bytes(gzip.compress(content.encode()))
    (given,) = read_answers(str(path), dataset(), "data")
    assert (given.rows, given.texts) == ([1], [TEXT])


def test_failed_requests_are_counted_and_told(tmp_path, capsys):
    failures = [
        {"custom_id": "a", "response": {"status_code": 429, "body": {}}, "error": {"message": "slow down"}},
        {"custom_id": "c", "response": None, "error": {"code": "expired", "message": "slow down"}},
        {"custom_id": "c", "result": {"type": "errored", "error": {"error": {"message": "overloaded"}}}},
        {"custom_id": "c", "response": {"status_code": 400, "body": {"error": {"message": "too long"}}}, "error": None},
    ]
    given = read(tmp_path, [OPENAI, *failures])
    assert [g.rows for g in given] == [[1]]
    said = capsys.readouterr().err
    assert "4 of 5 requests failed" in said and "2 x slow down" in said
    assert "1 x overloaded" in said and "1 x too long" in said


def test_a_failed_request_is_no_model_of_its_own_and_a_file_of_nothing_else_is_refused(tmp_path, capsys):
    failed = {"custom_id": "a", "result": {"type": "expired"}}
    (given,) = read(tmp_path, [failed, ANTHROPIC])
    assert (given.name, given.rows) == ("claude", [1])
    assert "3 of 3 prompts" not in capsys.readouterr().err
    with pytest.raises(UserError, match="none of its requests has an answer"):
        read(tmp_path, [failed])


@pytest.mark.parametrize(
    ("message", "text"),
    [({"content": None, "refusal": "I can't."}, "I can't."), ({"content": None}, ""), ({"content": None, "reasoning_content": "1. Saw"}, "")],
)  # fmt: skip
def test_an_answer_without_content_is_a_refusal_or_an_empty_one_and_spoils_no_file(tmp_path, message, text):
    row = json.loads(json.dumps(OPENAI))
    row["response"]["body"]["choices"][0] = {"message": message, "finish_reason": "length"}
    (given,) = read(tmp_path, [row, {**OPENAI, "custom_id": "a"}])
    assert (given.rows, given.texts, given.ended) == ([0, 1], [TEXT, text], [True, False])


def test_a_document_that_lm_eval_writes_once_for_each_filter_is_one_answer(tmp_path):
    rows = [{**LM_EVAL, "doc_id": n, "filter": name} for name in ("none", "take_first") for n in (0, 1)]
    (given,) = read(tmp_path, rows)
    assert given.rows == [0, 1]


def test_an_answer_that_its_provider_cut_off_is_known_to_be(tmp_path):
    cut = json.loads(json.dumps(OPENAI))
    cut["response"]["body"]["choices"][0]["finish_reason"] = "length"
    long = json.loads(json.dumps(ANTHROPIC))
    long["result"]["message"]["stop_reason"] = "max_tokens"
    assert [g.ended for row in (OPENAI, cut, ANTHROPIC, long) for g in read(tmp_path, [row])] == [
        [True],
        [False],
        [True],
        [False],
    ]


def test_a_model_field_splits_a_file_and_an_id_may_begin_with_the_models_name(tmp_path):
    rows = [
        {"id": f"{model}-{i}", "model": model, "text": f"{model} {i}"} for model in ("gpt-4", "vicuna") for i in "ca"
    ]
    given = read(tmp_path, rows)
    assert [(g.name, g.rows, g.texts) for g in given] == [
        ("gpt-4", [0, 2], ["gpt-4 a", "gpt-4 c"]),
        ("vicuna", [0, 2], ["vicuna a", "vicuna c"]),
    ]


def test_ids_in_the_data_win_over_numbers_of_rows(tmp_path):
    (given,) = read(tmp_path, [{"index": 0, "text": "x"}], dataset("210"))
    assert given.rows == [2]
    (given,) = read(tmp_path, [{"index": 0, "text": "x"}], dataset())
    assert given.rows == [0]
    (given,) = read(tmp_path, [{"id": 2, "text": "x"}], dataset(None))
    assert given.rows == [2]


def test_numbers_of_rows_win_over_no_id_though_more_of_them_fit(tmp_path, capsys):
    rows = [{"index": n, "id": name, "text": name} for n, name in enumerate(["b", "elsewhere", "gone"])]
    (given,) = read(tmp_path, rows, dataset("abc"))
    assert (given.rows, given.texts) == ([1], ["b"])
    assert "2 answers are to none of the prompts" in capsys.readouterr().err


def test_a_prompt_that_stands_twice_in_the_data_is_no_ones(tmp_path):
    twice = Dataset.from_dict({"prompt": [[{"role": "user", "content": "Hi"}]] * 2, "id": ["a", "b"]})
    with pytest.raises(UserError, match="none of its 1 ids is in data, nor is any of its prompts"):
        read(tmp_path, [{"prompt": "Hi", "text": "x"}], twice)


def test_a_second_answer_is_refused_unless_several_were_meant(tmp_path):
    rows = [{"id": "a", "text": TEXT}] * 2
    with pytest.raises(UserError, match=r"answer 2 is a second one to a; give one to each prompt \(or --samples 2"):
        read(tmp_path, rows)
    (given,) = read(tmp_path, rows, samples=2)
    assert given.rows == [0, 0]
    with pytest.raises(UserError, match="answer 3 is a second one to a"):
        read(tmp_path, [*rows, rows[0]], samples=2)


def test_answers_that_are_numbered_are_several_and_each_number_is_there_once(tmp_path):
    rows = [{"id": "a", "epoch": n, "text": str(n)} for n in (2, 0, 1)]
    (given,) = read(tmp_path, rows)
    assert given.texts == ["0", "1", "2"]
    with pytest.raises(UserError, match="is a second one to a"):
        read(tmp_path, [*rows, rows[0]])
    (given,) = read(tmp_path, [{**LM_EVAL, "resps": [["x", "y"]]}])
    assert (given.rows, given.texts) == ([1, 1], ["x", "y"])
    (given,) = read(tmp_path, [VERIFIERS, VERIFIERS])
    assert given.rows == [1, 1]


@pytest.mark.parametrize("kind", ["csv", "parquet", "json", "mapping"])
def test_other_files_are_read_as_lines_are(tmp_path, kind):
    rows = [{"id": "c", "completion": 'say "1"\n2. Up, (2009)'}, {"id": "a", "completion": ""}]
    path = tmp_path / f"answers.{'json' if kind == 'mapping' else kind}"
    if kind == "csv":
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["id", "completion"])
            writer.writeheader()
            writer.writerows(rows)
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(json.dumps({"results": rows} if kind == "json" else {r["id"]: r["completion"] for r in rows}))
    (given,) = read_answers(str(path), dataset(), "data")
    assert (given.rows, given.texts) == ([0, 2], ["", 'say "1"\n2. Up, (2009)'])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.csv", b"id,text\na,b,c\n"), ("a.csv", b"id;text\na;b\n"), ("a.parquet", b"PAR1"), ("a.json", b"{"), ("a.json", b"3"), ("a.jsonl", b"\xff"), ("a.eval", b"PK")],
)  # fmt: skip
def test_a_broken_file_is_named_in_one_line(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=rf"{name}(: | is not UTF-8 text)") as told:
        read_answers(str(tmp_path / name), dataset(), "data")
    assert "\n" not in str(told.value)


def test_models_of_one_name_in_two_files_are_told_apart(tmp_path):
    for name in ("one.jsonl", "two.jsonl"):
        (tmp_path / name).write_text(json.dumps({"id": "a", "model": "gpt", "text": "x"}))
    given = read_all([str(tmp_path / n) for n in ("one.jsonl", "two.jsonl")], dataset(), "data")
    assert [g.name for g in given] == ["gpt (one.jsonl)", "gpt (two.jsonl)"]


def test_models_of_one_name_in_two_files_of_one_name_are_told_apart_by_their_folders(tmp_path):
    paths = [tmp_path / folder / "one.jsonl" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(json.dumps({"id": "a", "model": "gpt", "text": "x"}))
    given = read_all([str(path) for path in paths], dataset(), "data")
    assert [g.name for g in given] == [f"gpt ({path})" for path in paths]


def test_without_a_dataset_the_prompts_are_those_that_the_answers_name(tmp_path):
    rows = [
        {"id": "gpt-7", "model": "gpt", "text": "x"},
        {"id": "llama-7", "model": "llama", "prompt": "Hi", "text": "y"},
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    made = own_prompts([str(path)], ["gore"])
    assert made["id"][:] == ["7"] and made["constraints"][:] == [["gore"]] and made["prompt"][0][0]["content"] == "Hi"
    assert [g.rows for g in read_answers(str(path), made, "data")] == [[0], [0]]


def test_answers_to_other_prompts_under_one_id_are_refused(tmp_path):
    files = []
    for name, prompt in (("a", "films  please"), ("b", "films please"), ("c", "westerns please"), ("d", None)):
        files.append(tmp_path / f"{name}.jsonl")
        row = {"id": "1", "text": "1. Up (2009)"} | ({"prompt": prompt} if prompt else {})
        files[-1].write_text(json.dumps(row))
    same = [str(files[n]) for n in (3, 0, 1)]
    assert own_prompts(same, ["gore"])[0]["prompt"][0]["content"].split() == ["films", "please"]
    with pytest.raises(
        UserError, match=r"c\.jsonl: answer 1 has the id 1 of another prompt \(westerns please, not films please\)"
    ):
        own_prompts([str(files[1]), str(files[2])], ["gore"])


def test_a_prompt_is_the_same_as_text_and_as_the_message_of_a_user(tmp_path):
    user, system = {"role": "user", "content": "films please"}, {"role": "system", "content": "be nice"}
    forms = {
        "text": {"prompt": "films please"}, "message": {"prompt": [user]}, "logged": {"prompt": "user: films please"},
        "answered": {"messages": [user, {"role": "assistant", "content": "1. Up (2009)"}]},
        "other": {"prompt": [system, user]},
    }  # fmt: skip
    for name, form in forms.items():
        (tmp_path / name).write_text(json.dumps({"text": "1. Up (2009)", **form, "id": "1"}))
        (tmp_path / f"{name} by text").write_text(json.dumps({"text": "1. Up (2009)", **form}))
    same = [name for name in forms if name != "other"]
    for one, two in itertools.permutations(same, 2):
        made = own_prompts([str(tmp_path / one), str(tmp_path / two)], ["gore"])
        assert made["id"][:] == ["1"]
        if "logged" not in (one, two):
            assert made["prompt"][0] == [user]
            paths = [str(tmp_path / f"{name} by text") for name in (one, two)]
            made = own_prompts(paths, ["gore"])
            assert made["prompt"][:] == [[user]]
            assert [given.rows for given in read_all(paths, made, "data")] == [[0], [0]]
    for one, two in itertools.product(same, ["other"]):
        with pytest.raises(UserError, match=r"of another prompt \(system: be nice"):
            own_prompts([str(tmp_path / one), str(tmp_path / two)], ["gore"])
