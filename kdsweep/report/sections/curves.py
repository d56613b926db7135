"""How the confirm runs learned, on validation: median over seeds, and the band between the lowest and highest seed."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.curves import by_epoch
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table

TITLE = "Learning curves"
CHAPTER = "training"
ORDER = 40
RESTS = ("confirm",)


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
    return [Table("curves", caption, rows, digits, page=False)]


def drawing(runs: Runs) -> Drawing | None:
    value = f"validation {runs.metric.label} ({runs.metric.unit})"
    curves = [
        curve.reset_index()
        .rename(columns={"median": value})
        .assign(arm=runs.label(arm), model=model)[["arm", "model", "epoch", value, "low", "high"]]
        for arm in runs.arms
        if len(_of_arm(runs, arm, "valid/"))
        for model, prefix in (("student", "valid/"), ("teacher", "valid/teacher_"))
        if len(curve := _of_arm(runs, arm, prefix))
    ]
    return Drawing(pd.concat(curves), value, of=("arm", "model"), along="epoch") if curves else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Validation score by epoch: median over seeds, with a band from the lowest to the highest; dotted: the arm's
    teacher. The band is a range, no interval."""
    drawn, marks = figures.new(380), figures.marks(runs)
    for (arm, model), curve in drawing.numbers.groupby(["arm", "model"], sort=False):
        color, label, student = marks[arm].color, figures.plain(str(arm), 40), model == "student"
        if student:
            drawn.add_trace(figures.band(curve, "epoch", color, legendgroup=label))
        drawn.add_scatter(
            x=list(curve["epoch"]),
            y=list(curve[drawing.value]),
            mode="lines",
            line={"color": color, "dash": "solid" if student else "dot", "width": 2},
            name=label,
            legendgroup=label,
            showlegend=student,
            hovertemplate=f"{label}{'' if student else ', teacher'}, epoch %{{x}}: "
            f"%{{y:.{runs.digits}f}}<extra></extra>",
        )
    drawn.update_xaxes(title="epoch")
    drawn.update_yaxes(title=drawing.value)
    return drawn


def _of_arm(runs: Runs, arm: str, prefix: str) -> pd.DataFrame:
    return by_epoch(runs, runs.select("confirm", arm)["trial"], prefix)
