"""`kdsweep status`: how far a study is, from what its store holds. It may run anywhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from kdsweep.cli.errors import DONE, INCOMPLETE
from kdsweep.cli.options import AsJson, Storage, StudyFile, console, load

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from kdsweep.run.journal import State
    from kdsweep.values.study import Study


def status(
    study: StudyFile,
    watch: Annotated[bool, typer.Option("--watch", help="keep showing it until it is complete")] = False,
    as_json: AsJson = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="end with 0 complete, 1 incomplete")] = False,
    storage: Storage = None,
) -> int:
    """Show how far a study is: stage, counts and best score by arm, and the time to go."""
    if watch and as_json:
        raise ValueError("--watch is for people: ask for --json again")
    complete = show(load(study, storage), console(), watch=watch, as_json=as_json)
    return DONE if complete or not exit_code else INCOMPLETE


def show(study: Study, console: Console, *, watch: bool = False, as_json: bool = False) -> bool:
    """Print it once, or until the study is complete. Returns whether it is."""
    from rich.live import Live
    from rich.markup import escape

    from kdsweep.cli import live
    from kdsweep.cli.standing import status_of
    from kdsweep.run.journal import check_owner, read_state
    from kdsweep.run.store import open_store

    results = open_store(study.storage)
    check_owner(study, results)

    def read() -> tuple[State | None, dict[str, live.Progress]]:
        roles = [role for role in results.read_rows(study.name, "index") if role["wanted"]]
        state = read_state(study.name, results)
        if not roles or state is None:
            return None, {}
        running = [role["trial"] for role in state.in_flight] if state.alive else []
        known = results.known()
        return state, live.progress(roles, known, metric=study.metric, running=running, expected=state.expected)

    def grid(state: State | None, lines: dict[str, live.Progress]) -> Table | str:
        if state is None:
            return f"{escape(study.name)}: not launched yet under {escape(study.storage)}"
        left = sum(line.expected - line.done for line in lines.values())
        return live.table(lines, metric=study.metric, title=escape(study.name), caption=_caption(state, left))

    state, lines = read()
    if as_json:
        typer.echo(status_of(study, state, lines).model_dump_json(indent=2))
    elif not watch:
        console.print(grid(state, lines), soft_wrap=state is None)
    else:
        with Live(grid(state, lines), console=console, auto_refresh=False) as screen:
            while state is None or not state.complete:
                time.sleep(2)
                state, lines = read()
                screen.update(grid(state, lines), refresh=True)
    return state is not None and state.complete


def _caption(state: State, left: int) -> str:
    from kdsweep.cli.live import duration, to_go

    if state.complete:
        return "complete"
    if not state.alive:
        return "not running: launch again to resume"
    elapsed = state.beat - state.began
    return f"running for {duration(elapsed)}{to_go(elapsed, state.finished_here, left)}"
