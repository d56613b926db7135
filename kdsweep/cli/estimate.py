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
    from kdsweep.report.statistics.pilot import Pilot
    from kdsweep.run.launch import Launch
    from kdsweep.values.study import Study


def show(driver: Launch, everything: Plan, console: Console, pilot: Pilot | None) -> None:
    """Print it for a study, given its whole plan.

    Args:
        pilot: whose variances say what it can show; None: typical ones do, for shares of right answers.
    """
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
    what_it_shows(study, pilot, console)


def pilot_of(study: Study, *, asked: bool) -> Pilot | None:
    """The variances of what a study's last launch left in its store: no score is shown of it.

    Args:
        asked: whether the user named it: then it has to have some.

    Raises:
        ValueError: a study that was asked for was not launched, or has no two arms to compare.
    """
    from kdsweep.report.facts.collect import collect
    from kdsweep.report.statistics.pilot import Pilot
    from kdsweep.run.journal import recorded
    from kdsweep.run.launch import with_facts
    from kdsweep.run.store import open_store

    results = open_store(study.storage)
    last = recorded(study.name, results)
    found = None if last is None else Pilot.of(collect(with_facts(study), results, last))
    if found is None and asked:
        raise ValueError(
            f"a pilot has two arms with runs on several seeds, tested on the same samples: {study.name} under "
            f"{study.storage} has none"
        )
    return found


def what_it_shows(study: Study, pilot: Pilot | None, console: Console) -> None:
    """Which differences its test part and seeds can show, in a line each.

    Raises:
        ValueError: the pilot is of another metric, or of other test units.
    """
    from kdsweep.report.statistics.pilot import Shown
    from kdsweep.report.statistics.planning import detectable, equivalent_within
    from kdsweep.report.statistics.verdicts import amount, unit

    assert study.facts is not None
    metric, samples = METRICS[study.metric], study.facts.folds[0].counts["test"]
    groups = study.facts.test_groups
    units = f"{samples} test samples" + (f" of {groups} groups" if groups else "")
    if pilot is not None:
        pilot.check(study.metric, grouped=groups is not None)
    elif not (metric.mean and metric.unit == "%"):
        console.print(
            f"what {units} can detect in {metric.label} is not known before a run: name a study that has run, --pilot "
            "STUDY",
            soft_wrap=True,
        )
        return
    for seeds in sorted({study.confirm.seeds, 10, 20}):
        if seeds < 3:
            console.print(f"{seeds} seeds: no verdict below 3")
            continue
        if pilot is not None:
            shown = pilot.shown(seeds, groups or samples, metric.scale)
        else:
            shown = Shown(
                *(100 * planned(seeds, samples, groups=groups) for planned in (detectable, equivalent_within))
            )
        console.print(
            f"{seeds} seeds on {units} can detect a difference of about {amount(shown.difference)} "
            f"{unit(metric.unit)}, and show equivalence within about ±{amount(shown.margin)} if no run collapses",
            soft_wrap=True,
        )
    if pilot is not None:
        console.print(escape(f"with the variances that {pilot.name} found ({pilot.comparisons} comparisons)"))
