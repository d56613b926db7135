"""What a tuning budget buys: the best validation score to expect from n search trials (Dodge et al. 2019), as if the
points had been drawn independently. A pruned trial counts with the last score it reached, a failed one with nothing."""

from __future__ import annotations

import functools

import pandas as pd
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Cell, Row, Table
from kdsweep.report.statistics import summaries

TITLE = "Tuning budget"
CHAPTER = "belief"
ORDER = 50
RESTS = ("search",)
GLOSSARY = {
    "best of …": "Expected best validation score of so many search trials drawn at random.",
}
SHOWN = (1, 4, 16, 64, 256)  # trials


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        expected, count = _expected(runs, arm), len(_scores(runs, arm))
        if not expected:
            continue
        row: dict[str, Cell] = {"arm": runs.label(arm), "trials with a score": count}
        row |= {f"best of {n}": expected.get(n) for n in SHOWN}
        rows.append({**row, "best of all": expected[count]})
    digits = dict.fromkeys([*(f"best of {n}" for n in SHOWN), "best of all"], runs.digits)
    caption = f"Expected best validation {runs.metric.label} ({runs.metric.unit}) of n search trials."
    return [Table("budget", caption, rows, digits, page=False)]


def drawing(runs: Runs) -> Drawing | None:
    value = f"best validation {runs.metric.label} ({runs.metric.unit})"
    points = [
        {"arm": runs.label(arm), "trials": n, "device-seconds": n * _seconds(runs, arm), value: best}
        for arm in runs.arms
        for n, best in _expected(runs, arm).items()
    ]
    return Drawing(pd.DataFrame(points), value, of=("arm",), along="trials") if points else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Expected best validation score against the number of search trials and, beside it, against the device-seconds
    that so many trials take on average. Where lines cross, the budget decides which arm looks better. No interval is
    drawn."""
    drawn = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.04)
    marks = figures.marks(runs)
    for arm, points in drawing.numbers.groupby("arm", sort=False):
        label = figures.plain(str(arm), 40)
        for column, along in enumerate(("trials", "device-seconds"), start=1):
            # Runs whose time nobody measured have no place on that axis.
            if points[along].max() > 0:
                drawn.add_scatter(
                    x=list(points[along]),
                    y=list(points[drawing.value]),
                    mode="lines",
                    line={"color": marks[arm].color, "width": 2},
                    name=label,
                    legendgroup=label,
                    showlegend=column == 1,
                    hovertemplate=f"{label}, %{{x:.4g}} {along}: %{{y:.{runs.digits}f}}<extra></extra>",
                    row=1,
                    col=column,
                )
    drawn.update_layout(template=figures.TEMPLATE, height=360)
    drawn.update_xaxes(title="search trials", type="log", dtick="D2", col=1)
    drawn.update_xaxes(title="device-seconds", type="log", col=2)
    drawn.update_yaxes(title=drawing.value, col=1)
    return drawn


def words(runs: Runs) -> list[str]:
    """Whether the ranking depends on the budget."""
    ends = {arm: expected for arm in runs.arms if (expected := _expected(runs, arm))}
    if len(ends) < 2:
        return []
    # Arms may have scores of different numbers of trials: compared at those that all know.
    known = sorted(set.intersection(*(set(expected) for expected in ends.values())))
    shortest = known[-1]
    pick = max if runs.study.maximize else min
    leaders: list[tuple[int, str]] = []
    for n in known:
        first = pick(ends, key=lambda arm: ends[arm][n])
        if not leaders or leaders[-1][1] != first:
            leaders.append((n, first))
    if len(leaders) == 1:
        return [f"{runs.label(leaders[0][1])} leads on validation at every budget from 1 to {shortest} trials."]
    path = ", ".join(f"{runs.label(arm)} from {n}" for n, arm in leaders)
    return [f"Which arm leads on validation depends on the number of trials: {path} (of {shortest})."]


def _thinned(count: int, most: int = 120) -> list[int]:
    """Numbers from 1 to count, as many as a line on a logarithmic axis needs."""
    if count <= most:
        return list(range(1, count + 1))
    every = {round(1.06**i) for i in range(200)} | {*range(1, 17), *SHOWN, count}
    return sorted(n for n in every if n <= count)


def _seconds(runs: Runs, arm: str) -> float:
    """Of one search trial, on average; pruned and failed ones included."""
    seconds = pd.to_numeric(runs.select("search", arm)["seconds"]).dropna()
    return float(seconds.mean()) if len(seconds) else 0.0


@functools.lru_cache(maxsize=64)
def _expected(runs: Runs, arm: str) -> dict[int, float]:
    """By number of trials."""
    values = _scores(runs, arm)
    draws = _thinned(len(values))
    best = summaries.expected_best(values * runs.metric.scale, draws=draws, maximize=runs.study.maximize)
    return dict(zip(draws, map(float, best), strict=True)) if len(values) else {}


def _scores(runs: Runs, arm: str) -> pd.Series:
    """Of the search trials that have one. Numbers that point to one trial are one trial of the budget each."""
    trials = runs.select("search", arm)
    values: pd.Series = trials["trial"].map(runs.valid).astype(float)[trials["state"].isin(["complete", "pruned"])]
    return values.dropna()
