"""Models behind a server: every failure is asked again, what never comes is told, and keys are nowhere."""

import json

import pytest

from oracle import UserError
from oracle.base.nouns import Nouns
from pipeline.evaluate import main
from pipeline.evaluation.providers import _line, is_provider
from tests.pipeline.evaluation.loopback import TEXT
from tests.pipeline.evaluation.test_kept_answers import PROMPTS, asked, kept, remote, server  # noqa: F401 - fixtures


def test_a_server_that_fails_in_every_way_loses_no_answer(asked, tmp_path, server, capsys):  # noqa: F811
    server.faults = [429, 500, "half", "garbage", "nothing", "", 429, "", "garbage", 500, "half", "nothing"]
    main(remote(asked))
    (row,) = json.loads(capsys.readouterr().out)
    assert row["lists"] == len(PROMPTS) and row["model"] == "openai-api/loop/m"
    assert sorted(server.answered) == sorted(PROMPTS)
    assert [entry["text"] for entry in kept(tmp_path)] == [TEXT] * len(PROMPTS)
    assert {entry["output_tokens"] for entry in kept(tmp_path)} == {4}
    assert json.loads(row["settings"])["output_tokens"] == 4 * len(PROMPTS)


def test_what_a_server_says_is_one_printable_line():
    said = _line(ValueError("x \x1b]0;pwned\x07\x1b[2K\rok \u202eneddih"))
    assert said.isprintable() and "[U+001B]" in said and "[U+202E]" in said
    assert Nouns("app\x1b[2J", "ap\u202eps") == Nouns("app[U+001B][2J", "ap[U+202E]ps")


def test_what_never_comes_is_told_and_what_came_is_kept(asked, tmp_path, server):  # noqa: F811
    server.faults, server.forever = [""] * 10, "garbage"
    with pytest.raises(
        UserError, match=r"14 of 24 requests have no answer, such as to prompt \d+ .*the same command asks"
    ):
        main(remote(asked))
    assert len(kept(tmp_path)) == 10
    server.forever = ""
    main(remote(asked))
    assert sorted(server.answered) == sorted(PROMPTS)


def test_what_the_service_refuses_is_told_in_its_words_and_not_asked_again(asked, tmp_path, server):  # noqa: F811
    server.faults, server.says = ["", 400], {"error": {"message": "too long for this model"}}
    with pytest.raises(UserError, match=r"1 of 24 requests have no answer.*\(.*too long for this model") as told:
        main(remote(asked))
    assert "Prompt number" not in str(told.value) and len(server.asked) == 24 and len(kept(tmp_path)) == 23


def test_a_service_that_refuses_everything_is_not_asked_everything(asked, server):  # noqa: F811
    server.forever, server.says = 401, {"error": {"message": "no such key"}}
    with pytest.raises(UserError, match=r"24 of 24 requests have no answer.*no such key"):
        main(remote(asked))
    assert len(server.asked) <= 2 * 8


def test_samples_of_a_server_that_does_not_sample_are_told(asked, server, capsys):  # noqa: F811
    main(remote(asked, "--samples", "2", "--limit", "3"))
    assert "the 2 answers to each prompt are the same, at temperature 1" in capsys.readouterr().err
    server.numbered = True
    main(remote(asked, "--samples", "2", "--limit", "4"))
    main(remote(asked, "--samples", "2", "--limit", "3", "--temperature", "0"))
    assert "are the same" not in capsys.readouterr().err


def test_each_sample_is_asked_for_with_a_seed_of_its_own(asked, server, capsys):  # noqa: F811
    main(remote(asked, "--samples", "3", "--seed", "5", "--temperature", "0.25", "--limit", "2"))
    (row,) = json.loads(capsys.readouterr().out)
    assert row["lists"] == 6 and row["figures"]["svr_20"]["prompts"] == 2
    assert sorted((b["messages"][-1]["content"], b["seed"]) for b in server.bodies) == [
        (p, 5 + s) for p in PROMPTS[:2] for s in range(3)
    ]
    assert {b["temperature"] for b in server.bodies} == {0.25}


def test_a_key_is_sent_and_written_nowhere(asked, tmp_path, server, monkeypatch, capsys, small):  # noqa: F811
    monkeypatch.setenv("LOOP_API_KEY", "sk-very-secret")
    main(remote(asked, "--limit", "1", "--report", "r.html"))
    assert "sk-very-secret" in str(server.headers)
    said = capsys.readouterr()
    assert "sk-very-secret" not in said.out + said.err
    files = [path for folder in (tmp_path, small) for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if b"sk-very-secret" in path.read_bytes()]


@pytest.mark.parametrize("name", ["openai/gpt-4o", "openai-api/nowhere/m"])
def test_a_missing_key_is_one_line_before_any_question(asked, monkeypatch, name):  # noqa: F811
    for key in ("OPENAI_API_KEY", "NOWHERE_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(UserError, match=f"^--model {name}: .+") as told:
        main([*asked, "--model", name])
    assert "\n" not in str(told.value) and "API_KEY" in str(told.value)


def test_a_folder_is_no_provider_whatever_its_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert (
        is_provider("openai/gpt-4o") and is_provider("ollama/llama3.2") and not is_provider("meta-llama/Llama-3.2-1B")
    )
    (tmp_path / "openai/mine").mkdir(parents=True)
    assert not is_provider("openai/mine") and not is_provider("gpt2")
