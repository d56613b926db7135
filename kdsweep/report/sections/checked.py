"""These runs were made elsewhere: what could be checked from their tables, and what has to be believed. A verdict below
is only as good as what is not verified here."""

from __future__ import annotations

import plotly.graph_objects as go

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Row, Table

TITLE = "What was checked"
ORDER = 15


def applies(runs: Runs) -> bool:
    return runs.study.imported


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = [{"what": what, "checked": state, "note": note} for what, state, note in runs.study.checks]
    return [Table("checked", "Not verified: nothing in the tables says whether it is so.", rows)]


def figure(runs: Runs) -> go.Figure | None:
    return None
