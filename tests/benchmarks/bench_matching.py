"""How well titles find their films: on linked titles of real people, and on queries made of the films, kind by kind.

    python tests/benchmarks/bench_matching.py              # the table, and how many are left by kind
    python tests/benchmarks/bench_matching.py --left       # and each query that is left

Reads titles.parquet (imdb_id, title, year, is_primary) and title_queries.parquet (title, year, imdb_id; null = the film is
not among the titles) in --data. Prints tables and writes matching.json into --folder; it never fails on a figure.
"""

import argparse
import json
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from dictionary_oracle import DictionaryOracle
from query_kinds import made_up_queries

from oracle import Oracle, build_store, create_oracle
from oracle.titles.normalise import normalise

DATA = Path(__file__).parents[3] / "shared" / "realdata"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the Parquet files (%(default)s)")
    parser.add_argument("--folder", type=Path, default=Path("benchmarks"), help="where the stores and the JSON go")
    parser.add_argument("--each", type=int, default=400, help="made-up queries of a kind, at most (%(default)s)")
    parser.add_argument("--seed", type=int, default=3407, help="of the made-up queries (%(default)s)")
    parser.add_argument("--left", action="store_true", help="print each query that got another answer than expected")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)

    titles = pq.read_table(options.data / "titles.parquet")
    real = pq.read_table(options.data / "title_queries.parquet")
    oracle = create_oracle(store=build_store(options.folder / "matching.duckdb", titles))
    figures = {"oracle": rates(resolved(oracle, real)), "dictionary baseline": rates(by_dictionary(titles, real))}
    print(f"{real.num_rows:,} linked titles against {titles.num_rows:,}; bars: 99.5 %, 98.5 %, at most 1 %")
    print(f"{'':20}  precision  recall  unlisted films given a match")
    for name, figure in figures.items():
        print(f"{name:20}  {figure['precision']:8.2%}  {figure['recall']:6.2%}  {figure['unlisted']:8.2%}")
    left = what_is_left(titles, resolved(oracle, real))
    print("\nwhat is left, by kind")
    for kind, count in Counter(row["kind"] for row in left).most_common():
        print(f"{count:5}  {kind}")
    show(left, options.left)

    rest, made_up = made_up_queries(titles, options.each, options.seed)
    oracle = create_oracle(store=build_store(options.folder / "matching-rest.duckdb", rest))
    answers = resolved(oracle, made_up)
    kinds = by_kind(answers)
    print(f"\n{'made-up queries, by kind':44}  queries  as expected  another film  none found")
    for row in kinds:
        print(f"{row['kind']:44}  {row['queries']:7}  {row['right']:10.1%}  {row['other']:12.1%}  {row['none']:10.1%}")
    show([row for row in answers.to_pylist() if row["found"] != row["imdb_id"]], options.left)
    written = {"real": figures, "left": Counter(row["kind"] for row in left), "made_up": kinds}
    (options.folder / "matching.json").write_text(json.dumps(written, indent=1))


def resolved(oracle: Oracle, queries: pa.Table) -> pa.Table:
    """Return the queries with what the oracle found: `found` and the columns of the match."""
    matches = oracle.resolve(queries.select(["title", "year"])).rename_columns({"imdb_id": "found"})
    return pa.table({name: table[name] for table in (queries, matches) for name in table.column_names})


def by_dictionary(titles: pa.Table, queries: pa.Table) -> pa.Table:
    """Return the queries with what the dictionary baseline finds."""
    films = titles.filter(pc.field("is_primary")).select(["imdb_id", "title", "year"])
    baseline = DictionaryOracle(films, pa.table({"imdb_id": [], "trait": [], "risk": []}))
    found = [baseline.find(query["title"], query["year"]) for query in queries.to_pylist()]
    return queries.append_column("found", pa.array(found, pa.string()))


def rates(answers: pa.Table) -> dict[str, float]:
    """Return precision (right / found), recall (right / listed) and the share of unlisted films that are given one."""
    truth, found = answers["imdb_id"], answers["found"]
    right = pc.sum(pc.equal(truth, found)).as_py()  # nulls count for nothing
    listed = len(truth) - truth.null_count
    stray = pc.sum(pc.and_(pc.is_null(truth), pc.is_valid(found))).as_py()
    return {
        "precision": right / (len(found) - found.null_count),
        "recall": right / listed,
        "unlisted": stray / truth.null_count,
    }


def what_is_left(titles: pa.Table, answers: pa.Table) -> list[dict]:
    """Return the answers that are not as expected, each with its `kind` and the `meant` titles."""
    forms: dict[str, list[tuple[str, int]]] = {}
    for form in titles.to_pylist():
        forms.setdefault(form["imdb_id"], []).append((form["title"], form["year"]))
    left = [row for row in answers.to_pylist() if row["found"] != row["imdb_id"]]
    return [
        {**row, "meant": forms.get(row["imdb_id"], [])} | {"kind": kind_of(row, forms.get(row["imdb_id"], []))}
        for row in left
    ]


def kind_of(row: dict, meant: list[tuple[str, int]]) -> str:
    """Return in words what went another way than expected."""
    if not meant:
        apart = abs(row["year"] - row["matched_year"])
        return f"said to be unlisted, and found as {row['match_method']}, {apart} year(s) apart"
    outcome = "another film was found" if row["found"] else "nothing was found"
    asked, *known = normalise(pa.array([row["title"], *(title for title, _ in meant)])).to_pylist()
    if asked in known:
        apart = min(abs(row["year"] - year) for (_, year), words in zip(meant, known, strict=True) if words == asked)
        return f"{outcome}: the title is right, the year {apart} off"
    shared = max(len({*asked.split()} & {*words.split()}) for words in known)
    return f"{outcome}: the title shares {'some words' if shared else 'no word'} with those that are stored"


def by_kind(answers: pa.Table) -> list[dict]:
    """Return, for each kind of made-up query, the shares that got the film expected (or none), another film, none."""
    outcomes: dict[str, Counter] = {}
    for row in answers.to_pylist():
        outcome = "right" if row["found"] == row["imdb_id"] else "other" if row["found"] else "none"
        outcomes.setdefault(row["kind"], Counter())[outcome] += 1
    return [
        {
            "kind": kind,
            "queries": count.total(),
            **{name: count[name] / count.total() for name in ("right", "other", "none")},
        }
        for kind, count in outcomes.items()
    ]


def show(rows: list[dict], wanted: bool) -> None:
    for row in rows if wanted else []:
        print(f"  {row['kind']}: {row['title']} ({row['year']}), expected {row['imdb_id']} {row.get('meant', '')}: "
              f"{row['matched_title']} ({row['matched_year']}) {row['match_method']} {row['match_score']}")  # fmt: skip


if __name__ == "__main__":
    main()
