"""Files as other projects write them: each loads, and a verdict follows from it. All films and votes are made up."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from oracle import UserError, Verdict, create_oracle
from oracle.cli.main import main
from oracle.sources import Evidence, Loaded, load_sources, recognise
from oracle.store import build_starter_store

MOVIES = "movieId,title,genres\n1,Toy Town (1995),Adventure\n2,Red Barn (1999),Horror\n3,Blue Lake (2001),Drama\n"
LINKS = "movieId,imdbId,tmdbId\n1,9900001,11\n2,9900002,12\n3,9900003,13\n"
TITLES = "imdb_id,title,year\n9900001,Toy Town,1995\n9900002,Red Barn,1999\n9900003,Blue Lake,2001\n"
GORE, ANIMALS = "Anti-gore / squeamish", "Animal lover (avoid animal harm/death)"


class Store:
    """A store of the starter data, and what a test adds."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / "store.duckdb"

    def load(self, files: dict[str, str | bytes | list | dict], roles=None, **evidence) -> dict[str, Loaded]:
        for name, content in files.items():
            text = content if isinstance(content, str | bytes) else json.dumps(content)
            (self.folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        sources = recognise([self.folder / name for name in files], roles)
        loaded = load_sources(self.path, sources, evidence=Evidence(**evidence))
        return {one.source.path.name: one for one in loaded}

    def check(self, title: str, year: int, trait: str) -> Verdict:
        return create_oracle(store=self.path).check_safety(title, year, {trait: True})

    def rows(self, sql: str) -> list[tuple]:
        with duckdb.connect(self.path, read_only=True) as store:
            return store.sql(sql).fetchall()


@pytest.fixture(scope="session")
def starter(tmp_path_factory) -> bytes:
    return build_starter_store(tmp_path_factory.mktemp("starter") / "store.duckdb").read_bytes()


@pytest.fixture
def store(tmp_path, starter) -> Store:
    (tmp_path / "store.duckdb").write_bytes(starter)
    return Store(tmp_path)


def topic(name: str, does: str, yes: int, no: int) -> dict:
    return {"yesSum": yes, "noSum": no, "topic": {"name": name, "doesName": does, "notName": f"not: {name}"}}


def media(number: int, name: str, year: int, *topics: dict) -> dict:
    item = {"id": number, "name": name, "releaseYear": str(year), "imdbId": f"tt990000{number}", "tmdbId": 10 + number}
    return {"item": item, "topicItemStats": list(topics)}


def without_ids(number: int, name: str, year: int | None, *topics: dict, **more: object) -> dict:
    answer = media(number, name, year or 0, *topics)
    item = {**answer["item"], "imdbId": None, "tmdbId": None, "releaseYear": year and str(year), **more}
    return {**answer, "item": item}


def sparql(*rows: dict) -> dict:
    names = list(dict.fromkeys(name for row in rows for name in row))
    bindings = [{name: {"type": "literal", "value": value} for name, value in row.items()} for row in rows]
    return {"head": {"vars": names}, "results": {"bindings": bindings}}


DOG, GORY = ("a dog dies", "Does the dog die"), ("there's blood/gore", "Is there blood/gore")
DDD = [
    media(1, "Toy Town", 1995, topic(*DOG, 1, 80), topic("there's blood/gore", "Is there blood/gore", 0, 9)),
    media(2, "Red Barn", 1999, topic(*DOG, 20, 3), topic("there's blood/gore", "Is there blood/gore", 0, 0)),
]
TMDB = {
    "id": 12, "imdb_id": "tt9900002", "title": "Red Barn", "original_title": "Rote Scheune", "release_date": "1999-04-01",
    "adult": False, "genres": [{"id": 1, "name": "Horror"}], "keywords": {"keywords": [{"id": 5, "name": "gore"}]},
    "release_dates": {"results": [{"iso_3166_1": "US", "release_dates": [{"certification": "R", "descriptors": ["dead dog"]}]}]},
    "alternative_titles": {"titles": [{"iso_3166_1": "FR", "title": "La Grange rouge", "type": ""}]},
}  # fmt: skip
V11 = (
    "id,title,vote_average,status,release_date,imdb_id,original_title,keywords\n"
    '11,Toy Town,7,Released,1995-05-01,tt9900001,Toy Town,"toys, friendship"\n'
    '12,Red Barn,5,Released,1999-04-01,tt9900002,Red Barn,"barn, gore"\n'
)
METADATA = (
    "adult,genres,id,imdb_id,original_title,release_date,title\n"
    "False,\"[{'id': 16, 'name': 'Animation'}]\",11,tt9900001,Toy Town,1995-05-01,Toy Town\n"
    "False,[],12,tt9900002,Rote Scheune,1999-04-01,Red Barn\n"
)
KEYWORDS = "id,keywords\n11,\"[{'id': 931, 'name': 'jealousy'}]\"\n12,\"[{'id': 1, 'name': \"\"the devil's barn\"\"}, {'id': 2, 'name': 'gore'}]\"\n"
ML_DDD = (
    "work_id,Clear Yes: there's blood/gore,Clear No: there's blood/gore,Unclear: there's blood/gore,No Votes: there's blood/gore\n"
    "1,0,1,0,0\n2,1,0,0,0\n3,0,0,0,1\n"
)
MPST = 'imdb_id,title,plot_synopsis,tags,split\ntt9900002,Red Barn,It is dark.,"gothic, gore",train\ntt9900001,Toy Town,Toys.,cute,test\n'
CINEMAGOER = [
    {"imdbID": "9900002", "advisory votes": {"violence": {"votes": {"None": 1, "Mild": 0, "Moderate": 2, "Severe": 9}},
                                             "frightening": {"status": "Severe", "votes": {}}}},
    {"imdbID": "9900001", "advisory votes": {"violence": {"status": "None", "votes": {}}}},
]  # fmt: skip

SHAPES: dict[str, dict] = {
    "MovieLens' tags": {
        "movies.csv": MOVIES, "links.csv": LINKS, "tags.csv": "userId,movieId,tag,timestamp\n5,2,Gore,1\n6,1,pixar,1\n",
    },
    "MovieLens' tag genome": {
        "movies.csv": MOVIES, "links.csv": LINKS, "genome-tags.csv": "tagId,tag\n1,gore\n2,toys\n",
        "genome-scores.csv": "movieId,tagId,relevance\n1,1,0.02\n1,2,0.9\n2,2,0.1\n2,1,0.91\n",
    },
    "ML-DDD": {"movies.csv": MOVIES, "links.csv": LINKS, "ml-ddd.csv": ML_DDD},
    "TMDb's answer": {"t.csv": TITLES, "red.json": TMDB},
    "TMDb's answers, a line each": {"t.csv": TITLES, "red.jsonl": json.dumps(TMDB) + "\n" + json.dumps({**TMDB, "imdb_id": "tt9900004", "id": 14})},
    "TMDB_movie_dataset_v11": {"v11.csv": V11},
    "Kaggle's Movies Dataset": {"movies_metadata.csv": METADATA, "keywords.csv": KEYWORDS},
    "MPST": {"titles.csv": TITLES, "mpst.csv": MPST},
    "a query of Wikidata": {"titles.csv": TITLES, "query.csv": "imdb,descriptor\ntt9900002,Blood and Gore\ntt9900001,Mild Peril\n"},
    "cinemagoer's advisory votes": {"titles.csv": TITLES, "votes.json": CINEMAGOER},
    "scraped guides, a column a category": {
        "titles.csv": TITLES, "guide.csv": "imdb_id,violence_gore_severity,sex_severity\ntt9900002,Severe (12),Mild\ntt9900001,None,None\n",
    },
    "scraped guides, a row a category": {
        "titles.csv": TITLES, "guide.csv": "imdb_id,category,status\ntt9900002,gore,Severe\ntt9900001,gore,None\n",
    },
    "scraped guides, votes a level in a cell": {
        "titles.csv": TITLES,
        "guide.csv": "imdb_id,violence_gore\ntt9900002,\"{'None': 1, 'Severe': 20}\"\ntt9900001,\"None: 20, Mild: 3\"\n",
    },
    "scraped guides, a status a column": {
        "titles.csv": TITLES, "guide.csv": "imdb_id,violence_gore_status\ntt9900002,Severe\ntt9900001,None\n",
    },
    "scraped guides, means of votes": {"titles.csv": TITLES, "guide.csv": "imdb_id,violence\ntt9900002,2.6\ntt9900001,0.1\n"},
    "votes, a row a level": {
        "titles.csv": TITLES,
        "guide.csv": "imdb_id,category,level,votes\n9900002,gore,None,3\n9900002,gore,Severe,3\n9900001,gore,None,9\n9900001,gore,Severe,1\n",
    },
    "a query of Wikidata with labels": {
        "titles.csv": TITLES,
        "query.csv": "imdb,descriptor,descriptorLabel\ntt9900002,http://w/Q2,Blood and Gore\ntt9900001,http://w/Q3,Mild Peril\n",
    },
    "a query of Wikidata, as SPARQL's JSON": {"titles.csv": TITLES, "query.json": sparql(
        {"imdb": "tt9900002", "descriptorLabel": "Blood and Gore", "film": "http://w/Q5"},
        {"imdb": "tt9900001", "descriptorLabel": "Mild Peril"}, {"film": "http://w/Q7", "imdb": "tt9900003"},
    )},
    "DoesTheDogDie without ids, by title and year": {
        "titles.csv": TITLES,
        "ddd.json": [without_ids(2, "The red barn!", 1999, topic(*GORY, 9, 1)), without_ids(1, "Toy Town", 1995, topic(*GORY, 0, 9))],
    },
    "tables with tabs and with semicolons": {
        "titles.tsv": TITLES.replace(",", "\t"), "tags.csv": "imdb_id;tag\n9900002;gore\n9900001;toys\n",
    },
    "RiTUAL's counts a level": {
        "titles.csv": TITLES, "violence.csv": "id,None,Mild,Moderate,Severe,Total_votes\ntt9900002,0,1,4,4,9\ntt9900001,8,1,0,0,9\n",
    },
}  # fmt: skip


@pytest.mark.parametrize("files", SHAPES.values(), ids=SHAPES.keys())
def test_a_film_with_gore_is_unsafe_and_one_without_is_safe_from_any_shape(store, files):
    store.load(files)
    unsafe, safe = store.check("Red Barn", 1999, GORE), store.check("Toy Town", 1995, GORE)
    assert (unsafe.imdb_id, unsafe.is_safe) == ("tt9900002", False)
    assert (safe.imdb_id, safe.is_safe) == ("tt9900001", True)


@pytest.mark.parametrize("layout", ["a list", "lines", "one a file", "lines, packed", "v3"])
def test_votes_of_doesthedogdie_are_tags_and_no_votes_are_evidence(store, layout):
    lines = "\n".join(map(json.dumps, DDD))
    v3 = [{**film["item"], "stats": film["topicItemStats"]} for film in DDD]
    files = {
        "a list": {"ddd": DDD}, "lines": {"ddd": lines}, "one a file": {"1": DDD[0], "2": DDD[1]},
        "lines, packed": {"ddd": gzip.compress(lines.encode())}, "v3": {"ddd": v3},
    }[layout]  # fmt: skip
    store.load(files)
    assert store.check("Red Barn", 1999, ANIMALS).is_safe is False
    assert store.check("Toy Town", 1995, ANIMALS).is_safe is True
    assert store.rows("from film_tags where imdb_id like 'tt990%'")[0][:2] == ("tt9900002", "Does the dog die")
    assert [film for film, _ in store.rows("from tag_coverage")] == ["tt9900001"]


def test_an_answer_without_ids_is_that_of_its_year_alone(store):
    answers = [without_ids(1, "Saw", 2005, topic(*DOG, 9, 1)), without_ids(2, "Toy Town", 2004, topic(*DOG, 9, 1))]
    loaded = store.load({"t.csv": "imdb_id,title,year\n9900001,Toy Town,2004\n", "ddd.json": answers})
    assert (loaded["ddd.json"].rows_rejected, loaded["ddd.json"].reason) == (
        1,
        "row 1: no id, and the store has no 'Saw' (2005)",
    )
    assert store.check("Toy Town", 2004, ANIMALS).is_safe is False


def test_of_a_tag_genome_each_row_is_read_and_each_relevant_tag_counts(store):
    scores = "".join(f"{film},{tag},0.{film}{tag}\n" for film in (1, 2, 3) for tag in range(1, 10))
    loaded = store.load({
        "movies.csv": MOVIES, "links.csv": LINKS, "genome-tags.csv": "tagId,tag\n" + "".join(f"{tag},tag {tag}\n" for tag in range(1, 10)),
        "genome-scores.csv": "movieId,tagId,relevance\n" + scores + "3,4,high\n",
    }, relevance=0.25)  # fmt: skip
    assert (loaded["genome-scores.csv"].rows_read, loaded["genome-scores.csv"].rows_rejected) == (28, 1)
    assert store.rows("select imdb_id, count(*) from film_tags where imdb_id like 'tt990%' group by all order by all") == [
        ("tt9900002", 5), ("tt9900003", 9),
    ]  # fmt: skip
    assert store.rows("select imdb_id from tag_coverage where imdb_id like 'tt990%'") == [("tt9900001",)]


def test_from_which_share_and_count_of_votes_a_tag_counts_can_be_set(store):
    film = media(2, "Red Barn", 1999, topic(*DOG, 4, 6))
    store.load({"ddd.json": film})
    assert store.rows("select tag from film_tags where imdb_id = 'tt9900002'") == []
    assert store.load({"ddd.json": film})["ddd.json"].is_new is False
    assert store.load({"ddd.json": film}, tag_share=0.3)["ddd.json"].is_new
    assert store.check("Red Barn", 1999, ANIMALS).is_safe is False
    store.load({"ddd.json": film}, tag_share=0.3, tag_votes=11)  # too few: they say nothing, not even "no"
    assert store.rows("select 1 from film_tags where imdb_id = 'tt9900002' union all select 1 from tag_coverage") == []
    with pytest.raises(UserError, match="--tag_share 0"):
        Evidence(tag_share=0)


@pytest.mark.parametrize(
    "written",
    [
        "Does the dog die?",
        "does the dog die",
        "a dog dies",
        "A DOG DIES!",
        "cozy, a dog dies",
        '"a dog dies"',
        "dead dog",
    ],
)
def test_a_tag_is_one_whatever_its_form(store, written):
    cell = written if written.startswith('"') else f'"{written}"'
    store.load({"titles.csv": TITLES, "tags.csv": f"imdb_id,tag\n9900002,{cell}\n9900001,a dog does not die\n"})
    assert store.check("Red Barn", 1999, ANIMALS).is_safe is False
    assert store.check("Toy Town", 1995, ANIMALS).is_safe is True


def test_a_category_is_what_its_column_says_before_it_is_one_of_the_guide(store):
    trait = {"trait": "No violence", "avoid": [], "weights": {"Violence": 1.0}}
    files = {
        "traits.json": [trait],
        "games.csv": "game_id,name,year,Violence,Profanity\nsteam:1,Shooter,2001,Severe,Mild\n",
    }
    loaded = store.load(files)
    assert store.check("Shooter", 2001, "No violence").is_safe is False
    assert store.rows("select category from film_severities where imdb_id = 'steam:1'") == [
        ("Violence",),
        ("Profanity",),
    ]
    assert loaded["games.csv"].notes == ()


def test_a_usual_name_is_taken_for_the_guides_category_and_it_is_said(store):
    loaded = store.load({"titles.csv": TITLES, "guide.csv": "imdb_id,Violence\n9900002,Severe\n"})
    assert store.check("Red Barn", 1999, GORE).is_safe is False
    assert loaded["guide.csv"].notes == ("severities read: 'Violence' as 'Violence & Gore'",)


def test_numbers_that_need_not_be_severities_are_told(store):
    loaded = store.load({"titles.csv": TITLES, "g.csv": "imdb_id,violence,profanity\n9900002,1,2.5\n9900001,0,1.4\n"})
    assert loaded["g.csv"].notes[1:] == (
        "numbers between two levels are the nearer one: 'profanity'",
        "no number is above 1, of a scale that ends at 3: 'violence'; if 1 says that it occurs, give rows of imdb_id, tag, "
        "present instead",
    )
    assert store.rows(
        "select severity from film_severities where category = 'Profanity' and imdb_id like 'tt990%' order by 1"
    ) == [(1,), (3,)]


def test_a_film_whose_votes_are_partly_unreadable_is_not_rated_by_the_rest(store):
    rows = "9900002,gore,None,1\n9900002,gore,Severe,many\n9900001,gore,None,5\n"
    loaded = store.load({"titles.csv": TITLES, "g.csv": f"imdb_id,category,level,votes\n{rows}"})
    assert (loaded["g.csv"].rows_rejected, loaded["g.csv"].reason) == (1, "row 3: 'many' is no count of votes")
    assert store.check("Red Barn", 1999, GORE).status == "unrated"
    assert store.check("Toy Town", 1995, GORE).status == "safe"


def test_columns_that_say_nothing_are_told(store):
    (store.folder / "t.csv").write_text("imdb_id,title,year,blood_and_gore\n9900001,Toy Town,1995,1\n")
    assert recognise([store.folder / "t.csv"])[0].unused == ("blood_and_gore",)


def test_any_table_loads_with_its_columns_named(store):
    files = {"odd.csv": "film,called,made,badge\ntt9900002,Red Barn,1999-01-01,gore\n"}
    with pytest.raises(UserError, match=r"columns film, called, made, badge, .* --map NAME=imdb_id"):
        store.load(files)
    store.load(files, {"film": "imdb_id", "called": "title", "made": "year", "badge": "tag"})
    assert store.check("Red Barn", 1999, GORE).is_safe is False
    with pytest.raises(UserError, match="--map: colour is no role; expected one of category"):
        store.load(files, {"film": "colour"})
    with pytest.raises(UserError, match="--map films=imdb_id: no file has such a column"):
        store.load({"titles.csv": TITLES}, {"films": "imdb_id"})
    with pytest.raises(UserError, match="--map takes film and called both for imdb_id"):
        store.load(files, {"film": "imdb_id", "called": "imdb_id"})


BROKEN: dict[str, tuple[dict, Callable | str]] = {
    "DoesTheDogDie without an id": ({"d.json": {"item": {"id": 1, "name": "X"}, "topicItemStats": [topic(*DOG, 1, 0)]}}, "no id"),
    "DoesTheDogDie of a film that is not there": (
        {"d.json": without_ids(1, "Nowhere", 1999, topic(*DOG, 1, 0))}, r"no id, and the store has no 'Nowhere' \(1999\)",
    ),
    "DoesTheDogDie of a film without a year": ({"d.json": without_ids(1, "Saw", None, topic(*DOG, 1, 0))}, "no title and year to find it by"),
    "DoesTheDogDie of another year": ({"d.json": without_ids(1, "Saw", 2005, topic(*DOG, 1, 0))}, r"the store has no 'Saw' \(2005\)"),
    "DoesTheDogDie of a book": (
        {"d.json": without_ids(1, "Saw", 2004, topic(*DOG, 1, 0), itemType={"name": "Book"})}, "of the sort 'book'",
    ),
    "DoesTheDogDie of two films": (
        {"t.csv": "imdb_id,title,year\n9900001,Twin,1995\n9900002,The Twin,1995\n", "d.json": without_ids(1, "Twin", 1995, topic(*DOG, 1, 0))},
        r"several titles of the store are 'Twin' \(1995\)",
    ),
    "SPARQL's results without rows": ({"q.json": sparql() | {"head": {"vars": ["imdb", "descriptor"]}}}, "q.json: has no rows"),
    "SPARQL's results of other columns": ({"q.json": sparql({"book": "a", "author": "b"})}, r"q\.json has the columns book, author"),
    "SPARQL's results without ids": ({"q.json": sparql({"imdb": "Q5", "descriptor": "http://w/Q2"})}, "is a link, not the name of a tag"),
    "SPARQL's results of no cells": (
        {"q.json": {"head": {"vars": ["imdb", "descriptor"]}, "results": {"bindings": ["x", {"imdb": "tt1"}]}}}, r"none of its 2 rows can be used \(row 1: no id",
    ),
    "tags of nothing": ({"t.json": [{"imdb_id": "tt9900002", "tag": None}]}, r"t\.json: none of its 1 rows can be used \(row 1: no tag"),
    "SPARQL's results cut off": ({"q.json": json.dumps(sparql({"imdb": "tt9900002", "descriptor": "gore"}))[:-9]}, "q.json"),
    "DoesTheDogDie cut off": ({"d.jsonl": json.dumps(DDD[0])[:-40]}, r"d\.jsonl"),
    "Kaggle's keywords alone": ({"keywords.csv": KEYWORDS}, "no IMDb id is known for the TMDb id 11"),
    "Kaggle's keywords cut off": ({"m.csv": METADATA, "keywords.csv": "id,keywords\n12,\"[{'id': 1, 'na\"\n"}, r"keywords\.csv.*no tag"),
    "ML-DDD without links": ({"ml.csv": ML_DDD}, "no IMDb id is known for movieId"),
    "a genome of words": (
        {"movies.csv": MOVIES, "links.csv": LINKS, "genome-tags.csv": "tagId,tag\n1,gore\n",
         "genome-scores.csv": "movieId,tagId,relevance\n1,1,high\n"}, r"genome-scores\.csv.*'high' is no number",
    ),
    "a guide of other words": ({"g.csv": "imdb_id,category,status\n9900001,gore,Extreme\n"}, "the severity 'Extreme'"),
    "counts without votes": ({"violence.csv": "id,None,Mild,Moderate,Severe\n9900001,0,0,0,0\n"}, "no severity"),
    "counts that are none": ({"violence.csv": "id,None,Mild,Moderate,Severe\n9900001,5,0,0,many\n"}, "'many' is no count of votes"),
    "counts that are none, a row a level": ({"g.csv": "imdb_id,category,level,votes\n9900001,gore,Severe,-1\n"}, "'-1' is no count of votes"),
    "links for tags": ({"q.csv": "imdb,descriptor\ntt9900002,http://w/Q2\n"}, "is a link, not the name of a tag"),
    "ML-DDD of words": ({"links.csv": LINKS, "ml.csv": "work_id,Clear Yes: blood\n2,maybe\n"}, "Clear Yes: blood: 'maybe' is neither true nor false"),
    "a genome of unknown tags": (
        {"movies.csv": MOVIES, "links.csv": LINKS, "genome-tags.csv": "tagId,tag\n1,gore\n",
         "genome-scores.csv": "movieId,tagId,relevance\n1,7,0.9\n"}, r"genome-scores\.csv.*the tag '7' has no name",
    ),
    "TMDb without IMDb's id": ({"m.json": {**TMDB, "imdb_id": None}}, "no id"),
}  # fmt: skip


@pytest.mark.parametrize(("files", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_form_is_one_clear_line_and_changes_nothing(store, files, told):
    before = store.path.read_bytes()
    with pytest.raises(UserError, match=told) as refusal:
        store.load(files)
    assert "\n" not in str(refusal.value)
    assert store.path.read_bytes() == before


def test_the_coverage_of_each_trait_is_counted_by_kind_of_evidence(tmp_path):
    store = Store(tmp_path)
    traits = [
        {"trait": "Dogs", "avoid": ["Does the dog die"]},
        {"trait": "Gore", "avoid": [], "weights": {"Violence & Gore": 1}},
    ]
    files = {
        "traits.json": traits, "titles.csv": TITLES, "ddd.json": [*DDD, media(3, "Blue Lake", 2001)],
        "tags.csv": "imdb_id,tag\n9900002,barn\n", "guide.csv": "imdb_id,violence_gore,profanity\n9900001,None,Mild\n",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    load_sources(store.path, recognise([tmp_path / name for name in files]), starter=False)
    assert store.rows("from trait_coverage") == [("Dogs", 3, 2, 2, 1, 0, 0), ("Gore", 3, 1, 0, 0, 1, 0)]
    assert store.rows("from unused_tags") == [("barn", 1)]
    assert store.rows("from unweighed_categories") == [("profanity", 1)]


def test_numbers_stay_the_ids_of_a_domain_that_says_so(tmp_path, capsys):
    store = Store(tmp_path)
    files = {
        "domain.json": {"noun": "game", "numeric_ids": True}, "traits.json": [{"trait": "Gambling", "avoid": ["Simulated Gambling"]}],
        "games.csv": "game_id,name,year\n620,Portal Two,2011\n7,Poker Night,2010\n", "esrb.csv": "game_id,descriptor\n7,Simulated gambling\n",
    }  # fmt: skip
    for name, content in files.items():
        (tmp_path / name).write_text(content if isinstance(content, str) else json.dumps(content))
    load_sources(store.path, recognise([tmp_path / name for name in files]), starter=False)
    verdict = store.check("Poker Night", 2010, "Gambling")
    assert (verdict.imdb_id, verdict.is_safe) == ("7", False)
    assert store.rows("select noun, nouns from domain") == [("game", "games")]
    assert main(["check", "7", "--avoid", "gambling", "--store", str(store.path)]) == 0
    assert "\n  game       Poker Night (2010), 7: id match" in capsys.readouterr().out


def test_a_domain_that_comes_too_late_changes_nothing(store):
    before = store.path.read_bytes()
    with pytest.raises(
        UserError, match=r"numeric_ids is true, and the store has ids that were read otherwise: .*--no-starter"
    ):
        store.load({"domain.json": {"noun": "game", "numeric_ids": True}})
    assert store.path.read_bytes() == before
    loaded = store.load({"domain.json": {"noun": "Film", "nouns": "Filme"}})
    assert loaded["domain.json"].notes == (
        "840 bundled films are in this store, as Filme: a store of its own is made with --no-starter",
    )


def test_the_key_of_a_tag_keeps_what_it_means(desk):
    keys = {
        "Does the dog die?": "dog die",
        "a dog dies": "dog die",
        "Are there spiders": "spider",
        "the dog does not die": "dog not die",
    }
    for written, key in keys.items():
        assert desk.store.execute("select tag_key(?)", [written]).fetchall() == [(key,)]
