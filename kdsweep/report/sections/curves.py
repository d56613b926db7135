"""How the confirm runs learned, on validation: median over seeds, and the band between the lowest and highest seed."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.tables import Row, Table

TITLE = "Learning curves"
ORDER = 40


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        student = _of_arm(runs, arm, "valid/")
        if student.empty:
            continue
        teacher = _of_arm(runs, arm, "valid/teacher_")
        best = student["median"].idxmax() if runs.study.maximize else student["median"].idxmin()
        rows.append(
            {
                "arm": runs.label(arm),
                "epochs": int(student.index.max()),
                "last, median": float(student["median"].iloc[-1]),
                "lowest seed": float(student["low"].iloc[-1]),
                "highest seed": float(student["high"].iloc[-1]),
                "best epoch": int(str(best)),
                "teacher, median": float(teacher["median"].iloc[-1]) if len(teacher) else None,
            }
        )
    digits = dict.fromkeys(["last, median", "lowest seed", "highest seed", "teacher, median"], runs.digits)
    caption = f"Validation {runs.metric.label} ({runs.metric.unit}) of the confirm runs at their last epoch."
    return [Table("curves", caption, rows, digits)]


def figure(runs: Runs) -> go.Figure | None:
    """Validation score by epoch: median over seeds, with a band from the lowest to the highest; dotted: the arm's
    teacher. The band is a range, no interval."""
    drawn = figures.new(380)
    for arm in runs.arms:
        color = figures.mark(runs, arm).color
        student = _of_arm(runs, arm, "valid/")
        if student.empty:
            continue
        epochs = list(student.index)
        drawn.add_scatter(
            x=epochs + epochs[::-1],
            y=[*student["high"], *student["low"][::-1]],
            fill="toself",
            fillcolor=figures.faded(color, 0.16),
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
            name=f"{figures.plain(runs.label(arm), 40)}, range over seeds",
            showlegend=False,
            legendgroup=arm,
        )
        label = figures.plain(runs.label(arm), 40)
        for curve, dash, who in [(student, "solid", ""), (_of_arm(runs, arm, "valid/teacher_"), "dot", ", teacher")]:
            if len(curve):
                drawn.add_scatter(
                    x=list(curve.index),
                    y=list(curve["median"]),
                    mode="lines",
                    line={"color": color, "dash": dash, "width": 2},
                    name=label,
                    legendgroup=arm,
                    showlegend=not who,
                    hovertemplate=f"{label}{who}, epoch %{{x}}: %{{y:.{runs.digits}f}}<extra></extra>",
                )
    drawn.update_xaxes(title="epoch")
    drawn.update_yaxes(title=f"validation {runs.metric.label} ({runs.metric.unit})")
    return drawn if drawn.data else None


def _of_arm(runs: Runs, arm: str, prefix: str) -> pd.DataFrame:
    return by_epoch(runs, runs.select("confirm", arm)["trial"], prefix)


def by_epoch(runs: Runs, trials: Iterable[str], prefix: str) -> pd.DataFrame:
    """Median, low and high over some runs."""
    curve = runs.curve(prefix + runs.study.metric)
    curve = curve[curve["trial"].isin(set(trials))]
    values = curve.groupby("epoch")["value"]
    return pd.DataFrame({"median": values.median(), "low": values.min(), "high": values.max()}) * runs.metric.scale
