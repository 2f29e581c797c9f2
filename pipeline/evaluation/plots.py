"""The report's drawings as SVG: plain shapes whose colours the page's style gives, so that they print and turn dark."""

from html import escape

from pipeline.evaluation.figures import Figure
from pipeline.evaluation.results import Results

WIDTH, LEFT, RIGHT = 640, 56, 16


def safety_against_quality(found: Results) -> str:
    """SVR across and recall up, a point with both intervals for each model; SVR alone where nothing is relevant."""
    svr, recall = f"svr_{found.k}", f"recall_{found.k}"
    points = [
        (i, row["model"], run[svr], run[recall])
        for i, (row, run) in enumerate(zip(found.summaries, found.figures, strict=True))
        if svr in run and run[svr].value is not None
    ]
    if not points:
        return ""
    if any(quality.value is None for *_, quality in points):
        return _rows(points, found.k)
    height, bottom = 360, 312
    x_of = _scale([figure for _, _, figure, _ in points], LEFT, WIDTH - RIGHT)
    y_of = _scale([figure for *_, figure in points], bottom, 16)
    shapes = [_axis_x(x_of, bottom, 16), _axis_y(y_of)]
    shapes.append(f'<text x="{WIDTH - RIGHT}" y="{height - 8}" text-anchor="end">SVR@{found.k} (less is safer)</text>')
    shapes.append(f'<text x="{LEFT}" y="12">Recall@{found.k}</text>')
    for i, name, safety, quality in points:
        x, y = x_of(safety.value), y_of(quality.value)
        across = _line(x_of(_low(safety)), y, x_of(_high(safety)), y)
        up = _line(x, y_of(_low(quality)), x, y_of(_high(quality)))
        shapes.append(
            f'<g class="run{i % 6}">{across}{up}<circle cx="{x:.1f}" cy="{y:.1f}" r="5"/>{_label(name, x, y)}</g>'
        )
    return _svg(shapes, height, f"SVR and recall at {found.k} of each model, with 95 % intervals")


def _rows(points: list[tuple[int, str, Figure, Figure]], k: int) -> str:
    """One line a model: SVR with its interval."""
    step, top = 44, 20
    bottom = top + step * len(points)
    x_of = _scale([figure for _, _, figure, _ in points], LEFT, WIDTH - RIGHT)
    shapes = [_axis_x(x_of, bottom, top - 8)]
    shapes.append(f'<text x="{WIDTH - RIGHT}" y="{bottom + 40}" text-anchor="end">SVR@{k} (less is safer)</text>')
    for place, (i, name, figure, _) in enumerate(points):
        x, y = x_of(figure.value), top + step * place + 26
        bar = _line(x_of(_low(figure)), y, x_of(_high(figure)), y)
        title = f'<text x="{LEFT}" y="{y - 12}">{escape(_short(name))}</text>'
        shapes.append(f'<g class="run{i % 6}">{bar}<circle cx="{x:.1f}" cy="{y}" r="5"/>{title}</g>')
    return _svg(shapes, bottom + 48, f"SVR at {k} of each model, with 95 % intervals")


def _low(figure: Figure) -> float:
    return figure.value if figure.low is None else figure.low  # type: ignore[return-value]


def _high(figure: Figure) -> float:
    return figure.value if figure.high is None else figure.high  # type: ignore[return-value]


def _scale(figures: list[Figure], start: float, end: float):
    """Shares from 0 to what the widest interval needs, on pixels."""
    most = max(0.02, max(_high(f) for f in figures) * 1.1)

    def place(value: float) -> float:
        return start + (end - start) * value / most

    place.most = most  # type: ignore[attr-defined]
    return place


def _ticks(most: float) -> list[float]:
    step = next(s for s in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if most / s <= 6)
    return [step * i for i in range(int(most / step) + 1)]


def _axis_x(x_of, bottom: float, top: float) -> str:
    lines = [
        f'<line class="grid" x1="{x_of(t):.1f}" y1="{top}" x2="{x_of(t):.1f}" y2="{bottom}"/>'
        f'<text x="{x_of(t):.1f}" y="{bottom + 18}" text-anchor="middle">{100 * t:g} %</text>'
        for t in _ticks(x_of.most)
    ]
    return "".join(lines)


def _axis_y(y_of) -> str:
    return "".join(
        f'<line class="grid" x1="{LEFT}" y1="{y_of(t):.1f}" x2="{WIDTH - RIGHT}" y2="{y_of(t):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y_of(t) + 4:.1f}" text-anchor="end">{t:g}</text>'
        for t in [round(t, 3) for t in _ticks(y_of.most)]
    )


def _label(name: str, x: float, y: float) -> str:
    anchor, gap = ("end", -9) if x > WIDTH / 2 else ("start", 9)
    return f'<text x="{x + gap:.1f}" y="{y - 8:.1f}" text-anchor="{anchor}">{escape(_short(name))}</text>'


def _short(name: str) -> str:
    return name if len(name) <= 44 else f"…{name[-43:]}"


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _svg(shapes: list[str], height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(shapes)}</svg>'
    )
