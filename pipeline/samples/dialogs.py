"""Conversations -> a dataset in the SafeRec columns."""

import gzip
import hashlib
import json
import re
import urllib.parse
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from oracle import UserError, create_oracle
from oracle.base.files import written_whole
from oracle.base.printable import one_line
from oracle.base.resources import DATA
from oracle.base.unpacked import read_parquet, too_large
from oracle.sources import (
    Source,
    forget_rejects,
    read_document,
    rejects_beside,
    rejects_of_dataset,
    rejects_path,
)
from oracle.store import open_store
from pipeline.samples.answers import full_answers
from pipeline.samples.conversations import as_dialog
from pipeline.samples.curate import Rules, draw_constraints, suitability_of, violating, wording
from pipeline.samples.distributions import Curated, distributions
from pipeline.samples.mentions import mentioned_films
from pipeline.simulation.simulate import SCHEMA

ASK = 'Please recommend 20 films that have not come up yet, the best first, one a line in the form "1. Title (Year)".'
_TURN = re.compile(r"(User|System):[ \t]*")
_ESCAPED = re.compile(r"%[2-7][0-9A-F]|%C3%[89AB][0-9A-F]")
REJECTS = pa.schema([("row", pa.int64()), ("content", pa.string()), ("reason", pa.string())])


@dataclass(frozen=True)
class Dialog:
    """One conversation up to the turn that recommends."""

    id: str
    dialog_id: str
    turns: list[tuple[str, str]]
    """("user" or "assistant", text), no two neighbours of one role."""
    groundtruth: list[dict]
    """{"title", "year"}: what the conversation's recommender then named."""
    seen: list[dict] = field(default_factory=list)
    """{"title", "year"}: what the person said to have seen, beside the films that the turns name."""


@dataclass(frozen=True)
class Read:
    """What one file holds."""

    source: Source
    dialogs: list[Dialog]
    rejects: pa.Table
    rules: dict = field(default_factory=dict)
    """By which a source that is no conversation became some; for the dataset's metadata."""


def read_dialogs(source: Source) -> Read:
    """Read conversations: dialog ("User: ...\\nSystem: ..."), groundtruth (a list of [title, year]), [id, dialog_id].

    Rows that can't be used are kept as rejects. Raises `UserError` for a file that can't be read, or has no row of use.
    """
    dialogs: list[Dialog] = []
    rejects: list[dict] = []
    ids: set[str] = set()
    count = 0
    for count, content, record in _records(source):
        try:
            dialog = _dialog(as_dialog(record), f"{source.path.stem}-{count}")
            if dialog.id in ids:
                raise ValueError(f"the id {dialog.id!r} is that of an earlier row")
        except ValueError as error:
            rejects.append({"row": count, "content": content, "reason": str(error)})
        else:
            ids.add(dialog.id)
            dialogs.append(dialog)
    if not dialogs:
        reason = f" (row {rejects[0]['row']}: {rejects[0]['reason']})" if rejects else ""
        raise UserError(f"{source.path}: none of its {count:,} conversations can be used{reason}")
    return Read(source, dialogs, pa.Table.from_pylist(rejects, REJECTS))


def most_bytes(reads: Sequence[Read]) -> int:
    """More than the dataset of these conversations takes on disk, where it is compressed."""
    dialogs = [dialog for read in reads for dialog in read.dialogs]
    return sum(2000 + sum(len(text.encode()) for _, text in dialog.turns) for dialog in dialogs)


def write_dataset(
    path: Path, reads: Sequence[Read], store: Path, rules: Rules, own_wishes: dict | None = None
) -> Curated:
    """Write the dataset of conversations as Parquet, in one move, and the rejects; return its distributions.

    Constraints are drawn, and ground truth that violates them is kept or removed, as `rules` say; these stand in the file's
    metadata under the key "curation". Answers for SFT are made as `full_answers` says. All samples of one conversation are
    in one split. Same conversations, store and rules: same bytes.
    """
    dialogs = [dialog for read in reads for dialog in read.dialogs]
    oracle = create_oracle(store=store)
    named = [dialog.groundtruth for dialog in dialogs]
    with open_store(store) as connection:
        mentioned = mentioned_films(connection, [[text for _, text in dialog.turns] for dialog in dialogs])
        seen = [_once([*films, *dialog.seen]) for films, dialog in zip(mentioned, dialogs, strict=True)]
        suitability = suitability_of(oracle, connection, named, seen)
        [(nouns, ask)] = connection.sql("select nouns, ask from domain").fetchall()
    is_train = [_share(f"{rules.seed}:{dialog.dialog_id}") >= rules.heldout for dialog in dialogs]
    constraints: list[list[str]] = [[] for _ in dialogs]
    for part in (True, False):  # each split is balanced for itself
        own = [n for n, train in enumerate(is_train) if train is part]
        drawn = draw_constraints(
            [dialogs[n].id for n in own],
            [suitability.safe[n] for n in own],
            suitability.share,
            oracle.trait_names,
            rules,
        )
        for n, traits in zip(own, drawn, strict=True):
            constraints[n] = traits
    against = violating(oracle, named, constraints)
    kept = [
        [f for f in films if rules.violating == "keep" or f not in bad]
        for films, bad in zip(named, against, strict=True)
    ]
    wishes = json.loads((DATA / "requests.json").read_text(encoding="utf-8"))["wishes"] | (own_wishes or {})
    answers = full_answers(oracle, [dialog.dialog_id for dialog in dialogs], seen, kept, is_train)
    worded = [wording(d.id, traits, wishes, rules) for d, traits in zip(dialogs, constraints, strict=True)]
    request = ask or ASK.replace("films", nouns)
    rows = [
        {
            "id": dialog.id,
            "split": "train" if train else "heldout",
            "prompt": prompt(dialog.turns, words, request),
            "completion": numbered(answer),
            "groundtruth_with_release_year": films,
            "seen_titles": watched,
            "constraints": traits,
            "groundtruth_violating": bad,
        }
        for dialog, train, watched, answer, traits, films, bad, words in zip(
            dialogs, is_train, seen, answers, constraints, kept, against, worded, strict=True
        )
    ]
    told = {
        "rules": asdict(rules), "risk_threshold": oracle.risk_threshold, "request": request,
        "sources": [{"name": read.source.path.name, "sha256": _sha256(read.source.path)} for read in reads],
        "wishes": {trait: wishes.get(trait, []) for trait in sorted({t for own in constraints for t in own})},
    }  # fmt: skip
    for read in reads:
        told |= read.rules
    schema = SCHEMA.append(SCHEMA.field("seen_titles").with_name("groundtruth_violating"))
    schema = schema.with_metadata({"curation": json.dumps(told, ensure_ascii=False)})
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = rejects_of_dataset(path)
    places = [rejects_path(aside, read.source.path, number) for number, read in enumerate(reads, start=1)]
    with ExitStack() as last:
        for read, place in zip(reads, places, strict=True):
            last.enter_context(rejects_beside(read.rejects, place))
        with written_whole(path) as whole, open(whole, "wb") as file:  # whose name Arrow may not be able to say
            pq.write_table(pa.Table.from_pylist(rows, schema), file, compression="zstd")
    forget_rejects(aside, places)
    fate = "kept" if rules.violating == "keep" else "removed"
    rejected = sum(len(read.rejects) for read in reads)
    line = (
        f"{one_line(path)}: {len(rows):,} samples ({sum(is_train):,} train, {len(rows) - sum(is_train):,} heldout), "
        f"{rejected:,} rejected{f' (see {one_line(aside)})' if rejected else ''}; "
        f"{sum(map(bool, constraints)):,} with constraints, of {sum(map(bool, suitability.safe)):,} whose ground truth allows any; "
        f"{sum(map(len, against)):,} ground-truth {nouns} violate their own, and are {fate}; "
        f"{suitability.covered:,} of {suitability.groundtruth:,} ground-truth {nouns} have risk data"
    )
    return Curated(line, distributions(rows, nouns, oracle.trait_names))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _once(films: Sequence[dict]) -> list[dict]:
    return list({(film["title"].lower(), film["year"]): film for film in reversed(films)}.values())[::-1]


def prompt(turns: Sequence[tuple[str, str]], wishes: Sequence[str], request: str = ASK) -> list[dict]:
    """The conversation as chat messages; the last is the user's, and asks for the list and for what to leave out."""
    if wishes:
        request += f" Important: {', and '.join(wishes)}."
    messages = [{"role": role, "content": text} for role, text in turns]
    if messages and messages[0]["role"] == "assistant":
        # Many chat templates refuse a conversation that the assistant opens.
        opening = f'You said: "{messages.pop(0)["content"]}"'
        if messages:
            messages[0]["content"] = f"{opening}\n{messages[0]['content']}"
        else:
            messages = [{"role": "user", "content": opening}]
    if messages and messages[-1]["role"] == "user":
        messages[-1]["content"] += f"\n{request}"
    else:
        messages.append({"role": "user", "content": request})
    return messages


def numbered(films: Sequence[dict]) -> str:
    """Films as a list: "1. Title (Year)"."""
    return "\n".join(
        f"{rank}. {film['title']}" + (f" ({film['year']})" if film["year"] else "")
        for rank, film in enumerate(films, start=1)
    )


def _records(source: Source) -> Iterator[tuple[int, str, object]]:
    """Yield (row, content, value) for each record; ValueError as a value stands for a line that is no JSON."""
    try:
        if source.format == "parquet":
            for row, record in enumerate(read_parquet(source.path, source.largest).to_pylist(), start=1):
                yield row, json.dumps(record, ensure_ascii=False, default=str), record
        elif source.format in ("json", "json lines", "json object"):
            if source.format == "json object":
                yield 1, "one object", read_document(source.path, source.largest)
            elif source.format == "json":
                document = read_document(source.path, source.largest)
                for row, record in enumerate(document if isinstance(document, list) else [document], start=1):
                    yield row, json.dumps(record, ensure_ascii=False).encode(errors="replace").decode(), record
            else:
                with gzip.open(source.path) if source.compressed else open(source.path, "rb") as file:
                    yield from _lines(source, file)
        else:
            raise UserError(f"{source.path}: conversations are read from JSON lines, JSON or Parquet only")
    except (OSError, EOFError, zlib.error, ValueError, RecursionError, pa.ArrowException) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{source.path} cannot be read to its end ({error}): make it again") from None


def _lines(source: Source, file: gzip.GzipFile | BinaryIO) -> Iterator[tuple[int, str, object]]:
    total = row = 0
    while line := file.readline(source.largest + 1 - total):
        total, row = total + len(line), row + 1
        if total > source.largest:
            raise too_large(source.path, source.largest)
        if not line.strip():
            continue
        try:
            record: object = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        yield row, line.decode("utf-8", "replace").rstrip("\r\n"), record


def _dialog(record: object, default_id: str) -> Dialog:
    """Raises ValueError for a record that is no conversation."""
    if not isinstance(record, dict):
        raise ValueError("no JSON object")
    try:
        json.dumps(record, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise ValueError("it has half a character (a lone surrogate)") from None
    text, films = record.get("dialog"), record.get("groundtruth")
    if not isinstance(text, str):
        raise ValueError("dialog is no text")
    if not isinstance(films, list) or not films:
        raise ValueError("groundtruth names no title")
    sample = str(record.get("id") or default_id)
    dialog_id = str(record.get("dialog_id", sample))
    seen = [_film(film) for film in record.get("seen") or []]
    turns = record["turns"] if "turns" in record else _turns(_unescaped(text))
    return Dialog(sample, dialog_id, turns, [_film(film) for film in films], seen)


def _film(film: object) -> dict:
    if isinstance(film, dict):
        film = [film.get("title"), film.get("year")]
    if not (isinstance(film, list) and len(film) == 2 and isinstance(film[0], str) and film[0].strip()):
        raise ValueError(f"groundtruth has {str(film)[:60]!r}; expected [title, year]")
    year = (
        int(digits) if (digits := str(film[1]).removesuffix(".0")).isdecimal() else film[1]
    )  # "1999" and 1999.0 as well
    if year is not None and not (isinstance(year, int) and 1870 <= year <= 2100):
        raise ValueError(f"groundtruth has the year {year!r}; expected a number such as 1999, or null")
    return {"title": _unescaped(film[0].strip()), "year": year}


def _unescaped(text: str) -> str:
    """ReDial took some titles from web addresses: 'What About Bob%3F'."""
    return urllib.parse.unquote(text) if _ESCAPED.search(text) else text


def _turns(dialog: str) -> list[tuple[str, str]]:
    turns: list[tuple[str, str]] = []
    role = "user"
    for line in dialog.splitlines():
        if named := _TURN.match(line):
            role, line = {"User": "user", "System": "assistant"}[named[1]], line[named.end() :]
        if not line.strip():
            continue
        if turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]}\n{line.strip()}")
        else:
            turns.append((role, line.strip()))
    return turns


def _share(text: str) -> float:
    """A number in 0..1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / (1 << 48)
