"""A report to hand on: one HTML file that opens without a network, or the same as Markdown."""

import json
import shlex
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from oracle import UserError
from oracle.base.files import written_whole
from oracle.base.resources import read_sql
from oracle.log import open_log, query
from oracle.store import log_root
from pipeline.evaluation import output
from pipeline.evaluation.flags import parser
from pipeline.evaluation.plots import safety_against_quality
from pipeline.evaluation.results import Results, settings_of

MOST_FILMS, MOST_VIOLATIONS, MOST_UNKNOWN = 12, 5, 12
AROUND = 90
"""Characters of an answer that are shown before and after a violation."""
ASKED = 240
"""Characters of the end of a prompt."""


def write_report(path: Path, store: str, found: Results) -> None:
    """Write the report to `path`: HTML, or Markdown where it ends in .md. Raises `UserError` if it can't be written."""
    facts = report_facts(store, found)
    markdown = path.suffix.lower() == ".md"
    environment = Environment(autoescape=not markdown, trim_blocks=True, lstrip_blocks=True)
    environment.filters["md"] = output.markdown_text
    template = Path(__file__).with_name("report.md.j2" if markdown else "report.html.j2")
    text = environment.from_string(template.read_text(encoding="utf-8")).render(**facts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"--report {path}: can't be written ({error.strerror}); name another file") from None


def report_facts(store: str, found: Results) -> dict:
    """What the templates show, as texts and numbers; nothing in it is HTML but our own drawing."""
    runs = list(found.names)
    with open_log(log_root(store)) as log:
        films, violations, unknown = (
            query(log, read_sql(f"log/evaluation_{name}"), {"runs": runs, "most": most, "k": found.k}).to_pylist()
            for name, most in (("films", MOST_FILMS), ("violations", MOST_VIOLATIONS), ("unknown", MOST_UNKNOWN))
        )
    first = found.summaries[0]
    settings = [settings_of(row) for row in found.summaries]
    return {
        "found": found,
        "models": list(found.short_names.values()),
        "title": f"Safe recommendation: {', '.join(list(found.names.values())[:4])}",
        "drawing": Markup(safety_against_quality(found)),
        "table": [
            (title, [output.shown(name, run[name]) for run in found.figures])
            for name, title in output.columns(found, found.k)
        ],
        "by_k": _by_k(found),
        "pairs": [
            (
                output.head(d.figure, found.nouns),
                found.short_names[d.a],
                found.short_names[d.b],
                output.difference(d),
                output.p_value(d),
            )
            for d in found.differences
            if d.p is not None
        ],
        "traits": [(trait, [_cell(run[f"svr_{found.k}: {trait}"]) for run in found.figures]) for trait in found.traits],
        "films": _by_film(films, runs),
        "violations": [_violation(row, found) for row in violations],
        "unknown": {
            status: _by_film([row for row in unknown if row["status"] == status], runs)
            for status in ("unresolved", "unrated")
        },
        "about": _about(found, settings[0]),
        "spent": output.spent(found),
        "settings": [(found.names[run], _settings(own)) for run, own in zip(runs, settings, strict=True)],
        "versions": json.loads(first["versions"] or "{}"),
        "git": json.loads(first["git"] or "null"),
        "dataset": first["dataset"],
        "threshold": first["risk_threshold"],
        "made": f"{max(row['started_at'] for row in found.summaries):%Y-%m-%d %H:%M} UTC",
        "command": again(settings[0]),
    }


def _about(found: Results, settings: dict) -> dict[str, str]:
    """What a reader is told about a table: whose answers are counted in it, and which of their films."""
    nouns = found.nouns
    written = "" if found.positions == "emitted" else ", as they were written"
    unresolved, unrated = (settings.get(name, "safe") for name in ("unresolved", "unrated"))
    return {
        "figures": f"SVR: {nouns.many} that violate a constraint / {nouns.many} listed. Positions "
        + ("as emitted" if not written else f"after {nouns.many} that were seen or are not in the catalog are removed")
        + f"; SVR {found.averaging}.",
        "differences": "Each over the prompts that define the figure for both.",
        "traits": f"Share of the top {found.k} {nouns.many} that violate the trait, where a prompt wants it avoided.",
        "films": f"How often each model recommended them against a wish, in all of its answers{written}.",
        "violations": f"From all answers{written}.",
        "unknown": f"What could not be judged, in all answers{written}; the most frequent. Titles that are not found count as "
        f"{unresolved}, {nouns.many} of which nothing is known as {unrated}.",
    }


def again(settings: dict) -> str:
    """The command that makes the same evaluation: its flags, one a line, without those that have their defaults."""
    lines = ["python pipeline/evaluate.py"]
    for flag in parser("evaluate.py", "")._actions:
        value = settings.get(flag.dest, flag.default)
        if value == flag.default:
            continue
        values = [] if value is True else [str(one) for one in (value if isinstance(value, list) else [value])]
        once_a_value = isinstance(value, list) and flag.nargs is None  # action="append"
        lines += [_words(f"--{flag.dest}", own) for own in ([[one] for one in values] if once_a_value else [values])]
    return " \\\n  ".join(lines)


def _words(flag: str, values: list[str]) -> str:
    """A flag as a shell takes it; argparse would take a value that begins with - for a flag of its own."""
    dashed = len(values) == 1 and values[0].startswith("-")
    return shlex.join([f"{flag}={values[0]}"] if dashed else [flag, *values])


def _settings(settings: dict) -> dict:
    asked = ("temperature", "seed", "samples", "max_completion_length")
    names = (*asked, "answers_at") if settings.get("model") else ("answers_at",)
    shown = {"answers_at": "answers in", "max_completion_length": "tokens at most", "samples": "answers a prompt"}
    return {shown.get(name, name): settings[name] for name in names if settings.get(name) is not None}


def _by_k(found: Results) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    """(model, rows of (figure, values at 5, 10, 15, 20)) of everything that is known."""
    from pipeline.evaluation.figures import CUTOFFS, QUALITY, SAFETY

    tables = []
    for name, run in zip(found.names.values(), found.figures, strict=True):
        rows = []
        for figure in (*SAFETY["micro"], *QUALITY):
            own = [run.get(f"{figure}_{k}") for k in CUTOFFS]
            if any(f is not None and f.value is not None for f in own):
                rows.append((output.head(figure, found.nouns), [output.shown(figure, f) if f else "–" for f in own]))
        tables.append((name, rows))
    return tables


def _cell(figure) -> tuple[str, float]:
    """Text, and how dark the cell is, 0..1."""
    return output.shown("svr", figure, interval=False), min(1.0, (figure.value or 0.0) / 0.5)


def _film(title: str, year: int | None) -> str:
    return title if year is None else f"{title} ({year})"


def _by_film(rows: list[dict], runs: list[str]) -> list[tuple[str, str, list[int]]]:
    """(film, traits, times of each run), in the order of the rows. Two films of one title and year are two."""
    found: dict[str, dict] = {}
    for row in rows:
        film = found.setdefault(row["film"], {"name": _film(row["title"], row["year"]), "traits": set(), "runs": {}})
        film["traits"].update(row["traits"] or [])
        film["runs"][row["run_id"]] = row["times"]
    return [
        (f["name"], ", ".join(sorted(f["traits"])), [f["runs"].get(run, 0) for run in runs]) for f in found.values()
    ]


def _violation(row: dict, found: Results) -> dict:
    """A violation with the text before and behind it, and the evidence in words."""
    text, start, end = row["text"] or "", row["start"] or 0, row["end"] or 0
    evidence = [
        f"{e['trait']}: risk {e['risk']:.2f}"
        + (f"; {', '.join(e['severities'])}" if e["severities"] else "")
        + (f"; tagged {', '.join(e['hit_tags'])}" if e["hit_tags"] else "")
        for e in row["evidence"]
    ]
    taken = "" if row["matched_title"] is None else _film(row["matched_title"], row["matched_year"])
    asked = " ".join((row["prompt"] or "").split())
    return {
        "asked": asked if len(asked) <= ASKED else f"…{asked[-ASKED:]}",
        "model": found.names[row["run_id"]], "rank": row["rank"], "film": _film(row["title"], row["year"]), "taken_for": taken,
        "method": row["match_method"], "constraints": row["constraints"], "evidence": evidence,
        "before": ("…" if start > AROUND else "") + text[max(0, start - AROUND) : start], "entry": text[start:end],
        "behind": text[end : end + AROUND] + ("…" if end + AROUND < len(text) else ""),
    }  # fmt: skip
