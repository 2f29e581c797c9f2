"""What a store knows about its films, trait by trait, and what it was told that nobody asks for."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from oracle.base.printable import one_line
from oracle.store import open_store

SHOWN = 5
COLUMNS = ("trait", "films", "known", "asked", "tagged", "rated", "given")


@dataclass(frozen=True)
class Coverage:
    """The views trait_coverage, unused_tags and unweighed_categories of a store (sql/risk/coverage.sql)."""

    noun: str
    nouns: str
    traits: list[dict]
    unused_tags: list[tuple[str, int]]
    unweighed_categories: list[tuple[str, int]]

    @property
    def heads(self) -> list[str]:
        """The names of `COLUMNS` for people."""
        return [self.nouns if name == "films" else name for name in COLUMNS]

    def as_text(self) -> str:
        """A table, one line a trait."""
        rows = [[one_line(row["trait"]), *(f"{row[name]:,}" for name in COLUMNS[1:])] for row in self.traits]
        lines = [[*map(one_line, self.heads)], *rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
        return "\n".join(
            "  ".join(
                [
                    line[0].ljust(widths[0]),
                    *(cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)),
                ]
            )
            for line in lines
        )

    def warnings(self) -> Iterator[str]:
        """What may make a violation pass for safe, in words."""
        if blind := [row["trait"] for row in self.traits if row["films"] and not row["known"]]:
            yield f"nothing is known about any {self.noun} for {len(blind)} traits, which protect nobody: {_listed(blind)}"
        if unheard := [
            row["trait"] for row in self.traits if row["known"] and not (row["tagged"] or row["rated"] or row["given"])
        ]:
            yield (
                f"no {self.noun} carries a tag of {len(unheard)} traits, or is rated for them, though sources of tags were asked: "
                f"do they speak of these at all? {_listed(unheard)}"
            )
        if self.unused_tags:
            tags = [f"{tag!r} ({films:,})" for tag, films in self.unused_tags]
            yield f"{len(tags):,} tags trigger no trait: {_listed(tags)}; SELECT * FROM unused_tags lists them"
        if self.unweighed_categories:
            names = [f"{category!r} ({films:,})" for category, films in self.unweighed_categories]
            yield f"{len(names):,} categories are weighed by no trait: {_listed(names)}; name them in a trait's weights"


def read_coverage(store: Path) -> Coverage:
    """Read the coverage of a store. Raises `UserError` for what is no store."""
    with open_store(store) as connection:
        [(noun, nouns)] = connection.sql("select noun, nouns from domain").fetchall()
        return Coverage(
            noun,
            nouns,
            connection.sql("from trait_coverage").to_arrow_table().to_pylist(),
            connection.sql("from unused_tags").fetchall(),
            connection.sql("from unweighed_categories").fetchall(),
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else "")
