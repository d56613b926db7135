"""What is taken for what on test, by the method and by its baseline. Exploratory: a look at these runs, whose many
cells are not adjusted for one another."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from kdsweep.report.facts.predicted import Pair, classes, pair, student_predictions
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table, difference
from kdsweep.report.statistics.compare import confirmed
from kdsweep.report.statistics.paired import Array, paired

TITLE = "Confusion"
CHAPTER = "gains"
ORDER = 48
RESTS = ("confirm",)
PAGES = ("study", "imported")
PAIRS = 20  # rows of the table
CLASSES = 20  # of a matrix


def applies(runs: Runs) -> bool:
    return runs.task.recognises


def table(runs: Runs) -> list[Table]:
    chosen = _chosen(runs)
    if chosen is None:
        return []
    both = _matrices(runs, chosen)
    mistakes = both[0] + both[1]
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:PAIRS]
    a, b = sides = [confirmed(runs, arm) for arm in chosen]
    rows: list[Row] = []
    for label, prediction in zip(*np.unravel_index(order, mistakes.shape), strict=True):
        if mistakes[label, prediction] == 0:
            break

        def taken(predictions: pd.DataFrame, prediction: int = int(prediction)) -> Array:
            return np.asarray(predictions["prediction"] == prediction, dtype=float)

        table_ = paired(runs, a, b, taken)
        shown = difference(table_.interval(table_.label == label), 100) if table_ is not None else None
        shares = [100 * confusion[label, prediction] / max(confusion[label].sum(), 1e-12) for confusion in both]
        rows.append(
            {
                "class": runs.class_name(int(label)),
                "taken for": runs.class_name(int(prediction)),
                **{side.label: float(share) for side, share in zip(sides, shares, strict=True)},
                "difference": shown,
            }
        )
    digits = {**{side.label: 1 for side in sides}, "difference": 1}
    caption = (
        "The most frequent mistakes: share (%) of a class's test samples, mean over seeds; difference: "
        f"{sides[0].label} minus {sides[1].label} (points) with a 95% interval over seeds × "
        f"{'groups' if runs.grouped else 'samples'} of that class, unadjusted."
    )
    return [Table("confusion", caption, rows, digits, page=False)]


def drawing(runs: Runs) -> Drawing | None:
    chosen = _chosen(runs)
    if chosen is None:
        return None
    counts = _matrices(runs, chosen)
    a, b = (100 * confusion / np.maximum(confusion.sum(1, keepdims=True), 1e-12) for confusion in counts)
    wrong = sum(confusion.sum(1) - np.diag(confusion) for confusion in counts)
    kept = np.sort(np.argsort(-np.asarray(wrong), kind="stable")[:CLASSES])
    names = [runs.class_name(int(label)) for label in kept]
    cells = [
        {"panel": panel, "class": names[i], "taken for": names[j], "share (%)": float(share)}
        for panel, shares in zip([*(runs.label(arm) for arm in chosen), "difference"], (a, b, a - b), strict=True)
        for (i, j), share in np.ndenumerate(shares[np.ix_(kept, kept)])
    ]
    return Drawing(pd.DataFrame(cells), "share (%)", of=("panel",))


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Share (%) of each class's test samples that is taken for each class, mean over seeds: the method, its baseline,
    and the difference (blue: more often by the method). Where there are more than twenty classes, those with the most
    mistakes. No interval is drawn."""
    # Names of classes may be equal once they are cut: cells are taken in their order.
    panels = [(panel, cells) for panel, cells in drawing.numbers.groupby("panel", sort=False)]
    size = math.isqrt(len(panels[0][1]))
    names = [figures.plain(name, 12) for name in panels[0][1]["taken for"][:size]]
    shares = [cells[drawing.value].to_numpy().reshape(size, size) for _, cells in panels]
    titles = [figures.plain(str(panel), 30) for panel, _ in panels]
    grid = make_subplots(cols=3, subplot_titles=titles, horizontal_spacing=0.03, shared_yaxes=True)
    widest = max(5.0, float(np.abs(shares[2]).max()))
    looks = [("coloraxis", "%"), ("coloraxis", "%"), ("coloraxis2", "points")]
    for column, (values, (axis, unit)) in enumerate(zip(shares, looks, strict=True), start=1):
        heat = go.Heatmap(
            z=values.tolist(),
            x=names,
            y=names,
            coloraxis=axis,
            xgap=1,
            ygap=1,
            hovertemplate=f"%{{y}} taken for %{{x}}: %{{z:.1f}} {unit}<extra></extra>",
        )
        grid.add_trace(heat, row=1, col=column)
    grid.update_layout(
        template=figures.TEMPLATE,
        height=max(260, 24 * size + 90) + 90,
        # Mistakes are small shares: the diagonal may leave the scale. No colour bars: a narrow screen has no room.
        coloraxis={"colorscale": "Blues", "cmin": 0, "cmax": _mistakes(*shares[:2]), "showscale": False},
        coloraxis2={"colorscale": "RdBu", "cmin": -widest, "cmax": widest, "showscale": False},
    )
    grid.update_yaxes(autorange="reversed", showgrid=False, type="category")
    grid.update_yaxes(title="class", row=1, col=1)
    grid.update_xaxes(title="taken for", showgrid=False, type="category", tickangle=-45 if size > 4 else 0)
    grid.update_annotations(font_size=13)
    return grid


def matrix(predictions: pd.DataFrame, C: int) -> NDArray[np.float64]:
    """[C, C] counts, class by prediction, mean over runs."""
    label, prediction = (predictions[name].to_numpy(dtype=int) for name in ("label", "prediction"))
    counts = np.zeros((C, C))
    np.add.at(counts, (label, prediction), 1.0)
    return counts / predictions["run"].nunique()


def _matrices(runs: Runs, chosen: Pair) -> list[NDArray[np.float64]]:
    frames = [student_predictions(runs, arm) for arm in chosen]
    return [matrix(frame, classes(*frames)) for frame in frames]


def _chosen(runs: Runs) -> Pair | None:
    """None where there are no predictions."""
    chosen = pair(runs)
    if chosen is None or any(student_predictions(runs, arm).empty for arm in chosen):
        return None
    return chosen


def _mistakes(*shares: Array) -> float:
    off = np.concatenate([confusion[~np.eye(len(confusion), dtype=bool)] for confusion in shares])
    return max(5.0, float(off.max()) if off.size else 5.0)
