"""Tables as LaTeX, to be read in with \\input: needs booktabs and amssymb."""

from __future__ import annotations

from kdsweep.report.tables import Table

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
    "\N{THIN SPACE}": r"\,",
    "\n": " ",
    "\r": " ",
    "\t": " ",
}


def render(table: Table) -> str:
    """One booktabs table with its caption and label, without its columns of prose."""
    columns = [column for column in table.columns if column not in table.prose]
    align = "".join("r" if table.numeric(column) else "l" for column in columns)
    lines = [
        "% needs \\usepackage{booktabs,amssymb}",
        r"\begin{table}",
        rf"  \caption{{{escape(' '.join((table.caption, *table.notes)))}}}",
        rf"  \label{{tab:{table.name}}}",
        rf"  \begin{{tabular}}{{{align}}}",
        r"    \toprule",
        "    " + " & ".join(escape(column) for column in columns) + r" \\",
        r"    \midrule",
        # An opening bracket after \\ would be read as the line's extra height.
        *("    {}" + " & ".join(escape(table.text(row, column)) for column in columns) + r" \\" for row in table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def escape(words: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in words)
