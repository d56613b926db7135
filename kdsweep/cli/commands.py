"""What the commands do, given a study and a console."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from kdsweep.cli import live as display
from kdsweep.cli import watching
from kdsweep.run import opening
from kdsweep.run.store import Results, safe_name
from kdsweep.tasks.metrics import METRICS
from kdsweep.values.study import Study

if TYPE_CHECKING:
    from kdsweep.protocol.plan import Plan
    from kdsweep.run.launch import Launch
    from kdsweep.run.ray import Starting

INTERRUPTED = 130
# Seconds without a beat after which a launch on another machine is taken for dead: it may be compiling a step.
SILENCE = 300


def launch(study: Study, console: Console, *, local: bool, address: str | None, dry_run: bool, reports: Path) -> int:
    """Run a study and write its report. Returns the exit code: 0 when everything that it asks for is there."""
    from kdsweep.run.cluster import reach

    if local and study.resources.workers > 1:
        console.print("--local trains in this process: with resources.workers above 1, leave it out")
        return 2
    try:
        if address and not local:
            reach(address)
        results = opening.store(study.storage)
    except (ValueError, ConnectionError) as error:
        console.print(escape(str(error)), soft_wrap=True)
        return 2
    with _started_early(study, results, here=not (local or address or dry_run)) as starting:
        return _launched(
            study, results, console, local=local, address=address, dry_run=dry_run, reports=reports, starting=starting
        )


def _launched(
    study: Study,
    results: Results,
    console: Console,
    *,
    local: bool,
    address: str | None,
    dry_run: bool,
    reports: Path,
    starting: Starting | None,
) -> int:
    from kdsweep.run import forecast
    from kdsweep.run.launch import Launch, with_facts

    try:
        study = with_facts(study)
    except ValueError as error:
        console.print(escape(str(error)), soft_wrap=True)
        return 2
    show_warnings(study, console)
    everything = forecast.whole(study)
    by_arm = Counter(role.arm for role in everything.roles)
    shown = display.Display(console, study.name, study.metric, by_arm)
    try:
        driver = Launch(study, results, shown.show, by_arm, trains=not dry_run)
    except OSError as error:
        console.print(f"the storage has to be a folder that can be written to, got {escape(study.storage)}: {error}")
        return 2
    console.print(_plan_table(driver, by_arm))
    if dry_run:
        _print_forecast(driver, everything, console)
        return 0
    try:
        with shown:
            shown.launch = driver
            _run(driver, console, local=local, address=address, starting=starting)
    except ConnectionError as error:
        driver.close()
        console.print(escape(str(error)), soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        driver.close()
        again = f"python -m kdsweep launch {escape(study.path)}"
        console.print(f"stopped; nothing finished is lost. To go on: {again}", soft_wrap=True)
        return INTERRUPTED
    driver.close()
    for reason in driver.plan.ended:
        console.print(f"goes no further: {escape(reason)}", style="yellow")
    if not driver.complete:
        console.print(
            f"incomplete: {len(driver.lost)} trials were lost; launch again to try them again", style="yellow"
        )
    _write_report(study, results, console, reports)
    return 0 if driver.complete else 1


def show_warnings(study: Study, console: Console) -> None:
    """Print what the file asks for that is allowed and costs more, or changes less, than it seems."""
    for warning in study.warnings:
        console.print(f"note: {escape(warning)}", style="yellow", soft_wrap=True)


@contextlib.contextmanager
def _started_early(study: Study, results: Results, *, here: bool) -> Iterator[Starting | None]:
    """Ray on this machine, which starts while data and libraries are read and ends with the launch; not where there may
    be nothing left to train."""
    if not here or (results.read_json(study.name, "state") or {}).get("complete"):
        yield None
        return
    from kdsweep.run import ray as cluster

    starting = cluster.Starting()
    try:
        yield starting
    finally:
        starting.stop()


@contextlib.contextmanager
def _ended_in_order() -> Iterator[None]:
    """The signal by which schedulers end a job is taken as Ctrl-C is."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


def _run(driver: Launch, console: Console, *, local: bool, address: str | None, starting: Starting | None) -> None:
    if driver.done:
        return
    if local:
        from kdsweep.run import local as runner

        with _ended_in_order():
            runner.run(driver)
        return
    from kdsweep.run import ray as cluster

    dashboard = starting.result() if starting is not None else cluster.start(address)
    if dashboard:
        console.print(f"Ray dashboard: {dashboard} (it asks for the token that `ray get-auth-token` prints)")
    try:
        # Not before: Ray sets a handler of its own when it starts.
        with _ended_in_order():
            cluster.run(driver)
    finally:
        cluster.stop()


def report(
    study: Study, console: Console, reports: Path, *, watch: bool = False, figures: Literal["", "svg", "pdf"] = ""
) -> int:
    """Write the report of what is there; with `watch`, again whenever there is more, until the study is complete.

    Args:
        figures: writes each figure as a file, too.

    Raises:
        ValueError: the storage cannot be used, or figures were asked for and what draws them is not installed.
    """
    from kdsweep.run.launch import Launch, with_facts

    results, study = opening.store(study.storage), with_facts(study)

    def write() -> None:
        state = results.read_json(study.name, "state")
        if state is None or not _alive(state):
            # The file may have changed since the last launch: its index has to be of this file. While a launch runs,
            # the index is the launch's.
            with opening.writing(study.storage):
                Launch(study, results, trains=False).close()
        _write_report(study, results, console, reports, figures=figures, refresh=watch)

    if watch:
        return watching.follow(study, results, console, write)
    write()
    return 0


def _write_report(
    study: Study,
    results: Results,
    console: Console,
    reports: Path,
    *,
    figures: Literal["", "svg", "pdf"] = "",
    refresh: bool = False,
) -> None:
    from kdsweep.report import build
    from kdsweep.report.facts.collect import collect, record_look
    from kdsweep.run import forecast

    state = results.read_json(study.name, "state") or {}
    stages = {} if state.get("complete") else Counter(role.stage for role in forecast.whole(study).roles)
    runs = collect(study, results, expected=stages, refresh=refresh)
    headline = build(runs, reports / safe_name(study.name), figures=figures)
    record_look(study, results, runs)
    console.print(f"\n{escape(headline.text)}", soft_wrap=True)
    console.print(f"report: {escape(str(headline.path))}", soft_wrap=True)


def status(study: Study, console: Console, *, watch: bool) -> int:
    """Show how far the study is, from what the store holds; it may run anywhere."""
    results = opening.store(study.storage)

    def now() -> tuple[Table | str, bool]:
        roles = [role for role in results.read_rows(study.name, "index") if role["wanted"]]
        state = results.read_json(study.name, "state")
        if not roles or state is None:
            return f"{escape(study.name)}: not launched yet under {escape(study.storage)}", False
        known = results.known()
        running = [role["trial"] for role in state["in_flight"]] if _alive(state) else []
        lines = display.progress(roles, known, metric=study.metric, running=running, expected=state["expected"])
        left = sum(line.expected - line.done for line in lines.values())
        return display.table(lines, metric=study.metric, title=escape(study.name), caption=_caption(state, left)), bool(
            state["complete"]
        )

    grid, complete = now()
    if not watch:
        console.print(grid, soft_wrap=isinstance(grid, str))
        return 0
    with Live(grid, console=console, auto_refresh=False) as live:
        while not complete:
            time.sleep(2)
            grid, complete = now()
            live.update(grid, refresh=True)
    return 0


def _alive(state: dict[str, Any]) -> bool:
    if state["closed"]:
        return False
    if state["host"] != socket.gethostname():
        return time.time() - float(state["beat"]) < SILENCE
    try:
        os.kill(state["process"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _caption(state: dict[str, Any], left: int) -> str:
    if state["complete"]:
        return "complete"
    if not _alive(state):
        return "not running: launch again to resume"
    elapsed = float(state["beat"]) - float(state["began"])
    return f"running for {display.duration(elapsed)}{display.to_go(elapsed, state['finished_here'], left)}"


def list_(what: str, console: Console) -> None:
    """Print what is shipped, a line each."""
    grid = Table(box=None, pad_edge=False, show_header=False)
    for name, words in _listed(what):
        grid.add_row(escape(name), escape(words))
    console.print(grid)


def _listed(what: str) -> list[tuple[str, str]]:
    match what:
        case "methods":
            from kdsweep import methods

            return [(name, methods.load(name).summary) for name in methods.names()]
        case "datasets":
            from kdsweep.data import registry as source

            return [(name, (source.module(name).__doc__ or "").split("\n")[0]) for name in source.names()]
        case "networks":
            from kdsweep.networks import ENCODERS, FUSIONS

            return [(name, part.summary) for name, part in {**ENCODERS, **FUSIONS}.items()]
    from kdsweep import objective
    from kdsweep.objective.base import Term

    terms = {name: getattr(objective, name) for name in objective.__all__}
    return [
        (name, f"{(term.__doc__ or '').split(chr(10))[0]} {term.paper}".strip())
        for name, term in terms.items()
        if isinstance(term, type) and issubclass(term, Term) and term is not Term
    ]


def replay(prefix: str, storage: str, console: Console, *, allow_code: Sequence[str]) -> int:
    """Train one trial again and say whether it is the same. Returns 0 where it is bit-identical, 1 where it parts."""
    from kdsweep.run import replay as again

    try:
        answer = again.replay(prefix, opening.store(storage), allow_code=allow_code)
    except ValueError as error:
        console.print(escape(str(error)), soft_wrap=True)
        return 2
    console.print(escape(answer.text), soft_wrap=True)
    return 0 if answer.identical else 1


def _plan_table(driver: Launch, expected: Counter[str]) -> Table:
    """By arm: trials asked for, reused, and new; and earlier ones that the study no longer asks for."""
    study = driver.study
    grid = Table(title=escape(study.name), title_justify="left", box=None, pad_edge=False)
    for name in ("arm", "trials", "reused", "new", "set aside"):
        grid.add_column(name, justify="left" if name == "arm" else "right", overflow="fold")
    reused = Counter(role.arm for role in driver.plan.roles if role.trial in driver.known.trials)
    aside = driver.set_aside()
    for arm in dict.fromkeys([*expected, *aside]):
        name = escape(arm) if arm else display.NOBODY
        new = expected[arm] - reused[arm]
        grid.add_row(name, str(expected[arm]), str(reused[arm]), str(new), str(aside[arm] or ""))
    return grid


def _print_forecast(driver: Launch, everything: Plan, console: Console) -> None:
    from kdsweep.report.statistics.crossed import detectable, equivalent_within
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
        grid.add_row(escape(line.arm) or display.NOBODY, str(line.trials), display.duration(line.seconds))
    console.print(grid)
    console.print(f"in all: about {display.duration(sum(line.seconds for line in lines))} of one worker")
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
