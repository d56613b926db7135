"""What a table's comparisons can show at all, in words: printed under each."""

from __future__ import annotations

from collections.abc import Sequence

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics import multiplicity
from kdsweep.report.statistics.compare import Comparison
from kdsweep.report.statistics.verdicts import ALPHA, Judged, amount, unit


def main(judged: Sequence[Judged]) -> list[Comparison]:
    """The family that a study is about: its claim, or else everything."""
    return [one.comparison for one in judged if one.claimed] or [one.comparison for one in judged]


def note(runs: Runs, family: Sequence[Comparison]) -> tuple[str, ...]:
    """The smallest difference that these seeds on this test set detect with 80% power; nothing without variances.

    At the level that the smallest p of the family has to reach (Holm's first step), so that no row promises too much.
    """
    parts = [one.crossed for one in family if one.crossed is not None and one.crossed.interval.error > 0]
    if not parts:
        return ()
    alpha = multiplicity.level(runs.look, ALPHA) / len(family)
    found = sorted(one.detectable(alpha) * runs.metric.scale for one in parts)
    least, most = amount(found[0]), amount(found[-1])
    which = "" if least == most else ", depending on the comparison"
    span = least if least == most else f"{least} to {most}"
    rows = "repeats" if runs.study.budget.repeats > 1 else "seeds"
    test = f"{runs.study.data.test} test samples"
    if runs.grouped:
        test += f" of {runs.study.data.test_groups} groups"
    return (
        f"{max(one.seeds for one in parts)} {rows} on {test} detect differences of {span} {unit(runs.metric.unit)} or "
        f"more{which} (80% power, at {alpha:.2g}, with the variances found here).",
    )
