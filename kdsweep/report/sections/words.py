"""The words of this report in plain ones."""

from __future__ import annotations

import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.glossary import GLOSSARY
from kdsweep.report.render.tables import Row, Table

TITLE = "Glossary"
ORDER = 95


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = [{"word": word, "meaning": meaning} for word, meaning in sorted(GLOSSARY.items(), key=str)]
    return [Table("glossary", "Column heads with a dotted line show these when pointed at.", rows)]


def figure(runs: Runs) -> go.Figure | None:
    return None
