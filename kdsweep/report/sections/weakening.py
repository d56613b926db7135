"""Where a joint teacher went weak, and with which terms: teacher and student on validation, epoch by epoch, for the
full method and each of its rows. A teacher that falls while its student rises is being drawn to the student."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.sections.curves import by_epoch
from kdsweep.report.statistics.verdicts import unit

TITLE = "Teacher by epoch"
ORDER = 46


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
    return [Table("weakening", caption, rows, dict.fromkeys(columns, runs.digits))]


def figure(runs: Runs) -> go.Figure | None:
    """Validation score by epoch, median over seeds; dotted: the teacher, solid: its student. No interval is drawn."""
    drawn = figures.new(400)
    for place, (name, (teacher, student)) in enumerate(_curves(runs).items()):
        color, label = figures.PALETTE[place % len(figures.PALETTE)], figures.plain(name, 40)
        for curve, dash, who in [(student, "solid", "student"), (teacher, "dot", "teacher")]:
            drawn.add_scatter(
                x=list(curve.index),
                y=list(curve["median"]),
                mode="lines",
                line={"color": color, "dash": dash, "width": 2},
                name=label,
                legendgroup=name,
                showlegend=who == "student",
                # The first is seen at once, the others by a click on their names.
                visible=True if place < 4 else "legendonly",
                hovertemplate=f"{label}, {who}, epoch %{{x}}: %{{y:.{runs.digits}f}}<extra></extra>",
            )
    drawn.update_xaxes(title="epoch")
    drawn.update_yaxes(title=f"validation {runs.metric.label} ({runs.metric.unit})")
    return drawn if drawn.data else None


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
