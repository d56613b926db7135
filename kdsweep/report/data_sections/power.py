"""Which difference in accuracy between two methods the test part can show, with 80 % power at p < 0.05, if the two
disagree on a tenth of its samples. Smaller ones stay undecided, whoever wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdsweep.report.render.tables import Table
from kdsweep.report.statistics.planning import detectable
from kdsweep.tasks import registry as tasks

if TYPE_CHECKING:
    from kdsweep.report.render.data_page import Findings

TITLE = "What the test part can show"
CHAPTER = "front"
ORDER = 30
SEEDS = (5, 10, 20)


def table(findings: Findings) -> list[Table]:
    by_seeds = differences(findings)
    rows = [{"seeds": seeds, "smallest difference (points)": 100 * share} for seeds, share in by_seeds.items()]
    return [Table("power", "Smallest difference in test accuracy that is likely to be shown.", rows, {})]


def differences(findings: Findings) -> dict[int, float]:
    """By number of seeds, as a share; empty where the task's metric is no share of right answers."""
    if not tasks.load(findings.card.task).recognises:
        return {}
    groups = findings.audit.groups.get("test", 0)
    samples = findings.audit.rows["test"]
    return {seeds: detectable(seeds, samples, groups=groups if groups > 1 else None) for seeds in SEEDS}
