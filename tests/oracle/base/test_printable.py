"""Text of others, made harmless and storable."""

import duckdb

from oracle.base.printable import storable_json


def test_json_with_the_name_of_a_file_that_is_no_text_is_json_for_duckdb_too():
    text = storable_json({"train_path": "d\udce9.jsonl", "model": "é"})
    ((valid, path, model),) = duckdb.execute(
        "select json_valid($1), $1->>'$.train_path', $1->>'$.model'", [text]
    ).fetchall()
    assert (valid, path, model) == (True, "d[U+DCE9].jsonl", "é")
