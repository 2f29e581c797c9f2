"""What is said about films: traits, tags, severities and risks, of films and of another domain."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

TRAITS = [
    {
        "trait": "Anti-gore / squeamish",
        "avoid": ["gore"],
        "weights": {"Violence & Gore": 1.0, "Frightening & Intense Scenes": 0.3},
    },
    {
        "trait": "Animal lover",
        "prefer": [],
        "avoid": ["Does the dog die"],
        "imdb_parent_guide": {"weights": {"Profanity": 0.0}},
    },
]
SAW = [("tt0387564", "Frightening & Intense Scenes", 2), ("tt0387564", "Violence & Gore", 3)]


def severities(desk) -> list[tuple]:
    return desk.rows("select imdb_id, category, severity from film_severities order by all")


@pytest.mark.parametrize(
    "text",
    [
        "imdb_id,category,severity\n387564,Violence & Gore,Severe\n387564,frightening  & intense scenes,2\n",
        'imdb_id,Sex & Nudity,violence_gore,frightening,"Alcohol, Drugs & Smoking"\ntt0387564,,severe,Moderate,\n',
        [{"imdb_id": "0387564", "severities": {"Violence & Gore": "Severe", "Frightening & Intense Scenes": 2}}],
        '{"imdbId": 387564, "category": "Violence & Gore", "severity": 3}\n'
        '{"imdbId": 387564, "category": "Frightening & Intense Scenes", "severity": "Moderate"}\n',
        {"tt0387564": {"Violence & Gore": "Severe", "Frightening & Intense Scenes": "Moderate"}},
    ],
    ids=["a row a category", "a column a category", "JSON", "JSON lines", "JSON by id"],
)
def test_severities_are_the_same_from_any_layout(desk, text):
    desk.load_text(TRAITS, "traits.json")
    desk.load_text(text)
    assert severities(desk) == SAW


def test_the_risk_of_saw_is_that_of_the_definition(desk):
    desk.load_text(TRAITS, "traits.json")
    desk.load_text({"tt0387564": {"Violence & Gore": "Severe", "Frightening & Intense Scenes": "Moderate"}})
    desk.derive_risks()
    # (1.0 * 3 + 0.3 * 2) / (3 * 1.3) = 3.6 / 3.9
    assert desk.rows("select round(risk, 4), source from trait_risk where trait like 'Anti-gore%'") == [
        (0.9231, "guide")
    ]


def test_films_with_their_severities_bring_both(desk, titles):
    desk.load_text("imdb_id,title,year,genres,violence_gore,profanity\n1,Saw,2004,Horror,Severe,None\n")
    assert titles() == [("tt0000001", "Saw", 2004, True)]
    assert severities(desk) == [("tt0000001", "Profanity", 0), ("tt0000001", "Violence & Gore", 3)]


def test_of_two_ratings_the_more_cautious_counts_in_either_order(desk):
    desk.load_text(TRAITS, "traits.json")
    for number, severity in enumerate(("Mild", "Severe", "None")):
        desk.load_text(f"imdb_id,category,severity\n1,Violence & Gore,{severity}\n", f"source-{number}")
        desk.derive_risks()
        [(risk,)] = desk.rows("select risk from trait_risk where trait = 'Anti-gore / squeamish'")
        assert risk == pytest.approx((1, 3, 3)[number] / (3 * 1.3))
    assert [level for _, _, level in severities(desk)] == [0, 1, 3]  # each source its own


@pytest.mark.parametrize(
    "text",
    [
        "imdb_id,tag\n1,Does the dog die\ntt0000001,Does the dog die\n1,gore\n",
        [{"imdb_id": 1, "tags": ["Does the dog die", "gore"]}],
        "imdb_id,tags\n1,Does the dog die|gore\n",
        {"0000001": ["gore", "Does the dog die"]},
    ],
    ids=["a row a tag", "JSON lists", "bars", "JSON by id"],
)
def test_tags_are_the_same_from_any_layout(desk, text):
    desk.load_text(text)
    assert desk.rows("select imdb_id, tag from film_tags order by tag") == [
        ("tt0000001", "Does the dog die"),
        ("tt0000001", "gore"),
    ]


def test_tags_come_from_parquet_lists(desk):
    pq.write_table(pa.table({"imdb_id": ["1"], "tags": [["gore", "blood"]]}), desk.folder / "tags")
    desk.load(desk.folder / "tags")
    assert desk.rows("select tag from film_tags order by tag") == [("blood",), ("gore",)]


def test_sensitivities_of_the_original_work_are_given_risks(desk):
    film = {"final": 0.78, "pg_risk": 0.78, "ddd_trigger": 0, "source": "ParentGuide", "hit_tags": None}
    tagged = {"final": 1.0, "pg_risk": 0.0, "ddd_trigger": 1, "source": "DDD", "hit_tags": ["gore", "blood"]}
    text = json.dumps(
        [
            {"imdbId": "0114709", "title": "Toy Story", "traits": {"Animal lover": film, 'A "quoted" trait': tagged}},
            {
                "imdbId": "0000002",
                "traits": {"Animal lover": {**film, "final": float("nan")}, "B": {**film, "final": -0.1}},
            },
            {"imdbId": "0000003", "traits": {"Animal lover": {**film, "final": 1.2}, "B": {"pg_risk": 0.5}}},
            {"imdbId": None, "traits": {"Animal lover": film}},
            {"imdbId": "0000005", "traits": {}},
        ]
    )
    [loaded] = desk.load_text(text)
    assert desk.rows(
        "select imdb_id, trait, risk, pg_risk, tag_trigger, hit_tags, source from given_risk order by all"
    ) == [
        ("tt0114709", 'A "quoted" trait', 1.0, 0.0, 1.0, ["gore", "blood"], "DDD"),
        ("tt0114709", "Animal lover", 0.78, 0.78, 0.0, None, "ParentGuide"),
    ]
    assert [(row, reason) for row, _, reason in desk.rejects()] == [
        (2, "the risk '-0.1' is not in 0..1"),
        (2, "the risk 'NaN' is not in 0..1"),
        (3, "no risk"),
        (3, "the risk '1.2' is not in 0..1"),
        (4, "no id"),
        (5, "no trait"),
    ]
    assert (loaded.rows_read, loaded.rows_rejected) == (8, 6)


def test_a_definition_replaces_only_what_it_brings(desk):
    desk.load_text({"meta": {}, "traits": TRAITS}, "with_weights.json")
    desk.load_text(
        [{"trait": "Anti-gore / squeamish", "prefer": [], "avoid": ["blood"]}, {"trait": "New", "avoid": ["x"]}]
    )
    assert desk.rows("select trait, ordinal from traits order by ordinal") == [
        ("Anti-gore / squeamish", 0), ("Animal lover", 1), ("New", 2),
    ]  # fmt: skip
    assert desk.rows("select trait, tag from trait_tags order by all") == [
        ("Animal lover", "Does the dog die"), ("Anti-gore / squeamish", "blood"), ("New", "x"),
    ]  # fmt: skip
    assert desk.rows("select count(*) from trait_weights where trait like 'Anti%'") == [(2,)]


def test_another_domain_goes_through_the_same_tables(desk):
    traits = [
        {
            "trait": "No gambling",
            "avoid": ["Simulated Gambling"],
            "weights": {"Interactive Elements": 1.0, "Language": 1.0},
        }
    ]
    desk.load(
        desk.file("traits.json", traits),
        desk.file("games.csv", "game_id,name,release_year\ngame:1,Poker Night,2010\ngame:2,Portal 2,2011\n"),
        desk.file("esrb.csv", "game_id,descriptor\ngame:1,Simulated Gambling\ngame:2,Fantasy Violence\n"),
        desk.file("levels.csv", "game_id,Interactive Elements,Language\ngame:2,Moderate,None\n"),
    )
    desk.derive_risks()
    # game:2: (1 * 2 + 1 * 0) / (3 * 2) = 1/3
    assert desk.rows("select imdb_id, trait, round(risk, 4), source from trait_risk order by all") == [
        ("game:1", "No gambling", 1.0, "tags"),
        ("game:2", "No gambling", 0.3333, "guide"),
    ]
