"""Every subset of the method's terms that was run, from the best to the worst, with the student trained alone. Rows
that were not retuned stand at the full method's settings, which favours it. Exploratory; verdicts are above."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics.subsets import Subset, droppable, subsets

TITLE = "Subsets of terms"
ORDER = 31
RESTS = ("search", "finalists", "confirm", "ablate")


def table(runs: Runs) -> list[Table]:
    term_sets = subsets(runs)
    if len(term_sets) < 3:
        return []
    metric = runs.metric
    name = f"{metric.label} ({metric.unit})"
    rows: list[Row] = [
        {
            "row": subset.name,
            "terms": _words(runs, subset),
            name: float(subset.values.mean()),
            "SD": float(subset.values.std()) if len(subset.values) > 1 else None,
            "n": subset.side.count,
        }
        for subset in term_sets
    ]
    caption = f"Test {metric.label} of each subset of terms; means over seeds."
    return [Table("subsets", caption, rows, {name: runs.digits, "SD": runs.digits})]


def drawing(runs: Runs) -> Drawing | None:
    value = f"test {runs.metric.label} ({runs.metric.unit})"
    term_sets = subsets(runs)
    points = [
        {"row": subset.name, "terms": _words(runs, subset), "run": i, value: float(score)}
        for subset in term_sets
        for i, score in enumerate(subset.values, start=1)
    ]
    return Drawing(pd.DataFrame(points), value, of=("row",)) if len(term_sets) >= 3 else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Above: every run of each subset as a point, with the mean over seeds as a bar. Below: the terms that are in the
    subset, joined by a line. No interval is drawn."""
    terms, rows = droppable(runs), list(drawing.numbers.groupby("row", sort=False))
    inside = {subset.name: subset.terms for subset in subsets(runs)}
    drawn = make_subplots(rows=2, shared_xaxes=True, vertical_spacing=0.03, row_heights=[240, 26 * max(len(terms), 2)])
    color = figures.mark(runs, runs.study.ablated).color
    for x, (row, points) in enumerate(rows):
        drawn.add_scatter(
            x=[x - 0.2 + 0.4 * (i + 0.5) / len(points) for i in range(len(points))],
            y=list(points[drawing.value]),
            mode="markers",
            marker={"color": color if inside[str(row)] else figures.GREY, "size": 6, "opacity": 0.7},
            name=figures.plain(str(row), 60),
            hovertemplate=f"{figures.plain(str(row), 60)}: %{{y:.{runs.digits}f}}<extra></extra>",
            row=1,
            col=1,
        )
        mean = float(points[drawing.value].mean())
        bar = {"color": color, "width": 2.5}
        drawn.add_shape(type="line", x0=x - 0.32, x1=x + 0.32, y0=mean, y1=mean, line=bar, row=1, col=1)
        here = [i for i, term in enumerate(terms) if term in inside[str(row)]]
        elsewhere = [i for i in range(len(terms)) if i not in here]
        for dots, shade, mode in [
            (elsewhere, figures.faded(figures.GREY, 0.25), "markers"),
            (here, color, "lines+markers"),
        ]:
            drawn.add_scatter(
                x=[x] * len(dots), y=dots, mode=mode, marker={"color": shade, "size": 10},
                line={"color": shade, "width": 2}, hoverinfo="skip", row=2, col=1,
            )  # fmt: skip
    drawn.update_layout(template=figures.TEMPLATE, height=320 + 26 * len(terms), showlegend=False)
    drawn.update_yaxes(title=drawing.value, row=1, col=1)
    drawn.update_yaxes(
        tickvals=list(range(len(terms))), ticktext=[figures.plain(term) for term in terms], showgrid=False,
        range=[len(terms) - 0.4, -0.6], row=2, col=1,
    )  # fmt: skip
    drawn.update_xaxes(showticklabels=False, showgrid=False, ticks="", range=[-0.6, len(rows) - 0.4])
    return drawn


def _words(runs: Runs, subset: Subset) -> str:
    return ", ".join(term for term in droppable(runs) if term in subset.terms) or "labels alone"
