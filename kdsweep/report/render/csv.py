"""Tables as CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

import pandas as pd

from kdsweep.report.render.tables import Table

# A cell that starts like this is a formula to a spreadsheet; some read the full-width signs as well.
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def render(table: Table) -> str:
    """Full precision; text that looks like a formula gets a leading apostrophe."""
    return write(table.flat())


def write(frame: pd.DataFrame) -> str:
    """Any frame, made harmless."""
    safe = frame.astype(object).map(harmless).rename(columns=harmless)
    return str(safe.to_csv(index=False, lineterminator="\n"))


def harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
