"""The rows of an ablation, each judged against the full method."""

from __future__ import annotations

import functools
from typing import NamedTuple

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.compare import Comparison, Side, ablated, compare, confirmed
from kdsweep.report.statistics.verdicts import Verdict, judge


class JudgedRow(NamedTuple):
    """A row that has runs, against the full method."""

    row: str
    retuned: bool
    side: Side
    comparison: Comparison
    verdict: Verdict


@functools.lru_cache(maxsize=2)
def judged_rows(runs: Runs) -> list[JudgedRow]:
    """Every row that has runs, one that was also retuned twice; one family."""
    if not runs.study.ablated:
        return []
    full = confirmed(runs, runs.study.ablated)
    sides = [
        (row, retuned, ablated(runs, row, retuned=retuned))
        for row in runs.study.rows
        for retuned in (False, True)
        if len(runs.select("ablate", runs.study.ablated, row=row, retuned=retuned))
    ]
    compared = [compare(runs, side, full) for _, _, side in sides]
    return [
        JudgedRow(row, retuned, side, comparison, verdict)
        for (row, retuned, side), comparison, verdict in zip(sides, compared, judge(runs, compared), strict=True)
    ]
