"""How many rows of each class a part has; of a regression, what its targets range over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import plotly.graph_objects as go

from kdsweep.report.render import figures
from kdsweep.report.render.tables import Row, Table
from kdsweep.tasks import registry as tasks

if TYPE_CHECKING:
    from kdsweep.report.render.data_page import Findings

TITLE = "Labels"
MOST = 60  # classes in the figure: the largest


def table(findings: Findings) -> list[Table]:
    if findings.audit.targets:
        rows: list[Row] = [{"target": name, **one._asdict()} for name, one in findings.audit.targets.items()]
        return [Table("targets", "Targets in the training part.", rows, dict.fromkeys(rows[0], 3))]
    counts: list[Row] = [{"class": name, **dict(parts.items())} for name, parts in findings.audit.classes.items()]
    notes = (note,) if (note := tasks.load(findings.card.task).labels.note) else ()
    return [Table("classes", "Rows of each class, by part.", counts, notes=notes)]


def figure(findings: Findings) -> go.Figure | None:
    """Rows of each class, by part, the largest class first; at most 60 classes are drawn."""
    classes = sorted(findings.audit.classes.items(), key=lambda item: -sum(item[1].values()))[:MOST]
    if not classes:
        return None
    drawn = figures.new(360, barmode="stack")
    for part, color in zip(findings.audit.rows, figures.PALETTE, strict=False):
        drawn.add_bar(
            x=list(range(len(classes))),
            y=[counts[part] for _, counts in classes],
            name=part,
            marker={"color": color},
            customdata=[figures.plain(name, 40) for name, _ in classes],
            hovertemplate=f"%{{customdata}}, {part}: %{{y}}<extra></extra>",
        )
    names = [figures.plain(name) for name, _ in classes]
    drawn.update_xaxes(tickvals=list(range(len(names))), ticktext=names, showgrid=False)
    drawn.update_yaxes(title="rows")
    return drawn
