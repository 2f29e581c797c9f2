"""What evaluate.py prints: the tables that people compare models by, in the form that they ask for."""

import argparse
import csv
import io
import json
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from oracle.base.nouns import FILMS, Nouns
from pipeline.evaluation.figures import Figure
from pipeline.evaluation.results import Results, settings_of

SHARES = ("svr", "unresolved", "unrated", "ambiguous", "duplicate", "catalog", "hit_rate")
# @K: where the K stands, if the figure has one.
HEADS = {
    "svr": "SVR@K", "svr_low": "SVR@K, unknown safe", "svr_high": "SVR@K, unknown violations", "svr_known": "SVR@K of the known",
    "unresolved_rate": "unresolved@K", "unrated_rate": "unrated@K", "ambiguous_rate": "ambiguous@K", "recall": "Recall@K",
    "recall_safe": "Recall@K of safe films", "ndcg": "NDCG@K", "count": "films@K", "hit_rate": "hits@K",
    "catalog_match": "in catalog@K", "duplicate_rate": "duplicates@K", "sensitivity_dcg": "sensitivity DCG@K",
    "films_per_list": "films a list",
}  # fmt: skip
TABLE = ("svr", "svr_low", "svr_high", "svr_known", "recall", "recall_safe", "ndcg", "duplicate_rate", "unresolved_rate",
         "unrated_rate", "ambiguous_rate")  # fmt: skip
_LATEX = str.maketrans(
    {c: f"\\{c}" for c in "&%$#_{}"}
    | {"~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "−": "$-$", "–": "--"}
)


def say(args: argparse.Namespace, runs: list[str], found: Results | None) -> None:
    """Write the report, and print what was found in the form that the flags ask for; null where only the ids of `runs` are."""
    if args.report and found:
        from pipeline.evaluation.report import write_report

        write_report(Path(args.report), args.store, found)
    if found is None or args.ids:
        print("\n".join(runs))
    elif args.json:
        print(json.dumps(found.rows(), default=str))
    elif args.format == "csv":
        print(as_csv(found), end="")
    elif args.format == "markdown":
        print(as_markdown(found))
    elif args.format == "latex":
        print(as_latex(found))
    else:
        print_results(found)


def shown(name: str, figure: Figure, interval: bool = True) -> str:
    """ "12.1 % [10.2, 14.4]"."""
    if figure.value is None:
        return "–"
    ends = [end for end in (figure.low, figure.high) if end is not None]
    if name.startswith(SHARES):
        text, between = f"{figure.value:.1%}", ", ".join(f"{100 * end:.1f}" for end in ends)
    else:
        digits = 1 if name.startswith(("count", "films")) else 2 if name.startswith("sensitivity") else 3
        text, between = f"{figure.value:.{digits}f}", ", ".join(f"{end:.{digits}f}" for end in ends)
    return f"{text} [{between}]" if interval and ends else text


def columns(found: Results, k: int) -> list[tuple[str, str]]:
    """(figure, head) of the table at K: what is known of any run."""
    names = [f"{name}_{k}" for name in TABLE] + ["films_per_list"]
    return [
        (n, head(n, found.nouns)) for n in names if any(n in run and run[n].value is not None for run in found.figures)
    ]


def head(figure: str, nouns: Nouns = FILMS) -> str:
    """ "svr_low_20" -> "SVR@20, unknown safe"; without a K there is none."""
    name, _, k = figure.rpartition("_")
    return nouns(HEADS[name].replace("@K", f"@{k}") if k.isdecimal() else HEADS[figure].replace("@K", ""))


SPENT = {
    "input_tokens": "tokens read",
    "output_tokens": "tokens written",
    "seconds": "seconds of waiting",
    "cost": "cost",
}


def spent(found: Results) -> list[tuple[str, list[str]]]:
    """(what, of each model): tokens, time and cost of all its answers, where they are known of any."""
    of_runs = [settings_of(row) for row in found.summaries]
    return [
        (title, [_amount(own[name]) if own.get(name) is not None else "–" for own in of_runs])
        for name, title in SPENT.items()
        if any(own.get(name) is not None for own in of_runs)
    ]


def _amount(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def print_results(found: Results) -> None:
    console = Console(width=None if Console().is_terminal else 170)
    over = "with constraints" if found.constrained else "(none with constraints)"
    table = Table(title=f"{found.counted_prompts} {over}, 95 % intervals", title_justify="left")
    table.add_column("model", overflow="fold")
    names = found.short_names
    for name in names.values():
        table.add_column(escape(name), justify="right", overflow="fold")
    for figure, title in columns(found, found.k):
        table.add_row(title, *(shown(figure, run[figure]) for run in found.figures))
    table.add_row("answers", *(str(row["lists_all"]) for row in found.summaries))
    for title, amounts in spent(found):
        table.add_row(title, *amounts)
    if any(found.left_out):
        table.add_row("prompts not compared", *(str(n) for n in found.left_out))
    console.print(table)
    if tested := [d for d in found.differences if d.p is not None]:
        pairs = Table(title="differences, paired by prompt (p after Holm's correction)", title_justify="left")
        for title in ("", "second − first", "difference [95 % interval]", "p"):
            pairs.add_column(title, justify="left" if title in ("", "second − first") else "right", overflow="fold")
        for d in tested:
            pairs.add_row(
                head(d.figure, found.nouns), escape(f"{names[d.b]} − {names[d.a]}"), difference(d), p_value(d)
            )
        console.print(pairs)
    console.print(escape(found.conclusion))


def difference(d) -> str:
    """ "−2.1 points [−4.0, −0.3]"."""
    scale, digits, unit = (100, 1, " points") if d.figure.startswith(SHARES) else (1, 3, "")

    def signed(value: float) -> str:
        return f"{value * scale:+.{digits}f}".replace("-", "−")

    ends = "" if d.low is None or d.high is None else f" [{signed(d.low)}, {signed(d.high)}]"
    return f"{signed(d.difference)}{unit}{ends}"


def p_value(d) -> str:
    return "" if d.p_holm is None else "< 0.001" if d.p_holm < 0.001 else f"{d.p_holm:.3f}"


def as_csv(found: Results) -> str:
    """A row a model and figure: value, low, high, prompts; then a row a difference."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["model", "compared_with", "figure", "value", "low", "high", "p", "p_holm", "prompts"])
    for row, run in zip(found.summaries, found.figures, strict=True):
        for name, f in run.items():
            writer.writerow([row["model"], "", name, f.value, f.low, f.high, None, None, f.prompts])
    for d in found.differences:
        writer.writerow(
            [found.names[d.b], found.names[d.a], d.figure, d.difference, d.low, d.high, d.p, d.p_holm, d.prompts]
        )
    return file.getvalue()


def as_markdown(found: Results) -> str:
    shown_columns = columns(found, found.k)
    lines = [
        "| model | " + " | ".join(title for _, title in shown_columns) + " |",
        "| --- |" + " --- |" * len(shown_columns),
    ]
    for row, run in zip(found.summaries, found.figures, strict=True):
        lines.append(
            f"| {markdown_text(row['model'])} | " + " | ".join(shown(n, run[n]) for n, _ in shown_columns) + " |"
        )
    return "\n".join([*lines, "", markdown_text(found.conclusion)])


def markdown_text(text: str) -> str:
    """Untrusted text in Markdown: no HTML, no links, no table cells of its own."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\`*_[]|!#" else c for c in text)


def as_latex(found: Results) -> str:
    """A booktabs table."""
    shown_columns = columns(found, found.k)

    def line(cells: list[str]) -> str:
        return " & ".join(cell.translate(_LATEX) for cell in cells) + r" \\"

    rows = [
        line([row["model"], *(shown(name, run[name]) for name, _ in shown_columns)])
        for row, run in zip(found.summaries, found.figures, strict=True)
    ]
    return "\n".join(
        [
            f"% {found.conclusion}".replace("\n", " "),
            rf"\begin{{tabular}}{{l{'r' * len(shown_columns)}}}", r"\toprule",
            line(["model", *(title for _, title in shown_columns)]), r"\midrule", *rows, r"\bottomrule", r"\end{tabular}",
        ]
    )  # fmt: skip


def print_summaries(rows: list[dict], title: str = "prompts with constraints", rec_num: int = 20) -> None:
    """Rows of run_summary as one small table, without intervals; hits are counted in the top `rec_num`."""
    table, k = Table(), min(rec_num, 20)
    table.add_column(title, min_width=20)  # where the other columns take all the width, a name still fits
    heads = (
        "SVR@20",
        "at most",
        "of judged",
        f"Recall@{k}",
        "… of safe films",
        f"NDCG@{k}",
        "films a list",
        "duplicates",
        "unresolved",
        "unrated",
        "ambiguous",
        "prompts",
    )
    for name in heads:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            escape(row["model"]),
            _percent(row["svr_20"]), _percent(row["svr_20_high"]), _percent(row["svr_20_known"]),
            _number(row["recall_20"]), _number(row["recall_safe_20"]), _number(row["ndcg_20"]),
            _number(row["films_per_list"], 1), _percent(row["duplicate_rate"]), _percent(row["unresolved_rate"]),
            _percent(row["unrated_rate"]), _percent(row["ambiguous_rate"]), f"{row['lists']:.0f}",
        )  # fmt: skip
    Console(width=160).print(table)


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
