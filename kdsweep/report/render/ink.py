"""Small drawings inside a board, as SVG: no script draws them, and the page's colours are theirs."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from kdsweep.report.render.board import Forest, Seeds
from kdsweep.report.render.tables import number

HEIGHT = 26
DOTS, BARS = 144, 116  # widths
EDGE = 7  # pixels at either side, for dots and arrows
Axis = tuple[float, float]


def seeds(cell: Seeds, axis: Axis, digits: int, name: str) -> Markup:
    """Every run a dot, stacked where they meet; the bar is the mean."""
    at = [(_place(value, axis, DOTS), value) for value in sorted(cell.values) if math.isfinite(value)]
    if not at:
        return Markup("")
    stacks: dict[int, list[float]] = {}
    for x, _ in at:
        stacks.setdefault(round(x / 5), []).append(x)
    step = min(4.2, 15 / max(len(stack) - 1 for stack in stacks.values())) if len(at) > len(stacks) else 0
    parts = [_line(_place(tick, axis, DOTS), 0, HEIGHT, "g") for tick in ticks(axis)]
    for stack in stacks.values():
        for level, x in enumerate(stack):
            parts.append(f'<circle cx="{x:.1f}" cy="{HEIGHT - 6 - step * level:.1f}" r="2.6" class="d"/>')
    mean = sum(value for _, value in at) / len(at)
    parts.append(_line(_place(mean, axis, DOTS), 3, HEIGHT - 2, "m"))
    parts += [_arrow(side, DOTS) for side in _outside([value for _, value in at], axis)]
    ends = f"{number(at[0][1], digits)} to {number(at[-1][1], digits)}"
    runs = f"{len(at)} run" + ("s" if len(at) > 1 else "")
    return _svg(DOTS, parts, f"{name}: {runs}, {ends}, mean {number(mean, digits)}")


def forest(cell: Forest, axis: Axis, margin: float | None) -> Markup:
    """The 95% interval thick, the one that agrees with the verdict thin, over the band that counts as equal.

    The numbers stand beside it as text: it has no words of its own.
    """
    shown = cell.difference
    parts = _ground(axis, margin)
    kind = " c" if cell.solid else ""
    if cell.deciding:
        parts.append(_bar(*cell.deciding, axis, f"thin{kind}"))
    parts.append(_bar(shown.low, shown.high, axis, f"ci{kind}"))
    ends = [shown.low, shown.high, *(cell.deciding or ())]
    parts += [_arrow(side, BARS) for side in _outside(ends, axis)]
    if axis[0] <= shown.value <= axis[1]:
        parts.append(f'<circle cx="{_place(shown.value, axis, BARS):.1f}" cy="{HEIGHT / 2}" r="4" class="p{kind}"/>')
    return _svg(BARS, parts, "")


def seeds_scale(axis: Axis, digits: int) -> Markup:
    """The head of a column of dots."""
    return _scale(ticks(axis), axis, DOTS, digits)


def forest_scale(axis: Axis, margin: float | None) -> Markup:
    """The head of a column of differences: zero, and the ends of the band."""
    marks = [0.0] if margin is None else [-margin, 0.0, margin]
    apart = _place(marks[-1], axis, BARS) - _place(0.0, axis, BARS)
    if margin is None or apart < 20:
        marks = [tick for tick in ticks(axis, most=3) if tick] + [0.0]
    parts = []
    for mark in sorted(marks):
        words = f"{'+' if mark > 0 else ''}{mark:g}".replace("-", "−")
        parts.append(f'<text x="{_place(mark, axis, BARS):.1f}" y="10" text-anchor="middle">{words}</text>')
    return _svg(BARS, parts, "", height=12)


def ticks(axis: Axis, most: int = 5) -> list[float]:
    """Round numbers inside an axis, at most so many."""
    low, high = axis
    span = high - low
    if not (math.isfinite(span) and span > 0):
        return []
    power = 10.0 ** math.floor(math.log10(span / most))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power, 20 * power) if span / step <= most)
    first = math.ceil(low / step)
    return [round(n * step, 12) for n in range(first, math.floor(high / step) + 1)]


def _ground(axis: Axis, margin: float | None) -> list[str]:
    parts = []
    if margin:
        low, high = _place(-margin, axis, BARS), _place(margin, axis, BARS)
        parts.append(f'<rect x="{low:.1f}" width="{high - low:.1f}" y="0" height="{HEIGHT}" class="eq"/>')
    return [*parts, _line(_place(0.0, axis, BARS), 0, HEIGHT, "z")]


def _bar(low: float, high: float, axis: Axis, kind: str) -> str:
    x1, x2 = (_place(end, axis, BARS) for end in (low, high))
    y = HEIGHT / 2
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y}" y2="{y}" class="{kind}"/>'


def _line(x: float, y1: float, y2: float, kind: str) -> str:
    return f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y1}" y2="{y2}" class="{kind}"/>'


def _arrow(side: int, width: int) -> str:
    tip, back, y = (1, 6, HEIGHT / 2) if side < 0 else (width - 1, width - 6, HEIGHT / 2)
    return f'<path d="M{tip} {y}L{back} {y - 4}L{back} {y + 4}Z" class="out"/>'


def _outside(values: Sequence[float], axis: Axis) -> list[int]:
    return [side for side, there in ((-1, min(values) < axis[0]), (1, max(values) > axis[1])) if there]


def _place(value: float, axis: Axis, width: int) -> float:
    """Where a value lies, in pixels; one outside the axis lies at its end."""
    low, high = axis
    share = (min(max(value, low), high) - low) / (high - low) if high > low else 0.5
    return EDGE + share * (width - 2 * EDGE)


def _scale(marks: Sequence[float], axis: Axis, width: int, digits: int) -> Markup:
    places = max((len(f"{mark:.6g}".partition(".")[2]) for mark in marks), default=digits)
    parts = [
        f'<text x="{_place(mark, axis, width):.1f}" y="10" text-anchor="middle">{number(mark, places)}</text>'
        for mark in marks
    ]
    return _svg(width, parts, "", height=12)


def _svg(width: int, parts: Sequence[str], words: str, *, height: int = HEIGHT) -> Markup:
    about = Markup('role="img" aria-label="{}"').format(words) if words else Markup('aria-hidden="true"')
    # The parts are numbers and our own words alone.
    return Markup('<svg width="{0}" height="{1}" viewBox="0 0 {0} {1}" {2}>{3}</svg>').format(
        width, height, about, Markup("".join(parts))
    )
