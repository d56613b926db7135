"""What a table's comparisons can show at all, in words: printed under each."""

from __future__ import annotations

from collections.abc import Sequence

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics import multiplicity
from kdsweep.report.statistics.compare import Comparison
from kdsweep.report.statistics.verdicts import ALPHA, Judged, amount, unit


def main(judged: Sequence[Judged]) -> list[Comparison]:
    """The family that a study is about: its claim, or else everything."""
    claimed = [judgement.comparison for judgement in judged if judgement.claimed]
    return claimed or [judgement.comparison for judgement in judged]


def note(runs: Runs, family: Sequence[Comparison]) -> tuple[str, ...]:
    """What a table's comparisons can show, and what stands beside their verdicts: each sentence once."""
    said = [
        *_detected(runs, family),
        *(sentence for comparison in family for sentence in comparison.findings),
        *(comparison.proviso for comparison in family),
        *(sentence for comparison in family for sentence in comparison.cautions),
    ]
    return tuple(dict.fromkeys(filter(None, said)))


def _detected(runs: Runs, family: Sequence[Comparison]) -> tuple[str, ...]:
    """The smallest difference that these seeds on this test set detect with 80% power; nothing without variances.

    At the level that the smallest p of the family has to reach (Holm's first step), so that no row promises too much.
    """
    tables = [comparison.crossed for comparison in family if comparison.crossed is not None]
    tables = [crossed for crossed in tables if crossed.interval.error > 0]
    if not tables:
        return ()
    alpha = multiplicity.level(runs.look, ALPHA) / len(family)
    differences = sorted(crossed.detectable(alpha) * runs.metric.scale for crossed in tables)
    least, most = amount(differences[0]), amount(differences[-1])
    which = "" if least == most else ", depending on the comparison"
    span = least if least == most else f"{least} to {most}"
    seeds = max(crossed.seeds for crossed in tables)
    rows = "repeats" if runs.study.budget.repeats > 1 else "seeds"
    test = f"{runs.study.data.test} test samples"
    if runs.grouped:
        test += f" of {runs.study.data.test_groups} groups"
    return (
        f"{seeds} {rows} on {test} detect differences of {span} {unit(runs.metric.unit)} or "
        f"more{which} (80% power, at {alpha:.2g}, with the variances found here).",
    )
