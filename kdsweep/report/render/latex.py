"""Tables as LaTeX, to be read in with \\input: needs booktabs and amssymb."""

from __future__ import annotations

from kdsweep.report.render.tables import Table

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": r"$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "∞": r"$\infty$",
    "α": r"$\alpha$",
    "✓": r"\checkmark{}",
    "✗": r"$\times$",
    "–": "--",
    "†": r"$^\dagger$",
    "→": r"$\rightarrow$",
    "²": r"$^2$",
    "½": r"$\frac12$",
    "…": r"\ldots{}",
    "\N{THIN SPACE}": r"\,",
    "\n": " ",
    "\r": " ",
    "\t": " ",
}


def render(table: Table) -> str:
    """One booktabs table with its caption and label, without its columns of prose.

    The best mean is bold; a dagger marks a difference that is significant after adjustment.
    """
    notes = (*table.notes, *(["† significant after adjustment for the family."] if table.dagger else []))
    columns = [column for column in table.columns if column not in table.prose]
    align = "".join("r" if table.numeric(column) else "l" for column in columns)
    lines = [
        "% needs \\usepackage{booktabs,amssymb}",
        r"\begin{table}",
        rf"  \caption{{{escape(' '.join((table.caption, *notes)))}}}",
        rf"  \label{{tab:{table.name}}}",
        rf"  \begin{{tabular}}{{{align}}}",
        r"    \toprule",
        "    " + " & ".join(escape(column) for column in columns) + r" \\",
        r"    \midrule",
        *_body(table, columns),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _body(table: Table, columns: list[str]) -> list[str]:
    # An opening bracket after \\ would be read as the line's extra height.
    return [
        "    {}" + " & ".join(_cell(table, index, column) for column in columns) + r" \\"
        for index in range(len(table.rows))
    ]


def _cell(table: Table, index: int, column: str) -> str:
    words = escape(table.text(table.rows[index], column))
    if (index, column) in table.dagger:
        words += SPECIAL["†"]
    return rf"\textbf{{{words}}}" if (index, column) in table.bold else words


def escape(words: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in words)
