"""How reliably each arm reaches a score: the share of its confirm runs above every threshold (Agarwal et al. 2021). An
arm whose line lies above another's everywhere is the better bet whatever one needs; where lines cross, it depends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics import beside
from kdsweep.report.statistics.compare import confirmed

TITLE = "Performance profiles"
ORDER = 27
SHARES = (1.0, 0.75, 0.5, 0.25)


def table(runs: Runs) -> list[Table]:
    sign = 1 if runs.study.maximize else -1
    rows: list[Row] = []
    for arm, values in _values(runs).items():
        ordered = np.sort(sign * values.to_numpy())[::-1] * sign
        reached = {f"{share:.0%} reach": float(ordered[int(np.ceil(share * len(ordered))) - 1]) for share in SHARES}
        rows.append({"arm": runs.label(arm), "runs": len(values), **reached})
    caption = f"Test {runs.metric.label} ({runs.metric.unit}) that this share of an arm's confirm runs reach."
    return [Table("profile", caption, rows, {f"{share:.0%} reach": runs.digits for share in SHARES})]


def figure(runs: Runs) -> go.Figure | None:
    """Share of confirm runs that score better than the threshold below. Runs of this study, on this test set; no
    interval is drawn."""
    values = _values(runs)
    if not values:
        return None
    sign = 1 if runs.study.maximize else -1
    drawn = figures.new(340)
    every = np.unique(np.concatenate([one.to_numpy() for one in values.values()]))
    room = 0.05 * float(np.ptp(every)) or 0.5
    thresholds = np.unique(np.concatenate([[every[0] - room], every, [every[-1] + room]]))
    if len(thresholds) > 400:
        thresholds = np.linspace(thresholds[0], thresholds[-1], 400)
    for arm, one in values.items():
        share = beside.performance_profile(sign * one.to_numpy(), sign * thresholds)
        label = figures.plain(runs.label(arm), 40)
        drawn.add_scatter(
            x=list(thresholds),
            y=list(100 * share),
            mode="lines",
            # A run stops counting at its own score.
            line={"color": figures.mark(runs, arm).color, "width": 2, "shape": "hv"},
            name=label,
            hovertemplate=f"{label}: %{{y:.0f}}% of runs beyond %{{x:.{runs.digits}f}}<extra></extra>",
        )
    drawn.update_xaxes(title=f"threshold, test {runs.metric.label} ({runs.metric.unit})")
    drawn.update_yaxes(title="runs beyond it (%)", range=[-3, 103])
    return drawn


def _values(runs: Runs) -> dict[str, pd.Series]:
    scored = {
        arm: runs.test().reindex(list(confirmed(runs, arm).finished.values())).dropna() * runs.metric.scale
        for arm in runs.arms
    }
    return {arm: values for arm, values in scored.items() if len(values)}
