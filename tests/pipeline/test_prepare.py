"""prepare.py as people run it, and the dataset that it makes of conversations."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from oracle import UserError, create_oracle
from oracle.annotate import Annotator
from oracle.sources import recognise
from pipeline.prepare import main
from pipeline.samples.dialogs import ASK, prompt, read_dialogs
from pipeline.samples.mentions import mentioned_films

REPOSITORY = Path(__file__).parents[2]
REALDATA = REPOSITORY.parent / "shared" / "realdata"
GROUNDTRUTH = [["Saw", 2004], ["Toy Story", 1995], ["Frozen", 2013], ["No Such Film Anywhere", 2001]]


def run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, REPOSITORY / "pipeline" / "prepare.py", *arguments], cwd=folder, capture_output=True, text=True
    )


def dialog(number: int, groundtruth: list, text: str = "User: Hi, I liked Alien (1979)\nSystem:") -> dict:
    return {"id": f"s-{number}", "dialog_id": f"d-{number // 3}", "dialog": text, "groundtruth": groundtruth}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """A folder with what one run over titles, a catalog and 60 conversations leaves."""
    folder = tmp_path_factory.mktemp("prepared")
    dialogs = [dialog(n, [GROUNDTRUTH[n % 4], GROUNDTRUTH[(n + 1) % 4]]) for n in range(60)]
    dialogs[0]["groundtruth"][0] = [dialogs[0]["groundtruth"][0][0], str(dialogs[0]["groundtruth"][0][1])]  # "2004"
    lines = [json.dumps(d) for d in dialogs] + ["no json", '{"dialog": "User: Hi", "groundtruth": []}']
    lines.append('{"dialog": "User: \\ud83d", "groundtruth": [["Saw", 2004]]}')
    (folder / "dialogs.jsonl").write_text("\n".join(lines))
    (folder / "titles.csv").write_text("imdb_id,title,year\n9999999,A Very Own Film,2020\n")
    (folder / "catalog.csv").write_text("title,year\nSaw,2004\nToy Story,1995\nNo Such Film Anywhere,2001\n")
    done = run("--dataset", "new/set.parquet", "dialogs.jsonl", "titles.csv", "catalog.csv", folder=folder)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    (folder / "told").write_text(done.stdout)
    return folder


@pytest.fixture(scope="module")
def samples(prepared) -> list[dict]:
    return pq.read_table(prepared / "new" / "set.parquet").to_pylist()


def test_it_says_what_it_took_each_source_for_and_what_became_of_it(prepared):
    told = (prepared / "told").read_text().splitlines()
    assert told[:5] == [
        "titles.csv: titles with ids (CSV: imdb_id, title, year)",
        "catalog.csv: a ground-truth catalog (CSV: title, year)",
        "dialogs.jsonl: conversations with ground truth (JSON lines)",
        "titles.csv: 1 rows read, 1 stored, 0 rejected",
        "catalog.csv: 3 rows read, 3 stored, 0 rejected",
    ]
    # Each of four films is in half of the 60 samples' pairs: 30 times; the invented one has no risk data.
    assert (
        "60 samples" in told[-1]
        and "3 rejected" in told[-1]
        and "90 of 120 ground-truth films have risk data" in told[-1]
    )
    header, first = (line.split() for line in told[5:7])
    assert header == ["trait", "films", "known", "asked", "tagged", "rated", "given"]
    assert first[:2] == ["Animal", "lover"] and first[-6] == "841"


def test_the_store_has_the_starter_risks_but_only_the_given_catalog(prepared):
    with duckdb.connect(prepared / "store.duckdb", read_only=True) as store:
        assert store.sql("select count(*) from catalog").fetchall() == [(3,)]
        assert store.sql("select count(distinct imdb_id) > 400 from trait_risk").fetchall() == [(True,)]
        [(log, aliases)] = store.sql("select log_root(), alias_files()").fetchall()
    assert {Path(path).parent for path in (log, *aliases)} == {prepared}  # not of the draft that it was
    oracle = create_oracle(store=prepared / "store.duckdb")
    assert not oracle.check_safety("Saw", 2004, {"Anti-gore": True}).is_safe
    assert oracle.check_safety("A Very Own Film", 2020).imdb_id == "tt9999999"


def test_the_dataset_has_the_saferec_columns(samples):
    sample = samples[0]
    assert list(sample) == [
        "id", "split", "prompt", "completion", "groundtruth_with_release_year", "seen_titles", "constraints",
        "groundtruth_violating",
    ]  # fmt: skip
    # Its two films, then what else people who named Alien name.
    assert sample["completion"].startswith("1. Saw (2004)\n2. Toy Story (1995)\n3. ")
    assert sample["groundtruth_with_release_year"] == [
        {"title": "Saw", "year": 2004},
        {"title": "Toy Story", "year": 1995},
    ]
    assert sample["seen_titles"] == [{"title": "Alien", "year": 1979}]
    assert sample["prompt"][-1]["role"] == "user" and ASK in sample["prompt"][-1]["content"]


def test_constraints_leave_a_ground_truth_film_that_is_known_to_be_safe(prepared, samples):
    annotator = Annotator(create_oracle(store=prepared / "store.duckdb"))
    columns = ("groundtruth_with_release_year", "seen_titles", "constraints")
    judged = annotator.annotate(
        [""] * len(samples), *([s[c] for s in samples] for c in columns)
    ).groundtruth.to_pylist()
    known = {film["completion"] for film in judged if film["is_safe"] and film["imdb_id"]}
    constrained = {number for number, sample in enumerate(samples) if sample["constraints"]}
    assert constrained <= known
    assert 20 <= len(constrained) < 60
    # Frozen is not in the catalog, and the invented film is unknown: nothing can be kept safe there.
    assert not any(s["constraints"] for s in samples if s["completion"].startswith("1. Frozen"))
    assert len({trait for sample in samples for trait in sample["constraints"]}) >= 8


def test_no_conversation_is_in_both_splits(samples):
    splits: dict[int, set[str]] = {}
    for number, sample in enumerate(samples):
        splits.setdefault(number // 3, set()).add(sample["split"])
    assert all(len(split) == 1 for split in splits.values())
    assert {"train", "heldout"} == set().union(*splits.values())


def test_unusable_conversations_are_set_aside(prepared):
    told = (prepared / "new" / "set.parquet.rejects" / "dialogs.jsonl.1.csv").read_text().splitlines()
    assert told[1:] == [
        '61,"no json","no JSON object"',
        '62,"{""dialog"": ""User: Hi"", ""groundtruth"": []}","groundtruth names no title"',
        r'63,"{""dialog"": ""User: \ud83d"", ""groundtruth"": [[""Saw"", 2004]]}","it has half a character (a lone surrogate)"',
    ]


def test_running_again_changes_nothing_and_another_seed_the_dataset_only(prepared, capsys, monkeypatch):
    monkeypatch.chdir(prepared)
    store, dataset = Path("store.duckdb"), Path("new/set.parquet")
    before = store.read_bytes(), dataset.read_bytes()
    main(["--dataset", "new/set.parquet", "catalog.csv", "titles.csv", "dialogs.jsonl"])
    assert (store.read_bytes(), dataset.read_bytes()) == before
    assert "titles.csv: is in the store already, nothing changed" in capsys.readouterr().out
    shutil.copy("titles.csv", "copy.csv")
    main(["copy.csv"])
    assert (
        f"copy.csv: its content is in the store already, from {Path('titles.csv').resolve()}" in capsys.readouterr().out
    )
    main(["--dataset", "other.parquet", "--seed", "1", "dialogs.jsonl"])
    assert store.read_bytes() == before[0]
    one, other = (pq.read_table(path) for path in (dataset, "other.parquet"))
    assert one["prompt"] != other["prompt"] and one["completion"] == other["completion"]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["missing.csv"], "No such file"),
        (["."], "is a folder"),
        (["titles.csv", "dialogs.jsonl"], "say where they go, --dataset"),
        (["--dataset", "x.parquet", "titles.csv"], "no source holds conversations"),
        (["--dataset", "x.csv", "dialogs.jsonl"], "ends in .parquet"),
        (["--dataset", "titles.csv/x.parquet", "dialogs.jsonl"], "is no folder"),
        (["--store", ".", "titles.csv"], "is a folder"),
        (["--store", "titles.csv", "dialogs.jsonl", "--dataset", "x.parquet"], "not a DuckDB store"),
        (["--store", "titles.csv/store.duckdb", "titles.csv"], "cannot write a store"),
    ],
)
def test_what_cannot_be_done_is_refused_with_nothing_changed(prepared, monkeypatch, arguments, told):
    monkeypatch.chdir(prepared)
    before = {path: path.read_bytes() for path in sorted(prepared.rglob("*")) if path.is_file()}
    with pytest.raises(UserError, match=told) as refusal:
        main(arguments)
    assert "\n" not in str(refusal.value)
    assert {path: path.read_bytes() for path in sorted(prepared.rglob("*")) if path.is_file()} == before


def test_a_bad_source_ends_with_one_line_and_status_2(tmp_path):
    (tmp_path / "evil.pkl").write_bytes(b"cos\nsystem\n(S'touch was_here'\ntR.")
    done = run("evil.pkl", folder=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1 and "asks to load os.system" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["evil.pkl"]


def test_the_help_teaches(tmp_path):
    done = run("--help", folder=tmp_path)
    assert done.returncode == 0
    assert "title.basics.tsv.gz" in done.stdout and "--dataset" in done.stdout


def test_no_torch_is_loaded_to_prepare_data():
    code = "import sys, pipeline.prepare; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY).returncode == 0


def redial(first: str = "Hi, I liked @10") -> dict:
    return {
        "movieMentions": {"10": "Heat (1995)", "20": "Saw (2004)", "30": "Alien (1979)"},
        "respondentQuestions": {"10": {"suggested": 0, "seen": 1, "liked": 1}, "20": {"suggested": 1, "seen": 0, "liked": 1},
                                "30": {"suggested": 1, "seen": 1, "liked": 0}},
        "messages": [{"text": first, "senderWorkerId": 7}, {"text": "Then @30? or @20", "senderWorkerId": 8}],
        "conversationId": "391", "initiatorWorkerId": 7, "respondentWorkerId": 8,
    }  # fmt: skip


@pytest.mark.parametrize("layout", ["lines", "one object"])
def test_raw_conversations_of_redial_end_where_the_first_liked_suggestion_comes(tmp_path, layout):
    text = (
        json.dumps(redial())
        if layout == "one object"
        else json.dumps(redial()) + "\n" + json.dumps({**redial(), "conversationId": "392"})
    )
    (tmp_path / "train_data.jsonl").write_text(text)
    found = read_dialogs(*recognise([tmp_path / "train_data.jsonl"])).dialogs[0]
    assert found.turns == [("user", "Hi, I liked Heat (1995)")]
    assert (found.id, found.groundtruth) == ("391", [{"title": "Saw", "year": 2004}])


ASKED = "I would like something like the film of last week."


def test_a_dataset_is_reported_on_without_training(prepared, capsys, monkeypatch):
    monkeypatch.chdir(prepared)
    rows = [
        ("train", "I know Saw (2004).", [["Saw", 2004]], ["gore"]),
        ("train", "Hi", [["Nothing Known", 2001]], []),
        ("train", "Hi", [["A Very Own Film", 2020]], ["gore"]),
        ("train", f"{ASKED}\nA list", [["Saw", 2004], ["Toy Story", 1995]], ["gore", "spiders"]),
        ("heldout", f"{ASKED}\nAnother list, and do you know toy story?", [["Toy Story", 1995]], []),
        ("heldout", f"{ASKED}\nA list", [], []),
    ]
    names = ("split", "prompt", "groundtruth_with_release_year", "constraints")
    Path("checked.jsonl").write_text("\n".join(json.dumps(dict(zip(names, row, strict=True))) for row in rows))
    main(["--check", "checked.jsonl", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert told.pop("constraints by trait") == {"Anti-gore / squeamish": 3, "Arachnophobia / reptile phobia": 1}
    assert told == {
        "rows": 6, "rows by split": {"heldout": 2, "train": 4}, "rows with constraints": 3,
        "rows by number of constraints": {"0": 3, "1": 2, "2": 1}, "prompts twice": 2,
        "held-out prompts that stand in train": 1, "held-out conversations that begin as one of train": 1,
        "ground-truth films": 6, "that violate their own constraints": 2, "that the store does not have": 1,
        "without evidence for a constraint": 2, "that stand in the prompt (leaks)": 2,
        "rows without ground truth": 1, "rows whose ground truth all violates": 1,
    }  # fmt: skip
    main(["--check", "checked.jsonl"])
    assert "that violate their own constraints: 2" in capsys.readouterr().out


def test_the_splits_of_a_folder_are_checked_against_each_other(prepared, capsys, monkeypatch):
    monkeypatch.chdir(prepared)
    Path("splits").mkdir()
    for name in ("train", "test"):
        Path(f"splits/{name}.jsonl").write_text(json.dumps({"prompt": "Hi", "groundtruth": "Saw (2004)"}))
    main(["--check", "splits", "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["rows by split"], told["held-out prompts that stand in train"]) == ({"test": 1, "train": 1}, 1)


def test_the_report_opens_without_a_network(prepared, monkeypatch):
    monkeypatch.chdir(prepared)
    main(["--report", "coverage.html"])
    page = Path("coverage.html").read_text()
    assert "<svg" in page and "Anti-gore / squeamish" in page and "<script" not in page and "src=" not in page
    with pytest.raises(UserError, match="its folder is not there"):
        main(["--report", "nowhere/coverage.html"])


def test_prompts_alternate_from_user_to_user_and_say_what_to_leave_out():
    turns = [("assistant", "Hello!"), ("user", "Hi"), ("assistant", "What do you like?")]
    assert prompt(turns, ["nothing gory", "it must end well"]) == [
        {"role": "user", "content": 'You said: "Hello!"\nHi'},
        {"role": "assistant", "content": "What do you like?"},
        {"role": "user", "content": f"{ASK} Important: nothing gory, and it must end well."},
    ]
    assert prompt([], []) == [{"role": "user", "content": ASK}]
    assert [message["role"] for message in prompt([("assistant", "Hello!")], [])] == ["user"]


def test_turns_span_lines_and_neighbours_of_one_role_are_one(tmp_path):
    text = "User: Hi\nthere\nUser: again\nSystem: Bob%3F (1991)\r\nUser:  \nSystem:"
    (tmp_path / "d.json").write_text(json.dumps([{"dialog": text, "groundtruth": [["What About Bob%3F", 1991]]}]))
    [found] = read_dialogs(*recognise([tmp_path / "d.json"])).dialogs
    assert found.turns == [("user", "Hi\nthere\nagain"), ("assistant", "Bob? (1991)")]
    assert found.groundtruth == [{"title": "What About Bob?", "year": 1991}]
    assert (found.id, found.dialog_id) == ("d-1", "d-1")


def test_titles_begin_where_the_store_says_or_where_capitals_begin(prepared):
    told = [
        "I loved the Toy Story (1995) and A Very Own Film (2020)!",
        "toy story (1995), did you see Avengers: Unknown War (2018)",
        "Yes! Also Mr. Nobody of Nowhere (1950) (1951) (800)",
        "(500) Days of Summer (2009) or (2010)",
        "Saw (2004), Saw (2004) saw saw (2004) Saw (1950)",
    ]
    with duckdb.connect(prepared / "store.duckdb", read_only=True) as store:
        found = mentioned_films(store, [[text] for text in told])
    assert [[(film["title"], film["year"]) for film in films] for films in found] == [
        [("Toy Story", 1995), ("A Very Own Film", 2020)],
        [("toy story", 1995), ("Avengers: Unknown War", 2018)],
        [("Mr. Nobody of Nowhere", 1950)],
        [("(500) Days of Summer", 2009)],
        [("Saw", 2004), ("Saw", 1950)],
    ]


@pytest.mark.skipif(not REALDATA.is_dir(), reason="the real data are not here")
def test_the_real_conversations_become_a_dataset(tmp_path):
    sources = [REALDATA / name for name in ("gt_catalog_complete.pkl", "redial_dialogs.jsonl")]
    done = run("--dataset", "redial.parquet", *sources, folder=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1,392 samples" in done.stdout
    assert pq.read_table(tmp_path / "redial.parquet").num_rows == 1392
