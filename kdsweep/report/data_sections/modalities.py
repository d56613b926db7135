"""What a linear model makes of each modality alone and of all of them, and where modalities are missing. The distance
between what the student will see and all of them is what there is to distil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Cell, Row, Table

if TYPE_CHECKING:
    from kdsweep.report.render.data_page import Findings

TITLE = "Modalities"
CHAPTER = "front"
ORDER = 10
ALL = "all"


def table(findings: Findings) -> list[Table]:
    scored = {score.modalities: score for score in findings.scores}
    rows: list[Row] = []
    for line in findings.audit.modalities:
        score = scored.get((line.name,))
        row: dict[str, Cell] = {
            "modality": line.name,
            "kind": line.modality.kind,
            "shape": " × ".join(map(str, line.modality.shape)),
            **{f"in {part} (%)": 100 * share for part, share in line.by_part.items()},
            "linear score (%)": 100 * score.value if score else None,
            "validation samples": score.samples if score else None,
        }
        rows.append(row)
    if (every := scored.get(tuple(line.name for line in findings.audit.modalities))) and len(rows) > 1:
        empty: dict[str, Cell] = dict.fromkeys(rows[0])
        rows.append(
            {**empty, "modality": ALL, "linear score (%)": 100 * every.value, "validation samples": every.samples}
        )
    caption = f"Shares of rows that have the modality, and {findings.measure} of a linear model on validation."
    return [Table("modalities", caption, rows, dict.fromkeys(rows[0], 1))]


def drawing(findings: Findings) -> Drawing | None:
    value = f"{findings.measure} (%)"
    bars = [
        {"modality": ALL if len(score.modalities) > 1 else score.modalities[0], value: 100 * score.value}
        for score in findings.scores
    ]
    return Drawing(pd.DataFrame(bars), value, of=("modality",)) if bars else None


def figure(findings: Findings, drawing: Drawing) -> go.Figure:
    """Score of a linear model on validation, by modality. No interval is drawn: it is a look before a study."""
    names, values = (list(drawing.numbers[column]) for column in ("modality", drawing.value))
    drawn = figures.new(90 + 34 * len(names), showlegend=False)
    drawn.add_bar(
        x=values,
        y=list(range(len(names))),
        orientation="h",
        marker={"color": [figures.PALETTE[1] if name == ALL else figures.PALETTE[0] for name in names]},
        text=[f"{value:.1f}" for value in values],
        textposition="auto",
        hovertemplate="%{x:.1f}<extra></extra>",
    )
    names = [figures.plain(name) for name in names]
    drawn.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed", showgrid=False)
    drawn.update_xaxes(title=drawing.value, rangemode="tozero")
    return drawn
