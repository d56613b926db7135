"""How reliably each arm reaches a score: the share of its confirm runs above every threshold (Agarwal et al. 2021). An
arm whose line lies above another's everywhere is the better bet whatever one needs; where lines cross, it depends."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics import summaries
from kdsweep.report.statistics.compare import confirmed

TITLE = "Performance profiles"
ORDER = 27
RESTS = ("search", "finalists", "confirm")
PAGES = ("study", "imported")
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


def drawing(runs: Runs) -> Drawing | None:
    scored = _values(runs)
    if not scored:
        return None
    sign, along = 1 if runs.study.maximize else -1, f"threshold, test {runs.metric.label} ({runs.metric.unit})"
    every = np.unique(np.concatenate([scores.to_numpy() for scores in scored.values()]))
    room = 0.05 * float(np.ptp(every)) or 0.5
    thresholds = np.unique(np.concatenate([[every[0] - room], every, [every[-1] + room]]))
    if len(thresholds) > 400:
        thresholds = np.linspace(thresholds[0], thresholds[-1], 400)
    curves = [
        pd.DataFrame({"arm": runs.label(arm), along: thresholds, "runs beyond it (%)": 100 * np.asarray(shares)})
        for arm, scores in scored.items()
        for shares in [summaries.performance_profile(sign * scores.to_numpy(), sign * thresholds)]
    ]
    return Drawing(pd.concat(curves), "runs beyond it (%)", of=("arm",), along=along)


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Share of confirm runs that score better than the threshold below. Runs of this study, on this test set; no
    interval is drawn."""
    drawn, marks = figures.new(340), figures.marks(runs)
    for arm, curve in drawing.numbers.groupby("arm", sort=False):
        label = figures.plain(str(arm), 40)
        drawn.add_scatter(
            x=list(curve[drawing.along]),
            y=list(curve[drawing.value]),
            mode="lines",
            # A run stops counting at its own score.
            line={"color": marks[arm].color, "width": 2, "shape": "hv"},
            name=label,
            hovertemplate=f"{label}: %{{y:.0f}}% of runs beyond %{{x:.{runs.digits}f}}<extra></extra>",
        )
    drawn.update_xaxes(title=drawing.along)
    drawn.update_yaxes(title=drawing.value, range=[-3, 103])
    return drawn


def _values(runs: Runs) -> dict[str, pd.Series]:
    scored = {
        arm: runs.test().reindex(list(confirmed(runs, arm).finished.values())).dropna() * runs.metric.scale
        for arm in runs.arms
    }
    return {arm: values for arm, values in scored.items() if len(values)}
