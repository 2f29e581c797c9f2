"""Reading datasets: every form in which people have the SafeRec columns, and every problem named at once."""

import csv
import gzip
import json
import os

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict

from oracle import UserError, create_oracle
from pipeline.samples.dataset import load_dataset


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    return create_oracle(base_path=tmp_path_factory.mktemp("base"))


ROW = {"prompt": "Hi", "groundtruth_with_release_year": [["Alien", 1979]], "constraints": ["gore"]}
READ = {
    "prompt": [{"role": "user", "content": "Hi"}],
    "groundtruth_with_release_year": [{"title": "Alien", "year": 1979}],
    "seen_titles": [],
    "constraints": ["Anti-gore / squeamish"],
}


def jsonl(path, *rows):
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_pairs_of_title_and_year_are_read_from_json_lines(tmp_path, oracle):
    pairs = ROW | {"groundtruth_with_release_year": [["Alien", "1979"]]}
    assert load_dataset(jsonl(tmp_path / "d.jsonl", pairs), None, oracle)[0] == READ


def test_a_folder_of_datasets_is_read(tmp_path, oracle):
    films = [{"title": "Alien", "year": 1979}]
    Dataset.from_list([ROW | {"groundtruth_with_release_year": films}]).save_to_disk(tmp_path / "saved")
    assert load_dataset(tmp_path / "saved", None, oracle)[0] == READ


SAFEREC = {
    "prompt": [{"role": "user", "content": "Hi"}],
    "completion": [{"role": "assistant", "content": "<solution>\nAlien (1979)\n</solution>"}],
    "seen_titles": ["Best in Show"],
    "groundtruth_with_release_year": [["Alien", "1979"]],
    "constraints": {"Anti-gore / squeamish": True},
    "assigned_trait": "Anti-gore / squeamish",
}
READ_SAFEREC = READ | {
    "completion": "<solution>\nAlien (1979)\n</solution>",
    "seen_titles": [{"title": "Best in Show", "year": None}],
}


@pytest.mark.parametrize("layout", ["a folder a split", "a DatasetDict", "the split's own folder", "JSON of samples"])
def test_the_data_of_saferec_are_read_as_its_scripts_leave_them(tmp_path, oracle, layout):
    """Answers as messages, years as texts, titles seen without years, and a constraint that only other rows have."""
    rows = [SAFEREC, SAFEREC | {"constraints": {"Kid-safety / child harm sensitive": True}}]
    splits = {"test": Dataset.from_list(rows[:1]), "train": Dataset.from_list(rows)}
    path = tmp_path / "saferec"
    if layout == "a DatasetDict":
        DatasetDict(splits).save_to_disk(path)
    elif layout == "JSON of samples":
        path = tmp_path / "saferec.json"
        path.write_text(json.dumps({"samples": rows}))
    else:
        for name, split in splits.items():
            split.save_to_disk(path / name)
        path = path / "train" if layout == "the split's own folder" else path
    read = load_dataset(path, "train", oracle, needed=("prompt", "completion"))
    assert read[:] == {
        name: [value, ["Kid-safety / child harm sensitive"] if name == "constraints" else value]
        for name, value in READ_SAFEREC.items()
    }
    if layout in ("a folder a split", "a DatasetDict"):
        assert len(load_dataset(path, "test", oracle)) == 1
        with pytest.raises(UserError, match="no split 'heldout'; it has test, train"):
            load_dataset(path, "heldout", oracle)
        with pytest.raises(UserError, match="has test, train; name one with --split"):
            load_dataset(path, None, oracle)


def test_an_answer_of_several_messages_is_none(tmp_path, oracle):
    rows = [SAFEREC, SAFEREC | {"completion": SAFEREC["completion"] * 2}, SAFEREC | {"completion": []}]
    path = jsonl(tmp_path / "d.jsonl", *rows)
    with pytest.raises(UserError, match=r"row 1, completion: .* is not a text, or one message.*; row 2, completion"):
        load_dataset(path, None, oracle, needed=("prompt", "completion"))
    assert len(load_dataset(path, None, oracle)) == 3  # who needs no answers minds none


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("seen_titles", "Alien, 1979", "'Alien, 1979' is not a list of titles"),
        ("seen_titles", [["Alien", ""]], "\\['Alien', ''\\].* is no title; .* a year such as 1979 or null"),
        ("seen_titles", [["Alien", "19??"]], "'19\\?\\?'.* is no title"),
        ("seen_titles", [["Alien", float("nan")]], "nan.* is no title"),
        ("seen_titles", [["Alien", float("inf")]], "inf.* is no title"),
        ("seen_titles", ["\ud83d"], "is no title"),
        ("seen_titles", {"title": "Alien", "year": 1979}, "is not a list of titles"),
        ("seen_titles", {"title": ["Alien"], "year": [1979, 1980]}, "is not a list of titles"),
        ("prompt", "\ud83d", "is not a text or a list"),
        ("prompt", [{"role": "\ud83d", "content": "Hi"}], "is not a text or a list"),
        ("id", "\ud83d", "is not a number or a text"),
        (
            "constraints",
            {"gore": "false"},
            "is not a list of trait names, or an object of traits that are true or false",
        ),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(tmp_path, oracle, column, value, said):
    with pytest.raises(UserError, match=f"row 1, {column}: .*{said}"):
        load_dataset(jsonl(tmp_path / "d.jsonl", ROW, ROW | {column: value}), None, oracle)


def test_a_line_of_json_may_hold_any_line_separator_of_unicode_and_a_bad_one_is_told_by_its_number(tmp_path, oracle):
    path = tmp_path / "d.jsonl"
    path.write_text(json.dumps(ROW | {"prompt": "a\u2028b\x85c"}, ensure_ascii=False) + "\n\n")
    assert load_dataset(path, None, oracle)[0]["prompt"][0]["content"] == "a\u2028b\x85c"
    for bad in ("{", "[" * 100_000):
        path.write_text(f"{json.dumps(ROW)}\n\n{bad}")
        with pytest.raises(UserError, match=r"d.jsonl: can't be read as a dataset \(line 3: "):
            load_dataset(path, None, oracle)


def test_a_split_is_chosen_where_the_data_have_that_column(tmp_path, oracle):
    pq.write_table(pa.table({"prompt": ["a", "b"], "split": ["train", "heldout"]}), tmp_path / "d.parquet")
    assert load_dataset(tmp_path / "d.parquet", "heldout", oracle)["prompt"][0][0]["content"] == "b"
    assert (
        len(load_dataset(tmp_path / "d.parquet", "all", oracle))
        == len(load_dataset(tmp_path / "d.parquet", None, oracle))
        == 2
    )
    with pytest.raises(UserError, match="no split 'tune'; it has heldout, train"):
        load_dataset(tmp_path / "d.parquet", "tune", oracle)


def test_data_without_splits_are_for_training_and_a_split_of_them_is_none(tmp_path, oracle):
    path = jsonl(tmp_path / "d.jsonl", ROW)
    Dataset.from_list([SAFEREC]).save_to_disk(tmp_path / "saferec" / "test")
    assert (
        len(load_dataset(path, "train", oracle))
        == len(load_dataset(tmp_path / "saferec" / "test", "test", oracle))
        == 1
    )
    for there in (path, tmp_path / "saferec" / "test"):
        with pytest.raises(UserError, match="has no column split, and so no split 'heldout'; leave --split out"):
            load_dataset(there, "heldout", oracle)


def test_all_missing_columns_are_named(tmp_path, oracle):
    with pytest.raises(UserError, match="no column prompt, completion; it has text"):
        load_dataset(jsonl(tmp_path / "d.jsonl", {"text": "x"}), None, oracle, needed=("prompt", "completion"))


def test_all_bad_rows_are_named_with_what_was_expected(tmp_path, oracle):
    rows = [ROW, ROW | {"constraints": ["gorre"]}, ROW | {"constraints": ["zzz"]}]
    with pytest.raises(UserError, match=r"row 1, constraints: .*gorre.*row 2, constraints: .*zzz"):
        load_dataset(jsonl(tmp_path / "d.jsonl", *rows), None, oracle)
    with pytest.raises(UserError, match=r"row 0, seen_titles: .*\[1, 2, 3\].* is no title; expected \[title, year\]"):
        load_dataset(jsonl(tmp_path / "d.jsonl", ROW | {"seen_titles": [[1, 2, 3]]}), None, oracle)


def test_missing_and_mistyped_columns_are_named_together_each_with_its_rows(tmp_path, oracle):
    films = "groundtruth_with_release_year"
    rows = [ROW | {"prompt": 3, films: [[5, 1979]]}] * 5 + [ROW | {films: [["Alien", 70000]], "constraints": 7}]
    with pytest.raises(UserError) as refused:
        load_dataset(jsonl(tmp_path / "d.jsonl", *rows), None, oracle, needed=("prompt", "completion"))
    missing, prompt, groundtruth, constraints = str(refused.value).splitlines()
    assert "no column completion; it has prompt" in missing
    assert "row 0, prompt: '3' is not a text or a list of {role, content} messages" in prompt
    assert prompt.endswith("and 2 more rows of prompt")
    assert "row 0, groundtruth_with_release_year:" in groundtruth and groundtruth.endswith(
        "and 3 more rows of " + films
    )
    assert "row 5, constraints: '7' is not a list of trait names" in constraints


def test_a_bad_row_has_the_number_that_it_has_in_the_file(tmp_path, oracle):
    rows = [ROW | {"split": "tune"}, ROW | {"split": "train"}, ROW | {"split": "train", "prompt": None}]
    with pytest.raises(UserError, match="row 2, prompt"):
        load_dataset(jsonl(tmp_path / "d.jsonl", *rows), "train", oracle)


def test_samples_without_constraints_have_none(tmp_path, oracle):
    rows = [ROW, {k: v for k, v in ROW.items() if k != "constraints"}, ROW | {"constraints": {"gore": False}}]
    read = load_dataset(jsonl(tmp_path / "d.jsonl", *rows), None, oracle)
    assert read["constraints"][:] == [["Anti-gore / squeamish"], [], []]


@pytest.mark.parametrize("content", [b"", b"not parquet", b"\x00" * 100])
def test_a_file_that_is_no_dataset_is_one_clear_error(tmp_path, oracle, content):
    for name in ("d.parquet", "d.jsonl"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(UserError, match=name):
            load_dataset(tmp_path / name, None, oracle)


def test_a_missing_path_and_an_unknown_format_are_told(tmp_path, oracle):
    with pytest.raises(UserError, match="not found"):
        load_dataset(tmp_path / "none.parquet", None, oracle)
    (tmp_path / "d.txt").write_text("x")
    with pytest.raises(UserError, match=r"expected a \.parquet"):
        load_dataset(tmp_path / "d.txt", None, oracle)


MESSAGES = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": json.dumps(MESSAGES)},
        {"prompt": None, "messages": MESSAGES},
        {"groundtruth_with_release_year": '[["Alien", 1979]]'},
        {"groundtruth_with_release_year": {"title": ["Alien"], "year": [1979]}},
        {"groundtruth_with_release_year": [["Alien", "1979-05-25"]]},
        {"groundtruth_with_release_year": [["Alien", "1979.0"]]},
        {"groundtruth_with_release_year": ["Alien (1979–1986)"]},
        {"groundtruth_with_release_year": [{"title": "Alien", "year": "1979–1986"}]},
        {"groundtruth_with_release_year": "[['Alien', 1979]]"},  # as pandas writes a list into CSV
        {"groundtruth_with_release_year": "Alien (1979)"},
        {"prompt": str(MESSAGES)},
        {"constraints": '["gore"]'},
        {"constraints": '{"gore": true}'},
        {"constraints": "gore"},
    ],
    ids=repr,
)
def test_columns_are_read_in_the_forms_in_which_people_have_them(tmp_path, oracle, changed):
    row = {name: value for name, value in (ROW | changed).items() if value is not None}
    assert load_dataset(jsonl(tmp_path / "d.jsonl", row), None, oracle)[0] == READ


def test_files_are_read_packed_marked_as_csv_and_in_the_shards_of_the_hub(tmp_path, oracle):
    line = json.dumps(ROW)
    (tmp_path / "d.jsonl.gz").write_bytes(gzip.compress(line.encode()))
    (tmp_path / "bom.jsonl").write_text("\ufeff" + line, encoding="utf-8")
    with open(tmp_path / "d.csv", "w", newline="") as file:
        csv.writer(file).writerows([ROW, ["Hi", '[["Alien", 1979]]', "gore"]])
    (tmp_path / "hub" / "data").mkdir(parents=True)
    for number in range(2):
        pq.write_table(pa.Table.from_pylist([ROW | {"groundtruth_with_release_year": [{"title": "Alien", "year": 1979}]}]),
                       tmp_path / "hub" / "data" / f"train-0000{number}-of-00002.parquet")  # fmt: skip
    for name, mark in (("tabs.tsv", "\t"), ("semicolons.csv", ";")):
        with open(tmp_path / name, "w", newline="") as file:
            csv.writer(file, delimiter=mark).writerows([ROW, ["Hi", '[["Alien", 1979]]', "gore"]])
    for name in ("d.jsonl.gz", "bom.jsonl", "d.csv", "tabs.tsv", "semicolons.csv"):
        assert load_dataset(tmp_path / name, None, oracle)[0] == READ
    assert load_dataset(tmp_path / "hub", "train", oracle)[:]["prompt"] == [READ["prompt"]] * 2
    (tmp_path / "lines" / "default").mkdir(parents=True)
    for name in ("train.jsonl", "default/test.jsonl.gz"):
        content = line.encode()
        (tmp_path / "lines" / name).write_bytes(gzip.compress(content) if name.endswith("gz") else content)
    assert load_dataset(tmp_path / "lines", "test", oracle)[0] == READ


def test_the_answer_that_ends_a_conversation_is_no_part_of_the_prompt(tmp_path, oracle, capsys):
    answer = {"role": "assistant", "content": "1. Alien (1979)"}
    path = jsonl(tmp_path / "d.jsonl", {"messages": [*MESSAGES, answer], "groundtruth": "Alien (1979); Saw (2004)"})
    [row] = load_dataset(path, None, oracle, ("prompt", "completion"))
    assert (row["prompt"], row["completion"]) == (MESSAGES, "1. Alien (1979)")
    assert [film["title"] for film in row["groundtruth_with_release_year"]] == ["Alien", "Saw"]
    assert "what the assistant says last, in 1 rows, is taken for the completion" in capsys.readouterr().err


def test_another_name_of_a_column_is_said(tmp_path, oracle, capsys):
    load_dataset(jsonl(tmp_path / "d.jsonl", {"messages": MESSAGES}), None, oracle)
    assert "the column messages is taken for prompt" in capsys.readouterr().err


def test_what_is_no_regular_file_is_refused_at_once(tmp_path, oracle):
    os.mkfifo(tmp_path / "d.jsonl")
    with pytest.raises(UserError, match="no regular file"):
        load_dataset(tmp_path / "d.jsonl", None, oracle)
