"""What the pages say holds: their commands, SQL and Python run on a small store, their flags exist, their links lead somewhere.

A block that takes long or needs more than the small store has `<!-- not run: the reason -->` before it. Its flags are
checked all the same. A block ```` ```json file=NAME ```` is written to that file first.
"""

import importlib
import json
import re
import shutil
from pathlib import Path

import duckdb
import pytest
import yaml

from oracle.log import open_log, query
from tests.docs import pages, small
from tests.docs.commands import Command, all_flags, commands, known_flags, streamlit_flags
from tests.docs.pages import REPOSITORY, SHELL, Block

PAGES = {pages.name_of(page): page for page in pages.pages()}
GAMES, DATA = "docs/examples/games/README.md", "docs/data.md"
RUN_ID = re.compile(r"\b\d{8}-\d{6}-[0-9a-f]{4}\b")
RUNNABLE = ("pipeline/prepare.py", "pipeline/evaluate.py")
FOREIGN_FLAGS = {"--help", "--nproc_per_node", "--no-deps"}  # of programs of others, named in running text


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "made"
    small.make(folder)
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in, with the whole of the repository's configurations."""
    work = tmp_path / "work"
    shutil.copytree(made, work)
    monkeypatch.chdir(work)
    return work


def of_page(name: str, languages: tuple[str, ...] = ()) -> list[Block]:
    return [block for block in pages.blocks(PAGES[name]) if not languages or block.language in languages]


@pytest.mark.parametrize("name", [name for name in PAGES if name not in (GAMES, DATA)])
def test_the_commands_sql_and_python_of_a_page_run(name, folder, capsys):
    run_page(name, folder, capsys)


def test_the_page_of_games_leads_from_files_to_an_evaluation_and_speaks_of_no_film(folder, capsys):
    said = run_page(GAMES, folder, capsys)
    assert outputs_in(GAMES, said) == 2
    assert "26.0% of the games that" in said and "at most 40.0% if all" in said
    with open_log(folder / "games.log") as log:
        ids = query(log, "select distinct imdb_id from verdicts where title like 'Counter-Strike%'").to_pylist()
        said += str(query(log, "select list(w.sentence) from runs r, why(r.run_id, 0, 0) w").to_pylist())
    assert ids == [{"imdb_id": "730"}], "a number stays an id, from the source to the verdict"
    said += (folder / "coverage.html").read_text() + (folder / "games.html").read_text()
    assert not re.findall(r"(?i).{0,40}(?:\bfilms?\b|movie|parent guide|imdb ).{0,40}", said)


def test_movielens_files_and_an_export_of_doesthedogdie_lead_to_an_evaluation(folder, capsys):
    said = run_page(DATA, folder, capsys)
    assert outputs_in(DATA, said) == 1, "the bundled films' coverage"
    assert "of the films that answers.jsonl lists in its top 20 violate a constraint" in said
    assert re.search(r"unresolved@20 +│ +25.0%", said), "of four films that each answer names, the store has three"
    assert "do they speak of these at all? Arachnophobia" in said, "MovieLens' tags name no spider"
    assert json.loads((folder / "ddd.json").read_text()) and (folder / "coverage.html").is_file()


def outputs_in(name: str, said: str) -> int:
    """How many blocks of output a page shows, each of which must be what is printed."""
    shown = [block.body for block in of_page(name) if block.language == "text"]
    for output in shown:
        assert output in said, f"{name} should show what is printed:\n{said}"
    return len(shown)


def run_page(name, folder, capsys) -> str:
    """Run a page in its order, in one folder: what a block leaves, the next ones find. Returns what is printed."""
    said = ""
    run_id = newest_run()
    namespace: dict = {"__name__": "page"}
    with duckdb.connect() as sql:
        sql.execute("attach 'demo/store.duckdb' as store (read_only)")
        sql.execute("use store")
        sql.execute("set variable log_root = ?", [str(folder / "demo" / "store.log")])
        for block in of_page(name):
            if block.file:
                Path(block.file).parent.mkdir(parents=True, exist_ok=True)
                Path(block.file).write_text(RUN_ID.sub(run_id, block.body) + "\n", encoding="utf-8")
            if not block.is_run:
                continue
            if block.language in SHELL:
                for command in commands(RUN_ID.sub(run_id, block.body)):
                    said += run(command, block, capsys)
            elif block.language == "sql":
                for statement in sql.extract_statements(RUN_ID.sub(run_id, block.body)):
                    sql.execute(statement).fetchall()
            elif block.language == "python" and not block.file:
                exec(compile(block.body, str(block), "exec"), namespace)
            elif block.language in ("json", "yaml", "yml"):
                (json.loads if block.language == "json" else yaml.safe_load)(block.body)
    return said


def newest_run() -> str:
    with duckdb.connect("demo/store.duckdb", read_only=True) as store:
        return store.sql("select max(run_id) from runs where kind = 'train'").fetchall()[0][0]


def run(command: Command, block: Block, capsys: pytest.CaptureFixture) -> str:
    """Run it in this process; it must end well. Returns what it printed."""
    if command.program == "make":
        check_targets(command)
        return ""
    if command.program == "oracle":
        code = importlib.import_module("oracle.cli.main").main(list(command.words))
    elif command.program in RUNNABLE:
        module = importlib.import_module(command.program.removesuffix(".py").replace("/", "."))
        code = module.main(list(command.words))
    else:
        pytest.fail(
            f"{block}: the test can't run {command.whole.strip()!r}: put `<!-- not run: the reason -->` before the block"
        )
    said = capsys.readouterr()
    assert not code, f"{block}: {command.whole.strip()}\n{said.err}"
    assert said.out or "--out" in command.flags or "compact" in command.words, (
        f"{block}: {command.whole.strip()} printed nothing"
    )
    return said.out + said.err


def check_targets(command: Command) -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in [word for word in command.words if "=" not in word]:
        assert re.search(rf"^{re.escape(target)}:", makefile, re.M), f"no target {target} in the Makefile"


@pytest.mark.parametrize("name", PAGES)
def test_every_flag_of_a_documented_command_exists(name):
    for block in of_page(name, SHELL):
        for command in commands(block.body):
            check_flags(command, str(block))
    for span in re.findall(r"`([^`\n]+)`", pages.without_blocks(PAGES[name])):
        if re.match(r"(\.venv/bin/)?(python|make|safe-rank|streamlit|accelerate|torchrun)\b", span):
            for command in commands(span):
                check_flags(command, f"{name}: `{span}`")
        elif span.startswith("--"):
            unknown = set(re.findall(r"--[\w.-]+", span)) - all_flags() - FOREIGN_FLAGS
            assert not unknown, f"{name}: no command knows {', '.join(unknown)}"


def check_flags(command: Command, where: str) -> None:
    unknown = {word.split("=")[0] for word in command.whole.split() if word.startswith("--server.")} - streamlit_flags()
    assert not unknown, f"{where}: Streamlit knows no {', '.join(sorted(unknown))}"
    if command.program == "make":
        check_targets(command)
    elif command.program and command.flags:
        unknown = set(command.flags) - known_flags(command)
        assert not unknown, f"{where}: {command.program} knows no {', '.join(sorted(unknown))}"
    if command.program and command.program.endswith(".py"):
        assert (REPOSITORY / command.program).is_file(), f"{where}: no script {command.program}"


@pytest.mark.parametrize("name", PAGES)
def test_every_link_of_a_page_leads_somewhere(name):
    page = PAGES[name]
    for link in pages.links(page):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{name}: {link} leads nowhere"
        if anchor:
            assert anchor in pages.anchors(target), f"{name}: {link}: no such heading in {pages.name_of(target)}"


@pytest.mark.parametrize("name", PAGES)
def test_every_file_that_a_page_names_exists(name):
    """`oracle/log/views.py`, `sql/views/`: paths below one of our folders. `<…>` and `…` stand for what people choose."""
    for span in re.findall(r"`([^`\n]+)`", pages.without_blocks(PAGES[name])):
        if re.fullmatch(r"(oracle|sql|app|pipeline|trainer|tests|data)/[\w./-]*", span) and not span.endswith("/…"):
            assert (REPOSITORY / span).exists(), f"{name}: no {span}"


def test_every_page_of_docs_is_linked_from_another_one():
    linked = {(page.parent / link.partition("#")[0]).resolve() for page in PAGES.values() for link in pages.links(page)}
    alone = [name for name, page in PAGES.items() if name.startswith("docs/") and page not in linked]
    assert not alone, f"nobody finds {', '.join(alone)}: link them from README.md or another page"


def test_the_readme_has_at_most_150_lines():
    assert len((REPOSITORY / "README.md").read_text().splitlines()) <= 150


def test_no_block_is_left_without_a_language():
    """Such a block would be neither run nor checked. Output is `text`."""
    bare = [str(block) for name in PAGES for block in of_page(name) if not block.language]
    assert not bare, f"name the language (text for output): {', '.join(bare)}"


@pytest.mark.parametrize(
    ("text", "program", "flags"),
    [
        ("python -m oracle check Saw --avoid gore   # --no_flag", "oracle", ["--avoid"]),
        ("accelerate launch --config_file a.yaml pipeline/train.py --config b.yaml", "pipeline/train.py", ["--config"]),
        (".venv/bin/streamlit run app/main.py --server.address 0.0.0.0 -- --store s", "app/main.py", ["--store"]),
        ("OMP_NUM_THREADS=1 taskset -c 0 python pipeline/sft.py \\\n  --lr=1e-3", "pipeline/sft.py", ["--lr"]),
        ("python -m tests.benchmarks.bench_log --verdicts 5", "tests.benchmarks.bench_log", ["--verdicts"]),
        ("pip install --no-deps gguf", None, ["--no-deps"]),
    ],
)  # fmt: skip
def test_a_command_is_taken_apart_as_a_shell_does(text, program, flags):
    (command,) = commands(text)
    assert (command.program, command.flags) == (program, flags)


def test_an_unknown_flag_target_or_program_is_noticed(capsys):
    with pytest.raises(AssertionError, match="knows no --avoids"):
        check_flags(next(commands("python -m oracle check Saw --avoids gore")), "here")
    with pytest.raises(AssertionError, match="no target demos"):
        check_targets(next(commands("make demos")))
    with pytest.raises(pytest.fail.Exception, match="not run"):
        run(next(commands("python pipeline/train.py")), Block("here", 1, "sh", "", True), capsys)


def test_blocks_marks_links_and_anchors_are_read_as_github_reads_them(tmp_path):
    page = tmp_path / "page.md"
    page.write_text(
        "# A & B: `c`\n[x](#a--b-c) ![y](z.png) `[no](link)`\n\n"
        "<!-- not run: takes an hour -->\n```sh\nmake demo\n```\n\n```json file=a.json\n{}\n```\n"
    )
    assert [(block.language, block.file, block.is_run) for block in pages.blocks(page)] == [
        ("sh", None, False),
        ("json", "a.json", True),
    ]
    assert pages.anchors(page) == {"a--b-c"}
    assert list(pages.links(page)) == ["#a--b-c", "z.png"]
