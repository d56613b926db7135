"""Tables as LaTeX, to be read in with \\input: needs array, booktabs and amssymb, and compiles with any engine."""

from __future__ import annotations

import re
import unicodedata

from kdsweep.report.render import tables
from kdsweep.report.render.tables import Finding, Table

NEEDS = "% needs \\usepackage{array,booktabs,amssymb}"
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
    # \textquotedbl is not in the encoding that a document has by default.
    '"': r"{\char34}",
    "−": r"$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "·": r"$\cdot$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
    "√": r"$\surd$",
    "Σ": r"$\Sigma$",
    "✓": r"\checkmark{}",
    "✗": r"$\times$",
    "–": "--",
    "—": "---",
    "‘": "`",
    "’": "'",
    "“": "``",
    "”": "''",
    "†": r"$^\dagger$",
    "→": r"$\rightarrow$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "²": r"$^2$",
    "³": r"$^3$",
    "°": r"$^\circ$",
    "⁄": "/",
    "½": r"$\frac12$",
    "…": r"\ldots{}",
    "\N{NO-BREAK SPACE}": "~",
    "\N{THIN SPACE}": r"\,",
    "\n": " ",
    "\r": " ",
    "\t": " ",
}
# Greek letters that look like Latin ones have no command of their own.
LATIN = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΧο", "ABEZHIKMNOPTXo", strict=True))
VARIANTS = {"ε": "varepsilon", "φ": "varphi", "ς": "varsigma", "λ": "lambda", "Λ": "Lambda"}
ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0307": ".", "\u0308": '"',
           "\u030a": "r ", "\u030b": "H ", "\u030c": "v ", "\u0327": "c "}  # fmt: skip
LETTERS = {"ß": r"\ss{}", "æ": r"\ae{}", "Æ": r"\AE{}", "œ": r"\oe{}", "Œ": r"\OE{}", "ø": r"\o{}", "Ø": r"\O{}",
           "ł": r"\l{}", "Ł": r"\L{}", "ı": r"\i{}"}  # fmt: skip


def render(table: Table) -> str:
    """One booktabs table with its caption and label, without its columns of prose.

    The best mean is bold; a dagger marks a difference that is significant after adjustment.
    """
    columns = [column for column in table.columns if column not in table.prose]
    if table.narrow:
        return _narrow(table, columns)
    notes = (*table.notes, *(["† significant after adjustment for the family."] if table.dagger else []))
    return _float(
        table,
        caption=" ".join((table.caption, *notes)),
        align="".join("r" if table.numeric(column) else "l" for column in columns),
        head=[escape(column) for column in columns],
        body=[[_cell(table, index, column) for column in columns] for index in range(len(table.rows))],
    )


def escape(words: str) -> str:
    """Text that LaTeX prints as it is, in any encoding; what its own fonts lack is named in brackets."""
    return "".join(map(_letter, unicodedata.normalize("NFC", words)))


def _letter(letter: str) -> str:
    if letter in SPECIAL:
        return SPECIAL[letter]
    if letter.isascii():
        return letter if letter.isprintable() else ""
    if letter in LETTERS or letter in LATIN:
        return LETTERS.get(letter) or LATIN[letter]
    name = unicodedata.name(letter, f"U+{ord(letter):04X}")
    if re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER \w+", name):
        spelt = VARIANTS.get(letter) or name.rsplit(" ", 1)[1].lower().replace("lamda", "lambda")
        return rf"$\{spelt if letter.islower() else spelt.capitalize()}$"
    base, *marks = list(unicodedata.normalize("NFD", letter))
    if base.isascii() and all(mark in ACCENTS for mark in marks):
        for mark in marks:
            base = rf"\{ACCENTS[mark]}{{{base}}}"
        return base
    plain = unicodedata.normalize("NFKC", letter)
    if plain != letter:
        return escape(plain)
    # Joiners and variants of what stands before them print nothing.
    return "" if unicodedata.category(letter) in ("Mn", "Cf", "Cc") else f"[{name.lower()}]"


def _narrow(table: Table, columns: list[str]) -> str:
    """A table that fits one of two columns of a page: a difference has its interval below it, and names break."""
    others = len(columns) - 1
    # Beside three columns of numbers there is room for a name; with more the table spans the page.
    star, unit, whole, each = ("", r"\columnwidth", 0.98, 0.22) if others <= 3 else ("*", r"\textwidth", 0.98, 0.12)
    first = max(0.12, whole - each * others)
    body = []
    for index, row in enumerate(table.rows):
        body.append([_wrapped(_cell(table, index, columns[0])), *(_cell(table, index, c) for c in columns[1:])])
        below = [_interval(table, row[column], column) for column in columns]
        body += [below] if any(below) else []
    # Without the space TeX would not hyphenate a cell's first word.
    paragraph = rf">{{\raggedright\arraybackslash\hspace{{0pt}}}}p{{{first:.2f}{unit}}}"
    heading = rf">{{\centering\arraybackslash\hspace{{0pt}}}}p{{{each - 0.03:.2f}{unit}}}"
    return _float(
        table,
        caption=" ".join((table.caption, *table.notes)),
        align=paragraph + heading * others,
        head=[_wrapped(escape(column)) for column in columns],
        body=body,
        look=(r"  \centering\footnotesize\setlength{\tabcolsep}{0.01\columnwidth}",),
        star=star,
    )


def _float(
    table: Table,
    *,
    caption: str,
    align: str,
    head: list[str],
    body: list[list[str]],
    look: tuple[str, ...] = (),
    star: str = "",
) -> str:
    lines = [
        NEEDS,
        rf"\begin{{table{star}}}",
        *look,
        rf"  \caption{{{escape(caption)}}}",
        rf"  \label{{tab:{re.sub('[^A-Za-z0-9-]', '-', table.name)}}}",
        rf"  \begin{{tabular}}{{{align}}}",
        r"    \toprule",
        "    " + " & ".join(head) + r" \\",
        r"    \midrule",
        # An opening bracket after \\ would be read as the line's extra height.
        *("    {}" + " & ".join(cells) + r" \\" for cells in body),
        r"    \bottomrule",
        r"  \end{tabular}",
        rf"\end{{table{star}}}",
    ]
    return "\n".join(lines) + "\n"


def _cell(table: Table, index: int, column: str) -> str:
    cell = table.rows[index][column]
    if table.narrow and isinstance(cell, Finding):
        words = escape(f"{tables.signed(cell.difference.value, table.digits.get(column, 2))} {cell.mark}".rstrip())
    else:
        words = escape(table.text(table.rows[index], column))
    if (index, column) in table.dagger:
        words += SPECIAL["†"]
    return rf"\textbf{{{words}}}" if (index, column) in table.bold else words


def _interval(table: Table, cell: object, column: str) -> str:
    """What stands below a difference of a narrow table."""
    if not isinstance(cell, Finding):
        return ""
    digits = table.digits.get(column, 2)
    ends = (tables.number(end, digits) for end in (cell.difference.low, cell.difference.high))
    return rf"{{\scriptsize[{', '.join(map(escape, ends))}]}}"


def _wrapped(words: str) -> str:
    """A name that may break where its parts meet: in a narrow column a long one would stand over the next."""
    return re.sub(r"(\\_|[-/.:+\]])(?=[\w[])", r"\1\\allowbreak{}", words)
