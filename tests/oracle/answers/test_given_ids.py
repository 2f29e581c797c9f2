"""An IMDb id that an answer writes is read with its film, wherever it stands."""

import pytest

from oracle import parse_batch, parse_recommendations

IDS = {
    "1. Coco (2017) tt2380307\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. tt2380307 Coco (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. tt2380307: Coco (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017) [tt2380307]\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017, tt2380307)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. [Coco](https://www.imdb.com/title/tt2380307/) (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. [Coco (2017)](https://www.imdb.com/title/tt2380307/)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017) - https://www.imdb.com/title/tt2380307/\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. https://www.imdb.com/title/tt2380307/ Coco (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017) (https://m.imdb.com/title/tt2380307/?ref_=x)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. **Coco** (2017) – IMDb: tt2380307\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017) | tt2380307\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. tt2380307 - Coco (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017) <https://www.imdb.com/title/tt2380307/>\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. (tt2380307) Coco (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. [tt2380307] Coco (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. imdb.com/title/tt2380307 Coco (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (IMDb ID: tt2380307, 2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017) imdb.com/title/tt2380307\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco [imdb:tt2380307] (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. tt2380307, Coco, 2017\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017) ([IMDb](https://www.imdb.com/title/tt2380307/))\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. tt2380307 | Coco | 2017\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco tt2380307 (2017)\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco - tt2380307\n2. Up": [("Coco", None, "tt2380307"), ("Up", None, None)],
    "Coco (2017) tt2380307\nUp (2009) tt1049413": [("Coco", 2017, "tt2380307"), ("Up", 2009, "tt1049413")],
    "- tt2380307\n- tt1049413": [("tt2380307", None, "tt2380307"), ("tt1049413", None, "tt1049413")],
    "[{\"title\": \"Coco\", \"year\": 2017, \"imdb_id\": \"tt2380307\"}, {\"title\": \"Up\", \"year\": 2009}]": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017)\n   IMDb: tt2380307\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "<movie><title>Coco</title><year>2017</year><imdb>tt2380307</imdb></movie><movie><title>Up</title><year>2009</year></movie>": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "title,year,imdb_id\nCoco,2017,tt2380307\nUp,2009,tt1049413": [("Coco", 2017, "tt2380307"), ("Up", 2009, "tt1049413")],
    "| Title | Year | IMDb |\n|---|---|---|\n| Coco | 2017 | tt2380307 |\n| Up | 2009 | |": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "Title: Coco\nYear: 2017\nIMDb ID: tt2380307\n\nTitle: Up\nYear: 2009": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "1. Coco (2017)\n   https://www.imdb.com/title/tt2380307/\n2. Up (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
    "tt2380307 Coco (2017)\nUp (2009)": [("Coco", 2017, "tt2380307"), ("Up", 2009, None)],
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), IDS.items())
def test_a_given_id_is_read_with_its_film(text, expected):
    films = parse_recommendations(text)
    assert [(r.title, r.year, r.given_id) for r in films] == expected
    for r in films:
        assert r.title in text[r.start : r.end]
        assert r.given_id is None or r.given_id in text[r.start : r.end]


def test_ids_are_a_column_of_a_batch():
    table = parse_batch(["1. Coco (2017) tt2380307\n2. Up (2009)", "nothing"])
    assert table["given_id"].to_pylist() == ["tt2380307", None]
