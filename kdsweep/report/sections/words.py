"""The words of this report in plain ones."""

from __future__ import annotations

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render import glossary
from kdsweep.report.render.tables import Row, Table

TITLE = "Glossary"
ORDER = 95
PAGES = ("study", "imported", "compared")


def table(runs: Runs) -> list[Table]:
    rows: list[Row] = [
        {"word": word, "meaning": meaning} for word, meaning in sorted(glossary.words().items(), key=str)
    ]
    return [Table("glossary", "Column heads with a dotted line show these when pointed at.", rows)]
