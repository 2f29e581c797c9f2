"""The report's drawings as SVG: plain shapes whose colours the page's style gives, so that they print and turn dark."""

from html import escape

from pipeline.evaluation.figures import Figure
from pipeline.evaluation.names import trajectories
from pipeline.evaluation.results import Results

WIDTH, LEFT, RIGHT = 400, 40, 12
LETTER, LINE = 6.6, 14
"""Width and height of a letter of the labels, at most."""


def safety_against_quality(found: Results) -> str:
    """SVR across and recall up, a point with both intervals for each model, checkpoints of one run joined in their order;
    SVR alone, with its bounds, where nothing is relevant."""
    svr, recall = f"svr_{found.k}", f"recall_{found.k}"
    models = [name if len(name) <= 34 else f"…{name[-33:]}" for name in found.short_names.values()]
    points = [
        (i, models[i], run[svr], run[recall])
        for i, run in enumerate(found.figures)
        if svr in run and run[svr].value is not None
    ]
    if not points:
        return ""
    if any(quality.value is None for *_, quality in points):
        return _rows(points, found)
    height, bottom, top = 320, 272, 26
    x_of = _scale([figure for _, _, figure, _ in points], LEFT, WIDTH - RIGHT)
    y_of = _scale([figure for *_, figure in points], bottom, top)
    shapes = [_axis_x(x_of, bottom, top), _axis_y(y_of)]
    shapes.append(f'<text x="{WIDTH - RIGHT}" y="{height - 8}" text-anchor="end">SVR@{found.k} (less is safer)</text>')
    shapes.append(f'<text x="4" y="12">Recall@{found.k}</text>')
    places = {i: (x_of(safety.value), y_of(quality.value)) for i, _, safety, quality in points}
    for path in trajectories([row["model"] for row in found.summaries]):
        corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in (places[i] for i in path if i in places))
        shapes.append(f'<polyline class="path" points="{corners}"/>')
    labels = _labels([(name, *places[i]) for i, name, *_ in points], bottom)
    for (i, _, safety, quality), label in zip(points, labels, strict=True):
        x, y = places[i]
        across = _line(x_of(_low(safety)), y, x_of(_high(safety)), y)
        up = _line(x, y_of(_low(quality)), x, y_of(_high(quality)))
        shapes.append(f'<g class="run{i % 6}">{across}{up}<circle cx="{x:.1f}" cy="{y:.1f}" r="4"/>{label}</g>')
    return _svg(shapes, height, f"SVR and recall at {found.k} of each model, with 95 % intervals")


def _rows(points: list[tuple[int, str, Figure, Figure]], found: Results) -> str:
    """One line a model: SVR with its interval, and behind it its bounds."""
    step, top = 40, 8
    bottom = top + step * len(points) + 6
    highs = [found.figures[i].get(f"svr_high_{found.k}") for i, *_ in points]
    bounds = [
        high if high is not None and high.value is not None else svr
        for (*_, svr, _), high in zip(points, highs, strict=True)
    ]
    x_of = _scale([figure for *_, figure, _ in points] + bounds, LEFT / 2, WIDTH - RIGHT)
    shapes = [_axis_x(x_of, bottom, top)]
    shapes.append(f'<text x="{WIDTH - RIGHT}" y="{bottom + 36}" text-anchor="end">SVR@{found.k} (less is safer)</text>')
    for place, ((i, name, figure, _), high) in enumerate(zip(points, bounds, strict=True)):
        low = found.figures[i].get(f"svr_low_{found.k}") or figure
        x, y = x_of(figure.value), top + step * place + 30
        shapes.append(
            f'<line class="bounds" x1="{x_of(low.value):.1f}" y1="{y}" x2="{x_of(high.value):.1f}" y2="{y}"/>'
        )
        bar = _line(x_of(_low(figure)), y, x_of(_high(figure)), y)
        title = f'<text x="{LEFT / 2 + 4}" y="{y - 11}">{escape(name)}</text>'
        shapes.append(f'<g class="run{i % 6}">{bar}<circle cx="{x:.1f}" cy="{y}" r="4"/>{title}</g>')
    return _svg(shapes, bottom + 44, f"SVR at {found.k} of each model, with 95 % intervals and bounds")


def _labels(points: list[tuple[str, float, float]], bottom: float) -> list[str]:
    """The names beside their points, each where it covers no other name and no point, if there is such a place."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for _, x, y in points]
    labels = []
    for name, x, y in points:
        width = LETTER * len(name)
        spots = [
            (left, y + down)
            for down in (-6, 16, *(sign * LINE * n for n in range(2, 9) for sign in (-1, 1)))
            for left in (x + 8, x - 8 - width)
        ]
        inside = [
            (left, base) for left, base in spots if left >= 2 and left + width <= WIDTH - 2 and LINE < base < bottom
        ]
        free = [spot for spot in inside if not any(_meet(_box(*spot, width), other) for other in taken)]
        left, base = (free or inside or [(max(2.0, min(x, WIDTH - 2 - width)), y - 6)])[0]
        taken.append(_box(left, base, width))
        labels.append(f'<text x="{left:.1f}" y="{base:.1f}">{escape(name)}</text>')
    return labels


def _box(left: float, base: float, width: float) -> tuple[float, float, float, float]:
    return left, base - LINE + 3, left + width, base + 3


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


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


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _svg(shapes: list[str], height: float, title: str) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(shapes)}</svg>'
    )
