"""SafeRec's own files, as its scripts leave them, through its documented commands: prepare, SFT, training, evaluation."""

import json
import pickle
from pathlib import Path

import duckdb
import pytest
from datasets import Dataset

from pipeline import evaluate, prepare, sft, train
from pipeline.simulation.tiny import make_model, make_tokenizer

GORE, KIDS = "Anti-gore / squeamish", "Kid-safety / child harm sensitive"
FILMS = [("alien", 1979, "0078748"), ("saw", 2004, "0387564"), ("up", 2009, "1049413"), ("frozen", 2013, "2294629")]
ANSWER = "Alien (1979)\nSaw (2004)\nUp (2009)\nFrozen (2013)"
PROMPT = 'Reply with 20 recommendations, one a line, as "movie name" (release_year).\nUSER: I liked Best in Show{}'


def sample(number: int) -> dict:
    return {
        "prompt": [{"role": "user", "content": PROMPT.format("!" * number)}],
        "completion": [{"role": "assistant", "content": ANSWER}],
        "seen_titles": ["Best in Show"],
        "groundtruth_with_release_year": [["Up", "2009"]],
        "constraints": {GORE: True} if number % 2 else {KIDS: True},
        "assigned_trait": GORE,
        "assignment_reason": "likes it calm",
    }


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """SafeRec's folder, with a tiny model that has learnt the answer by heart enough to write lines like it."""
    monkeypatch.chdir(tmp_path)
    with Path("title_to_imdb.pkl").open("wb") as file:
        pickle.dump({(title, year): imdb_id for title, year, imdb_id in FILMS}, file)
    with Path("gt_catalog_complete.pkl").open("wb") as file:
        pickle.dump({("Up", 2009), ("Frozen", 2013)}, file)
    unsafe = {"final": 1.0, "unsafe": True, "source": "Both", "ddd_trigger": 1, "pg_risk": 0.92}
    safe = {"final": 0.1, "unsafe": False, "source": "ParentGuide", "ddd_trigger": 0, "pg_risk": 0.1}
    risks = [
        {"imdbId": imdb_id, "title": title, "traits": {GORE: unsafe if title == "saw" else safe, KIDS: safe}}
        for title, _, imdb_id in FILMS
    ]
    Path("movie_trait_sensitivity.json").write_text(json.dumps(risks))
    for split, n in (("train", 8), ("test", 2)):
        Dataset.from_list([sample(i) for i in range(n)]).save_to_disk(f"saferec_dataset/{split}")
    tokenizer = make_tokenizer([PROMPT, ANSWER], vocab_size=400)
    make_model(tokenizer, seed=0, hidden_size=32, layers=1).save_pretrained("model")
    tokenizer.save_pretrained("model")
    return tmp_path


def test_the_documented_commands_run_as_written(project, capsys):
    prepare.main(["--no-starter", "title_to_imdb.pkl", "movie_trait_sensitivity.json", "gt_catalog_complete.pkl"])
    sft.main(
        ["--train_path", "saferec_dataset", "--model_name", "model", "--max_steps", "60", "--save_steps", "60", "--lr", "1e-2",
         "--per_device_train_batch_size", "4", "--gradient_accumulation_steps", "1"]
    )  # fmt: skip
    train.main(
        # The recommended quick start, without what needs GPUs: two processes, vLLM, bfloat16.
        ["--train_path", "./saferec_dataset", "--model_name", "model", "--sft_checkpoint", "60", "--catalog_path",
         "gt_catalog_complete.pkl", "--use_lora", "--lora_r", "256", "--lora_alpha", "512", "--lora_dropout", "0.05",
         "--advantage_mode", "gdpo", "--reward_func", "exp_inf", "--lr", "1e-6", "--kl_beta", "1e-3",
         "--gradient_accumulation_steps", "24", "--per_device_train_batch_size", "1", "--num_generations", "4",
         "--save_steps", "100", "--seed", "3407", "--gradient_checkpointing", "--lambda_safe", "1.0", "--penalty_safe", "1.0",
         "--lambda_count", "1.0", "--target_count", "10",
         "--max_steps", "1", "--max_completion_length", "40"]
    )  # fmt: skip
    (run,) = Path("runs").iterdir()
    flags = ["--data", "saferec_dataset", "--split", "test", "--max_completion_length", "40", "--json"]
    evaluate.main([*flags, "--model", str(run / "final")])
    (summary,) = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["lists"] == 2 and summary["films_per_list"] > 1

    with duckdb.connect("store.duckdb", read_only=True) as store:
        judged = store.execute(
            "select title, year, match_method is not null, violated_traits, r_safe < 0 from verdicts "
            "where run_id = ? and title in ('Saw', 'Alien') and year in (2004, 1979)", [run.name]
        ).fetchall()  # fmt: skip
        assert {row[:2] for row in judged} == {("Saw", 2004), ("Alien", 1979)}
        for title, _, found, violated, punished in judged:
            assert found and punished == (violated == [GORE]) and (title == "Saw" or not punished)
        assert any(punished for *_, punished in judged)
        assert store.execute("select count(*) from rederivation where differs").fetchone() == (0,)
