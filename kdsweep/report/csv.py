"""Tables as CSV that a spreadsheet opens without running anything."""

from __future__ import annotations

from kdsweep.report.tables import Table

# A cell that starts like this is a formula to a spreadsheet.
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(table: Table) -> str:
    """Full precision; text that looks like a formula gets a leading apostrophe."""
    flat = table.flat()
    flat = flat.map(harmless).rename(columns=harmless)
    return str(flat.to_csv(index=False, lineterminator="\n"))


def harmless(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell
