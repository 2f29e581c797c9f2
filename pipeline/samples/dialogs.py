"""Conversations -> a dataset in the SafeRec columns."""

import gzip
import hashlib
import json
import re
import urllib.parse
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from oracle import UserError, create_oracle
from oracle.base.files import written_whole
from oracle.sources import Source, read_document, rejects_path, write_rejects
from oracle.store import open_store
from pipeline.samples.answers import full_answers
from pipeline.samples.constraints import assign_constraints
from pipeline.samples.mentions import mentioned_films
from pipeline.simulation.simulate import SCHEMA

HELDOUT_SHARE = 0.2
ASK = 'Please recommend 20 films that have not come up yet, the best first, one a line in the form "1. Title (Year)".'
_TURN = re.compile(r"(User|System):[ \t]*")
_ESCAPED = re.compile(r"%[2-7][0-9A-F]|%C3%[89AB][0-9A-F]")
_REJECTS = pa.schema([("row", pa.int64()), ("content", pa.string()), ("reason", pa.string())])


@dataclass(frozen=True)
class Dialog:
    """One conversation up to the turn that recommends."""

    id: str
    dialog_id: str
    turns: list[tuple[str, str]]
    """("user" or "assistant", text), no two neighbours of one role."""
    groundtruth: list[dict]
    """{"title", "year"}: what the conversation's recommender then named."""


@dataclass(frozen=True)
class Read:
    """What one file holds."""

    source: Source
    dialogs: list[Dialog]
    rejects: pa.Table


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
            dialog = _dialog(_of_redial(record), f"{source.path.stem}-{count}")
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
    return Read(source, dialogs, pa.Table.from_pylist(rejects, _REJECTS))


def write_dataset(path: Path, reads: Sequence[Read], store: Path, seed: int) -> str:
    """Write the dataset of conversations as Parquet, in one move, and the rejects; return a line about it.

    Constraints are drawn as `assign_constraints` says, and answers for SFT made as `full_answers` says. All samples of
    one conversation are in one split.
    """
    dialogs = [dialog for read in reads for dialog in read.dialogs]
    oracle = create_oracle(store=store)
    with open_store(store) as connection:
        seen = mentioned_films(connection, [[text for _, text in dialog.turns] for dialog in dialogs])
        chosen = assign_constraints(
            oracle, connection, [d.id for d in dialogs], [d.groundtruth for d in dialogs], seen, seed
        )
    wishes = json.loads((files("data") / "requests.json").read_text(encoding="utf-8"))["wishes"]
    is_train = [_share(f"{seed}:{dialog.dialog_id}") >= HELDOUT_SHARE for dialog in dialogs]
    groundtruth = [dialog.groundtruth for dialog in dialogs]
    answers = full_answers(oracle, [dialog.dialog_id for dialog in dialogs], seen, groundtruth, is_train)
    rows = [
        {
            "id": dialog.id,
            "split": "train" if train else "heldout",
            "prompt": prompt(dialog.turns, constraints, wishes),
            "completion": numbered(answer),
            "groundtruth_with_release_year": dialog.groundtruth,
            "seen_titles": films,
            "constraints": constraints,
        }
        for dialog, train, films, answer, constraints in zip(
            dialogs, is_train, seen, answers, chosen.constraints, strict=True
        )
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        pq.write_table(pa.Table.from_pylist(rows, SCHEMA), part, compression="zstd")
    rejected = 0
    for read in reads:
        write_rejects(read.rejects, rejects_path(store, read.source.path, 0))
        rejected += len(read.rejects)
    return (
        f"{path}: {len(rows):,} samples ({sum(is_train):,} train, {len(rows) - sum(is_train):,} heldout), {rejected:,} rejected; "
        f"{sum(map(bool, chosen.constraints)):,} with constraints; "
        f"{chosen.covered:,} of {chosen.groundtruth:,} ground-truth films have risk data"
    )


def prompt(turns: Sequence[tuple[str, str]], constraints: Sequence[str], wishes: dict[str, list[str]]) -> list[dict]:
    """The conversation as chat messages; the last is the user's, and asks for the list and for what to leave out."""
    request = ASK
    if constraints:
        words = [wishes.get(trait, [f"nothing against this need: {trait}"])[0] for trait in constraints]
        request += f" Important: {', and '.join(words)}."
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
            for row, record in enumerate(pq.read_table(source.path).to_pylist(), start=1):
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
    for row, line in enumerate(iter(lambda: file.readline(source.largest + 1), b""), start=1):
        if len(line) > source.largest:
            raise UserError(f"{source.path}: row {row} unpacks to over {source.largest:,} bytes: allow it by --max_mb")
        if not line.strip():
            continue
        try:
            record: object = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        yield row, line.decode("utf-8", "replace").rstrip("\r\n"), record


_MENTION = re.compile(r"@(\d+)")
_NAMED = re.compile(r"\s*(.*\S)\s*\((\d{4})\)\s*")


def _of_redial(record: object) -> object:
    """A raw conversation of ReDial as one of ours; any other record as it is.

    Its films are numbers in the text (@10) that movieMentions names. The conversation ends before the recommender first
    names a film that was suggested and not said to be disliked; those that follow are the ground truth.
    """
    if not isinstance(record, dict) or not {"movieMentions", "messages"} <= record.keys():
        return record
    mentions, said = record["movieMentions"] or {}, record.get("respondentQuestions") or {}
    if not isinstance(mentions, dict) or not isinstance(record["messages"], list):
        raise ValueError("movieMentions is no object, or messages no list")
    answers = said if isinstance(said, dict) else {}
    wanted = {
        number for number in mentions
        if not answers or (isinstance(a := answers.get(number), dict) and a.get("suggested") == 1 and a.get("liked") != 0)
    }  # fmt: skip
    seeker = record.get("initiatorWorkerId")
    lines: list[str] = []
    found: dict[str, list] = {}
    for message in record["messages"]:
        if not isinstance(message, dict) or not isinstance(message.get("text"), str):
            raise ValueError("a message has no text")
        is_seeker = message.get("senderWorkerId") == seeker
        named = [number for number in _MENTION.findall(message["text"]) if number in wanted]
        if named and not is_seeker:
            found |= {number: _title_and_year(mentions[number]) for number in named}
        elif not found:
            text = _MENTION.sub(lambda m: str(mentions.get(m[1]) or m[0]), message["text"])
            lines.append(f"{'User' if is_seeker else 'System'}: {text}")
    return {
        "id": record.get("conversationId"), "dialog": "\n".join(lines), "groundtruth": list(found.values()),
    }  # fmt: skip


def _title_and_year(name: object) -> list:
    named = _NAMED.fullmatch(str(name))
    return [named[1], int(named[2])] if named else [str(name).strip(), None]


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
        raise ValueError("groundtruth names no film")
    sample = str(record.get("id") or default_id)
    dialog_id = str(record.get("dialog_id", sample))
    return Dialog(sample, dialog_id, _turns(_unescaped(text)), [_film(film) for film in films])


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
