"""What a figure draws, as numbers: before it is ink, for a spreadsheet, and in words for those who do not see it."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from kdsweep.report.render import csv
from kdsweep.report.render.tables import Difference

MARGIN = "equivalent within ±"
MOST_WORDS = 12  # lines or clouds that a description goes through; the rest is counted


@dataclass(frozen=True, eq=False)
class Drawing:
    """The numbers of a figure.

    Attributes:
        numbers: a row a point, in the order in which they are drawn; columns carry their units. `low` and `high` are
            the ends of an interval or a band around `value`.
        value: the column that is shown.
        of: the columns that tell one line, cloud or panel from another.
        along: the column that a line runs over; "" where the points are not joined.
    """

    numbers: pd.DataFrame
    value: str
    of: tuple[str, ...] = ()
    along: str = ""

    def csv(self) -> str:
        """The numbers to six digits, as text that a spreadsheet opens without running anything."""
        return csv.write(self.numbers.map(_short))

    def words(self) -> str:
        """A short description: where each line begins and ends, what each cloud spans."""
        series = (
            list(self.numbers.groupby(list(self.of), sort=False, dropna=False)) if self.of else [((), self.numbers)]
        )
        spans = [f"{', '.join(map(str, names))}: {self._spans(points)}" for names, points in series[:MOST_WORDS]]
        more = [f"and {len(series) - MOST_WORDS} more"] if len(series) > MOST_WORDS else []
        by = f" by {self.along}" if self.along else ""
        return f"{self.value}{by}. " + "; ".join(words.removeprefix(": ") for words in (*spans, *more)) + "."

    def _spans(self, points: pd.DataFrame) -> str:
        known = points[points[self.value].notna()]
        if known.empty:
            return "nothing"
        values = known[self.value]
        if len(known) == 1:
            return _point(known.iloc[0], self.value)
        if self.along:
            ends = (known.iloc[0], known.iloc[-1])
            return " to ".join(f"{_number(end[self.value])} at {_number(end[self.along])}" for end in ends)
        return f"{len(known)} points, {_number(values.min())} to {_number(values.max())}"


def spread(value: str, difference: Difference, margin: float | None) -> dict[str, float]:
    """A difference, its interval and, where the study states one, the margin of equivalence, as columns."""
    columns = {value: difference.value, "low": difference.low, "high": difference.high}
    return columns if margin is None else {**columns, MARGIN: margin}


def _point(row: pd.Series, value: str) -> str:
    whole = _number(row[value])
    if pd.notna(row.get("low")) and pd.notna(row.get("high")):
        return f"{whole} [{_number(row['low'])}, {_number(row['high'])}]"
    return whole


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else str(value)


def _short(cell: object) -> object:
    return float(f"{cell:.6g}") if isinstance(cell, float) else cell
