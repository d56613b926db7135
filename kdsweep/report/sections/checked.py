"""These runs were made elsewhere: what could be checked from their tables, and what has to be believed. A verdict below
is only as good as what is not verified here."""

from __future__ import annotations

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Row, Table

TITLE = "What was checked"
CHAPTER = "belief"
ORDER = 15
PAGES = ("imported",)
GLOSSARY = {
    "checked": "Whether the tables that were given show it.",
}


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = [{"what": what, "checked": state, "note": note} for what, state, note in runs.study.checks]
    return [Table("checked", "Not verified: nothing in the tables says whether it is so.", rows)]
