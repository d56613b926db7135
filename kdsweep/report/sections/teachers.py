"""Where the teacher was strong or weak, and what its students made of it."""

from __future__ import annotations

import itertools

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts import teachers
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table

TITLE = "Teacher and student"
CHAPTER = "belief"
ORDER = 45
RESTS = ("teacher", "confirm")
GLOSSARY = {
    "T": "Test score of the teacher.",
    "S": "Test score of the student.",
    "T told by S": "Share of the teacher's embedding that a linear map reads off the student's, on test (%).",
    "A held by T": "Share of the auxiliary models' embeddings that a linear map reads off the teacher's, on test (%).",
    "A told by S": "Share of the auxiliary models' embeddings that a linear map reads off the student's, on test (%).",
}

# Column -> the probe that it shows: in per cent of explained variance, or in nats.
PROBES = {
    "T told by S": "explained/teacher_from_student",
    "A held by T": "explained/auxiliary_from_teacher",
    "A told by S": "explained/auxiliary_from_student",
    "I(T;S)": "nats/teacher_student",
    "I(T;A)": "nats/teacher_auxiliary",
    "H(T|S)": "nats/teacher_given_student",
}
NATS = (
    "I and H are in nats per test sample: what a linear Gaussian model of T, fitted on training, saves by seeing S (or "
    "of A, by seeing T), and what is left of T when S is seen, each unit of T on the scale of its own deviation."
)
NATS_COLUMNS = tuple(column for column, probe in PROBES.items() if probe.startswith("nats/"))
MISSING = float("nan")
OPEN = [f"{name}-open" for name in ("circle", "square", "diamond", "triangle-up", "triangle-down", "star", "hexagon")]


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = []
    for name, roles in _with_teacher(runs).items():
        student, teacher = float(roles["student_score"].mean()), float(roles["teacher_score"].mean())
        probed = {column: _probe(runs, roles, probe) for column, probe in PROBES.items()}
        rows.append(
            {
                "row": name,
                "teacher": teachers.in_words(runs, roles),
                "T": teacher,
                "S": student,
                "S − T": student - teacher,
                **probed,
                "n": len(roles),
            }
        )
    scores = dict.fromkeys(["T", "S", "S − T"], runs.digits)
    caption = f"Test {runs.metric.label} ({runs.metric.unit}) of teachers (T) and students (S), means over seeds."
    note = (
        "The last columns, with A for the auxiliary models, are linear probes, fitted on training and judged on test, "
        "medians over seeds: the share (%) of one embedding's variance that another explains."
    )
    digits = {column: 0 if probe.startswith("explained/") else 1 for column, probe in PROBES.items()}
    return [Table("teachers", caption, rows, {**scores, **digits}, (note, NATS), aside=NATS_COLUMNS)]


def drawing(runs: Runs) -> Drawing | None:
    unit = f"test {runs.metric.label} ({runs.metric.unit})"
    labels = {runs.label(arm) for arm in runs.arms}
    points = [
        pd.DataFrame(
            {
                "row": name,
                "arm": name if name in labels else roles["arm"].map(runs.label),
                "seed": roles["seed"],
                f"teacher's {unit}": roles["teacher_score"],
                f"student's {unit}": roles["student_score"],
            }
        )
        for name, roles in _with_teacher(runs).items()
    ]
    return Drawing(pd.concat(points), f"student's {unit}", of=("row",)) if points else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """Each point is one seed: its teacher's test score and its student's; ablation rows and controls are open, in the
    order of the table. On the line the student equals its teacher. No interval is drawn."""
    drawn, marks = figures.new(460), figures.marks(runs)
    teacher, student = drawing.numbers.columns[-2:]
    others = itertools.cycle(OPEN)
    for row, points in drawing.numbers.groupby("row", sort=False):
        arm = points["arm"].iloc[0]
        drawn.add_scatter(
            x=list(points[teacher]),
            y=list(points[student]),
            mode="markers",
            marker={
                "color": marks[arm].color,
                "symbol": marks[arm].symbol if row == arm else next(others),
                "size": 9,
                "opacity": 0.75,
            },
            name=figures.plain(str(row), 40),
            text=[f"{figures.plain(str(row), 60)}, seed {seed}" for seed in points["seed"]],
            hovertemplate="%{text}: teacher %{x:.1f}, student %{y:.1f}<extra></extra>",
        )
    ends = drawing.numbers[[teacher, student]].to_numpy()
    low, high = ends.min(), ends.max()
    line = {"color": figures.GREY, "width": 1.5, "dash": "dot"}
    drawn.add_shape(type="line", x0=low, y0=low, x1=high, y1=high, line=line, layer="below")
    drawn.update_xaxes(title=teacher)
    drawn.update_yaxes(title=f"student's ({runs.metric.unit})")
    return drawn


def _with_teacher(runs: Runs) -> dict[str, pd.DataFrame]:
    """By row: its finished runs that had a teacher, with both scores in the printed unit.

    A teacher of several models has an entry each.
    """
    rows = {runs.label(arm): runs.select("confirm", arm) for arm in runs.arms}
    rows |= {name: runs.select("ablate", row=name, retuned=False) for name in runs.study.rows}
    rows |= {f"control {name}": runs.select("control", control=name) for name in runs.study.controls}
    by_row = {}
    for name, roles in rows.items():
        done = roles[roles["state"] == "complete"]
        student = done["trial"].map(runs.test()).astype(float) * runs.metric.scale
        for model, teacher in teachers.scores(runs, done).items():
            scored = done.assign(student_score=student, teacher_score=teacher * runs.metric.scale)
            scored = scored.dropna(subset=["student_score", "teacher_score"])
            if len(scored):
                by_row[f"{name}: teacher {model}" if model else name] = scored
    return by_row


def _probe(runs: Runs, roles: pd.DataFrame, probe: str) -> float:
    values = roles["trial"].map(runs.last(f"test/{probe}")).astype(float).dropna()
    scale = 100 if probe.startswith("explained/") else 1
    # One seed with a dead unit must not be the whole number.
    return scale * float(values.median()) if len(values) else MISSING
