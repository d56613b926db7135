"""Whether a student's confidence can be believed: of the samples on which it is 80 % sure, 80 % should be right. A soft
teacher often changes this more than it changes accuracy."""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.predicted import Array, probabilities
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table, difference
from kdsweep.report.statistics.compare import confirmed
from kdsweep.report.statistics.paired import paired

TITLE = "Calibration"
CHAPTER = "gains"
ORDER = 49
RESTS = ("confirm",)
PAGES = ("study", "imported")
GLOSSARY = {
    "confidence": "Mean probability of the answer (%).",
    "overconfidence": "Mean confidence less accuracy (points).",
    "ECE": "Expected calibration error: mean distance of confidence and accuracy over bins (%).",
    "Brier score": "Squared distance of the probabilities from the label; smaller is better.",
}
BINS = 10


def applies(runs: Runs) -> bool:
    return runs.task.recognises


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        sure = confident(runs, arm)
        if sure.empty:
            continue
        side = confirmed(runs, arm)
        row: Row = {
            "arm": runs.label(arm),
            "confidence": 100 * float(sure["confidence"].mean()),
            "accuracy": 100 * float(sure["right"].mean()),
            "overconfidence": 100 * float((sure["confidence"] - sure["right"]).mean()),
            "ECE": 100 * _mean(runs, list(side.finished.values()), "ece"),
            "log loss": _mean(runs, list(side.finished.values()), "log_loss"),
            "Brier score": float(sure["brier"].mean()),
        }
        for baseline in runs.baselines:
            scores = paired(runs, side, confirmed(runs, baseline), brier, logits=True) if arm != baseline else None
            everything = np.ones(scores.differences.shape[1], dtype=bool) if scores else np.zeros(0, dtype=bool)
            interval = scores.interval(everything) if scores else None
            row = {**row, f"Brier − {runs.label(baseline)}": difference(interval)}
        rows.append(row)
    digits = {"confidence": 1, "accuracy": 1, "overconfidence": 1, "ECE": 1, "log loss": 3, "Brier score": 3}
    digits |= {f"Brier − {runs.label(baseline)}": 3 for baseline in runs.baselines}
    caption = (
        "Means over confirm runs and test samples; shares and ECE in %. Brier score: squared distance of the "
        "probabilities from the label, smaller is better; its differences have a 95% interval over seeds × "
        f"{'groups' if runs.grouped else 'samples'}, unadjusted."
    )
    notes = (
        "Exploratory. Overconfidence is mean confidence less accuracy. ECE has no interval: its bias does not average "
        "out.",
    )
    return [Table("calibration", caption, rows, digits, notes)]


def drawing(runs: Runs) -> Drawing | None:
    bins = [
        pd.DataFrame(
            {"arm": runs.label(arm), "confidence (%)": 100 * bins["confidence"], "right (%)": 100 * bins["right"]}
        )
        for arm in runs.arms
        if len(bins := reliability(confident(runs, arm)))
    ]
    return Drawing(pd.concat(bins), "right (%)", of=("arm",), along="confidence (%)") if bins else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Reliability diagram: share of right answers against mean confidence, in ten bins that hold equally many of all
    runs' test samples. Below the dotted line a student is too sure of itself. No interval is drawn."""
    drawn, marks = figures.new(430), figures.marks(runs)
    for arm, bins in drawing.numbers.groupby("arm", sort=False):
        mark, label = marks[arm], figures.plain(str(arm), 40)
        drawn.add_scatter(
            x=list(bins["confidence (%)"]),
            y=list(bins["right (%)"]),
            mode="lines+markers",
            line={"color": mark.color, "width": 1.5},
            marker={"color": mark.color, "symbol": mark.symbol, "size": 8},
            name=label,
            hovertemplate=f"{label}: %{{x:.0f}} % sure, %{{y:.0f}} % right<extra></extra>",
        )
    low = drawing.numbers[["confidence (%)", "right (%)"]].to_numpy().min()
    line = {"color": figures.GREY, "width": 1.5, "dash": "dot"}
    drawn.add_shape(type="line", x0=low, y0=low, x1=100, y1=100, line=line, layer="below")
    drawn.update_xaxes(title="mean confidence (%)")
    drawn.update_yaxes(title="right (%)")
    return drawn


@functools.lru_cache(maxsize=64)
def confident(runs: Runs, arm: str) -> pd.DataFrame:
    """Of every test sample in every confirm run: `confidence` in the answer, whether it was `right`, and its
    `brier`."""
    frames = []
    for trial in confirmed(runs, arm).finished.values():
        predictions = runs.predictions(trial)
        p = None if predictions is None else probabilities(predictions)
        if predictions is None or p is None:
            continue
        right = (predictions["prediction"] == predictions["label"]).to_numpy(dtype=float)
        frames.append(pd.DataFrame({"confidence": p.max(1), "right": right, "brier": _brier(p, predictions)}))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=["confidence", "right", "brier"])


def reliability(sure: pd.DataFrame) -> pd.DataFrame:
    """Mean confidence and share of right answers in bins of equal size, the least sure first."""
    if sure.empty:
        return sure
    ordered = sure.sort_values("confidence", kind="stable")
    bins = np.arange(len(ordered)) * BINS // len(ordered)
    return ordered[["confidence", "right"]].groupby(bins).mean()


def brier(predictions: pd.DataFrame) -> Array:
    """[I] Σ_c (p_c - [c is the label])² (Brier 1950); NaN where no logits were kept."""
    p = probabilities(predictions)
    return np.full(len(predictions), np.nan) if p is None else _brier(p, predictions)


def _brier(p: Array, predictions: pd.DataFrame) -> Array:
    at_label = p[np.arange(len(p)), predictions["label"].to_numpy(dtype=int)]
    distance: Array = (p**2).sum(1) - 2 * at_label + 1
    return distance


def _mean(runs: Runs, trials: list[str], metric: str) -> float:
    return float(runs.test(metric).reindex(trials).dropna().mean())
