"""Which difference between two methods the test part can show, with 80 % power at p < 0.05: with the variances of a
pilot study, or, of accuracy, if the two disagree on a tenth of the samples. Smaller ones stay undecided."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdsweep.report.render.tables import Table
from kdsweep.report.statistics.planning import detectable
from kdsweep.report.statistics.verdicts import unit
from kdsweep.tasks import registry as tasks

if TYPE_CHECKING:
    from kdsweep.report.render.data_page import Findings

TITLE = "What the test part can show"
CHAPTER = "front"
ORDER = 30
SEEDS = (5, 10, 20)


class Line(NamedTuple):
    """With so many seeds: the smallest difference that is likely to be shown, in the metric's printed unit."""

    seeds: int
    difference: float
    unit: str
    metric: str


def table(findings: Findings) -> list[Table]:
    said = lines(findings)
    if not said:
        return []
    rows = [{"seeds": line.seeds, f"smallest difference ({line.unit})": line.difference} for line in said]
    source = f" Variances of {findings.pilot.name}." if findings.pilot else ""
    return [
        Table("power", f"Smallest difference in test {said[0].metric} that is likely to be shown.{source}", rows, {})
    ]


def lines(findings: Findings) -> list[Line]:
    """By number of seeds; none without a pilot where the task's metric is no share of right answers.

    Raises:
        ValueError: the pilot is of another task, or of other test units.
    """
    task, pilot = tasks.load(findings.card.task), findings.pilot
    samples, named = findings.audit.rows["test"], findings.audit.groups.get("test", 0)
    groups = named if named > 1 else None
    if pilot is not None:
        if pilot.metric not in task.metrics:
            raise ValueError(f"a pilot's metric is one of the data's task, {task.name}; got {pilot.metric}")
        pilot.check(pilot.metric, grouped=groups is not None)
        metric = task.metrics[pilot.metric]
        return [
            Line(seeds, pilot.shown(seeds, groups or samples, metric.scale).difference, unit(metric.unit), metric.label)
            for seeds in SEEDS
        ]
    if not task.recognises:
        return []
    return [Line(seeds, 100 * detectable(seeds, samples, groups=groups), "points", "accuracy") for seeds in SEEDS]
