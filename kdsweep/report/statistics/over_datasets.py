"""One claim judged on several datasets: all of its comparisons, on whatever dataset, are one family."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple

from kdsweep.report.facts.compared_studies import ComparedStudies
from kdsweep.report.facts.ledger import Stated
from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.compare import Comparison, compare, confirmed
from kdsweep.report.statistics.heterogeneity import Heterogeneity, heterogeneity
from kdsweep.report.statistics.verdicts import Verdict, judge
from kdsweep.values.study import Claim


class OnDataset(NamedTuple):
    """The claim's arm against one baseline on one dataset, by the study that stands for it."""

    study: str
    against: str
    comparison: Comparison
    verdict: Verdict


@dataclass(frozen=True)
class OverDatasets:
    """A claim over datasets.

    Attributes:
        reasons: why it is exploratory; none where each study registered the same claim before its results were shown.
        heterogeneity: by baseline, in the stored unit; None where it cannot be told.
    """

    claim: Claim
    reasons: tuple[str, ...]
    results: tuple[OnDataset, ...]
    heterogeneity: dict[str, Heterogeneity | None]


@functools.lru_cache(maxsize=1)
def over_datasets(runs: Runs) -> OverDatasets | None:
    """Of a page of compared studies; None where nothing was claimed of them, or they are one dataset."""
    compared = runs.compared
    if compared is None or compared.claim is None or len(compared.groups) < 2:
        return None
    claim = compared.claim
    pairs = [
        (group.first, baseline, compare(group.first, *(confirmed(group.first, arm) for arm in (claim.arm, baseline))))
        for baseline in claim.against
        for group in compared.groups
    ]
    verdicts = judge(runs, [comparison for _, _, comparison in pairs])
    results = tuple(
        OnDataset(first.study.name, baseline, comparison, verdict)
        for (first, baseline, comparison), verdict in zip(pairs, verdicts, strict=True)
    )
    spread = {}
    for baseline in claim.against:
        found = [result.comparison.interval for result in results if result.against == baseline]
        known = [interval for interval in found if interval is not None]
        spread[baseline] = heterogeneity(known) if len(known) == len(found) else None
    return OverDatasets(claim, exploratory_because(compared), results, spread)


def exploratory_because(compared: ComparedStudies) -> tuple[str, ...]:
    """Why a claim over these studies was not set before: it has to be that of each, registered before its results."""
    assert compared.claim is not None
    reasons = [f"{refusal.b} is left out: {refusal.why}" for refusal in compared.refused]
    members = [group.first for group in compared.groups]
    wanted = (compared.claim.arm, tuple(sorted(compared.claim.against)))
    for runs in members:
        name, stated = runs.study.name, Stated.by(runs.study)
        if (stated.arm, stated.against) != wanted:
            reasons.append(f"{name} states another claim")
        elif runs.history.afterwards:
            reasons.append(f"{name} set it after its test results were seen")
        elif runs.history.registration is None:
            reasons.append(f"{name} did not register it before its results were shown")
    if len({runs.study.equivalent for runs in members}) > 1:
        reasons.append("their margins differ")
    tested = [runs.study.data.tested for runs in members if runs.study.data.tested]
    if len(set(tested)) < len(tested):
        reasons.append("two of them test on the same samples")
    return tuple(reasons)
