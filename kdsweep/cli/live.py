"""What a person sees while a study runs: a live table on a terminal, plain lines in a log."""

from __future__ import annotations

import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from kdsweep.tasks.registry import METRICS
from kdsweep.values.result import Result

if TYPE_CHECKING:
    from kdsweep.run.launch import Launch
    from kdsweep.run.listeners import Event

# Seconds between two lines of a log.
LINE_EVERY = 10.0
NOBODY = "teachers"


@dataclass
class Progress:
    """One arm's state: trials asked for over all its stages, and what became of those that were run.

    `stage` is the last one that something ran in.
    """

    expected: int = 0
    done: int = 0
    running: int = 0
    pruned: int = 0
    failed: int = 0
    stage: str = ""
    best: float = math.nan


def progress(
    roles: Iterable[Mapping[str, Any]],
    known: Mapping[str, Result],
    *,
    metric: str,
    running: Iterable[str] = (),
    expected: Mapping[str, int] | None = None,
) -> dict[str, Progress]:
    """Every arm's state from the roles of its trials and the results there are; teachers are a line of their own."""
    lines: dict[str, Progress] = defaultdict(Progress)
    maximize, in_flight = METRICS[metric].maximize, set(running)
    for name, count in (expected or {}).items():
        lines[name or NOBODY].expected = count
    seen: Counter[str] = Counter()
    for role in roles:
        name = role["arm"] or NOBODY
        line, result = lines[name], known.get(role["trial"])
        seen[name] += 1
        if role["trial"] in in_flight:
            line.running += 1
            line.stage = role["stage"]
        if result is None:
            continue
        line.done += 1
        line.stage = line.stage or role["stage"]
        line.pruned += result.state == "pruned"
        line.failed += result.state == "failed"
        score = result.score(metric)
        # The best so far is of the full method: rows and controls are what it is compared with.
        if result.state == "complete" and not role["row"] and not role["control"]:
            better = math.isnan(line.best) or (score > line.best if maximize else score < line.best)
            line.best = score if better else line.best
    for name, count in seen.items():
        lines[name].expected = max(lines[name].expected, count)
    return dict(lines)


def table(lines: Mapping[str, Progress], *, metric: str, title: str, caption: str) -> Table:
    """The arms' states as a table."""
    shown = METRICS[metric]
    grid = Table(title=title, caption=caption, title_justify="left", caption_justify="left", box=None, pad_edge=False)
    grid.add_column("arm", overflow="fold")
    grid.add_column("stage")
    for name in ("done", "running", "pruned", "failed"):
        grid.add_column(name, justify="right")
    grid.add_column(f"best valid {shown.label}", justify="right")
    for name, line in lines.items():
        bar = _bar(line.done, line.expected)
        best = "" if math.isnan(line.best) else f"{line.best * shown.scale:.1f} {shown.unit}"
        stage = "complete" if line.done == line.expected else line.stage
        grid.add_row(
            escape(name),
            stage,
            f"{bar} {line.done}/{line.expected}",
            str(line.running or ""),
            str(line.pruned or ""),
            str(line.failed or ""),
            best,
        )
    return grid


def to_go(elapsed: float, finished: int, left: int) -> str:
    """ ", about 3 min to go"; nothing while too little has finished to tell."""
    seconds = seconds_to_go(elapsed, finished, left)
    return "" if seconds is None else f", about {duration(seconds)} to go"


def seconds_to_go(elapsed: float, finished: int, left: int) -> float | None:
    """None where nothing is left, or too little has finished to tell."""
    return None if not left or finished < max(8, left / 20) else elapsed / finished * left


def duration(seconds: float) -> str:
    """Seconds as a person says them: "0.4 s", "40 s", "3 min", "2 h 05 min"."""
    if seconds < 9.5:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


@dataclass
class Display:
    """Follows one launch. Use as a context around the run.

    Args:
        expected: how many roles each arm has in all ("" for teachers).
    """

    console: Console
    study: str
    metric: str
    expected: Mapping[str, int]
    launch: Launch | None = None
    _live: Live | None = None
    _line: float = 0.0
    _began: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self._live = Live(console=self.console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
        elif self.launch is not None:
            self._print_line()

    def show(self, event: Event) -> None:
        if event.kind == "lost" and event.trial is not None:
            self.console.print(f"lost: {escape(event.message)}", style="yellow", soft_wrap=True)
        if event.kind == "settled" and event.trial is not None:
            what = f"{event.trial.method}, {event.trial.trains}"
            self.console.print(f"{escape(what)}: {escape(event.message)}", soft_wrap=True)
        if event.kind == "commit" and event.result is not None and event.result.state == "failed" and event.role:
            where = " ".join(filter(None, (event.role.stage, event.role.arm, event.role.row, event.role.control)))
            assert event.trial is not None
            self.console.print(f"failed: {escape(where)} seed {event.role.seed}, trial {event.trial.id[:8]}")
        if self.launch is None:
            return
        if self._live is not None:
            self._live.update(self._table())
        elif time.monotonic() - self._line > LINE_EVERY:
            self._print_line()

    def _lines(self) -> dict[str, Progress]:
        assert self.launch is not None
        roles = [vars(role) for role in self.launch.plan.roles]
        return progress(
            roles,
            self.launch.known.trials,
            metric=self.metric,
            running=self.launch.in_flight,
            expected=self.expected,
        )

    def _table(self) -> Table:
        lines = self._lines()
        return table(lines, metric=self.metric, title=escape(self.study), caption=self._clock(lines))

    def _clock(self, lines: Mapping[str, Progress]) -> str:
        assert self.launch is not None
        elapsed = time.monotonic() - self._began
        left = sum(line.expected - line.done for line in lines.values())
        return f"{duration(elapsed)} so far{to_go(elapsed, self.launch.finished_here, left)}"

    def _print_line(self) -> None:
        self._line = time.monotonic()
        lines = self._lines()
        done, expected = (sum(getattr(line, name) for line in lines.values()) for name in ("done", "expected"))
        busy = ", ".join(
            f"{name} {line.stage} {line.done}/{line.expected}" for name, line in lines.items() if line.running
        )
        text = f"{time.strftime('%H:%M:%S')}  {done}/{expected} trials  {self._clock(lines)}  {busy}".rstrip()
        self.console.print(text, markup=False, soft_wrap=True, highlight=False)


def _bar(done: int, expected: int, width: int = 12) -> str:
    filled = width * done // max(1, expected)
    return "━" * filled + "┄" * (width - filled)
