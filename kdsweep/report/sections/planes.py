"""How the models sort the test samples: the class scores (logits) of the student, its teacher and its auxiliary models,
each on the two directions along which its own scores vary most (principal components). A picture of one run of each."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from kdsweep.report.facts import teachers
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics.compare import confirmed

TITLE = "Class scores on a plane"
ORDER = 48
RESTS = ("confirm",)
MOST_SAMPLES, MOST_CLASSES = 400, 10


class Plane(NamedTuple):
    """A model's test samples [N, 2], their labels [N], and the share of the scores' variance that the plane shows."""

    name: str
    points: NDArray[np.float64]
    labels: NDArray[np.int64]
    shown: float


def applies(runs: Runs) -> bool:
    return runs.task.recognises


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = [
        {"model": plane.name, "samples": len(plane.points), "variance on the plane (%)": 100 * plane.shown}
        for plane in _planes(runs)
    ]
    caption = "What each picture shows of a model's class scores; the rest lies off the plane."
    return [Table("planes", caption, rows, {"variance on the plane (%)": 0})]


def drawing(runs: Runs) -> Drawing | None:
    clouds = [
        pd.DataFrame(
            {
                "model": plane.name,
                "class": [runs.class_name(int(label)) for label in plane.labels],
                "label": plane.labels,
                "first component": plane.points[:, 0],
                "second component": plane.points[:, 1],
            }
        ).sort_values("label", kind="stable")
        for plane in _planes(runs)
    ]
    return Drawing(pd.concat(clouds), "first component", of=("model", "class")) if clouds else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Test samples of one run each, coloured by their class (at most ten classes, an even draw of at most 400 samples).
    Directions and scales differ between the pictures: only who lies beside whom can be compared. No
    interval is drawn."""
    models = list(drawing.numbers.groupby("model", sort=False))
    titles = [figures.plain(str(model), 30) for model, _ in models]
    drawn = make_subplots(cols=len(models), subplot_titles=titles, horizontal_spacing=0.05)
    for column, (_, cloud) in enumerate(models, start=1):
        for i, (label, points) in enumerate(cloud.groupby("label", sort=False)):
            name = figures.plain(points["class"].iloc[0], 20)
            drawn.add_scatter(
                x=list(points["first component"]),
                y=list(points["second component"]),
                mode="markers",
                marker={
                    "color": figures.PALETTE[i % len(figures.PALETTE)],
                    "symbol": figures.SYMBOLS[i // len(figures.PALETTE)],
                    "size": 6,
                    "opacity": 0.7,
                },
                name=name,
                legendgroup=str(label),
                showlegend=column == 1,
                hovertemplate=f"{name}<extra></extra>",
                row=1,
                col=column,
            )
    drawn.update_layout(template=figures.TEMPLATE, height=400, margin={"t": 72})
    drawn.update_layout(legend={"yref": "container", "y": 1, "yanchor": "top"})
    drawn.update_xaxes(showticklabels=False)
    drawn.update_yaxes(showticklabels=False)
    drawn.update_annotations(font_size=13)
    return drawn


def _planes(runs: Runs) -> list[Plane]:
    claim = runs.study.claim
    arm = claim.arm if claim else runs.study.ablated or (runs.arms[-1] if runs.arms else "")
    if not arm:
        return []
    finished = confirmed(runs, arm).finished
    if not finished:
        return []
    trial = finished[min(finished)]
    models = {runs.label(arm): trial}
    row = runs.trials[runs.trials["trial"] == trial]
    for kind, word in [("teacher", "teacher"), ("auxiliaries", "auxiliary model")]:
        named = teachers.named(runs, teachers.ids(row[kind].iloc[0] if kind in row else ""))
        # A unimodal teacher is made of auxiliary models: they are drawn once.
        models |= {f"{word} {name}".rstrip(): id_ for name, id_ in named.items() if id_ not in models.values()}
    return [plane for name, id_ in models.items() if (plane := _plane(runs, name, id_)) is not None]


def _plane(runs: Runs, name: str, trial: str) -> Plane | None:
    kept = runs.predictions(trial)
    if kept is None or len(kept) < 3 or "logits" not in kept:
        return None
    kept = kept[kept["label"].isin(sorted(kept["label"].unique())[:MOST_CLASSES])]
    kept = kept.iloc[:: -(-len(kept) // MOST_SAMPLES)]
    scores = np.stack([np.asarray(row, dtype=float) for row in kept["logits"]])
    scores -= scores.mean(0)
    _, spread, directions = np.linalg.svd(scores, full_matrices=False)
    total = float((spread**2).sum())
    if len(spread) < 2 or total == 0:
        return None
    # A direction has no sign: the largest entry is made positive, so that equal runs give equal pictures.
    plane = directions[:2] * np.sign(directions[:2][[0, 1], np.abs(directions[:2]).argmax(1)])[:, None]
    return Plane(name, scores @ plane.T, kept["label"].to_numpy(np.int64), float((spread[:2] ** 2).sum()) / total)
