"""What a file is, by its content: its first bytes, its columns, its keys. Names and suffixes count for nothing."""

import csv
import gzip
import io
import json
import os
import re
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pyarrow.parquet as pq

from oracle.base.columns import repeated
from oracle.base.errors import UserError, in_a_line
from oracle.base.files import check_readable
from oracle.base.unpacked import LARGEST, as_it_is, check_packed, packing_of, parquet_batches, utf_8_of
from oracle.sources import kinds
from oracle.sources.json_files import bindings_of, kind_of_document, kind_of_record, read_document
from oracle.sources.kinds import Source
from oracle.sources.pickles import read_pickle

HEAD = 1 << 20
LONGEST = 20_000_000  # bytes of a value by which JSON is recognised
TELLING = 100  # values of a JSON file among which one must tell what they are
EXPECTED = (
    "expected titles (imdb_id, title, year), IMDb's title.basics or title.akas, MovieLens' files, "
    "DoesTheDogDie's or TMDb's answers, "
    "a catalog (title, year), content tags (imdb_id, tag), severities (imdb_id, category, severity), "
    "risks (imdb_id, trait, risk), movie_trait_sensitivity.json, trait definitions, a pickle of titles, or dialogs"
)
ROLES = {name for kind in kinds.KINDS for name in kind.columns}
_OLD_PICKLE = re.compile(rb"[(\[\]}lde]*(p\d+\n|q\x00|c[\w.]+\n[\w.]+\n)")


def recognise(paths: Sequence[Path], roles: Mapping[str, str] | None = None, largest: int = LARGEST) -> list[Source]:
    """Recognise files, in the order in which they must load; a tag genome's two files become one source.

    `roles` says what columns of tables mean (name in the file -> a name that this project knows, such as imdb_id).
    `largest`: bytes that a file may unpack to where it must be read at once.
    Raises `UserError` for a path that is no readable file, and for content that is none of the known kinds.
    """
    if unknown := sorted(set((roles or {}).values()) - ROLES):
        raise UserError(f"--map: {', '.join(unknown)} is no role; expected one of {', '.join(sorted(ROLES))}")
    read = [replace(_recognise(path, roles or {}, largest), largest=largest) for path in paths]
    used = {name for source in read for name in (*source.columns.values(), *source.categories)}
    if unused := [f"{name}={role}" for name, role in (roles or {}).items() if name not in used]:
        raise UserError(f"--map {unused[0]}: no file has such a column, or none that could use it; check its spelling")
    recognised = {source.key: source for source in read}  # a file that is named twice is one source
    sources = _with_genome(list(recognised.values()))

    def place(source: Source) -> int:
        return kinds.KINDS.index(kinds.IMDB_AKAS if source.adds_to_known_films else source.kind)

    return sorted(sources, key=place)


def _with_genome(sources: list[Source]) -> list[Source]:
    """Give each table of relevances the table of its folder that names the tags."""
    named = {s.path.resolve().parent: s for s in sources if s.kind is kinds.GENOME_TAGS}
    used = set()
    paired = []
    for source in sources:
        if source.kind is kinds.GENOME:
            beside = named.get(source.path.resolve().parent)
            if beside is None:
                raise UserError(
                    f"{source.path} has relevances without the tags' names: name genome-tags.csv of its folder too"
                )
            used.add(beside.key)
            paired.append(replace(source, beside=beside))
        elif source.kind is not kinds.GENOME_TAGS:
            paired.append(source)
    for source in named.values():
        if source.key not in used:
            raise UserError(
                f"{source.path} has names of tags without relevances: name genome-scores.csv of its folder too"
            )
    return paired


def _recognise(path: Path, roles: Mapping[str, str], largest: int) -> Source:
    head = _head(path)
    compressed = head[:2] == b"\x1f\x8b"
    if compressed:
        head = _unpacked(path, largest)
    if not head.strip():
        raise UserError(f"{path} holds nothing but white space: {EXPECTED}")
    if compressed and head[:2] == b"\x1f\x8b":
        raise UserError(f"{path} is packed twice by gzip: unpack it once first")
    if head[:4] == b"PAR1":
        if compressed:
            raise UserError(f"{path} is Parquet, packed by gzip: unpack it first")
        return _parquet(path, roles, largest)
    if packing := packing_of(head):
        raise UserError(f"{path} is {packing}: unpack it first, and name the data files in it")
    if _is_pickle(head, path):
        if compressed:
            raise UserError(f"{path} is a compressed pickle: unpack it first")
        return _pickle(path)
    try:
        text = utf_8_of(path, head, is_whole=len(head) < HEAD)
    except UserError as error:
        raise UserError(f"{error}; {EXPECTED}") from None
    if not text.strip():
        raise UserError(f"{path} holds nothing but white space: {EXPECTED}")
    if text.lstrip()[:1] in ("[", "{"):
        return _json(path, text.lstrip(), compressed, roles, largest)
    return _text_table(path, text, compressed, roles)


def _head(path: Path) -> bytes:
    check_readable(path)
    with open(path, "rb") as file:
        head = file.read(HEAD)
    if not head:
        raise UserError(f"{path} is empty (0 bytes): download or export it again")
    return head


def _unpacked(path: Path, largest: int) -> bytes:
    try:
        check_packed(path, largest)
        with gzip.open(path) as file:
            return file.read(HEAD)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} is a broken gzip file ({error}): download it again") from None


def _begin(path: Path, compressed: bool, size: int) -> str:
    """The first bytes of a file of text, unpacked, without white space before them."""
    with gzip.open(path) if compressed else open(path, "rb") as file:
        return utf_8_of(path, file.read(size), is_whole=False).lstrip()


def _is_pickle(head: bytes, path: Path) -> bool:
    if head[0] == 0x80 and head[1:2] <= b"\x05":
        return True
    # Protocols 0 and 1 have no mark of their own, but begin with containers that are kept or a name, and end in ".".
    if _OLD_PICKLE.match(head) is None:
        return False
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() == b"."


def _pickle(path: Path) -> Source:
    """Unpickle it: only then is it known what it holds, and whether it is to be trusted."""
    is_dict, rows = read_pickle(path)
    return Source(path, kinds.TITLE_IDS if is_dict else kinds.CATALOG, "pickle", rows=rows)


def _parquet(path: Path, roles: Mapping[str, str], largest: int) -> Source:
    try:
        names = pq.read_schema(as_it_is(path)).names
        _check_names(path, names)
        sample = next(parquet_batches(path, largest, 100), None)
    except UserError:
        raise
    except Exception as error:  # Arrow raises many types for a broken file
        raise UserError(f"{path} is a broken Parquet file ({in_a_line(error)}): write it again") from None
    cells = {name: [str(v) for v in sample[name].to_pylist() if v is not None] for name in names} if sample else {}
    return _table(path, "parquet", False, names, cells, roles)


def delimiter_of(header: str) -> str:
    """What parts the names of columns in the first line of a table: a tab, a comma or a semicolon."""
    unquoted = re.sub('"[^"]*"', "", header)
    return max("\t", ",", ";", key=unquoted.count)


def _text_table(path: Path, text: str, compressed: bool, roles: Mapping[str, str]) -> Source:
    header_line = text.splitlines()[0]
    delimiter = delimiter_of(header_line)
    name = {"\t": "tsv", ",": "csv", ";": "semicolons"}[delimiter]
    for kind, columns in ((kinds.IMDB_BASICS, kinds.BASICS_HEADER), (kinds.IMDB_AKAS, kinds.AKAS_HEADER)):
        if header_line.split("\t") == columns:
            return Source(path, kind, name, compressed)
    if "\r" in text and "\n" not in text:
        raise UserError(
            f"{path} ends its lines with carriage returns alone: save it with line feeds, as today's programs do"
        )
    csv.field_size_limit(sys.maxsize)  # what is read here is no longer than HEAD
    try:
        rows = list(csv.reader(io.StringIO(text), delimiter=delimiter))[:100]
    except csv.Error as error:
        raise UserError(f"{path} is no table ({error}): {EXPECTED}") from None
    header, *body = rows
    cells = {column: [row[i] for row in body if i < len(row)] for i, column in enumerate(header)}
    return _table(path, name, compressed, header, cells, roles)


def _table(
    path: Path, form: str, compressed: bool, names: list[str], cells: dict[str, list[str]], roles: Mapping[str, str]
) -> Source:
    _check_names(path, names)
    own = {role: name for name, role in roles.items() if name in names}
    if twice := [name for name, role in roles.items() if name in names and own[role] != name]:
        raise UserError(
            f"{path}: --map takes {twice[0]} and {own[roles[twice[0]]]} both for {roles[twice[0]]}; name one"
        )
    called = [roles.get(name, name) for name in names if name in roles or name not in own]
    found = kinds.kind_of_columns(called, {roles.get(name, name): values for name, values in cells.items()})
    if found is None:
        raise UserError(
            f"{path} has the columns {', '.join(names)[:200]}, which are none that can be used: {EXPECTED}; or say what a "
            "column is, such as --map NAME=imdb_id"
        )
    kind, columns, categories = found
    columns = {role: own.get(name, name) for role, name in columns.items()}
    used = {*columns.values(), *categories}
    unused = tuple(name for name in names if name not in used)
    return Source(path, kind, form, compressed, columns, categories, unused=unused)


def _check_names(path: Path, names: list[str]) -> None:
    if twice := repeated(names):
        raise UserError(f"{path} has several columns of the name {', '.join(twice)[:200]!r}: rename them")


def _of_document(document: object) -> kinds.Shape | None:
    """What a file of one object is: an answer of a service, or a small file of ours."""
    found = kind_of_record(document) if isinstance(document, dict) else None
    return found if found is not None and (found[0].from_records or found[0] in (kinds.DOMAIN, kinds.DIALOGS)) else None


def _values(text: str, is_list: bool) -> Iterator[tuple[object, int]]:
    """(value, its end) of a JSON list, or of JSON lines, up to the first value that the text does not hold whole."""
    decode, end = json.JSONDecoder().raw_decode, 1 if is_list else 0
    while start := re.compile(r"\s*").match(text, end):
        try:
            value, end = decode(text, start.end())
        except ValueError:
            return
        yield value, end
        if is_list:
            comma = re.compile(r"\s*,").match(text, end)
            if comma is None:
                return
            end = comma.end()


def _json(path: Path, text: str, compressed: bool, roles: Mapping[str, str], largest: int) -> Source:
    """Tell by the first value that fits a kind, or by the whole document where it is one object."""
    is_list = text[0] == "["
    try:
        values = list(islice(_values(text, is_list), TELLING))
        if not values and len(text) > HEAD // 8:  # the first one may be long
            text = _begin(path, compressed, LONGEST)
            values = list(islice(_values(text, is_list), TELLING))
    except RecursionError:
        raise UserError(f"{path} is JSON nested too deeply to be data: {EXPECTED}") from None
    first, end = values[0] if values else (None, len(text))
    is_document = not is_list and not text[end:].strip()
    if is_document and (found := _of_document(first := read_document(path, largest))) is not None:
        kind, columns, categories = found
        return Source(path, kind, "json object", compressed, columns, categories)
    if is_document and (bindings := bindings_of(first)) is not None:
        names, rows = bindings
        cells = {name: [row[name] for row in rows[:100] if name in row] for name in names}
        return _table(path, "sparql", compressed, names, cells, roles)
    if is_document and (whole := kind_of_document(first)) is not None:
        return Source(path, whole, "json" if whole is kinds.TRAITS else "json by id", compressed)
    shapes = (kind_of_record(value) for value, _ in values if isinstance(value, dict))
    if (shape := next((shape for shape in shapes if shape is not None), None)) is not None:
        kind, columns, categories = shape
        return Source(path, kind, "json" if is_list else "json lines", compressed, columns, categories)
    what = f"with the keys {', '.join(map(str, first))[:200]}" if isinstance(first, dict) else "of another layout"
    raise UserError(f"{path} is JSON {what}: {EXPECTED}")
