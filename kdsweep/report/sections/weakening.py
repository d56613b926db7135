"""Where a joint teacher went weak, and with which terms: teacher and student on validation, epoch by epoch, for the
full method and each of its rows. A teacher that falls while its student rises is being drawn to the student."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.curves import by_epoch
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics.verdicts import unit

TITLE = "Teacher by epoch"
CHAPTER = "training"
ORDER = 46
RESTS = ("teacher", "confirm")
GLOSSARY = {
    "lost": "From the teacher's best epoch to its last.",
}


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for name, (teacher, student) in _curves(runs).items():
        medians = teacher["median"]
        best = medians.max() if runs.study.maximize else medians.min()
        rows.append(
            {
                "row": name,
                "teacher at its best": float(best),
                "teacher at the end": float(medians.iloc[-1]),
                "lost": float(abs(best - medians.iloc[-1])),
                "student at the end": float(student["median"].iloc[-1]),
                "gap at the end": float(medians.iloc[-1] - student["median"].iloc[-1]),
            }
        )
    columns = ["teacher at its best", "teacher at the end", "lost", "student at the end", "gap at the end"]
    units = f"{runs.metric.unit}; differences in {unit(runs.metric.unit)}"
    caption = f"Validation {runs.metric.label} ({units}), medians over seeds."
    return [Table("weakening", caption, rows, dict.fromkeys(columns, runs.digits), page=False)]


def drawing(runs: Runs) -> Drawing | None:
    value = f"validation {runs.metric.label} ({runs.metric.unit})"
    curves = [
        curve.reset_index()
        .rename(columns={"median": value})
        .assign(arm=runs.label(runs.study.ablated), row=name, model=model)[["arm", "row", "model", "epoch", value]]
        for name, (teacher, student) in _curves(runs).items()
        for model, curve in (("student", student), ("teacher", teacher))
    ]
    return Drawing(pd.concat(curves), value, of=("row", "model"), along="epoch") if curves else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Validation score by epoch, median over seeds; dotted: the teacher, solid: its student. No interval is drawn."""
    drawn = figures.new(400)
    for i, (name, both) in enumerate(drawing.numbers.groupby("row", sort=False)):
        color, label = figures.PALETTE[i % len(figures.PALETTE)], figures.plain(str(name), 40)
        for model, curve in both.groupby("model", sort=False):
            drawn.add_scatter(
                x=list(curve["epoch"]),
                y=list(curve[drawing.value]),
                mode="lines",
                line={"color": color, "dash": "solid" if model == "student" else "dot", "width": 2},
                name=label,
                legendgroup=label,
                showlegend=model == "student",
                # The first is seen at once, the others by a click on their names.
                visible=True if i < 4 else "legendonly",
                hovertemplate=f"{label}, {model}, epoch %{{x}}: %{{y:.{runs.digits}f}}<extra></extra>",
            )
    drawn.update_xaxes(title="epoch")
    drawn.update_yaxes(title=drawing.value)
    return drawn


def _curves(runs: Runs) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """By row: the teacher's and the student's curve, where the teacher trains beside its student."""
    arm = runs.study.ablated
    rows = {runs.label(arm): runs.select("confirm", arm)} if arm else {}
    rows |= {name: runs.select("ablate", arm, row=name, retuned=False) for name in runs.study.rows}
    rows |= {f"control {name}": runs.select("control", control=name) for name in runs.study.controls}
    both = {
        name: (by_epoch(runs, roles["trial"], "valid/teacher_"), by_epoch(runs, roles["trial"], "valid/"))
        for name, roles in rows.items()
    }
    return {name: (teacher, student) for name, (teacher, student) in both.items() if len(teacher) and len(student)}
