"""What `launch --dry-run` prints: how much would run, how long it takes, and how small a difference it can show."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from kdsweep.cli import live
from kdsweep.tasks.registry import METRICS

if TYPE_CHECKING:
    from kdsweep.protocol.plan import Plan
    from kdsweep.run.launch import Launch


def show(driver: Launch, everything: Plan, console: Console) -> None:
    """Print it for a study, given its whole plan."""
    from kdsweep.report.statistics.planning import detectable, equivalent_within
    from kdsweep.run import forecast

    study = driver.study
    assert study.facts is not None
    stages = Counter(role.stage for role in everything.roles)
    console.print("stages: " + ", ".join(f"{stage} {count}" for stage, count in stages.items()))
    lines = forecast.probe(study, driver.known, everything)
    grid = Table(title="time on one worker, from one epoch of each", title_justify="left", box=None, pad_edge=False)
    grid.add_column("arm", overflow="fold")
    grid.add_column("to run", justify="right")
    grid.add_column("about", justify="right")
    for line in lines:
        grid.add_row(escape(line.arm) or live.NOBODY, str(line.trials), live.duration(line.seconds))
    console.print(grid)
    console.print(f"in all: about {live.duration(sum(line.seconds for line in lines))} of one worker")
    metric, counts = METRICS[study.metric], study.facts.folds[0].counts
    units = f"{counts['test']} test samples"
    if study.facts.test_groups:
        units += f" of {study.facts.test_groups} groups"
    if not (metric.mean and metric.unit == "%"):
        console.print(
            f"what {units} can detect in {metric.label} is not known before a run: only for shares of samples"
        )
        return
    for seeds in sorted({study.confirm.seeds, 10, 20}):
        if seeds < 3:
            console.print(f"{seeds} seeds: no verdict below 3")
            continue
        smallest, within = (
            100 * planned(seeds, counts["test"], groups=study.facts.test_groups)
            for planned in (detectable, equivalent_within)
        )
        console.print(
            f"{seeds} seeds on {units} can detect a difference of about {smallest:.1f} points, "
            f"and show equivalence within about ±{within:.1f}",
            soft_wrap=True,
        )
