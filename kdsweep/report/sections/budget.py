"""What a tuning budget buys: the best validation score to expect from n search trials (Dodge et al. 2019), as if the
points had been drawn independently. A pruned trial counts with the last score it reached, a failed one with nothing."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report import figures, stats
from kdsweep.report.runs import Runs
from kdsweep.report.tables import Cell, Row, Table

TITLE = "Tuning budget"
ORDER = 50


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        expected = _expected(runs, arm)
        if not expected:
            continue
        row: dict[str, Cell] = {"arm": runs.label(arm), "trials with a score": len(expected)}
        row |= {f"best of {n}": expected[n - 1] if n <= len(expected) else None for n in (1, 4, 16, 64)}
        rows.append({**row, "best of all": expected[-1]})
    digits = dict.fromkeys(["best of 1", "best of 4", "best of 16", "best of 64", "best of all"], runs.digits)
    caption = f"Expected best validation {runs.metric.label} ({runs.metric.unit}) of n search trials."
    return [Table("budget", caption, rows, digits)]


def figure(runs: Runs) -> go.Figure | None:
    """Expected best validation score against the number of search trials. Where lines cross, the budget decides which
    arm looks better. No interval is drawn."""
    drawn = figures.new(340)
    for arm in runs.arms:
        expected = _expected(runs, arm)
        if not expected:
            continue
        label = figures.plain(runs.label(arm), 40)
        drawn.add_scatter(
            x=list(range(1, len(expected) + 1)),
            y=expected,
            mode="lines",
            line={"color": figures.mark(runs, arm).color, "width": 2},
            name=label,
            hovertemplate=f"{label}, %{{x}} trials: %{{y:.{runs.digits}f}}<extra></extra>",
        )
    drawn.update_xaxes(title="search trials", type="log", dtick="D2")
    drawn.update_yaxes(title=f"best validation {runs.metric.label} ({runs.metric.unit})")
    return drawn if drawn.data else None


def _expected(runs: Runs, arm: str) -> list[float]:
    trials = runs.select("search", arm)
    # Numbers that point to one trial are one trial of the budget each.
    values: pd.Series = trials["trial"].map(runs.valid).astype(float)[trials["state"].isin(["complete", "pruned"])]
    best = stats.expected_best(values.dropna() * runs.metric.scale, maximize=runs.study["maximize"])
    return [float(value) for value in best]
