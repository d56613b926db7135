"""What the method brings where fewer training samples have a label: beside the student that learns from the very same
labels alone, at the same settings. Teachers are retrained on what remains. Exploratory; one Holm family."""

from __future__ import annotations

import functools
from typing import NamedTuple

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table, difference, p_value
from kdsweep.report.statistics import power
from kdsweep.report.statistics.compare import Comparison, Side, ablated, compare, confirmed, scored
from kdsweep.report.statistics.verdicts import Verdict, judge, unit
from kdsweep.values.study import Row as Entry

TITLE = "Fewer labels"
CHAPTER = "gains"
ORDER = 33.5
RESTS = ("search", "finalists", "confirm", "ablate")
LEFT = "labels left (%)"
ALONE = "labels alone"


class Point(NamedTuple):
    """A share of labels that is left, in %, and the method there against the student that learns from them alone."""

    left: float
    side: Side
    alone: Side
    comparison: Comparison
    verdict: Verdict


def table(runs: Runs) -> list[Table]:
    points = _points(runs)
    if not points:
        return []
    metric, method = runs.metric, runs.label(runs.study.ablated)
    rows: list[Row] = [
        {
            LEFT: point.left,
            method: _score(runs, point.side),
            ALONE: _score(runs, point.alone),
            "difference": difference(point.comparison.interval, metric.scale),
            "p": p_value(point.verdict.p),
            "verdict": point.verdict,
            "n": point.side.count,
        }
        for point in points
    ]
    caption = (
        f"Test {metric.label} ({metric.unit}) by the share of training labels that is left, and {method} minus the "
        f"student that learns from those alone ({unit(metric.unit)})."
    )
    notes = power.note(runs, [point.comparison for point in points])
    digits = {LEFT: 0, method: runs.digits, ALONE: runs.digits, "difference": runs.digits}
    return [Table("fewer-labels", caption, rows, digits, notes)]


def drawing(runs: Runs) -> Drawing | None:
    value = f"test {runs.metric.label} ({runs.metric.unit})"
    points = [
        {"arm": name, LEFT: point.left, value: _score(runs, side)}
        for name in (runs.label(runs.study.ablated), ALONE)
        for point in _points(runs)
        for side in [point.alone if name == ALONE else point.side]
    ]
    return Drawing(pd.DataFrame(points), value, of=("arm",), along=LEFT) if points else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Mean test score against the share of training labels that is left: the method, and the labels alone (grey)."""
    mark, drawn = figures.mark(runs, runs.study.ablated), figures.new(340)
    for name, points in drawing.numbers.groupby("arm", sort=False):
        own = name != ALONE
        drawn.add_scatter(
            x=list(points[LEFT]),
            y=list(points[drawing.value]),
            mode="lines+markers",
            line={"color": mark.color if own else figures.GREY, "width": 2},
            marker={"symbol": mark.symbol if own else "circle", "size": 9},
            name=figures.plain(str(name), 40),
            hovertemplate=f"%{{x:.0f}}% of the labels: %{{y:.{runs.digits}f}}<extra></extra>",
        )
    drawn.update_xaxes(title=LEFT)
    drawn.update_yaxes(title=figures.plain(drawing.value, 60))
    return drawn


def _score(runs: Runs, side: Side) -> float:
    return float((scored(runs, side) * runs.metric.scale).mean())


@functools.lru_cache(maxsize=2)
def _points(runs: Runs) -> list[Point]:
    """By growing share; the study's own share is that of the arm and of the row without all terms but labels."""
    study, arm = runs.study, runs.study.ablated
    if not arm:
        return []
    pairs: list[tuple[float, Side, Side]] = []
    alone_rows = {
        float(entry.data.get("drop_labels", study.data.drop_labels)): row
        for row, entry in study.rows.items()
        if entry.data.keys() <= {"drop_labels"} and set(entry.dropped) == _optional(runs) and not _changed(entry)
    }
    methods = {study.data.drop_labels: ""} | {
        float(entry.data["drop_labels"]): row
        for row, entry in study.rows.items()
        if entry.data.keys() == {"drop_labels"} and not entry.dropped and not _changed(entry)
    }
    for share in sorted(methods.keys() & alone_rows.keys(), reverse=True):
        for retuned in (True, False):
            side = ablated(runs, methods[share], retuned=retuned) if methods[share] else confirmed(runs, arm)
            alone = ablated(runs, alone_rows[share], retuned=retuned)
            if side.finished and alone.finished:
                pairs.append((100 * (1 - share), side, alone))
                break
    if len(pairs) < 2:
        return []
    compared = [compare(runs, side, alone) for _, side, alone in pairs]
    judged = zip(pairs, compared, judge(runs, compared), strict=True)
    return [Point(*pair, comparison, verdict) for pair, comparison, verdict in judged]


def _optional(runs: Runs) -> set[str]:
    """The terms of the ablated arm that may be taken away."""
    recipe = runs.study.arms[runs.study.ablated].recipe
    return set(recipe.terms) - set(recipe.required)


def _changed(entry: Entry) -> bool:
    return bool(entry.choices or entry.numbers)
