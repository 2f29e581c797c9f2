"""Films in JSON, XML, tables and blocks of fields."""

import pytest

from oracle import parse_recommendations

BOTH = [("Coco", 2017), ("Up", 2009)]
UNDATED = [("Coco", None), ("Up", None)]

JSON = {
    "Sure! Here they are: {\"recommendations\": [\"Coco (2017)\", \"Up (2009)\"]}": BOTH,
    "[[\"Coco\", 2017], [\"Up\", 2009]]": BOTH,
    "Here:\n```json\n[\n  \"Coco (2017)\",\n  \"Up (2009)\"\n]\n```": BOTH,
    "Sure, here is the JSON:\n[{\"title\": \"Coco\", \"year\": 2017}, {\"title\": \"Up\", \"year\": 2009}]": BOTH,
    "Result: [{\"title\": \"Coco\", \"year\": 2017}, {\"title\": \"Up\", \"year\": 2009}] Enjoy!": BOTH,
    "```\n[{\"title\": \"Coco\", \"year\": 2017}, {\"title\": \"Up\", \"year\": 2009}]\n```\nHope it helps.": BOTH,
    "[{\"movie_title\": \"Coco\", \"release_year\": 2017}, {\"movie_title\": \"Up\", \"release_year\": 2009}]": BOTH,
    "[{\"movie_name\": \"Coco\", \"year\": 2017}, {\"movie_name\": \"Up\", \"year\": 2009}]": BOTH,
    "[{\"name\": \"Coco\", \"release_year\": 2017}, {\"name\": \"Up\", \"release_year\": 2009}]": BOTH,
    "[{\"item\": \"Coco\", \"year\": 2017}, {\"item\": \"Up\", \"year\": 2009}]": BOTH,
    "[{\"film\": \"Coco\", \"year\": 2017}, {\"film\": \"Up\", \"year\": 2009}]": BOTH,
    "[{\"movie\": \"Coco\", \"releaseYear\": 2017}, {\"movie\": \"Up\", \"releaseYear\": 2009}]": BOTH,
    "[{\"Title\": \"Coco\", \"Year\": 2017}, {\"Title\": \"Up\", \"Year\": 2009}]": BOTH,
    "[{\"title\": \"Coco\", \"release_date\": \"2017-11-22\"}, {\"title\": \"Up\", \"release_date\": \"May 29, 2009\"}]": BOTH,
    "{\"recommended\": [{\"title\": \"Coco\", \"year\": 2017}, {\"title\": \"Up\", \"year\": 2009}], \"avoid\": [{\"title\": \"Saw\", \"year\": 2004}]}": BOTH,
    "{\"avoid\": [\"Saw (2004)\"], \"recommended\": [\"Coco (2017)\", \"Up (2009)\"]}": BOTH,
    "{\"recommended\": [\"Coco (2017)\", \"Up (2009)\"], \"considered\": [\"Saw (2004)\"]}": BOTH,
    "{\"not_recommended\": [\"Saw (2004)\"], \"films\": [[\"Coco\", 2017], [\"Up\", \"2009\"]]}": BOTH,
    "{\"Coco\": 2017, \"Up\": 2009}": BOTH,
    "{\"1\": {\"title\": \"Coco\", \"year\": 2017}, \"2\": {\"title\": \"Up\", \"year\": 2009}}": BOTH,
    "{\"title\": \"Coco\", \"year\": 2017}\n{\"title\": \"Up\", \"year\": 2009}": BOTH,
    "1. {\"title\": \"Coco\", \"year\": 2017}\n2. {\"title\": \"Up\", \"year\": 2009}": BOTH,
    "[{\"rank\": 1, \"movie\": {\"title\": \"Coco\", \"year\": 2017}, \"genres\": [\"Animation\", \"Family\"]}, {\"rank\": 2, \"movie\": {\"title\": \"Up\", \"year\": 2009}}]": BOTH,
    "[{'title': 'Coco', 'year': 2017}, {'title': 'Up', 'year': 2009}]": BOTH,
    "[('Coco', 2017), ('Up', 2009)]": BOTH,
    "[[1, \"Coco\", 2017], [2, \"Up\", 2009]]": BOTH,
    "{\"user\": \"Ann\", \"movies\": [{\"name\": \"Coco\", \"year\": \"2017\", \"director\": {\"name\": \"Lee Unkrich\"}}, {\"name\": \"Up\", \"year\": \"2009\", \"cast\": [\"Ed Asner\"]}]}": BOTH,
    "{\"reasoning\": \"Saw (2004) is too gory\", \"answer\": [\"Coco (2017)\", \"Up (2009)\"]}": BOTH,
    "Recommended: [\"Coco (2017)\", \"Up (2009)\"]\nAvoid: [\"Saw (2004)\"]": BOTH,
    "{\"recommendations\": [{\"title\": \"Coco (2017)\"}, {\"title\": \"Up (2009)\"}]}": BOTH,
    "```json\n{\"recommendations\": [{\"title\": \"Coco\", \"year\": 2017}, {\"title\": \"Up\", \"year\": 2009},]}\n```": BOTH,
    "{\"recommendations\": [{\"title\": \"Coco\", \"year\": 2017}, {\"title\": \"Up\", \"year\": 2009": BOTH,
    "{\"Coco (2017)\": \"A boy\", \"Up (2009)\": \"A house\"}": BOTH,
    "[\"Coco\", \"Up\"]": UNDATED,
    "{\"recommendations\":[{\"title\":\"Coco\",\"year\":null},{\"title\":\"Up\"}]}": UNDATED,
    "1. Coco (2017)\n2. Up (2009)\nTags: [\"family\", \"fun\"]": BOTH,
    "{\"movies\": {\"Coco\": {\"year\": 2017}, \"Up\": {\"year\": 2009}}}": BOTH,
    "{\"category\": \"Family\", \"movies\": [\"Coco (2017)\", \"Up (2009)\"]}": BOTH,
    "{\"recommendation_1\": \"Coco (2017)\", \"recommendation_2\": \"Up (2009)\"}": BOTH,
    "[\"Coco\", 2017, \"Up\", 2009]": BOTH,
    "[{\"year\": 2017, \"title\": \"Coco\"}, {\"year\": 2009, \"title\": \"Up\"}]": BOTH,
}  # fmt: skip

XML = {
    "<movie><title>Coco</title><year>2017</year></movie>\n<movie><title>Up</title><year>2009</year></movie>": BOTH,
    "<movies>\n<movie>\n<title>Coco</title>\n<year>2017</year>\n</movie>\n<movie>\n<title>Up</title>\n<year>2009</year>\n</movie>\n</movies>": BOTH,
    "<movie title=\"Coco\" year=\"2017\"/>\n<movie title=\"Up\" year=\"2009\"/>": BOTH,
    "<movies><movie>Coco (2017)</movie><movie>Up (2009)</movie></movies>": BOTH,
    "<recommendations><item><name>Coco</name><release_year>2017</release_year></item><item><name>Up</name><release_year>2009</release_year></item></recommendations>": BOTH,
    "Here:\n<recommendation>\n<rank>1</rank><title>Coco</title><year>2017</year>\n</recommendation>\n<recommendation>\n<rank>2</rank><title>Up</title><year>2009</year>\n</recommendation>": BOTH,
    "<film><year>2017</year><title>Coco</title></film><film><year>2009</year><title>Up</title></film>": BOTH,
    "```xml\n<movies><movie><title>Coco</title><year>2017</year><genre>Animation</genre></movie><movie><title>Up</title><year>2009</year></movie></movies>\n```": BOTH,
    "<item rank=\"1\">Coco (2017)</item>\n<item rank=\"2\">Up (2009)</item>": BOTH,
    "<movie id=\"1\"><title>Coco</title><year>2017</year><reason>fun</reason></movie><movie id=\"2\"><title>Up</title><reason>sad</reason><year>2009</year></movie>": BOTH,
    "<recommended><movie>Coco (2017)</movie><movie>Up (2009)</movie></recommended><avoid><movie>Saw (2004)</movie></avoid>": BOTH,
}  # fmt: skip

TABLES = {
    "title,year\nCoco,2017\nUp,2009": BOTH,
    "Title,Year\nCoco,2017\nUp,2009": BOTH,
    "rank,title,year\n1,Coco,2017\n2,Up,2009": BOTH,
    "title,year\n\"Coco\",2017\n\"Up\",2009": BOTH,
    "```csv\ntitle,year,genre\nCoco,2017,Animation\nUp,2009,Animation\n```": BOTH,
    "title;year\nCoco;2017\nUp;2009": BOTH,
    "title\tyear\nCoco\t2017\nUp\t2009": BOTH,
    "year,title\n2017,Coco\n2009,Up": BOTH,
    "Here is the CSV:\nrank,title,year\n1,Coco,2017\n2,Up,2009\n\nEnjoy!": BOTH,
    "1,Coco,2017\n2,Up,2009": BOTH,
    "Coco,2017\nUp,2009": BOTH,
    "| Rank | Movie | Year |\n|---|---|---|\n| 1 | Coco | 2017 |\n| 2 | Up | 2009 |": BOTH,
    "| Year | Title |\n|---|---|\n| 2017 | Coco |\n| 2009 | Up |": BOTH,
    "Title | Year\n--- | ---\nCoco | 2017\nUp | 2009": BOTH,
    "| # | Title | Genre |\n|---|---|---|\n| 1 | Coco (2017) | Animation |\n| 2 | **Up** (2009) | Animation |": BOTH,
    "| Title | Release Date | Why |\n|:--|:--|:--|\n| Coco | 2017-11-22 | fun |\n| Up | 2009-05-29 | sad |": BOTH,
    "| Title | Year |\n| Coco | 2017 |\n| Up | 2009 |": BOTH,
    "|1|Coco|2017|\n|2|Up|2009|": BOTH,
    "| Genre | Title | Year |\n|---|---|---|\n| Animation | Coco | 2017 |\n| Family | Up | 2009 |": BOTH,
    "Rank | Title | Year\n1 | Coco | 2017\n2 | Up | 2009": BOTH,
    "| Movie Title | IMDb ID |\n|---|---|\n| Coco (2017) | tt2380307 |\n| Up (2009) | tt1049413 |": BOTH,
    "**Recommended**\n| Title | Year |\n|---|---|\n| Coco | 2017 |\n| Up | 2009 |\n\n**Avoid**\n| Title | Year |\n|---|---|\n| Saw | 2004 |": BOTH,
    "| Coco | 2017 |\n| Up | 2009 |": BOTH,
    "id,title,year\n1,Coco,2017\n2,Up,2009": BOTH,
    "\"title\",\"year\"\n\"Coco\",\"2017\"\n\"Up\",\"2009\"": BOTH,
}  # fmt: skip

BLOCKS = {
    "1. Title: Coco\n   Year: 2017\n   Rating: 90%\n2. Title: Up\n   Year: 2009\n   Rating: 88%": BOTH,
    "Title: Coco\nYear: 2017\n\nTitle: Up\nYear: 2009": BOTH,
    "**Title:** Coco\n**Year:** 2017\n\n**Title:** Up\n**Year:** 2009": BOTH,
    "- title: Coco\n  year: 2017\n- title: Up\n  year: 2009": BOTH,
    "recommendations:\n  - title: Coco\n    year: 2017\n  - title: Up\n    year: 2009\navoid:\n  - title: Saw\n    year: 2004": BOTH,
    "```yaml\n- title: \"Coco\"\n  year: 2017\n  genres:\n    - animation\n    - family\n- title: \"Up\"\n  year: 2009\n```": BOTH,
    "- year: 2017\n  title: Coco\n- year: 2009\n  title: Up": BOTH,
    "Rank: 1\nTitle: Coco\nYear: 2017\n\nRank: 2\nTitle: Up\nYear: 2009": BOTH,
    "1. **Coco**\n   - Year: 2017\n   - Genre: Animation\n2. **Up**\n   - Year: 2009\n   - Genre: Animation": BOTH,
    "Movie: Coco\nRelease Year: 2017\nWhy: fun\n\nMovie: Up\nRelease Year: 2009\nWhy: sad": BOTH,
    "Title: Coco / Year: 2017\nTitle: Up / Year: 2009": BOTH,
    "Title: Coco, Year: 2017\nTitle: Up, Year: 2009": BOTH,
    "1. Title: Coco | Year: 2017\n2. Title: Up | Year: 2009": BOTH,
    "Name: Coco\nReleased: November 22, 2017\n\nName: Up\nReleased: May 29, 2009": BOTH,
    "Movie 1\nTitle: Coco\nYear: 2017\n\nMovie 2\nTitle: Up\nYear: 2009": BOTH,
    "1.\n   Title: Coco\n   Year: 2017\n2.\n   Title: Up\n   Year: 2009": BOTH,
    "**1. Coco**\n*Year:* 2017\n\n**2. Up**\n*Year:* 2009": BOTH,
    "### Coco\n- **Year:** 2017\n- **Genre:** Animation\n\n### Up\n- **Year:** 2009\n- **Genre:** Family": BOTH,
    "Title: Coco\nYear: 2017\nGenre: Animation\nReason: A boy.\n---\nTitle: Up\nYear: 2009\nGenre: Animation\nReason: A house.": BOTH,
    "1. Coco\n   (2017)\n2. Up\n   (2009)": BOTH,
    "title = Coco\nyear = 2017\n\ntitle = Up\nyear = 2009": BOTH,
    "Film Title: Coco\nFilm Year: 2017\n\nFilm Title: Up\nFilm Year: 2009": BOTH,
    "* Title: Coco\n* Year: 2017\n\n* Title: Up\n* Year: 2009": BOTH,
    "movie_title: Coco\nrelease_year: 2017\n\nmovie_title: Up\nrelease_year: 2009": BOTH,
    "Title: Coco\n\nYear: 2017\n\nTitle: Up\n\nYear: 2009": BOTH,
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), {**JSON, **XML, **TABLES, **BLOCKS}.items())
def test_the_films_that_an_answer_recommends_are_read_and_no_others(text, expected):
    films = parse_recommendations(text)
    assert [(r.title, r.year) for r in films] == expected
    for r in films:
        assert r.title in text[r.start : r.end]
        assert r.year is None or str(r.year) in text[r.start : r.end]
        assert text[r.start : r.end] == text[r.start : r.end].strip()
