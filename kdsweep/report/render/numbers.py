"""What a figure draws, as rows of numbers and in words: for spreadsheets, and for readers who do not see it."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from kdsweep.report.render import csv

MOST_WORDS = 12  # traces that a description goes through; the rest is counted
BREAK = re.compile(r"<br\s*/?>")


def rows(figure: Mapping[str, Any]) -> pd.DataFrame:
    """One row for each point of a plotly figure, given as JSON: trace, x, y, and z, text, low, high where set."""
    layout = figure.get("layout", {})
    panels = _panels(layout)
    found = pd.DataFrame(
        [
            {**row, **({"panel": panels.get(trace.get("xaxis", "x"), "")} if panels else {})}
            for trace in figure["data"]
            # Ink without a name that nothing is to be read from: a grid's empty dots.
            if trace.get("name") or trace.get("hoverinfo") != "skip"
            for row in _points(trace, layout)
        ]
    )
    return found.dropna(axis=1, how="all")


def as_csv(figure: Mapping[str, Any]) -> str:
    """`rows` as CSV that a spreadsheet opens without running anything."""
    return csv.write(rows(figure))


def words(figure: Mapping[str, Any]) -> str:
    """A short description: what each trace ends at or spans."""
    said = []
    traces = [trace for trace in figure["data"] if trace.get("hoverinfo") != "skip"]
    for trace in traces[:MOST_WORDS]:
        every = list(_points(trace, figure.get("layout", {})))
        points = [row for row in every if _finite(row.get("x")) and _finite(row.get("y"))]
        if every and "x" not in every[0]:
            said.append(f"{len(every)} lines over {', '.join(name for name in every[0] if name != 'trace')}")
        if not points:
            continue
        name = str(points[0]["trace"])
        if len(points) == 1:
            said.append(f"{name or 'one point'}: {_at(points[0])}")
        elif "lines" in str(trace.get("mode")):
            said.append(f"{name}: from {_at(points[0])} to {_at(points[-1])}")
        else:
            x = [float(row["x"]) for row in points if isinstance(row["x"], int | float)]
            span = f", {min(x):.4g} to {max(x):.4g}" if len(x) == len(points) else ""
            said.append(f"{name or 'points'}: {len(points)} points{span}")
    if len(traces) > MOST_WORDS:
        said.append(f"and {len(traces) - MOST_WORDS} more")
    return "; ".join(said)


def data_uri(text: str) -> str:
    """A file inside the page: nothing has to lie beside it."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(text.encode()).decode()


def _points(trace: Mapping[str, Any], layout: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    kind = trace.get("type", "scatter")
    name = plain(trace.get("name") or "")
    if kind in ("heatmap", "contour"):
        z = np.atleast_2d(np.asarray(listed(trace.get("z")), dtype=object))
        xs, ys = listed(trace.get("x")) or list(range(z.shape[1])), listed(trace.get("y")) or list(range(z.shape[0]))
        for i, j in np.ndindex(z.shape):
            yield {"trace": name, "x": _clean(xs[j]), "y": _clean(ys[i]), "z": _clean(z[i, j])}
        return
    if kind == "parcoords":
        columns = {plain(axis.get("label", "")): listed(axis.get("values")) for axis in trace.get("dimensions", [])}
        for i in range(max(map(len, columns.values()), default=0)):
            yield {"trace": name, **{label: _get(values, i) for label, values in columns.items()}}
        return
    x, y, base = (listed(trace.get(column)) for column in ("x", "y", "base"))
    text = listed(trace.get("text"))
    ticks = _ticks(layout.get("yaxis", {}))
    above, below = (listed(trace.get("error_x", {}).get(side)) for side in ("array", "arrayminus"))
    for i in range(max(len(x), len(y))):
        at_x, at_y = _get(x, i), _get(y, i)
        row = {"trace": name or ticks.get(at_y, ""), "x": _clean(at_x), "y": _clean(at_y)}
        if base:
            row["base"] = _get(base, i)
        if isinstance(_get(text, i), str):
            row["text"] = plain(_get(text, i))
        if _finite(_get(above, i)) and _finite(at_x):
            row["low"], row["high"] = at_x - (_get(below, i) or 0), at_x + _get(above, i)
        yield row


def listed(values: Any) -> list[Any]:
    """A trace's column: a list, or plotly's packed array."""
    match values:
        case None:
            return []
        case {"bdata": data, "dtype": dtype}:
            whole: list[Any] = np.frombuffer(base64.b64decode(data), dtype=dtype).tolist()
            if "shape" in values:
                whole = np.reshape(whole, [int(n) for n in str(values["shape"]).split(",")]).tolist()
            return whole
        case list() | tuple():
            return list(values)
    return []


def plain(words_: str) -> str:
    """Text as it was before it was made fit for plotly."""
    return html.unescape(BREAK.sub(" ", str(words_)))


def _panels(layout: Mapping[str, Any]) -> dict[str, str]:
    """By axis, what each panel of a figure of several is about: its heading, else the title of its x axis."""
    axes = sorted((name for name in layout if re.fullmatch(r"xaxis\d*", name)), key=lambda name: int(name[5:] or 1))
    if len(axes) < 2:
        return {}
    headings = [plain(one.get("text", "")) for one in layout.get("annotations", []) if not one.get("showarrow", True)]
    titles = [plain(layout[axis].get("title", {}).get("text", "")) for axis in axes]
    named = headings if len(headings) == len(axes) else titles
    return {f"x{axis[5:]}": name for axis, name in zip(axes, named, strict=True)} if any(named) else {}


def _ticks(axis: Mapping[str, Any]) -> dict[Any, str]:
    return dict(zip(listed(axis.get("tickvals")), map(plain, listed(axis.get("ticktext"))), strict=False))


def _get(values: list[Any], i: int) -> Any:
    return values[i] if i < len(values) else None


def _clean(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value


def _finite(value: Any) -> bool:
    return isinstance(value, str) or (isinstance(value, int | float) and math.isfinite(value))


def _at(row: Mapping[str, Any]) -> str:
    x, y = (value if isinstance(value, str) else f"{value:.4g}" for value in (row["x"], row["y"]))
    return f"{x} [{row['low']:.4g}, {row['high']:.4g}]" if "low" in row else f"{y} at {x}"
