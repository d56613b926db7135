"""When each term acts: how much of its weight is on over training, where the search was free to move its start, ramp or
decay. A curriculum that pays shows as a best quarter that starts late or leaves early, unlike all trials."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray
from plotly.subplots import make_subplots

from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.searches import Searched, searched
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table

TITLE = "Schedules"
CHAPTER = "search"
ORDER = 59
RESTS = ("search",)
GLOSSARY = {
    "late share": "How much of a term's weight falls into the second half of training (%).",
}
COLUMNS = 3
PANELS = 12
STEPS = 41
ALL, BEST, CONFIRMED = "all finished", "best quarter", "confirmed"
VALUE = "share of the weight"
PARTS = ("start", "ramp", "decay")

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scheduled:
    """One term of one arm.

    Attributes:
        every, best: [trials, STEPS] share of the term's weight over training, of all finished trials and of their best
            quarter.
        chosen: [STEPS] of the point that confirm ran, None before there is one.
        numbers: start, ramp, decay and weight of the best quarter, a row a trial.
    """

    search: Searched
    term: str
    every: Array
    best: Array
    chosen: Array | None
    numbers: pd.DataFrame


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for scheduled in _scheduled(runs):
        middle = scheduled.numbers.median()
        low, high = scheduled.numbers.min(), scheduled.numbers.max()
        row: Row = {
            "arm": scheduled.search.label,
            "term": scheduled.term,
            **{part: float(middle[part]) for part in (*PARTS, "weight")},
            "start, range": f"{low['start']:.2f} to {high['start']:.2f}",
            "at full weight from": float((scheduled.numbers["start"] + scheduled.numbers["ramp"]).median()),
            "late share": 100 * _late(scheduled.best),
            "late share, all trials": 100 * _late(scheduled.every),
        }
        rows.append(row)
    caption = (
        "Schedule of the best quarter of each search's finished trials, medians; start, ramp and decay as fractions of "
        "training. Late share: how much of a term's weight falls into the second half of training (%)."
    )
    return [Table("schedules", caption, rows, {"weight": 3, "late share": 0, "late share, all trials": 0}, page=False)]


def drawing(runs: Runs) -> Drawing | None:
    progress = np.linspace(0, 1, STEPS).round(3)
    curves = []
    for scheduled in _scheduled(runs)[:PANELS]:
        kinds = {ALL: scheduled.every, BEST: scheduled.best}
        if scheduled.chosen is not None:
            kinds[CONFIRMED] = scheduled.chosen[None]
        curves += [
            pd.DataFrame(
                {
                    "arm": scheduled.search.label,
                    "term": scheduled.term,
                    "trials": trials,
                    "share of training": progress,
                    VALUE: np.median(shares, axis=0),
                    "low": shares.min(0),
                    "high": shares.max(0),
                }
            )
            for trials, shares in kinds.items()
        ]
    return (
        Drawing(pd.concat(curves), VALUE, of=("arm", "term", "trials"), along="share of training") if curves else None
    )


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Share of a term's weight that is on, over training. Line: the point that was confirmed; band in colour: from the
    lowest to the highest of the best quarter of the search's finished trials, dotted: their median; grey: all of them.
    Ranges, not intervals. The weights themselves are in the table."""
    panels, marks = list(drawing.numbers.groupby(["arm", "term"], sort=False)), figures.marks(runs)
    height = math.ceil(len(panels) / COLUMNS)
    grid = make_subplots(
        rows=height,
        cols=COLUMNS,
        subplot_titles=[figures.plain(f"{arm}: {term}", 34) for (arm, term), _ in panels],
        horizontal_spacing=0.08,
        vertical_spacing=min(0.3 / height, 0.3),
    )
    for i, ((arm, _), panel) in enumerate(panels):
        cell, color = {"row": i // COLUMNS + 1, "col": i % COLUMNS + 1}, marks[arm].color
        curves = dict(list(panel.groupby("trials", sort=False)))
        grid.add_trace(figures.band(curves[ALL], drawing.along, figures.GREY, opacity=0.18), **cell)
        grid.add_trace(figures.band(curves[BEST], drawing.along, color, opacity=0.3), **cell)
        for trials, dash, words in ((BEST, "dot", "best quarter, median"), (CONFIRMED, "solid", "confirmed")):
            if trials in curves:
                grid.add_scatter(
                    x=list(curves[trials][drawing.along]),
                    y=list(curves[trials][VALUE]),
                    mode="lines",
                    line={"color": color, "width": 2, "dash": dash},
                    hovertemplate=f"{words}, at %{{x:.2f}}: %{{y:.3g}}<extra></extra>",
                    **cell,
                )
        grid.update_xaxes(tickvals=[0, 0.5, 1], range=[0, 1], **cell)
        grid.update_yaxes(tickvals=[0, 0.5, 1], range=[-0.04, 1.08], **cell)
        if cell["row"] == height:
            grid.update_xaxes(title=drawing.along, **cell)
    grid.update_layout(template=figures.TEMPLATE, height=60 + 220 * height, showlegend=False)
    grid.update_annotations(font_size=12)
    return grid


def heights(progress: Array, *, start: ArrayLike, ramp: ArrayLike, decay: ArrayLike, cosine: bool) -> Array:
    """[trials, steps] share of a weight that is on: 0 until `start`, up over `ramp`, back to 0 over the last
    `decay`."""
    s, r, d = (np.asarray(numbers, dtype=float)[:, None] for numbers in (start, ramp, decay))
    rise, fall = _share(progress - s, r), _share(1 - progress, d)
    if cosine:
        rise, fall = ((1 - np.cos(math.pi * x)) / 2 for x in (rise, fall))
    curves: Array = np.where(progress >= s, rise * fall, 0.0)
    return curves


def _share(passed: Array, length: Array) -> Array:
    """How much of a ramp is over, in [0, 1]; a ramp of no length is over at once."""
    steps: Array = np.clip(passed / np.where(length > 0, length, 1), 0, 1)
    return np.where(length > 0, steps, 1.0)


def _scheduled(runs: Runs) -> list[Scheduled]:
    schedules = []
    for arm in runs.arms:
        search = searched(runs, arm)
        terms = [term for term in _terms(search) if f"param.{term}.weight" in runs.trials]
        confirm = runs.select("confirm", arm)
        for term in terms if len(search.best) >= 2 else []:
            every, best = _numbers(runs, search.complete["trial"], term), _numbers(runs, search.best["trial"], term)
            chosen = _numbers(runs, confirm[confirm["state"] == "complete"]["trial"].head(1), term)
            point = _curves(chosen)[0] if len(chosen) else None
            schedules.append(Scheduled(search, term, _curves(every), _curves(best), point, best))
    return schedules


def _terms(tried: Searched) -> list[str]:
    """Terms of which the search moved a part of the schedule other than its height."""
    names = [name.rpartition(".") for name in tried.space]
    return list(dict.fromkeys(term for term, _, part in names if part in PARTS and term != "train"))


def _numbers(runs: Runs, trials: pd.Series, term: str) -> pd.DataFrame:
    """A term's schedule in each of these trials."""
    rows = runs.trials.set_index("trial").reindex(trials)
    parts = {part: pd.to_numeric(rows[f"param.{term}.{part}"], errors="coerce") for part in ("weight", *PARTS)}
    shapes = [
        json.loads(cell).get(f"{term}_shape", "linear") if isinstance(cell, str) else "" for cell in rows["choices"]
    ]
    return pd.DataFrame(parts).assign(cosine=[shape == "cosine" for shape in shapes]).dropna()


def _curves(numbers: pd.DataFrame) -> Array:
    progress = np.linspace(0, 1, STEPS)
    parts = {part: numbers[part] for part in PARTS}
    straight = heights(progress, **parts, cosine=False)
    return np.where(numbers["cosine"].to_numpy()[:, None], heights(progress, **parts, cosine=True), straight)


def _late(curves: Array) -> float:
    whole = curves.sum()
    return float(curves[:, STEPS // 2 :].sum() / whole) if whole > 0 else 0.0
