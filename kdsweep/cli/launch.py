"""`kdsweep launch`, and `resume`, which is the same: run a study to its end, and write its report."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kdsweep.cli.errors import DONE, INCOMPLETE, INTERRUPTED
from kdsweep.cli.options import Address, Local, PilotFile, Reports, Storage, StudyFile, Takeover, console, load

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kdsweep.run.launch import Launch
    from kdsweep.run.ray.cluster import Starting
    from kdsweep.run.store import Results
    from kdsweep.values.study import Study


def launch(
    study: StudyFile,
    local: Local = False,
    address: Address = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would run and what it can show")] = False,
    pilot: PilotFile = None,
    takeover: Takeover = False,
    storage: Storage = None,
    reports: Reports = Path("reports"),
) -> int:
    """Run a study to its end, and write its report. Launch again to resume, or after editing the file."""
    if pilot is not None and not dry_run:
        raise ValueError("--pilot says what a study can show before it runs: it goes with --dry-run")
    return run(
        load(study, storage),
        console(),
        local=local,
        address=address,
        dry_run=dry_run,
        pilot=load(pilot, storage) if pilot else None,
        takeover=takeover,
        reports=reports,
    )


def resume(
    study: StudyFile,
    local: Local = False,
    address: Address = None,
    takeover: Takeover = False,
    storage: Storage = None,
    reports: Reports = Path("reports"),
) -> int:
    """The same as launch: what is finished is reused."""
    return launch(study, local, address, takeover=takeover, storage=storage, reports=reports)


def run(
    study: Study,
    console: Console,
    *,
    local: bool,
    address: str | None,
    dry_run: bool,
    pilot: Study | None,
    takeover: bool,
    reports: Path,
) -> int:
    """Run a study and write its report. Returns the exit code: `DONE` when everything that it asks for is there.

    Raises:
        ValueError, ConnectionError: the study cannot be run so.
    """
    from kdsweep.run.journal import check_free
    from kdsweep.run.ray.address import check_address
    from kdsweep.run.store import open_store

    if local and study.resources.workers > 1:
        raise ValueError("--local trains in this process: with resources.workers above 1, leave it out")
    if address and not local:
        check_address(address)
    results = open_store(study.storage)
    if not dry_run:
        # Before anything is started or read: no launch is refused later but by one of the same moment.
        check_free(study, results, takeover=takeover)
    with _started_early(study, results, here=not (local or address or dry_run)) as starting:
        return _run(
            study,
            results,
            console,
            local=local,
            address=address,
            dry_run=dry_run,
            pilot=pilot,
            takeover=takeover,
            reports=reports,
            starting=starting,
        )


def _run(
    study: Study,
    results: Results,
    console: Console,
    *,
    local: bool,
    address: str | None,
    dry_run: bool,
    pilot: Study | None,
    takeover: bool,
    reports: Path,
    starting: Starting | None,
) -> int:
    from rich.markup import escape

    from kdsweep.cli import estimate, live
    from kdsweep.cli.report import write_report
    from kdsweep.protocol import forecast
    from kdsweep.run.launch import Launch, with_facts

    study = with_facts(study)
    show_warnings(study, console)
    everything = forecast.whole(study)
    by_arm = Counter(role.arm for role in everything.roles)
    display = live.Display(console, study.name, study.metric, by_arm)
    try:
        driver = Launch(study, results, [display.show], by_arm, trains=not dry_run, takeover=takeover)
    except OSError as error:
        raise ValueError(
            f"the storage has to be a folder that can be written to, got {study.storage}: {error}"
        ) from error
    console.print(_plan_table(driver, by_arm))
    if dry_run:
        estimate.show(driver, everything, console, estimate.pilot_of(pilot or study, asked=pilot is not None))
        return DONE
    try:
        with display:
            display.launch = driver
            _train(driver, console, local=local, address=address, starting=starting)
            if driver.complete and study.conditions:
                from kdsweep.run.conditions import read_again

                read_again(study, driver.plan, results)
            if driver.complete and study.references:
                _fit_references(study, results, console)
        driver.close()
        _show_end(driver, console)
        with _ended_in_order():
            write_report(study, results, console, reports)
    except ConnectionError:
        driver.close()
        raise
    except KeyboardInterrupt:
        driver.close()
        again = f"python -m kdsweep launch {escape(study.path)}"
        console.print(f"stopped; nothing finished is lost. To go on: {again}", soft_wrap=True)
        return INTERRUPTED
    return DONE if driver.complete else INCOMPLETE


def _fit_references(study: Study, results: Results, console: Console) -> None:
    """Said only where it takes a while."""
    from kdsweep.run.references import fit_references

    words = "fitting a linear model and an MLP of scikit-learn on the student's rows"
    told = threading.Timer(3.0, console.print, [words])
    told.start()
    try:
        fit_references(study, results)
    finally:
        told.cancel()


def _show_end(driver: Launch, console: Console) -> None:
    from rich.markup import escape

    for reason in driver.plan.ended:
        console.print(f"goes no further: {escape(reason)}", style="yellow")
    if not driver.complete:
        console.print(
            f"incomplete: {len(driver.lost)} trials were lost; launch again to try them again", style="yellow"
        )


def show_warnings(study: Study, console: Console) -> None:
    """Print what the file asks for that is allowed and costs more, or changes less, than it seems."""
    from rich.markup import escape

    for warning in study.warnings:
        console.print(f"note: {escape(warning)}", style="yellow", soft_wrap=True)


@contextlib.contextmanager
def _started_early(study: Study, results: Results, *, here: bool) -> Iterator[Starting | None]:
    """Ray on this machine, which starts while data and libraries are read and ends with the launch; not where there may
    be nothing left to train."""
    from kdsweep.run.journal import read_state

    if not here or ((state := read_state(study.name, results)) and state.complete):
        yield None
        return
    from kdsweep.run.ray import cluster

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


def _train(driver: Launch, console: Console, *, local: bool, address: str | None, starting: Starting | None) -> None:
    if driver.done:
        return
    if local:
        from kdsweep.run import local as in_process

        with _ended_in_order():
            in_process.run(driver)
        return
    from kdsweep.run.ray import cluster

    dashboard = starting.result() if starting is not None else cluster.start(address)
    if dashboard:
        console.print(f"Ray dashboard: {dashboard} (it asks for the token that `ray get-auth-token` prints)")
    try:
        # Not while Ray still starts, in a thread that imports as well.
        from kdsweep.run.ray import runner

        # Not before: Ray sets a handler of its own when it starts.
        with _ended_in_order():
            runner.run(driver)
    finally:
        cluster.stop()


def _plan_table(driver: Launch, expected: Counter[str]) -> Table:
    """By arm: trials asked for, reused, and new; and earlier ones that the study no longer asks for."""
    from rich.markup import escape
    from rich.table import Table

    from kdsweep.cli.live import NOBODY

    study = driver.study
    grid = Table(title=escape(study.name), title_justify="left", box=None, pad_edge=False)
    for name in ("arm", "trials", "reused", "new", "set aside"):
        grid.add_column(name, justify="left" if name == "arm" else "right", overflow="fold")
    reused = Counter(role.arm for role in driver.plan.roles if role.trial in driver.known.trials)
    aside = driver.set_aside()
    for arm in dict.fromkeys([*expected, *aside]):
        name = escape(arm) if arm else NOBODY
        new = expected[arm] - reused[arm]
        grid.add_row(name, str(expected[arm]), str(reused[arm]), str(new), str(aside[arm] or ""))
    return grid
