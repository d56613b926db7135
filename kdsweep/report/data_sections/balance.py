"""How many rows of each class a part has; of a regression, what its targets range over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import plotly.graph_objects as go

from kdsweep.report.render import figures
from kdsweep.report.render.drawing import Drawing
from kdsweep.report.render.tables import Row, Table
from kdsweep.tasks import registry as tasks

if TYPE_CHECKING:
    from kdsweep.report.render.data_page import Findings

TITLE = "Labels"
CHAPTER = "front"
ORDER = 20
MOST = 60  # classes in the figure: the largest


def table(findings: Findings) -> list[Table]:
    if findings.audit.targets:
        rows: list[Row] = [{"target": name, **summary._asdict()} for name, summary in findings.audit.targets.items()]
        return [Table("targets", "Targets in the training part.", rows, dict.fromkeys(rows[0], 3))]
    counts: list[Row] = [{"class": name, **dict(parts.items())} for name, parts in findings.audit.classes.items()]
    notes = (note,) if (note := tasks.load(findings.card.task).labels.note) else ()
    return [Table("classes", "Rows of each class, by part.", counts, notes=notes)]


def drawing(findings: Findings) -> Drawing | None:
    classes = sorted(findings.audit.classes.items(), key=lambda item: -sum(item[1].values()))[:MOST]
    bars = [
        {"part": part, "class": name, "rows": counts[part]} for part in findings.audit.rows for name, counts in classes
    ]
    return Drawing(pd.DataFrame(bars), "rows", of=("part",)) if bars else None


def figure(findings: Findings, drawing: Drawing) -> go.Figure:
    """Rows of each class, by part, the largest class first; at most 60 classes are drawn."""
    drawn = figures.new(360, barmode="stack")
    parts = list(drawing.numbers.groupby("part", sort=False))
    for (part, bars), color in zip(parts, figures.PALETTE, strict=False):
        drawn.add_bar(
            x=list(range(len(bars))),
            y=list(bars["rows"]),
            name=part,
            marker={"color": color},
            customdata=[figures.plain(name, 40) for name in bars["class"]],
            hovertemplate=f"%{{customdata}}, {part}: %{{y}}<extra></extra>",
        )
    names = [figures.plain(name) for name in parts[0][1]["class"]]
    drawn.update_xaxes(tickvals=list(range(len(names))), ticktext=names, showgrid=False)
    drawn.update_yaxes(title="rows")
    return drawn
