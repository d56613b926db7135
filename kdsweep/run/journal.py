"""What a store keeps of a study beside its trials: whose its name is, which launch runs it, how far it is, its index.

studies/<name>/state.json      the launch that runs, or ran last: who, since when, its last sign of life, how far it is
studies/<name>/index.parquet   every role of every trial that the study ever asked for; those asked for now are marked

A name belongs to one study file, and at most one launch of it runs. A launch claims both before it trains anything, and
says every half minute that it lives. One whose process is gone from this machine, or that has said nothing for five
minutes on another, is over: the next launch goes on. A container with processes of its own is another machine. Reading
takes no claim and writes nothing.
"""

from __future__ import annotations

import dataclasses
import os
import socket
import subprocess
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kdsweep.protocol.plan import Known, Plan, Role, plan
from kdsweep.run.machine import kind_of_device, processes_of
from kdsweep.run.store import Results, safe_name
from kdsweep.values.arithmetic import compiled_width
from kdsweep.values.result import Result
from kdsweep.values.study import Study
from kdsweep.values.trial import digest

# Seconds between two signs of life, and without one until a launch on another machine is taken for dead.
SIGN, SILENCE = 30.0, 300.0
# Seconds that an object store, which has no locks, is given to show who else claims the same.
SETTLE = 1.0

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class State:
    """A launch, for whoever looks from outside.

    Attributes:
        launch: its name; "" where an earlier version wrote this.
        process, started: of its driver, on `host`; a process's number comes again, with another start.
        processes: among which `process` is a number (`kdsweep.run.machine.processes_of`).
        began, beat: seconds since the epoch; when it last said that it lives.
        device: the kind that it trains on.
        finished_here, in_flight, queued: trials that it has finished; roles of those that run; how many more are ready.
        expected: how many roles each arm will have.
        closed: it has ended in order.
        complete, ended, inapplicable: as of its plan.
        files, source: the study files that the name belongs to, and a digest of what the file said.
    """

    host: str
    process: int
    began: float
    beat: float
    launch: str = ""
    started: str = ""
    processes: str = ""
    device: str = ""
    finished_here: int = 0
    in_flight: Sequence[Mapping[str, Any]] = ()
    queued: int = 0
    expected: Mapping[str, int] = field(default_factory=dict)
    closed: bool = False
    complete: bool = False
    ended: Sequence[str] = ()
    inapplicable: Mapping[str, str] = field(default_factory=dict)
    files: Sequence[str] = ()
    source: str = ""

    @property
    def is_here(self) -> bool:
        """Whether `process` is one that can be looked at from here."""
        return (self.host, self.processes) == (socket.gethostname(), processes_of())

    @property
    def alive(self) -> bool:
        """Whether this launch is still at work."""
        if self.closed:
            return False
        if not self.is_here:
            return abs(time.time() - self.beat) < SILENCE
        started = started_at(self.process)
        return bool(started) and self.started in ("", started)


@dataclass(frozen=True)
class Standing:
    """Where a study stands, as a report reads it.

    Attributes:
        index: a row for each role, with `wanted`.
        inapplicable: controls that have no meaning, with the reason.
    """

    index: Rows
    complete: bool
    inapplicable: Mapping[str, str]


def read_state(name: str, results: Results) -> State | None:
    """Of the study's launch that runs or ran last; None where it was never launched."""
    stored = results.read_json(name, "state")
    if stored is None:
        return None
    keys = {each.name for each in dataclasses.fields(State)}
    return State(**{key: value for key, value in stored.items() if key in keys})


def check_owner(study: Study, results: Results) -> None:
    """A study's name has one file.

    Raises:
        ValueError: what lies under this study's name is of another file.
    """
    state = read_state(study.name, results)
    if state is not None and not _owns(study, state):
        raise ValueError(
            f"{study.path} and {', '.join(state.files)} are both named {study.name!r}, and the results under "
            f"{results.root} are of the latter: give this one a `name:` of its own. If it is the same study, moved and "
            "edited, launch it once with --takeover"
        )


def check_free(study: Study, results: Results, *, takeover: bool = False) -> None:
    """A launch of this study may begin here.

    Args:
        takeover: also from another file of this name, and from a launch on another machine that seems to run.

    Raises:
        ValueError: the name is another file's, or a launch of this study runs.
    """
    if not takeover:
        check_owner(study, results)
    state = read_state(study.name, results)
    if state is None or not state.alive:
        return
    here = state.is_here
    if (takeover and not here) or (here and state.process == os.getpid()):
        return
    ended = f"process {state.process}" if here else "its process, or launch with --takeover where it is dead"
    raise ValueError(
        f"{study.name} is being run by process {state.process} on {state.host}: `kdsweep status` shows it. To run it "
        f"from here, end {ended}"
    )


def standing(study: Study, results: Results) -> Standing:
    """Where this file's study stands, worked out from the store and writing nothing into it.

    While a launch runs, it is what that launch says.

    Args:
        study: with facts.

    Raises:
        ValueError: what lies under this study's name is of another file.
    """
    check_owner(study, results)
    state = read_state(study.name, results)
    earlier = results.read_rows(study.name, "index")
    if state is not None and state.alive:
        return Standing(earlier, state.complete, state.inapplicable)
    told = known(study, results, results.known())
    now = plan(study, told)
    while now.unsettled:
        # How they will be settled makes no difference to what is there: none of their trials is.
        told = replace(told, arithmetic={**told.arithmetic, **dict.fromkeys(now.unsettled, "plain")})
        now = plan(study, told)
    return Standing(index(now, earlier), now.complete, now.inapplicable)


def known(study: Study, results: Results, trials: Mapping[str, Result], *, device: str = "") -> Known:
    """What the plan is told of the store.

    Args:
        device: the kind that the study trains on; default: what its last launch did, which may have been elsewhere.
    """
    settled = {name: there["name"] for name, there in results.arithmetic().items()}
    if study.resources.compile == "off":
        # Versions before this one compiled by themselves what seemed worth it, under the same name.
        settled = {name: arithmetic for name, arithmetic in settled.items() if not compiled_width(arithmetic)}
    state = None if device else read_state(study.name, results)
    device = device or (state.device if state is not None else "") or kind_of_device(study.resources)
    return Known(trials, results.proposals(), settled, device)


def recorded(name: str, results: Results) -> Standing | None:
    """Where a study stood when it was last launched; None where it never was."""
    state = read_state(name, results)
    rows = results.read_rows(name, "index")
    return Standing(rows, state.complete, state.inapplicable) if state is not None and rows else None


def index(now: Plan, earlier: Rows) -> Rows:
    """A row for each role that the plan asks for, and for each that was asked for before."""
    rows = [vars(role) | {"wanted": True} for role in now.roles]
    asked = set(now.roles)
    return rows + [row | {"wanted": False} for row in earlier if _role(row) not in asked]


def running(results: Results, *, beside: str = "") -> list[str]:
    """Names of the studies on this store that a launch is at work on."""
    names = {name.split("/")[1] for name in results.files.names("studies", deep=True) if name.endswith("/state.json")}
    states = {name: read_state(name, results) for name in names - {safe_name(beside)}}
    return sorted(name for name, state in states.items() if state is not None and state.alive)


def forget_completion(name: str, results: Results) -> None:
    """Some of the study's results have been forgotten: it is no longer complete."""
    state = read_state(name, results)
    if state is not None:
        results.write_json(name, "state", dataclasses.asdict(replace(state, complete=False)))


class Journal:
    """One launch's claim to a study, and what it writes of itself."""

    def __init__(self, study: Study, results: Results) -> None:
        self.study, self.results = study, results
        self.launch, self.sign = uuid.uuid4().hex, SIGN
        # The claim has gone to another launch: nothing more is written.
        self.lost = False
        self._state: State | None = None
        self._lock, self._over = threading.Lock(), threading.Event()

    def claim(self, *, takeover: bool = False) -> None:
        """Make the name and the run this launch's own: `check_free` says when."""
        name = self.study.name
        with self._alone():
            check_free(self.study, self.results, takeover=takeover)
            before, now = read_state(name, self.results), time.time()
            self._write(
                replace(
                    # What the last one has reached stands until this one has planned.
                    before or State("", 0, now, now),
                    host=socket.gethostname(),
                    processes=processes_of(),
                    process=os.getpid(),
                    began=now,
                    beat=now,
                    launch=self.launch,
                    started=started_at(os.getpid()),
                    finished_here=0,
                    in_flight=(),
                    queued=0,
                    closed=False,
                    files=_files(self.study, before),
                    source=digest(self.study.source),
                )
            )
        if not self.results.files.is_folder:
            time.sleep(SETTLE)
            if not self._is_ours():
                raise ValueError(f"another launch of {name} has begun at this moment: this one ends")
        threading.Thread(target=self._live, name="signs of life", daemon=True).start()

    def write(self, **changes: Any) -> None:
        """What `State` shows of the launch."""
        with self._lock:
            if self._state is not None and not self.lost:
                self._write(replace(self._state, beat=time.time(), **changes))

    def write_index(self, rows: Rows) -> None:
        if not self.lost:
            self.results.write_rows(self.study.name, "index", rows)

    def close(self) -> None:
        """The launch has ended in order."""
        self._over.set()
        self.write(closed=True, in_flight=[])

    def _write(self, state: State) -> None:
        self._state = state
        self.results.write_json(self.study.name, "state", dataclasses.asdict(state))

    def _alone(self) -> AbstractContextManager[None]:
        """Nobody else claims the name, or says that they live, meanwhile: a sign would undo a claim made beside it."""
        return self.results.files.alone(f"studies/{safe_name(self.study.name)}/claim")

    def _is_ours(self) -> bool:
        state = read_state(self.study.name, self.results)
        return state is not None and state.launch == self.launch

    def _live(self) -> None:
        while not self._over.wait(self.sign):
            try:
                with self._alone():
                    if not self._is_ours():
                        self.lost = True
                        return
                    self.write()
            except OSError:
                # A disk that is full or away for a while: the next sign will tell.
                continue


def started_at(process: int) -> str:
    """When a process of this machine began, in the system's own words; "" where there is none."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        # One that has ended and that nobody has asked for is still listed.
        return "" if fields[0] in "ZX" else fields[19]
    except OSError:
        if Path("/proc/self").exists():
            return ""
    asked = subprocess.run(["ps", "-o", "lstart=", "-p", str(process)], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


def _role(row: Mapping[str, Any]) -> Role:
    return Role(**{name: value for name, value in row.items() if name != "wanted"})


def _owns(study: Study, state: State) -> bool:
    """By its place, or where it was moved by its words; what was made in memory has neither."""
    if not study.path or not state.files:
        return True
    return _place(study) in state.files or digest(study.source) == state.source


def _files(study: Study, before: State | None) -> list[str]:
    """Those that the name belongs to from now on: a file that was moved is added, and a copy is not."""
    files = list(before.files) if before is not None else []
    if not study.path or _place(study) in files:
        return files
    copied = before is not None and digest(study.source) == before.source and any(Path(file).exists() for file in files)
    return files if copied else [*files, _place(study)]


def _place(study: Study) -> str:
    return str(Path(study.path).resolve())
