"""`kdsweep status`: how far a study is, from what its store holds. It may run anywhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from kdsweep.cli.errors import DONE
from kdsweep.cli.options import Storage, StudyFile, console, load

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kdsweep.run.journal import State
    from kdsweep.values.study import Study


def status(
    study: StudyFile,
    watch: Annotated[bool, typer.Option("--watch", help="keep showing it until it is complete")] = False,
    storage: Storage = None,
) -> int:
    """Show how far a study is: stage, counts and best score by arm, and the time to go."""
    return show(load(study, storage), console(), watch=watch)


def show(study: Study, console: Console, *, watch: bool) -> int:
    """Print it once, or until the study is complete."""
    from rich.live import Live
    from rich.markup import escape

    from kdsweep.cli import live
    from kdsweep.run.journal import check_owner, read_state
    from kdsweep.run.store import open_store

    results = open_store(study.storage)
    check_owner(study, results)

    def now() -> tuple[Table | str, bool]:
        roles = [role for role in results.read_rows(study.name, "index") if role["wanted"]]
        state = read_state(study.name, results)
        if not roles or state is None:
            return f"{escape(study.name)}: not launched yet under {escape(study.storage)}", False
        known = results.known()
        running = [role["trial"] for role in state.in_flight] if state.alive else []
        lines = live.progress(roles, known, metric=study.metric, running=running, expected=state.expected)
        left = sum(line.expected - line.done for line in lines.values())
        return live.table(
            lines, metric=study.metric, title=escape(study.name), caption=_caption(state, left)
        ), state.complete

    grid, complete = now()
    if not watch:
        console.print(grid, soft_wrap=isinstance(grid, str))
        return DONE
    with Live(grid, console=console, auto_refresh=False) as screen:
        while not complete:
            time.sleep(2)
            grid, complete = now()
            screen.update(grid, refresh=True)
    return DONE


def _caption(state: State, left: int) -> str:
    from kdsweep.cli.live import duration, to_go

    if state.complete:
        return "complete"
    if not state.alive:
        return "not running: launch again to resume"
    elapsed = state.beat - state.began
    return f"running for {duration(elapsed)}{to_go(elapsed, state.finished_here, left)}"
