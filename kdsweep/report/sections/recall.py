"""Retrieval: how often what belongs to a query is among the first k that the student returns, for every k."""

from __future__ import annotations

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.predicted import student_predictions
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Cell, Row, Table, difference
from kdsweep.report.statistics.compare import confirmed
from kdsweep.report.statistics.paired import Array, paired

TITLE = "Recall at k"
CHAPTER = "gains"
ORDER = 46
RESTS = ("confirm",)
GLOSSARY = {
    "MRR": "Mean of 1 / rank of what belongs to the query.",
}
CUTS = (1, 5, 10)
POINTS = 40  # of a curve


def applies(runs: Runs) -> bool:
    return runs.task.searches


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        predictions = student_predictions(runs, arm)
        if predictions.empty:
            continue
        ranks = predictions["rank"].to_numpy(dtype=int)
        row: dict[str, Cell] = {"arm": runs.label(arm)}
        row |= {f"R@{k}": 100 * float((ranks < k).mean()) for k in CUTS}
        row |= {"MRR": float((1 / (ranks + 1)).mean()), "median rank": float(np.median(ranks)) + 1}
        for baseline in runs.baselines:
            for k in CUTS:
                row[f"R@{k} − {runs.label(baseline)}"] = (
                    _difference(runs, arm, baseline, k) if arm != baseline else None
                )
        rows.append(row)
    digits: dict[str, int] = {f"R@{k}": 1 for k in CUTS} | {"MRR": 3, "median rank": 0}
    digits |= {f"R@{k} − {runs.label(baseline)}": 1 for k in CUTS for baseline in runs.baselines}
    caption = (
        "Share (%) of test queries whose match is among the first k, mean over seeds; differences (points) with a 95% "
        f"interval over seeds × {'groups' if runs.grouped else 'samples'}, unadjusted. MRR: mean of 1 / rank."
    )
    return [Table("recall", caption, rows, digits, ("Exploratory, but for the study's own metric.",))]


def drawing(runs: Runs) -> Drawing | None:
    curves = [
        pd.DataFrame(
            {
                "arm": runs.label(arm),
                "k": list(map(int, shares.columns)),
                "recall (%)": list(shares.mean()),
                "low": list(shares.min()),
                "high": list(shares.max()),
            }
        )
        for arm in runs.arms
        if len(predictions := student_predictions(runs, arm))
        for shares in [recall(predictions)]
    ]
    return Drawing(pd.concat(curves), "recall (%)", of=("arm",), along="k") if curves else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Share of test queries whose match is among the first k, mean over seeds; the band reaches from the lowest to the
    highest seed and is no interval."""
    drawn, marks = figures.new(380), figures.marks(runs)
    for arm, curve in drawing.numbers.groupby("arm", sort=False):
        color, label = marks[arm].color, figures.plain(str(arm), 40)
        drawn.add_trace(figures.band(curve, "k", color, legendgroup=label))
        drawn.add_scatter(
            x=list(curve["k"]),
            y=list(curve["recall (%)"]),
            mode="lines",
            line={"color": color, "width": 2},
            name=label,
            legendgroup=label,
            hovertemplate=f"{label}, first %{{x}}: %{{y:.1f}} %<extra></extra>",
        )
    drawn.update_xaxes(title="k", type="log", dtick=1)
    drawn.update_yaxes(title="recall (%)", range=[0, 102])
    return drawn


def recall(predictions: pd.DataFrame) -> pd.DataFrame:
    """Recall at k in %, a row a run, a column a k; from 1 to the worst rank, in equal ratios."""
    most = int(predictions["rank"].max()) + 1
    cuts = np.unique(np.geomspace(1, most, POINTS).round().astype(int))
    shares = {int(k): (predictions["rank"] < k).groupby(predictions["run"]).mean() for k in cuts}
    return 100 * pd.DataFrame(shares)


def _difference(runs: Runs, arm: str, baseline: str, k: int) -> Cell:
    def within(predictions: pd.DataFrame) -> Array:
        return np.asarray(predictions["rank"] < k, dtype=float)

    scores = paired(runs, confirmed(runs, arm), confirmed(runs, baseline), within)
    if scores is None:
        return None
    return difference(scores.interval(np.ones(scores.differences.shape[1], dtype=bool)), 100)
