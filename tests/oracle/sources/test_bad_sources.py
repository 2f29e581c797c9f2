"""Sources that can't be used: one clear line each; and rows that can't be used: all of them set aside."""

import gzip
import io
import os
import pickle
import zlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oracle.base.errors import UserError
from oracle.sources import recognise

GOOD = "imdb_id,title,year\n"
TITLE = "imdb_id,title,year\n1,Saw,2004\n"


def parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


LONG = b"".join(b"%d,%s,2000\n" % (number, os.urandom(40).hex().encode()) for number in range(1, 20_000))
AKAS = "titleId\tordering\ttitle\tregion\tlanguage\ttypes\tattributes\tisOriginalTitle\n"

BAD = {
    "0 bytes": (b"", "is empty"),
    "only line ends": (b"\n\n", "white space"),
    "truncated gzip": (gzip.compress(os.urandom(100) + TITLE.encode() * 9)[:-60], "broken gzip"),
    "gzip cut after a megabyte": (gzip.compress(GOOD.encode() + LONG)[:-9], "broken gzip"),
    "IMDb's file cut after a megabyte": (gzip.compress(AKAS.encode() + LONG)[:-9], "broken gzip"),
    "gzip with a wrong checksum": (gzip.compress(TITLE.encode())[:-8] + b"\0" * 8, "broken gzip"),
    "not gzip after its mark": (b"\x1f\x8b" + b"x" * 50, "broken gzip"),
    "wrong columns": ("name,colour\nSaw,red\n", "has the columns name, colour, which are none"),
    "twice the same column": ("imdb_id,title,title\n1,a,b\n", "several columns of the name 'title'"),
    "no rows": (GOOD, "has no rows"),
    "one id for two films": (
        "imdb_id,title,year\n1,Saw,2004\n2,Up,2009\ntt0000001,Toy Story,1995\n",
        r"1 of its ids.*'Saw' \(2004\) in row 2.*'Toy Story' \(1995\) in row 4.*is_primary=false",
    ),
    "one id for two years": ("imdb_id,title,year\n1,Halloween,1978\n1,Halloween,2018\n", "1978.*2018"),
    "only bad years": (GOOD + "1,Saw,19??\n2,Up,3000\n", r"none of its 2 rows .*\(row 2: '19\?\?' is no year\)"),
    "only a NaN risk": ("imdb_id,trait,risk\n1,T,NaN\n", r"none of its 1 rows.*'NaN' is not in 0\.\.1"),
    "only a negative risk": ("imdb_id,trait,risk\n1,T,-0.5\n", r"'-0\.5' is not in 0\.\.1"),
    "no UTF-8": ("imdb_id,title,year\n1,Amélie,2001\n".encode("latin-1"), "is not UTF-8 text"),
    "UTF-16": (TITLE.encode("utf-16"), "is UTF-16 text"),
    "no UTF-8 far down": (GOOD.encode() + b"1,Saw,2004\n" * 100_000 + b"2,\xe9,2001\n", "not UTF-8 text: save"),
    "a ZIP archive": (b"PK\x03\x04" + b"\0" * 30, "ZIP archive: unpack"),
    "an image": (b"\x89PNG\r\n\x1a\n\xff\xfe", "is not UTF-8 text"),
    "broken Parquet": (b"PAR1" + b"\0" * 100, "broken Parquet"),
    "Parquet cut off": (parquet(pa.table({"imdb_id": ["1"], "title": ["Saw"]}))[:-20], "broken Parquet"),
    "Parquet of something else": (parquet(pa.table({"x": [1]})), "has the columns x, which are none"),
    "broken JSON": ('[{"imdb_id": 1, "title": "Saw"}, {"imdb_id": 2,', "Malformed JSON|unexpected end"),
    "JSON of something else": ('[{"x": 1}]', "JSON with the keys x"),
    "an empty list": ("[]", "JSON of another layout"),
    "a number in a list": ("[1, 2]", "JSON of another layout"),
    "JSON without an end": ("[" * 200_000, "nested too deeply"),
    "an object without an end": ('{"a":' * 200_000, "nested too deeply|no valid JSON"),
    "a negative weight": ([{"trait": "T", "avoid": [], "weights": {"Profanity": -1}}], r"trait 1 \('T'\): weights.Profanity is -1"),
    "a NaN weight": ('[{"trait": "T", "avoid": [], "weights": {"Profanity": NaN}}]', "weights.Profanity is nan, which should be a finite number"),
    "a trait twice": ([{"trait": "T", "avoid": []}, {"trait": "T", "avoid": ["x"]}], "defines 'T' more than once"),
    "a pickle of something else": (pickle.dumps(3.5), "holds a float: expected a list or set"),
    "a cut pickle": (pickle.dumps([("Saw", 2004)] * 9)[:-5], "no complete pickle"),
    "a compressed pickle": (gzip.compress(pickle.dumps([("Saw", 2004)])), "compressed pickle: unpack"),
    "MovieLens without links": ("movieId,title,genres\n1,Toy Story (1995),x\n", r"none of its 1 rows.*name MovieLens' links\.csv"),
    "MovieLens' tags without links": ("userId,movieId,tag,timestamp\n1,1,gore,1\n", r"none of its 1 rows.*links\.csv"),
    "a genome without its tags": ("movieId,tagId,relevance\n1,1,0.5\n", r"name genome-tags\.csv"),
    "a genome's tags alone": ("tagId,tag\n1,gore\n", r"name genome-scores\.csv"),
    "tags as a text": ([{"trait": "T", "avoid": "spiders"}], r"trait 1 \('T'\): avoid is 'spiders', .* list"),
    "no name": ([{"trait": None, "avoid": []}], "trait 1: trait is None"),
    "a list for a name": ([{"trait": ["a"], "avoid": []}], "trait 1: trait is a list"),
    "a truth for a name": ([{"trait": True, "avoid": []}], "trait 1: trait is True"),
    "a truth for a weight": ([{"trait": "T", "avoid": [], "weights": {"V": True}}], "weights.V is True"),
    "a weight of 400 digits": ([{"trait": "T", "avoid": [], "weights": {"V": 10**400}}], "weights.V is a int"),
    "synonyms as a text": ([{"trait": "T", "avoid": [], "synonyms": "x"}], "synonyms is 'x'"),
    "severities as a list": ([{"imdb_id": 1, "severities": ["Severe", 2]}], r"expected \{category: severity\}"),
    "votes of nobody knows what": ("imdb_id,None,Mild,Moderate,Severe\n1,1,2,3,4\n", r"name the file after it, such as"),
    "a relevance of 2": ("movieId,tagId,tag,relevance\n1,1,gore,2\n", "no IMDb id|not in 0..1"),
    "votes that are no counts": ("imdb_id,tag,yes,no\n1,gore,many,1\n", "votes 'many' and '1' are no counts"),
    "a game of no noun": ('{"noun": "", "nouns": "games"}', "noun is"),
    "a domain with another field": ('{"noun": "game", "colour": "red"}', "colour is"),
    "only carriage returns": ("imdb_id,title,year\r1,Saw,2004\r2,Up,2009\r", "ends its lines with carriage returns alone"),
    "akas of unknown films": (AKAS + "tt1\t1\tx\t\\N\t\\N\t\\N\t\\N\t0\n", r"name title\.basics too"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "told"), BAD.values(), ids=BAD.keys())
def test_a_bad_source_is_refused_in_one_line_that_names_it(desk, content, told):
    before = desk.rows("select count(*) from titles")
    with pytest.raises(UserError, match=told) as refusal:
        desk.load_text(content)
    assert "source" in str(refusal.value) and "\n" not in str(refusal.value) and len(str(refusal.value)) < 700
    assert desk.rows("select count(*) from titles") == before


def test_what_is_no_file_is_refused(desk):
    pipe = desk.folder / "pipe"
    os.mkfifo(pipe)
    for path, told in (
        (desk.folder, "is a folder"),
        (desk.folder / "missing.csv", "No such file"),
        (desk.folder / ("x" * 300), "File name too long"),
        (desk.folder / "nul\0byte", "null byte|null character"),
        (pipe, "not a regular file"),
    ):
        with pytest.raises(UserError, match=told):
            recognise([path])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file_is_refused(desk):
    path = desk.file("secret.csv", TITLE)
    path.chmod(0)
    with pytest.raises(UserError, match="Permission denied"):
        recognise([path])


def test_all_rows_that_cannot_be_used_are_set_aside_with_their_reasons(desk, titles):
    [loaded] = desk.load_text(
        "imdb_id,title,year\n1,Saw,2004\n2,Up\n,Nobody,2000\n4,,2000\n5,When,19??\n6,Later,\\N\n-7,Minus,2000\n8,a,b,c\nttx,Odd,2000\n0,Zero,2000\n"
    )
    assert [(film, year) for film, _, year, _ in titles()] == [("tt0000001", 2004), ("tt0000006", None), ("ttx", 2000)]
    assert desk.rejects() == [
        (3, "2,Up", "2 columns instead of 3"),
        (4, ",Nobody,2000", "no id"),
        (5, "4,,2000", "no title"),
        (6, "5,When,19??", "'19??' is no year"),
        (8, "-7,Minus,2000", "'-7' is no id"),
        (9, "8,a,b,c", "4 columns instead of 3"),
        (11, "0,Zero,2000", "'0' is no id"),
    ]
    assert (loaded.rows_read, loaded.rows_rejected) == (10, 7)


def test_a_row_with_one_bad_severity_keeps_its_good_ones(desk):
    desk.load_text("imdb_id,profanity,violence_gore\n1,Extreme,Mild\n2,Mild,None\n")
    assert desk.rows("select imdb_id, category, severity from film_severities order by all") == [
        ("tt0000001", "Violence & Gore", 1), ("tt0000002", "Profanity", 1), ("tt0000002", "Violence & Gore", 0),
    ]  # fmt: skip
    assert desk.rejects() == [
        (2, "1,Extreme,Mild", "the severity 'Extreme'; expected None, Mild, Moderate, Severe or 0 to 3")
    ]


def test_lines_that_are_no_json_are_set_aside(desk, titles):
    desk.load_text('{"imdb_id": 1, "title": "Saw"}\n{"imdb_id": 2, "titl\n[1]\n{"imdb_id": 3, "title": null}\n')
    assert [film for film, *_ in titles()] == ["tt0000001"]
    assert [(row, reason) for row, _, reason in desk.rejects()] == [(2, "no JSON"), (3, "no id"), (4, "no title")]


def test_a_quote_that_is_never_closed_is_told(desk, titles):
    desk.load_text('imdb_id,title,year\n1,Saw,2004\n2,"Up,2009\n3,Heat,1995\n')
    assert [film for film, *_ in titles()] == ["tt0000001"]
    assert "a quote may not be closed" in desk.rejects()[0][2]


def test_names_of_files_and_columns_are_never_patterns_or_code(desk, titles):
    name = "a*[b]?'; drop table titles; --.csv"
    desk.load_text('"""; drop table titles; --",imdb_id,title,year\nx,1,Saw,2004\n', name)
    desk.load_text('[{"imdb_id": 2, "title": "\'); drop table titles; --", "year": 2004}]', name + ".json")
    desk.load_text('imdb_id,"Viol\'); drop table x; --"\n1,Severe\n', "wide.csv")
    assert [title for _, title, *_ in titles()] == ["Saw", "'); drop table titles; --"]
    assert desk.rows("select category from film_severities") == [("Viol'); drop table x; --",)]


def test_a_raw_deflate_stream_is_not_taken_for_text(desk):
    with pytest.raises(UserError, match="UTF-8"):
        desk.load_text(zlib.compress(TITLE.encode() * 100))
