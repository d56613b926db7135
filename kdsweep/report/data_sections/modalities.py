"""What a linear model makes of each modality alone and of all of them, and where modalities are missing. The distance
between what the student will see and all of them is what there is to distil."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from kdsweep.report.render import figures
from kdsweep.report.render.tables import Cell, Row, Table

if TYPE_CHECKING:
    from kdsweep.report.render.data_page import Findings

TITLE = "Modalities"


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
            "test samples": score.samples if score else None,
        }
        rows.append(row)
    if (every := scored.get(tuple(line.name for line in findings.audit.modalities))) and len(rows) > 1:
        empty: dict[str, Cell] = dict.fromkeys(rows[0])
        rows.append({**empty, "modality": "all", "linear score (%)": 100 * every.value, "test samples": every.samples})
    caption = f"Shares of rows that have the modality, and {findings.measure} of a linear model on test."
    return [Table("modalities", caption, rows, dict.fromkeys(rows[0], 1))]


def figure(findings: Findings) -> go.Figure | None:
    """Score of a linear model on test, by modality. No interval is drawn: it is a look before a study."""
    if not findings.scores:
        return None
    names = ["all" if len(score.modalities) > 1 else figures.plain(score.modalities[0]) for score in findings.scores]
    values = [100 * score.value for score in findings.scores]
    drawn = figures.new(90 + 34 * len(names), showlegend=False)
    drawn.add_bar(
        x=values,
        y=list(range(len(names))),
        orientation="h",
        marker={"color": [figures.PALETTE[1] if name == "all" else figures.PALETTE[0] for name in names]},
        text=[f"{value:.1f}" for value in values],
        textposition="auto",
        hovertemplate="%{x:.1f}<extra></extra>",
    )
    drawn.update_yaxes(tickvals=list(range(len(names))), ticktext=names, autorange="reversed", showgrid=False)
    drawn.update_xaxes(title=f"{findings.measure} (%)", rangemode="tozero")
    return drawn
