"""A table of a report, before it is HTML, LaTeX or CSV: rows of cells, where a cell knows what it is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from kdsweep.report.statistics.intervals import Interval
from kdsweep.report.statistics.verdicts import Verdict


@dataclass(frozen=True)
class Difference:
    """A difference and its 95% interval, in the printed unit."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Spread:
    """A mean over runs and their standard deviation, None where there is one run."""

    mean: float
    sd: float | None


@dataclass(frozen=True)
class Finding:
    """A difference and the mark of its verdict, for a column that has no room for words."""

    difference: Difference
    verdict: Verdict | None

    @property
    def mark(self) -> str:
        if self.verdict is None:
            return ""
        if self.verdict.provided:
            return "(≈)"
        return MARKS.get(self.verdict.word, "") + ("≈" if self.verdict.within else "")


@dataclass(frozen=True)
class Command:
    """Something to type into a shell."""

    text: str


@dataclass(frozen=True)
class Link:
    text: str
    href: str


@dataclass(frozen=True)
class P:
    """A p value: printed to three decimals, kept in full."""

    value: float


Cell = P | str | bool | int | float | None | Spread | Difference | Finding | Command | Link | Verdict
Row = Mapping[str, Cell]
MARKS = {"better": "↑", "worse": "↓", "equivalent": "≈", "undecided": "?"}


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: of its files, unique in a report.
        caption: what the numbers are, and what an interval is over.
        rows: cells by column; every row has the columns of the first.
        digits: decimals by column; 2 where none is named.
        prose: columns of sentences, which a printed table has no room for.
        aside: columns that the files alone have: a page has no room for them.
        page: whether the page shows it, or links its files alone.
        most: rows that the page shows; as many as it shows of any table where None.
        notes: what a reader must know beside the caption.
        bold: cells (row, column) that are the best of their column.
        dagger: cells (row, column) whose difference is significant after adjustment.
        narrow: whether it fits one of two columns of a page, in print.
    """

    name: str
    caption: str
    rows: Sequence[Row]
    digits: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    prose: tuple[str, ...] = ()
    aside: tuple[str, ...] = ()
    page: bool = True
    most: int | None = None
    bold: frozenset[tuple[int, str]] = frozenset()
    dagger: frozenset[tuple[int, str]] = frozenset()
    narrow: bool = False

    @property
    def columns(self) -> list[str]:
        return list(self.rows[0]) if self.rows else []

    @property
    def shown(self) -> list[str]:
        """Columns of the page."""
        return [column for column in self.columns if column not in self.aside]

    def text(self, row: Row, column: str) -> str:
        return text(row[column], self.digits.get(column, 2))

    def numeric(self, column: str) -> bool:
        """Whether every cell that is filled holds a number: such a column is aligned at its right."""
        cells = [row[column] for row in self.rows if row[column] is not None]
        return bool(cells) and all(
            isinstance(cell, int | float | Difference | P) and not isinstance(cell, bool) for cell in cells
        )

    def flat(self) -> pd.DataFrame:
        """Full precision, one value a column: a difference takes three, a verdict two."""
        return pd.DataFrame([dict(_flat(row)) for row in self.rows], dtype=object)


def difference(interval: Interval | None, scale: float = 1.0) -> Difference | None:
    """An interval in the printed unit."""
    if interval is None:
        return None
    low, high = interval.bounds()
    return Difference(interval.mean * scale, low * scale, high * scale)


def text(cell: Cell, digits: int = 2) -> str:
    """As a reader sees it; "–" where there is nothing."""
    match cell:
        case None:
            return "–"
        case bool():
            return "✓" if cell else "✗"
        case int():
            return f"{cell:,}".replace(",", "\N{THIN SPACE}")
        case float():
            return "–" if math.isnan(cell) else number(cell, digits)
        case Difference(value, low, high):
            return f"{signed(value, digits)} [{number(low, digits)}, {number(high, digits)}]"
        case Spread(mean, sd):
            return number(mean, digits) if sd is None else f"{number(mean, digits)} ± {number(sd, digits)}"
        case Finding(difference=shown):
            return f"{text(shown, digits)} {cell.mark}".rstrip()
        case P(value):
            return "< 0.001" if value < 0.001 else f"{value:.3f}"
        case Command(text=words) | Link(text=words):
            return words
    return str(cell)


def number(value: float, digits: int) -> str:
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    written = f"{value:.{digits}f}"
    # A rounded zero has no sign.
    return written.replace("-", "−") if float(written) else written.lstrip("-")


def signed(value: float, digits: int) -> str:
    written = number(value, digits)
    return written if written.startswith("−") or not float(written.replace("∞", "1")) else f"+{written}"


def significant(rows: Sequence[Row], columns: Mapping[str, str]) -> frozenset[tuple[int, str]]:
    """Where a difference's verdict, by its column, is better or worse: what gets a dagger."""
    return frozenset(
        (index, column)
        for index, row in enumerate(rows)
        for column, verdict in columns.items()
        if isinstance(cell := row.get(verdict), Verdict) and cell.word in ("better", "worse")
    )


def p_value(value: float | None) -> P | None:
    return None if value is None else P(value)


def compact(value: float) -> str:
    """A hyperparameter: three significant digits."""
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e+")


def setting_text(value: object) -> str:
    """A hyperparameter of any kind."""
    return compact(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def _flat(row: Row) -> list[tuple[str, object]]:
    flat: list[tuple[str, object]] = []
    for column, cell in row.items():
        match cell:
            case Difference(value, low, high):
                flat += [(column, value), (f"{column}: low", low), (f"{column}: high", high)]
            case Spread(mean, sd):
                flat += [(column, mean), (f"{column}: SD", sd)]
            case Finding(difference=Difference(value, low, high), verdict=verdict):
                flat += [(column, value), (f"{column}: low", low), (f"{column}: high", high)]
                flat.append((f"{column}: verdict", verdict and str(verdict)))
            case Link(text=words, href=href):
                flat += [(column, words), (f"{column}: address", href)]
            case P(value):
                flat.append((column, value))
            case Command(text=words):
                flat.append((column, words))
            case Verdict():
                flat += [(column, str(cell)), (f"{column}: detail", cell.detail)]
            case _:
                flat.append((column, cell))
    return flat
