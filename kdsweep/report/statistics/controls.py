"""The method judged against its controls."""

from __future__ import annotations

from typing import NamedTuple

from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.compare import Comparison, Side, compare, confirmed, controlled
from kdsweep.report.statistics.verdicts import Verdict, judge


class JudgedControl(NamedTuple):
    """The method against a control that has runs."""

    control: str
    side: Side
    comparison: Comparison
    verdict: Verdict


def controlled_arm(runs: Runs) -> str:
    """Whose controls they are: the claim's arm, or the one that is taken apart."""
    claim = runs.study.claim
    return claim.arm if claim else runs.study.ablated


def judged_controls(runs: Runs) -> list[JudgedControl]:
    """The method against each control that has runs; one family."""
    there = set(runs.roles["control"])
    asked = [control for control in runs.study.controls if control in there]
    sides = [controlled(runs, control) for control in asked]
    compared = [compare(runs, confirmed(runs, controlled_arm(runs)), side) for side in sides]
    return [JudgedControl(*judgement) for judgement in zip(asked, sides, compared, judge(runs, compared), strict=True)]
