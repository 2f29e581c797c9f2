#!/usr/bin/env python
"""Read films, risks and conversations into a store and a dataset. Each source is recognised by its content.

    python pipeline/prepare.py --store films.duckdb titles.parquet gt_catalog.pkl
    python pipeline/prepare.py --store films.duckdb title.basics.tsv.gz title.akas.tsv.gz    # IMDb's files, as they are
    python pipeline/prepare.py --store films.duckdb ml-25m/movies.csv ml-25m/links.csv
    python pipeline/prepare.py --store films.duckdb movie_trait_sensitivity.json
    python pipeline/prepare.py --store films.duckdb --dataset redial.parquet redial_dialogs.jsonl
    python pipeline/prepare.py --store games.duckdb --no-starter game_traits.json games.csv esrb_descriptors.csv

Sources, as CSV, TSV (plain or .gz), Parquet, JSON or JSON lines unless said otherwise:
  titles            imdb_id, title, year; is_primary = false marks another title of the film. Ids may lack their "tt";
                    ids of another domain are any text that is no bare number
  IMDb              title.basics.tsv[.gz]; title.akas.tsv[.gz] adds other titles of films that the store knows
  MovieLens         movies.csv with links.csv, now or before
  dictionary        title_to_imdb.pkl: {(title, year): id}
  catalog           title, year: films that count as ground truth; or a pickled list or set of (title, year)
  traits            JSON: [{"trait", "avoid": [tags], "weights": {category: number}}]; replaces traits of the same name
  tags              imdb_id, tag; or imdb_id, tags: a list
  severities        imdb_id, category, severity: None, Mild, Moderate, Severe or 0 to 3; or one column a category
  risks             imdb_id, trait, risk in 0..1; or movie_trait_sensitivity.json
  conversations     dialog, groundtruth: a list of [title, year], or ReDial's raw files; they become the rows of --dataset
  ratings           MovieLens' ratings.csv: what people liked becomes prompts with ground truth
  MovieLens         tags.csv, genome-scores.csv with genome-tags.csv, ML-DDD: with links.csv, now or before
  DoesTheDogDie     answers of /media/{id} or /items/{id}, one a file, a list or lines: votes become tags
  TMDb              answers of /movie/{id}; Kaggle's movies_metadata.csv, keywords.csv, TMDB_movie_dataset_v11.csv
  IMDb's guide      a column a category (violence_gore_severity), cinemagoer's advisory votes, counts a level (violence.csv)
  a domain          {"noun": "game", "nouns": "games", "numeric_ids": true, "ask": "Please recommend ..."}
  any other table   --map COLUMN=ROLE, such as --map film=imdb_id

All sources are stored, or none. A source that is in the store already is left alone, and a changed file replaces what
it brought before. Rows that can't be used are set aside, each with its reason: in <store>.rejects/<source>.<number>.csv,
those of conversations and ratings in <dataset>.parquet.rejects/<source>.<number>.csv.
Pickles may hold plain lists, sets, dictionaries, text and numbers; nothing in them is run.
"""

import argparse
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from oracle.base.command import as_typed, command, go_on_unread, when_stopped
from oracle.base.errors import UserError
from oracle.base.files import check_can_be_made, check_writable, reserved
from oracle.base.flags import FlagParser
from oracle.base.printable import in_short
from oracle.base.unpacked import LARGEST_MB, MAX_MB_HELP, bytes_of

if TYPE_CHECKING:  # slow to import: behind --help
    import duckdb
    from tqdm import tqdm

    from oracle.sources import Loaded, Source


def main(argv: list[str], prog: str = "prepare.py") -> None:
    when_stopped("the store is as it was, or whole; the same command goes on")
    parser = FlagParser(
        prog=prog, description=as_typed(__doc__, prog), formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", nargs="*", type=Path, metavar="SOURCE", help="files to read, in any order")
    parser.add_argument("--store", type=Path, default=Path("store.duckdb"), help="made if not there (%(default)s)")
    parser.add_argument("--dataset", type=Path, help="Parquet file to write conversations to, in the SafeRec columns")
    curating = parser.add_argument_group("the rules by which --dataset is curated; they stand in its metadata")
    curating.add_argument("--seed", type=int, default=3407, help="of constraints, wordings and splits (%(default)s)")
    curating.add_argument(
        "--constrained",
        type=float,
        default=0.8,
        help="share of the samples that can have constraints which get some (%(default)s)",
    )
    curating.add_argument(
        "--trait_counts",
        type=float,
        nargs=3,
        default=[0.7, 0.3, 0.0],
        metavar="SHARE",
        help="shares of these with one, two and three traits (0.7 0.3 0)",
    )
    curating.add_argument(
        "--draw",
        choices=("balanced", "by_risk"),
        default="balanced",
        help="each trait as often as any other, or as often as films violate it (%(default)s)",
    )
    curating.add_argument(
        "--violating",
        choices=("keep", "remove"),
        default="keep",
        help="ground truth that violates its own constraints (%(default)s); listed in groundtruth_violating",
    )
    curating.add_argument(
        "--wordings", type=int, default=0, help="wordings used of each trait's wish; 0: all (%(default)s)"
    )
    curating.add_argument("--wishes", type=Path, metavar="FILE.json", help="further wordings: {trait: [wordings]}")
    curating.add_argument("--heldout", type=float, default=0.2, help="share of conversations held out (%(default)s)")
    ratings = parser.add_argument_group("the rules by which MovieLens' ratings.csv becomes conversations")
    ratings.add_argument("--users", type=int, default=2000, help="people who are drawn (%(default)s)")
    ratings.add_argument("--liked", type=float, default=4.0, help="stars from which a film was liked (%(default)s)")
    ratings.add_argument("--named", type=int, default=5, help="liked films that a prompt names (%(default)s)")
    ratings.add_argument(
        "--wanted", type=int, default=10, help="films liked after these: the ground truth (%(default)s)"
    )
    parser.add_argument("--no-starter", action="store_true", help="a new store begins without the bundled films")
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=ROLE",
        help="what a column is, such as film=imdb_id; may be repeated",
    )
    parser.add_argument(
        "--tag_share", type=float, default=0.5, help="share of votes from which a film carries a tag (%(default)s)"
    )
    parser.add_argument("--tag_votes", type=int, default=1, help="fewer votes on a tag say nothing (%(default)s)")
    parser.add_argument(
        "--relevance", type=float, default=0.5, help="from which a tag of MovieLens' genome counts (%(default)s)"
    )
    parser.add_argument("--max_mb", type=int, default=LARGEST_MB, metavar="N", help=f"{MAX_MB_HELP} (%(default)s)")
    parser.add_argument(
        "--report", type=Path, metavar="FILE.html", help="write what is known about the films, with a plot"
    )
    parser.add_argument(
        "--check", type=Path, metavar="DATASET", help="report on a dataset for training, and store nothing"
    )
    parser.add_argument("--json", action="store_true", help="with --check: print JSON")
    args = parser.parse_args(argv)
    largest = bytes_of(args.max_mb)
    if args.check is not None:
        from pipeline.samples.check import check_dataset as report_on  # loads `datasets`

        print(report_on(args.check, args.store, args.json, largest))
        return
    go_on_unread()
    if not args.sources and args.report is None:
        raise UserError(
            f"name the files to read, such as: {prog} movies.csv links.csv; or --report FILE.html, or --check DATASET"
        )
    from oracle.sources import DIALOGS, RATINGS, Evidence, load_sources, read_coverage, recognise, write_report
    from pipeline.samples.curate import Rules
    from pipeline.samples.dialogs import most_bytes, read_dialogs, write_dataset
    from pipeline.samples.ratings import RatingRules, as_conversations, check_ids, read_ratings

    rules = Rules(
        args.seed, args.constrained, tuple(args.trait_counts), args.draw, args.violating, args.wordings, args.heldout
    )
    of_ratings = RatingRules(args.users, args.liked, args.named, args.wanted)
    wishes = _wishes(args.wishes, largest) if args.wishes else {}

    sources = recognise(args.sources, _roles(args.map), largest)
    if args.report is not None and not args.report.absolute().parent.is_dir():
        raise UserError(f"--report {args.report}: its folder is not there; make it, or name another")
    if args.report is not None:
        if args.report.suffix not in (".html", ".htm"):
            raise UserError(f"--report {args.report}: expected a name that ends in .html")
        check_writable(args.report, inputs=args.sources)
    for source in sources:
        _say(f"{source.path}: {source.kind.name} ({_form(source)})")
    dialogs = [source for source in sources if source.kind is DIALOGS]
    check_dataset(args.dataset, sources)
    read = [read_dialogs(source) for source in dialogs]

    others = [source for source in sources if source.kind not in (DIALOGS, RATINGS)]
    rated = [read_ratings(source, of_ratings, args.seed) for source in sources if source.kind is RATINGS]
    for one in rated:
        check_ids(others, args.store, one)
    evidence = Evidence(args.tag_share, args.tag_votes, args.relevance)
    with reserved(args.dataset, most_bytes(read)) if args.dataset else nullcontext():
        loaded_sources = load_sources(args.store, others, not args.no_starter, progress, evidence)
    for loaded in loaded_sources:
        _say(f"{loaded.source.path}: {told(loaded)}")
        for note in loaded.notes:
            _say(f"{loaded.source.path}: {note}")
    coverage = read_coverage(args.store)
    if others or args.report:
        print(coverage.as_text())
    for warning in coverage.warnings():
        _say(f"warning: {warning}")
    read += [as_conversations(one, args.store) for one in rated]
    curated = write_dataset(args.dataset, read, args.store, rules, wishes) if args.dataset else None
    if curated:
        print(curated.as_text())
    if args.report:
        write_report(coverage, args.report, curated.distributions if curated else {})
        _say(f"{args.report}: the same with a plot")
    if curated:
        _say(curated.line)


def _say(line: str) -> None:
    print(in_short(line))


def _wishes(path: Path, largest: int) -> dict[str, list[str]]:
    """Raises `UserError` for what is no {trait: [wordings]}."""
    from oracle.sources import read_document

    wishes = read_document(path, largest)
    if not isinstance(wishes, dict) or not all(
        isinstance(texts, list) and texts and all(isinstance(text, str) and text for text in texts)
        for texts in wishes.values()
    ):
        raise UserError(
            f'--wishes {path}: expected {{trait: [wordings]}}, such as {{"No gambling": ["nothing with bets"]}}'
        )
    return wishes


def _roles(mapped: list[str]) -> dict[str, str]:
    """Raises `UserError` for what is no COLUMN=ROLE."""
    if wrong := [text for text in mapped if not all(text.rpartition("=")[::2])]:
        raise UserError(f"--map {wrong[0]}: expected COLUMN=ROLE, such as --map film=imdb_id")
    return {column: role for column, _, role in (text.rpartition("=") for text in mapped)}


def check_dataset(dataset: Path | None, sources: "list[Source]") -> None:
    """Raises `UserError` for conversations without a dataset that can be written, or the other way round."""
    from oracle.sources import DIALOGS, RATINGS

    dialogs = [source for source in sources if source.kind in (DIALOGS, RATINGS)]
    if dialogs and dataset is None:
        what = "conversations" if dialogs[0].kind is DIALOGS else "ratings"
        raise UserError(f"{dialogs[0].path} holds {what}: say where they go, --dataset FILE.parquet")
    if dataset is not None and not dialogs:
        raise UserError(
            f"--dataset {dataset}: no source holds conversations or ratings; name one, or leave the flag out"
        )
    if dataset is not None and (dataset.is_dir() or dataset.suffix != ".parquet"):
        raise UserError(f"--dataset {dataset}: expected the name of a file that ends in .parquet")
    if dataset is not None:
        try:
            check_can_be_made(dataset, [source.path for source in sources])
        except UserError as error:
            raise UserError(f"--dataset {dataset}: {error}") from None


def told(loaded: "Loaded") -> str:
    """One line about what became of a source."""
    if not loaded.is_new:
        if loaded.held_from:
            return f"its content is in the store already, from {loaded.held_from}"
        return "is in the store already, nothing changed"
    rows = f"{loaded.rows_read:,} rows read, {loaded.rows_stored:,} stored"
    rejected = f"{loaded.rows_rejected:,} rejected"
    return f"{rows}, {rejected}" + (f", such as {loaded.reason}; see {loaded.rejects}" if loaded.rejects else "")


@contextmanager
def progress(connection: "duckdb.DuckDBPyConnection", label: str) -> Iterator[None]:
    """Show on stderr, where that is a terminal, how far DuckDB is with what it runs."""
    import duckdb
    from tqdm import tqdm

    from oracle.base.printable import one_line

    ended = threading.Event()

    def watch(bar: "tqdm") -> None:
        while not ended.wait(0.2):
            try:
                bar.n = max(bar.n, min(99, round(connection.query_progress())))
            except duckdb.Error:  # closed: a store is whole
                return
            bar.refresh()

    form = "{desc}: {percentage:3.0f}% |{bar}| {elapsed}"
    with tqdm(total=100, desc=one_line(label), disable=None, bar_format=form) as bar:
        watcher = threading.Thread(target=watch, args=[bar], daemon=True)
        if not bar.disable:
            watcher.start()
        try:
            yield
        finally:
            ended.set()
            if watcher.ident:
                watcher.join()
        bar.n = 100


def _form(source: "Source") -> str:
    shape = {
        "semicolons": "CSV with semicolons", "json by id": "JSON", "json": "JSON", "json lines": "JSON lines",
        "parquet": "Parquet", "pickle": "pickle", "sparql": "SPARQL JSON",
    }.get(source.format, source.format.upper())  # fmt: skip
    columns = [*source.columns.values(), *source.categories]
    unused = ", ".join(source.unused[:5]) + (f" and {len(source.unused) - 5} more" if len(source.unused) > 5 else "")
    return (
        shape
        + (", gzip" if source.compressed else "")
        + (f": {', '.join(columns)}" if columns else "")
        + (f"; not used: {unused}" if unused else "")
    )


if __name__ == "__main__":
    command(main, sys.argv[1:])
