"""What the gain is not: each control breaks one thing on purpose. Differences are the method minus the control, with a
95% interval, unadjusted."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.facts import teachers
from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import figures
from kdsweep.report.render.board import Board, Head
from kdsweep.report.render.drawing import Drawing, spread
from kdsweep.report.render.tables import Cell, Row, Table, difference, p_value
from kdsweep.report.sections.ablation import control_row, not_asked
from kdsweep.report.statistics import power
from kdsweep.report.statistics.ablated import judged_rows
from kdsweep.report.statistics.compare import confirmed, mean_score
from kdsweep.report.statistics.controls import controlled_arm, judged_controls
from kdsweep.report.statistics.health import unexplained
from kdsweep.report.statistics.verdicts import unit
from kdsweep.values.control import CONTROLS, NONE

TITLE = "Controls"
CHAPTER = "front"
ORDER = 35
RESTS = ("search", "finalists", "confirm", "control")
SEARCHED = [control.name for control in CONTROLS.values() if control.searched]


def table(runs: Runs) -> list[Table]:
    if not runs.study.controls or not controlled_arm(runs):
        return []
    judgements = {judgement.control: judgement for judgement in judged_controls(runs)}
    metric = runs.metric
    name = f"{metric.label} ({metric.unit})"
    full = confirmed(runs, controlled_arm(runs))
    rows: list[Row] = []
    for control in runs.study.controls:
        row: dict[str, Cell] = {"control": control, "question": CONTROLS.get(control, NONE).question}
        if control in judgements:
            _, side, comparison, verdict = judgements[control]
            row |= {
                name: mean_score(runs, side),
                "difference": difference(comparison.interval, metric.scale),
                "p": p_value(verdict.p),
                "verdict": verdict,
                "n": side.count,
                "teacher": teachers.in_words(runs, side.roles),
                "what would decide it": verdict.detail,
            }
        else:
            row |= dict.fromkeys([name, "difference", "p"])
            why = runs.study.inapplicable.get(control, "")
            absent = "does not apply" if runs.study.complete or why else "not yet"
            row |= {"verdict": absent, "n": None, "teacher": None, "what would decide it": why}
        rows.append(row)
    return [
        Table(
            "controls",
            f"{full.label} minus each control, test {metric.label} ({unit(metric.unit)}).",
            rows,
            {name: runs.digits, "difference": runs.digits},
            (
                *unexplained(runs, "controls"),
                f"Better: {full.label} beats the control, so what was broken mattered. Exploratory; one Holm family.",
                f"{' and '.join(SEARCHED)} is searched like an arm; the others use the arm's best settings.",
                *power.note(runs, [judgement.comparison for judgement in judgements.values()]),
            ),
            ("what would decide it", "question"),
        )
    ]


def boards(runs: Runs) -> list[Board]:
    """Where no ablation of the same arm has them as its last rows."""
    judged = judged_controls(runs)
    if not judged or (controlled_arm(runs) == runs.study.ablated and judged_rows(runs)):
        return []
    full = confirmed(runs, controlled_arm(runs))
    margin = runs.study.equivalent
    return [
        Board(
            label=f"Controls of {full.label}, and their distance from it",
            heads=(
                Head("control"),
                Head("what it breaks"),
                Head(f"{runs.metric.label} ({runs.metric.unit})", "number"),
                Head(
                    f"minus {full.label}, {unit(runs.metric.unit)}",
                    "forest",
                    f"band: called equal (±{margin:g})" if margin is not None else "",
                ),
            ),
            rows=[control_row(runs, one, 1) for one in judged],
            digits=runs.digits,
            margin=margin,
            notes=("Exploratory; verdicts allow for several comparisons.", *not_asked(runs)),
            files=("controls",),
        )
    ]


def drawing(runs: Runs) -> Drawing | None:
    value = f"method − control, {runs.metric.label} ({unit(runs.metric.unit)})"
    rows = [
        {"arm": runs.label(controlled_arm(runs)), "control": control, **spread(value, shown, runs.study.equivalent)}
        for control, _, comparison, _ in judged_controls(runs)
        if (shown := difference(comparison.interval, runs.metric.scale))
    ]
    return Drawing(pd.DataFrame(rows), value, of=("control",)) if rows else None


def figure(runs: Runs, drawing: Drawing) -> go.Figure:
    """The method minus each control, with a 95% interval, unadjusted; exploratory.
    Where the interval holds zero, the broken thing is not shown to matter."""
    return figures.forest(
        drawing,
        colors=[figures.mark(runs, controlled_arm(runs)).color] * len(drawing.numbers),
        solid=[False] * len(drawing.numbers),
        title=drawing.value,
        digits=runs.digits,
        margin=runs.study.equivalent,
    )
