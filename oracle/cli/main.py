"""`check`, `explain`, `log` and `store`: the oracle and the run log from the command line."""

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.base.command import outcome
from oracle.base.errors import UserError
from oracle.base.flags import FlagParser
from oracle.base.printable import one_line
from oracle.cli.log import add_commands as add_log_commands
from oracle.cli.store import add_commands as add_store_commands

if TYPE_CHECKING:  # slow to import: behind --help
    from oracle.oracle import Oracle, Verdict

POLICIES = ("safe", "violation", "ignore")  # those of oracle.oracle
YEAR_BEHIND = re.compile(r"(.*\S)\s*\((\d{4})\)\s*")
BARE_YEAR_BEHIND = re.compile(r"(.*\S)\s+((?:18|19|20)\d\d)\s*")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0, or 2 after one line on stderr about what was wrong with the input."""
    return outcome(run, sys.argv[1:] if argv is None else argv)


def run(argv: list[str]) -> None:
    """Run one command; raises `UserError` for what is wrong with the input."""
    arguments = _parser().parse_args(argv)
    arguments.run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = FlagParser(prog="safe-rank", description=__doc__)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    check = commands.add_parser("check", help="judge a film, or the films of a file", description=_check.__doc__)
    _add_film(check, required=False)
    check.add_argument(
        "--avoid", action="append", default=[], metavar="TRAIT", help="what to avoid, such as gore; may be repeated"
    )
    check.add_argument(
        "--file",
        help="judge the films of this CSV file, or of Parquet files at a path, pattern or address (s3://…/*.parquet): title, "
        "year, and perhaps id, and constraints parted by ;",
    )
    check.add_argument(
        "--out",
        help="with --file: write a .csv or .parquet file (default: CSV on the screen); with --engine ray, a folder",
    )
    check.add_argument(
        "--engine", choices=("ray",), help="with --file: judge Parquet files with the oracles of a Ray cluster"
    )
    check.add_argument("--address", help="with --engine ray: of the cluster (default: one of this machine's cores)")
    check.add_argument(
        "--threshold", type=float, default=0.66, help="a risk as high as this is a violation (%(default)s)"
    )
    check.add_argument(
        "--unresolved",
        choices=POLICIES,
        default="safe",
        help="what a film that is not found counts as (%(default)s)",
    )
    check.add_argument(
        "--unrated",
        choices=POLICIES,
        default="safe",
        help="what a film counts as of which nothing is known for something to avoid (%(default)s)",
    )
    check.set_defaults(run=_check)

    explain = commands.add_parser("explain", help="show which films a title could mean", description=_explain.__doc__)
    _add_film(explain, required=True)
    explain.set_defaults(run=_explain)

    traits = commands.add_parser("traits", help="list what can be avoided", description=_list_traits.__doc__)
    traits.add_argument(
        "--store", type=Path, help="default: store.duckdb here, made from the starter data if it is not there"
    )
    traits.add_argument("--json", action="store_true", help="print JSON")
    traits.set_defaults(run=_list_traits)

    add_log_commands(commands.add_parser("log", help="look at the run log, and keep it in order"))
    add_store_commands(commands.add_parser("store", help="keep the store in order"))
    return parser


def _add_film(parser: argparse.ArgumentParser, required: bool) -> None:
    parser.add_argument("title", nargs=None if required else "?", help='"Saw", "Saw (2004)", or a film\'s id')
    parser.add_argument("year", nargs="?", type=int, help="the year of the first release")
    parser.add_argument(
        "--store", type=Path, help="default: store.duckdb here, made from the starter data if it is not there"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _check(arguments: argparse.Namespace) -> None:
    """Judge a film for someone who wants some content avoided, and say why; or all films of a file."""
    if (arguments.title is None) == (arguments.file is None):
        raise UserError(
            'name a title, such as: check "Saw" 2004 --avoid gore; or a file: check --file titles.csv --avoid gore'
        )
    if arguments.out is not None and arguments.file is None:
        raise UserError("--out belongs to --file; a single verdict is printed")
    if arguments.engine and (arguments.file is None or arguments.json):
        raise UserError("--engine ray belongs to --file and --out, without --json")
    if arguments.address and not arguments.engine:
        raise UserError("--address belongs to --engine ray")
    from oracle.oracle import create_oracle
    from oracle.titles import nearest, sources

    oracle = create_oracle(
        risk_threshold=arguments.threshold,
        unresolved=arguments.unresolved,
        unrated=arguments.unrated,
        store=arguments.store,
    )
    if arguments.engine:
        from oracle.cli.cluster import check_on_cluster

        check_on_cluster(oracle, arguments.file, arguments.avoid, arguments.out, arguments.address)
        return
    if arguments.file is not None:
        from oracle.cli.files import check_file

        out = None if arguments.out is None else Path(arguments.out)
        check_file(oracle, arguments.file, arguments.avoid, out, arguments.json)
        return
    title, year = _film(arguments, oracle)
    traits = oracle.resolve_traits(arguments.avoid)
    verdict = oracle.check_safety(title, year, dict.fromkeys(traits, True))
    if verdict.imdb_id is None and year is None:  # a number is a title first: "1942" is one
        verdict = oracle.check_safety(title, year, dict.fromkeys(traits, True), given_id=title.strip())
    near = nearest(oracle.store, title, year)
    known = sources(oracle.store, verdict.imdb_id) if verdict.imdb_id else []
    if arguments.json:
        print(json.dumps(_as_json(oracle, title, year, traits, verdict, near, known), default=str))
    else:
        print("\n".join(map(one_line, _as_text(oracle, title, year, traits, verdict, near, known))))


def _as_json(
    oracle: "Oracle",
    title: str,
    year: int | None,
    traits: list[str],
    verdict: "Verdict",
    near: list[dict],
    known: list[dict],
) -> dict:
    return {
        "title": title, "year": year, "avoid": traits, "risk_threshold": oracle.risk_threshold, "unresolved": oracle.unresolved,
        "unrated": oracle.unrated,
        **vars(verdict), "runner_up": _runner_up(verdict, near), "sources": known,
    }  # fmt: skip


def _as_text(
    oracle: "Oracle",
    title: str,
    year: int | None,
    traits: list[str],
    verdict: "Verdict",
    near: list[dict],
    known: list[dict],
) -> list[str]:
    """Return the lines that tell a verdict and where it comes from."""
    from oracle.risk import risk_text
    from oracle.store import read_nouns

    asked = _named(title, year)
    if verdict.imdb_id is None:
        lines = [f"{asked}: not found" + (f"; counts as {oracle.unresolved}" if traits else "")]
        return lines + ["  nearest    " + _near(film) for film in near[:3]]
    outcome = {"safe": "safe", "unsafe": "UNSAFE", "unrated": "UNKNOWN"}[verdict.status]
    lines = [
        f"{asked}: {outcome}"
        + (f" for anyone who avoids {'; '.join(traits)}" if traits else "; nothing is to be avoided")
    ]
    film = _named(verdict.matched_title, verdict.matched_year)
    lines.append(
        f"  {read_nouns(oracle.store).one:<10} {film}, {verdict.imdb_id}: "
        f"{verdict.match_method} match, score {verdict.match_score:.2f}"
    )
    if verdict.unrated_traits:
        counts = f"; counts as {oracle.unrated}" if verdict.status == "unrated" else ""
        lines.append(
            f"  unknown    found, but nothing is known about it for {'; '.join(verdict.unrated_traits)}{counts}"
        )
    runner_up = _runner_up(verdict, near)
    lines.append("  runner-up  " + (_near(runner_up) if runner_up else "none"))
    for entry in verdict.evidence:
        sign = ">=" if entry["risk"] >= oracle.risk_threshold else "<"
        risk = risk_text(entry["risk"], oracle.risk_threshold)
        lines.append(f"  risk       {entry['trait']}: {risk} {sign} {oracle.risk_threshold}, from {entry['source']}")
        lines += [f"               {severity}" for severity in entry["severities"]]
        lines += [f"               tag: {tag}" for tag in entry["hit_tags"]]
    told = {*verdict.unrated_traits, *(entry["trait"] for entry in verdict.evidence)}
    lines += [f"  risk       {trait}: 0.00, it is rated and has none" for trait in traits if trait not in told]
    lines += [
        f"  source     {source['path']} ({source['kind']}, {source['loaded_at']:%Y-%m-%d}): {', '.join(source['tells'])}"
        for source in known
    ]
    return lines


def _explain(arguments: argparse.Namespace) -> None:
    """Show the films whose titles come near a title, and why each was taken, or was not."""
    from oracle.oracle import create_oracle
    from oracle.titles import nearest

    oracle = create_oracle(store=arguments.store)
    title, year = _film(arguments, oracle)
    near = nearest(oracle.store, title, year)
    if arguments.json:
        print(json.dumps({"title": title, "year": year, "nearest": near}))
        return
    print(f"{one_line(_named(title, year))}: " + ("found" if any(film["is_match"] for film in near) else "not found"))
    for film in near:
        print(f"  {one_line(_near(film))}")


def _list_traits(arguments: argparse.Namespace) -> None:
    """List the traits that can be avoided, each with everyday words that may be said instead of its name."""
    from oracle.oracle import create_oracle

    oracle = create_oracle(store=arguments.store)
    traits = zip(oracle.trait_names, oracle.trait_synonyms, strict=True)
    if arguments.json:
        print(json.dumps([{"trait": trait, "synonyms": words} for trait, words in traits]))
        return
    for trait, words in traits:
        print(one_line(trait + (f": {', '.join(words)}" if words else "")))


def _film(arguments: argparse.Namespace, oracle: "Oracle") -> tuple[str, int | None]:
    """Return title and year; a year behind the title is one, unless another is given.

    Without brackets ("Saw 2004") it is one where the whole is no title, as "Blade Runner 2049" is.
    """
    if arguments.year is None:
        if behind := YEAR_BEHIND.fullmatch(arguments.title):
            return behind[1], int(behind[2])
        bare = BARE_YEAR_BEHIND.fullmatch(arguments.title)
        from oracle.titles import one_film

        if bare and oracle.resolve(one_film(arguments.title, None))["imdb_id"][0].as_py() is None:
            return bare[1], int(bare[2])
    return arguments.title, arguments.year


def _runner_up(verdict: "Verdict", near: list[dict]) -> dict | None:
    return next((film for film in near if film["imdb_id"] != verdict.imdb_id), None)


def _named(title: str | None, year: int | None) -> str:
    return f"{title} ({year if year is not None else 'no year'})"


def _near(film: dict) -> str:
    return f"{_named(film['near_title'], film['near_year'])}, {film['imdb_id']}: {film['why']}, closeness {film['closeness']:.2f}"
