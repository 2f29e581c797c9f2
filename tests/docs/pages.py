"""The pages of the documentation, taken apart: blocks of code with what stands before them, links, anchors."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SHELL = ("sh", "bash", "shell", "console")
_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<body>.*?)^ *```$", re.M | re.S)
_NOT_RUN = re.compile(r"<!-- not run: [^>]{8,}? -->\s*\Z")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+?) *$", re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block. `info` is what stands behind the backticks: a language, and perhaps `file=NAME`."""

    page: str
    line: int
    info: str
    body: str
    is_run: bool

    @property
    def language(self) -> str:
        return self.info.split(" ")[0]

    @property
    def file(self) -> str | None:
        named = re.search(r"\bfile=(\S+)", self.info)
        return named[1] if named else None

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """README, CONTRIBUTING, SECURITY, the README of the data, and every page of docs/."""
    return [
        *(REPOSITORY / f"{name}.md" for name in ("README", "CONTRIBUTING", "SECURITY", "data/README")),
        *sorted((REPOSITORY / "docs").rglob("*.md")),
    ]


def name_of(page: Path) -> str:
    return page.relative_to(REPOSITORY).as_posix() if page.is_relative_to(REPOSITORY) else page.name


@cache
def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for fence in _FENCE.finditer(text):
        before = text[: fence.start()]
        lines = (line.removeprefix(fence["indent"]) for line in fence["body"].splitlines())
        found.append(
            Block(
                name_of(page),
                before.count("\n") + 1,
                fence["info"].strip(),
                "\n".join(lines),
                is_run=not _NOT_RUN.search(before),
            )
        )
    return found


def without_blocks(page: Path) -> str:
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page: Path) -> Iterator[str]:
    """Where the links and pictures of a page lead."""
    for link in _LINK.finditer(re.sub(r"`[^`\n]*`", "", without_blocks(page))):
        yield link[1] or link[2]


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    made: dict[str, int] = {}
    found = set()
    for heading in _HEADING.findall(without_blocks(page)):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").lower()
        anchor = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        count = made.get(anchor, 0)
        made[anchor] = count + 1
        found.add(f"{anchor}-{count}" if count else anchor)
    return found
