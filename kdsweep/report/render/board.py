"""A board: the few numbers of a table that a reader needs at once, each row drawn and written. Tables are for files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from kdsweep.report.render.tables import Difference, Spread, difference
from kdsweep.report.statistics.compare import Comparison
from kdsweep.report.statistics.verdicts import Verdict


@dataclass(frozen=True)
class Seeds:
    """Every run's score, to be drawn as dots with their mean."""

    values: tuple[float, ...]


@dataclass(frozen=True)
class Forest:
    """A difference with its 95% interval, and the verdict on it.

    Attributes:
        deciding: ends of the interval that agrees with the verdict; None without one.
        solid: part of the claim.
    """

    difference: Difference
    verdict: Verdict | None = None
    deciding: tuple[float, float] | None = None
    solid: bool = False

    def mirrored(self) -> Forest:
        """The same the other way round; a verdict on it is turned already."""
        value, low, high = self.difference.value, self.difference.low, self.difference.high
        ends = (-self.deciding[1], -self.deciding[0]) if self.deciding else None
        return Forest(Difference(-value, -high, -low), self.verdict, ends, self.solid)


@dataclass(frozen=True)
class Has:
    """Whether a term is there."""

    here: bool


@dataclass(frozen=True)
class Across:
    """Words that take the place of several columns."""

    words: str
    columns: int


@dataclass(frozen=True)
class Seconds:
    value: float


@dataclass(frozen=True)
class Name:
    """What a row is called, and what a reader must know of it, in small."""

    words: str
    beside: str = ""


BoardCell = Name | Seeds | Spread | Forest | Has | Across | Seconds | float | None


@dataclass(frozen=True)
class Head:
    """A column's head, a second line in small, and what stands below it."""

    words: str
    kind: Literal["text", "seeds", "number", "forest", "term"] = "text"
    small: str = ""


@dataclass(frozen=True)
class Board:
    """Rows as they are shown; every row has the columns of the heads, less those that an `Across` takes.

    Attributes:
        strong: rows that the claim is about.
        quiet: rows outside the comparison.
        margin: half the width of the band that the study calls equal.
        notes: what the marks mean.
        files: names of the tables that hold all the numbers.
    """

    label: str
    heads: tuple[Head, ...]
    rows: Sequence[Sequence[BoardCell]]
    digits: int
    strong: frozenset[int] = frozenset()
    quiet: frozenset[int] = frozenset()
    margin: float | None = None
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def forests(self) -> int:
        """Columns of differences: how wide it is."""
        return sum(head.kind == "forest" for head in self.heads)

    @property
    def seeds_axis(self) -> tuple[float, float]:
        """What the dots are drawn over: all of them, but for runs that lie far outside the rest."""
        values = [value for row in self.rows for cell in row if isinstance(cell, Seeds) for value in cell.values]
        return reach(values) if values else (0.0, 1.0)

    @property
    def forest_axis(self) -> tuple[float, float]:
        """One for all columns of differences: zero and the whole band are on it, and what lies beyond."""
        shown = [cell for row in self.rows for cell in row if isinstance(cell, Forest)]
        ends = [end for cell in shown for end in (cell.difference.low, cell.difference.high, *(cell.deciding or ()))]
        known = [end for end in ends if math.isfinite(end)]
        least = 1.35 * (self.margin or 0.0)
        # One arm that fell apart must not press all others into a line: what leaves the axis ends in an arrow.
        # The claim's own never does.
        claimed = [abs(end) for cell in shown if cell.solid for end in (cell.difference.low, cell.difference.high)]
        most = max(6 * float(np.median(np.abs(known))) if known else 0.0, 1.6 * least, *claimed)
        low = max(min([*known, -least, 0.0]), -most)
        high = min(max([*known, least, 0.0]), most)
        room = 0.04 * (high - low) or 1.0
        return low - room, high + room


def forest(
    comparison: Comparison, verdict: Verdict | None, scale: float, *, solid: bool = False, turned: bool = False
) -> Forest | None:
    """A comparison's cell; None where it has no interval.

    Args:
        turned: whether the row is the second of the two, and the verdict is on the row already.
    """
    shown = difference(comparison.interval, scale)
    if shown is None or comparison.interval is None:
        return None
    ends = None
    if verdict is not None and verdict.level is not None:
        low, high = comparison.interval.bounds(verdict.level)
        ends = (low * scale, high * scale)
    cell = Forest(shown, verdict, ends, solid)
    return cell.mirrored() if turned else cell


def reach(values: Sequence[float]) -> tuple[float, float]:
    """The range of the values; a few that lie far outside the middle half are left out."""
    known = np.array([value for value in values if math.isfinite(value)])
    if not len(known):
        return 0.0, 1.0
    first, third = np.quantile(known, [0.25, 0.75])
    far = 5 * max(third - first, 0.05 * float(np.ptp(known)), 1e-12)
    inside = known[(known >= first - far) & (known <= third + far)]
    low, high = float(inside.min()), float(inside.max())
    room = 0.05 * (high - low) or max(abs(low) * 0.01, 1e-3)
    return low - room, high + room
