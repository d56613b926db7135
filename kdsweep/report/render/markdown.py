"""Tables as GitHub's Markdown, for a pull request or a README."""

from __future__ import annotations

import re

from kdsweep.report.render.tables import Table

SPECIAL = re.compile(r"([\\`*_{}\[\]!|~$^]|:(?=//)|^[-+#])")


def render(table: Table) -> str:
    """Caption, table, notes; the highest or lowest mean in bold, a dagger where a difference is significant."""
    align = ["---:" if table.numeric(column) else "---" for column in table.columns]
    lines = [
        escape(table.caption),
        "",
        _row([escape(column) for column in table.columns]),
        _row(align),
        *(_row([_cell(table, index, column) for column in table.columns]) for index in range(len(table.rows))),
    ]
    if table.notes:
        lines += ["", " ".join(escape(note) for note in table.notes)]
    return "\n".join(lines) + "\n"


def escape(words: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no link, no mention, one line."""
    flat = " ".join(words.split())
    return SPECIAL.sub(r"\\\1", flat.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _cell(table: Table, index: int, column: str) -> str:
    words = escape(table.text(table.rows[index], column))
    if (index, column) in table.dagger:
        words += "†"
    return f"**{words}**" if (index, column) in table.bold else words


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
