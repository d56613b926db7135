"""Where the teacher was strong or weak, and what its students made of it."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report import figures
from kdsweep.report.runs import Runs
from kdsweep.report.tables import Row, Table

TITLE = "Teacher and student"
ORDER = 45


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for arm in runs.arms:
        roles = _taught(runs, arm)
        if roles.empty:
            continue
        student, teacher = float(roles["student_score"].mean()), float(roles["teacher_score"].mean())
        rows.append(
            {
                "arm": runs.label(arm),
                "teacher": runs.teacher(roles),
                "distils from": str(roles["distils_from"].iloc[0] or "joint"),
                "teacher's score": teacher,
                "student's score": student,
                "student − teacher": student - teacher,
                "n": len(roles),
            }
        )
    digits = dict.fromkeys(["teacher's score", "student's score", "student − teacher"], runs.digits)
    caption = f"Test {runs.metric.label} ({runs.metric.unit}) of teachers and their students; means over seeds."
    return [Table("teachers", caption, rows, digits)]


def figure(runs: Runs) -> go.Figure | None:
    """Each point is one seed: its teacher's test score and its student's. On the line the student equals its teacher.
    No interval is drawn."""
    drawn = figures.new(420)
    ends: list[float] = []
    for arm in runs.arms:
        roles = _taught(runs, arm)
        if roles.empty:
            continue
        mark = figures.mark(runs, arm)
        ends += [*roles["student_score"], *roles["teacher_score"]]
        drawn.add_scatter(
            x=list(roles["teacher_score"]),
            y=list(roles["student_score"]),
            mode="markers",
            marker={"color": mark.color, "symbol": mark.symbol, "size": 9, "opacity": 0.75},
            name=figures.plain(runs.label(arm), 40),
            text=[f"seed {seed}" for seed in roles["seed"]],
            hovertemplate="%{text}: teacher %{x:.1f}, student %{y:.1f}<extra></extra>",
        )
    if not ends:
        return None
    line = {"color": figures.GREY, "width": 1.5, "dash": "dot"}
    drawn.add_shape(type="line", x0=min(ends), y0=min(ends), x1=max(ends), y1=max(ends), line=line, layer="below")
    drawn.update_xaxes(title=f"teacher's test {runs.metric.label} ({runs.metric.unit})")
    drawn.update_yaxes(title=f"student's ({runs.metric.unit})")
    return drawn


def _taught(runs: Runs, arm: str) -> pd.DataFrame:
    """An arm's finished confirm runs that had a teacher, with both scores in the printed unit."""
    roles = runs.select("confirm", arm)
    roles = roles[roles["state"] == "complete"]
    scored = roles.assign(
        student_score=roles["trial"].map(runs.test()).astype(float) * runs.metric.scale,
        teacher_score=runs.teacher_scores(roles) * runs.metric.scale,
    )
    return scored.dropna(subset=["student_score", "teacher_score"])
