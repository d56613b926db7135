"""What is left of the method where the auxiliary modality is there for fewer training samples: the rows that take it
away from a growing share of them, teachers retrained on what remains. Exploratory; one Holm family."""

from __future__ import annotations

import functools
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing, spread
from kdsweep.report.render.tables import Row, Table, difference, p_value
from kdsweep.report.statistics import power
from kdsweep.report.statistics.compare import Comparison, Side, ablated, compare, confirmed, scored
from kdsweep.report.statistics.verdicts import Verdict, judge, unit

TITLE = "Scarcity"
CHAPTER = "gains"
ORDER = 33
RESTS = ("search", "finalists", "confirm", "ablate")


class Point(NamedTuple):
    """A share of training samples without the auxiliary modality, in %, and the method there against a student."""

    share: float
    name: str
    side: Side
    comparison: Comparison
    verdict: Verdict


def table(runs: Runs) -> list[Table]:
    points = _points(runs)
    if not points:
        return []
    metric, alone = runs.metric, runs.label(_alone(runs))
    name = f"{metric.label} ({metric.unit})"
    rows: list[Row] = [
        {
            "without auxiliary (%)": point.share,
            "row": point.name,
            name: float((scored(runs, point.side) * metric.scale).mean()),
            f"− {alone}": difference(point.comparison.interval, metric.scale),
            "p": p_value(point.verdict.p),
            "verdict": point.verdict,
            "n": point.side.count,
        }
        for point in points
    ]
    caption = (
        f"Test {metric.label} by the share of training samples whose auxiliary modality was taken away, and the "
        f"lead over {alone} ({unit(metric.unit)})."
    )
    notes = power.note(runs, [point.comparison for point in points])
    digits = {"without auxiliary (%)": 0, name: runs.digits, f"− {alone}": runs.digits}
    return [Table("scarcity", caption, rows, digits, notes)]


def drawing(runs: Runs) -> Drawing | None:
    value = f"lead over {runs.label(_alone(runs))} ({unit(runs.metric.unit)})"
    points = [
        {
            "arm": runs.label(runs.study.ablated),
            "row": point.name,
            "without auxiliary (%)": point.share,
            **spread(value, shown, None),
        }
        for point in _points(runs)
        if (shown := difference(point.comparison.interval, runs.metric.scale))
    ]
    return Drawing(pd.DataFrame(points), value, along="without auxiliary (%)") if points else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Lead over the student trained alone against the share of training samples without the auxiliary modality, with a
    95% interval, unadjusted."""
    mark, points = figures.mark(runs, runs.study.ablated), drawing.numbers
    drawn = figures.new(340, showlegend=False)
    drawn.add_scatter(
        x=list(points[drawing.along]),
        y=list(points[drawing.value]),
        error_y=figures.whiskers(points, drawing.value),
        mode="lines+markers",
        line={"color": mark.color, "width": 2},
        marker={"symbol": mark.symbol, "size": 9},
        hovertemplate=f"%{{x:.0f}}% without: %{{y:.{runs.digits}f}}<extra></extra>",
    )
    drawn.add_hline(y=0, line={"color": figures.GREY, "width": 1.5})
    drawn.update_xaxes(title="training samples without the auxiliary modality (%)")
    drawn.update_yaxes(title=figures.plain(drawing.value, 60))
    return drawn


@functools.lru_cache(maxsize=2)
def _points(runs: Runs) -> list[Point]:
    arm, alone = runs.study.ablated, _alone(runs)
    if not arm or not alone:
        return []
    sides = [(100.0 * runs.study.data.drop_auxiliary, f"{runs.label(arm)} (full)", confirmed(runs, arm))]
    for row, entry in runs.study.rows.items():
        only = set(entry.data) == {"drop_auxiliary"} and not (entry.dropped or entry.choices or entry.numbers)
        for retuned in (True, False):
            side = ablated(runs, row, retuned=retuned)
            if only and side.finished:
                sides.append((100.0 * float(entry.data["drop_auxiliary"]), row, side))
                break
    if len(sides) < 2:
        return []
    sides.sort(key=lambda entry: entry[0])
    compared = [compare(runs, side, confirmed(runs, alone)) for _, _, side in sides]
    verdicts = judge(runs, compared)
    return [
        Point(*entry, comparison, verdict) for entry, comparison, verdict in zip(sides, compared, verdicts, strict=True)
    ]


def _alone(runs: Runs) -> str:
    return next((arm for arm in runs.arms if runs.study.arms[arm].method == "student_only"), "")
