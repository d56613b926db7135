"""How every figure of a report looks: one template, and one colour for each arm wherever it appears."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence
from typing import Any, NamedTuple

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.drawing import Drawing

# Okabe and Ito's palette without its black and yellow: told apart by colour-blind readers, seen on white and on black.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#8C6BB1", "#7A7A7A")
SYMBOLS = ("circle", "diamond", "square", "triangle-up")
GREY = "#868e96"
TITLE = {"standoff": 8, "font": {"size": 13}}

# Colours of text, grid and background are the page's: it knows whether the reader's screen is light or dark.
TEMPLATE = go.layout.Template(
    layout={
        "font": {"family": "system-ui, sans-serif", "size": 13},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 8, "r": 12, "t": 28, "b": 8},
        "xaxis": {"automargin": True, "zeroline": False, "ticks": "outside", "ticklen": 4, "title": TITLE},
        "yaxis": {"automargin": True, "zeroline": False, "title": TITLE},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"},
        "hoverlabel": {"font": {"family": "system-ui, sans-serif"}},
        "hovermode": "closest",
        "dragmode": False,
    }
)


class Mark(NamedTuple):
    color: str
    symbol: str


def new(height: int, **layout: Any) -> go.Figure:
    return go.Figure(layout={"template": TEMPLATE, "height": height, **layout})


def mark(runs: Runs, arm: str) -> Mark:
    """An arm's colour and symbol, by its place in the study; no two of 32 share both. Reference rows are grey."""
    if arm in runs.references or arm not in runs.arms:
        return Mark(GREY, "line-ns-open" if arm in runs.references else "x")
    index = runs.arms.index(arm)
    return Mark(PALETTE[index % len(PALETTE)], SYMBOLS[(index + index // len(PALETTE)) % len(SYMBOLS)])


def plain(words: str, width: int = 24) -> str:
    """Text for a figure: plotly reads tags, so a user's are written out; long labels take several lines."""
    lines = textwrap.wrap(words, width) or [""]
    return "<br>".join(html.escape(line, quote=False) for line in lines)


def faded(color: str, opacity: float) -> str:
    """A hex colour as rgba."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def marks(runs: Runs) -> dict[object, Mark]:
    """Every arm's mark, by its label."""
    return {runs.label(arm): mark(runs, arm) for arm in (*runs.references, *runs.arms)}


def band(points: pd.DataFrame, along: str, color: str, *, opacity: float = 0.16, legendgroup: str = "") -> go.Scatter:
    """The area between `low` and `high`."""
    xs = list(points[along])
    return go.Scatter(
        x=xs + xs[::-1],
        y=[*points["high"], *points["low"][::-1]],
        fill="toself",
        fillcolor=faded(color, opacity),
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
        legendgroup=legendgroup,
    )


def whiskers(points: pd.DataFrame, value: str) -> dict[str, Any]:
    """Plotly's error bars from `low` to `high`; none where they are not known."""
    above, below = points["high"] - points[value], points[value] - points["low"]
    return {
        "type": "data",
        "symmetric": False,
        "array": list(above.fillna(0)),
        "arrayminus": list(below.fillna(0)),
    }


def forest(
    drawing: Drawing,
    *,
    colors: Sequence[str],
    solid: Sequence[bool],
    title: str,
    digits: int,
    margin: float | None = None,
) -> go.Figure:
    """Differences with their intervals, the first line on top; the band is the region of equivalence.

    Args:
        drawing: a row a line, called by the first of its names.
        solid: whether a line's mark is filled.
    """
    numbers = drawing.numbers
    lines = list(range(len(numbers)))
    labels, values = list(numbers[drawing.of[0]]), list(numbers[drawing.value])
    drawn = new(120 + 44 * len(lines), showlegend=False)
    for i, color, filled in zip(lines, colors, solid, strict=True):
        low, high = numbers["low"].iloc[i], numbers["high"].iloc[i]
        drawn.add_scatter(
            x=[values[i]],
            y=[i],
            error_x={**whiskers(numbers.iloc[[i]], drawing.value), "thickness": 2, "width": 5},
            mode="markers",
            marker={"color": color, "size": 11, "symbol": "square" if filled else "square-open"},
            hovertemplate=f"{plain(labels[i], 60)}<br>%{{x:.{digits}f}} "
            f"[{low:.{digits}f}, {high:.{digits}f}]<extra></extra>",
        )
    if margin:
        drawn.add_vrect(x0=-margin, x1=margin, fillcolor=GREY, opacity=0.14, line_width=0, layer="below")
    drawn.add_vline(x=0, line={"color": GREY, "width": 1.5})
    drawn.update_yaxes(
        tickvals=lines, ticktext=[plain(label) for label in labels], range=[len(lines) - 0.4, -0.6], showgrid=False
    )
    drawn.update_xaxes(title=title)
    return drawn


MOST_NAMES = 8  # in a legend: with more, colours are told apart no longer, and names stand at the marks
LINE = 14  # pixels a name takes


def named_at_marks(figure: go.Figure) -> go.Figure:
    """With more than eight names, each at the right end of what it names, in its colour, and no legend."""
    named = [trace for trace in figure.data if trace.name and trace.showlegend is not False and trace.type == "scatter"]
    panels = {trace.xaxis for trace in figure.data}
    if len(named) <= MOST_NAMES or len(panels) > 1:
        return figure
    ends = {name: end for trace in named if (end := _end(figure, trace)) is not None for name in [trace.name]}
    if not ends:
        return figure
    figure.layout.height = max(figure.layout.height, 110 + LINE * len(ends))
    drawn = [*(trace.y for trace in named), *((shape.y0, shape.y1) for shape in figure.layout.shapes)]
    heights = [y for ys in drawn for y in _scaled(ys, figure.layout.yaxis.type) if math.isfinite(y)]
    # A third more than a line takes: the axis reaches further than its numbers.
    gap = 4 / 3 * LINE * (max(heights) - min(heights)) / (figure.layout.height - 90)
    # From the top down, no name lies on another, nor above the axis where there is room below.
    level = max(heights) + gap
    for name, end in sorted(ends.items(), key=lambda item: -item[1].y):
        level = min(end.y, level - gap)
        # In the margin, so that no axis reaches to where a name ends.
        font = {"size": 11, "color": end.color}
        figure.add_annotation(x=1, xref="paper", y=level, text=f" {name}", xanchor="left", showarrow=False, font=font)
    width = max(len(html.unescape(name)) for name in ends)
    return figure.update_layout(showlegend=False, margin_r=20 + 7 * width)


class _End(NamedTuple):
    y: float
    color: str


def _end(figure: go.Figure, trace: Any) -> _End | None:
    """How high a trace ends, in the coordinates of its axis, and in which colour."""
    xs, ys = _scaled(trace.x, figure.layout.xaxis.type), _scaled(trace.y, figure.layout.yaxis.type)
    points = [(x, y) for x, y in zip(xs, ys, strict=False) if math.isfinite(x) and math.isfinite(y)]
    if not points:
        return None
    color = (trace.line.color if trace.mode and "lines" in trace.mode else trace.marker.color) or GREY
    return _End(max(points)[1], color if isinstance(color, str) else GREY)


def _scaled(values: Any, kind: str | None) -> list[float]:
    numbers = [math.nan if value is None else float(value) for value in values if not isinstance(value, str)]
    return [math.log10(number) if number > 0 else math.nan for number in numbers] if kind == "log" else numbers
