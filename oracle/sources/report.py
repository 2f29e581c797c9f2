"""Coverage as a page that opens without a network."""

from collections.abc import Mapping
from html import escape
from pathlib import Path
from types import MappingProxyType

from oracle.base.files import written_whole
from oracle.sources.coverage import COLUMNS, Coverage

_WIDTH, _ROW, _NAMES = 420, 22, 330
_PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>What is known, trait by trait</title>
<style>body {{ font: 15px sans-serif; margin: 2em; max-width: 70em }} td, th {{ padding: .2em .8em; text-align: right }}
td:first-child, th:first-child {{ text-align: left }}</style>
<h1>What is known about {films:,} {nouns}</h1>
<p>Blue: {nouns} with evidence of any kind, which are safe or not. Orange: those that carry a tag that triggers the trait.
Grey: nothing is known, whatever a verdict says.</p>
{plot}
<table><tr>{header}</tr>
{rows}
</table>
{warnings}
{more}
</html>
"""


def write_report(coverage: Coverage, path: Path, more: Mapping[str, Mapping[str, int]] = MappingProxyType({})) -> None:
    """Write the table, a plot of it and the warnings as HTML, in one move; then a plot for each title of `more`.

    Raises `UserError` where that fails.
    """
    films = max((row["films"] for row in coverage.traits), default=0)
    cells = (f"<td>{escape(str(row[name]))}</td>" for row in coverage.traits for name in COLUMNS)
    rows = "\n".join(f"<tr>{''.join(line)}</tr>" for line in zip(*[cells] * len(COLUMNS), strict=True))
    page = _PAGE.format(
        films=films,
        nouns=escape(coverage.nouns),
        plot=_plot(coverage.traits, max(films, 1)),
        header="".join(f"<th>{escape(name)}</th>" for name in coverage.heads),
        rows=rows,
        more="\n".join(f"<h2>{escape(title)}</h2>\n{_bars(counts)}" for title, counts in more.items()),
        warnings="\n".join(f"<p><strong>Warning:</strong> {escape(text)}</p>" for text in coverage.warnings()),
    )
    with written_whole(path) as part:
        part.write_text(page, encoding="utf-8")


def _plot(traits: list[dict], films: int) -> str:
    bars = []
    for number, row in enumerate(traits):
        top = number * _ROW
        bars.append(f'<text x="{_NAMES - 8}" y="{top + 15}" text-anchor="end">{escape(row["trait"])}</text>')
        for share, colour in ((1.0, "#ddd"), (row["known"] / films, "#4477aa"), (row["tagged"] / films, "#ee7733")):
            bars.append(
                f'<rect x="{_NAMES}" y="{top + 3}" width="{share * _WIDTH:.1f}" height="{_ROW - 6}" fill="{colour}"/>'
            )
    size = f'width="{_NAMES + _WIDTH}" height="{len(traits) * _ROW}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="13" role="img">{"".join(bars)}</svg>'


def _bars(counts: Mapping[str, int]) -> str:
    """A bar for each label, with its number."""
    most = max(counts.values(), default=0) or 1
    bars = []
    for number, (label, count) in enumerate(counts.items()):
        top, width = number * _ROW, count / most * _WIDTH
        bars.append(f'<text x="{_NAMES - 8}" y="{top + 15}" text-anchor="end">{escape(label)}</text>')
        bars.append(f'<rect x="{_NAMES}" y="{top + 3}" width="{width:.1f}" height="{_ROW - 6}" fill="#4477aa"/>')
        bars.append(f'<text x="{_NAMES + width + 6:.1f}" y="{top + 15}">{count:,}</text>')
    size = f'width="{_NAMES + _WIDTH + 70}" height="{len(counts) * _ROW}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-size="13" role="img">{"".join(bars)}</svg>'
