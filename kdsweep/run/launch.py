"""One launch of a study: what is ready, what is in flight, what is committed. Runners ask it and tell it."""

from __future__ import annotations

import dataclasses
import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from kdsweep.data import registry as source
from kdsweep.engine.faults import Fault
from kdsweep.engine.stacked.width import Widths
from kdsweep.protocol.plan import Plan, Role, plan
from kdsweep.protocol.trials import Memory
from kdsweep.run.journal import Journal, check_owner, index, known, running
from kdsweep.run.listeners import Event, Listener, Listeners
from kdsweep.run.machine import kind_of_device
from kdsweep.run.packing import pack
from kdsweep.run.settling import settle
from kdsweep.run.store import Results
from kdsweep.study_file import compatibility
from kdsweep.values.arithmetic import compiled_width, settlement
from kdsweep.values.result import Result
from kdsweep.values.stages import STAGES
from kdsweep.values.study import Study
from kdsweep.values.trial import Trial, structure

if TYPE_CHECKING:
    from kdsweep.engine.stacked.choose import Arithmetic

# A trial lost this often (a worker died, a disk was full) is not handed out again in the same launch.
PATIENCE = 3
# Seconds between two writes of the index and the state file, which `status` reads.
BEAT = 2.0


@dataclass
class Launch:
    """The driver's side of a run. Only this writes row files' commits, proposals and the study's index.

    Args:
        study: with facts.
        results: the store.
        listeners: are told every event.
        expected: how many roles each arm will have, for whoever looks at the state from outside.
        trains: trials are to run. Without it nothing is claimed, compiled or written.
        takeover: from another file of this name, or from a launch on another machine that seems to run.

    Raises:
        ValueError: the study's name is another file's, or another launch of it runs.
    """

    study: Study
    results: Results
    listeners: Sequence[Listener] = ()
    expected: Mapping[str, int] = field(default_factory=dict)
    trains: bool = True
    takeover: bool = False
    lost: Counter[str] = field(default_factory=Counter)
    # What trials without a result have raised so far, by id: another process shows whether it is their own fault.
    faults: dict[str, list[Fault]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tell = Listeners(self.listeners)
        self.journal = Journal(self.study, self.results)
        if self.trains:
            self.journal.claim(takeover=self.takeover)
            self.results.adopt()
        else:
            check_owner(self.study, self.results)
        there = self.results.arithmetic()
        self.widths = Widths(self.study.resources)
        self.widths.memory = {name: int(found.get("memory", 0)) for name, found in there.items()}
        self._trials, self._made = self.results.known(), Memory()
        device = kind_of_device(self.study.resources) if self.trains else ""
        self.known = known(self.study, self.results, self._trials, device=device)
        self.in_flight: dict[str, Trial] = {}
        self.finished_here = 0
        self._packs: deque[list[Trial]] = deque()
        self._roles: dict[str, Role] = {}
        self._stale, self._beat = False, 0.0
        self._indexed: Plan | None = None
        self._shown: set[str] = set()
        self._planned, self._planning = 0.0, 0.0
        self._earlier = self.results.read_rows(self.study.name, "index")
        self.plan: Plan = self._replan()
        self._write_state(force=True)

    def begin(self, places: int) -> None:
        """A runner starts, with places for so many packs at once."""
        # Another launch's workers may be about to stage what has no result yet.
        if not running(self.results, beside=self.study.name):
            # Planning and compiling took a while, in which another launch may have committed and ended.
            self.results.sweep_strays(self.results.known())
        self.widths.places = places
        self._cut()

    def next(self) -> list[Trial]:
        """A pack to run now; empty where there is none: ask again after a commit, unless `done`."""
        self._give_up_if_lost()
        # Planning again unlocks what was waiting; while others are queued it may take a twentieth of the time.
        if self._stale and (not self._packs or time.monotonic() - self._planned > 20 * self._planning):
            self._replan()
        if not self._packs:
            return []
        pack = self._packs.popleft()
        for trial in pack:
            self.in_flight[trial.id] = trial
            self._tell(Event("start", trial, self.role(trial.id)))
        self._write_state()
        return pack

    @property
    def ready(self) -> int:
        """How many packs `next` could hand out now."""
        self._give_up_if_lost()
        if self._stale and not self._packs:
            self._replan()
        return len(self._packs)

    @property
    def done(self) -> bool:
        """Nothing runs and nothing more can start."""
        self._give_up_if_lost()
        if not self._packs and not self.in_flight and self._stale:
            self._replan()
        return not self._packs and not self.in_flight

    @property
    def complete(self) -> bool:
        """Everything that the study asks for is there."""
        return self.plan.complete

    def commit(self, id_: str) -> None:
        """A worker has staged this trial: make it a result."""
        self._finish(id_, self.results.commit(id_))

    def suspect(self, fault: Fault) -> None:
        """A trial has raised, for the first time in that process: `take_back` hands it out again."""
        self.faults.setdefault(fault.trial, []).append(fault)

    def suspected(self, pack: Sequence[Trial]) -> dict[str, list[Fault]]:
        """What a pack's trials have raised before: their worker tells an accident from a result by it."""
        return {trial.id: self.faults[trial.id] for trial in pack if trial.id in self.faults}

    def take_back(self, pack: Sequence[Trial], reason: str) -> None:
        """A worker has ended with a pack, or died under it: what it had staged is committed, the rest tried again.

        In halves: a pack that did not fit the memory fits it then.

        Args:
            reason: why there may be a rest.
        """
        lost = []
        staged = set(self.results.staged())
        # What is not staged may be a result of another launch on this store. It is read once for the whole pack.
        committed = {} if all(trial.id in staged for trial in pack) else self.results.known()
        for trial in pack:
            if trial.id in staged:
                self.commit(trial.id)
            elif trial.id in committed:
                self._finish(trial.id, committed[trial.id])
            else:
                del self.in_flight[trial.id]
                self.lost[trial.id] += 1
                lost.append(trial)
        if not lost:
            return
        raised = [self.faults[trial.id][-1] for trial in lost if trial.id in self.faults]
        if raised:
            reason = f"{raised[0].kind}: {raised[0].message}"
        left = [trial for trial in lost if self.lost[trial.id] < PATIENCE]
        again = "to be tried again" if left else f"lost {PATIENCE} times and not tried again in this launch"
        self._tell(Event("lost", lost[0], self.role(lost[0].id), message=f"{len(lost)} trials, {again}: {reason}"))
        half = (len(left) + 1) // 2
        if raised:
            # All that raised go through one more process together.
            half = len(left)
        elif half and len(lost) == len(pack):
            # However often the rest is cut again.
            self.widths.did_not_fit(structure(left[0]), len(pack))
        self._packs.extend(some for some in (left[:half], left[half:]) if some)

    def role(self, id_: str) -> Role | None:
        """The first part that a trial plays."""
        if id_ not in self._roles:
            self._roles = {role.trial: role for role in reversed(self.plan.roles)}
        return self._roles.get(id_)

    def set_aside(self) -> Counter[str]:
        """Earlier results that the study no longer asks for, by arm."""
        asked = {role.trial for role in self.plan.roles}
        gone = {row["trial"]: row["arm"] for row in self._earlier if row["trial"] not in asked}
        return Counter(arm for id_, arm in gone.items() if id_ in self.known.trials)

    def close(self) -> None:
        """Write what the report reads, and put small files together."""
        try:
            self._write_state(force=True)
            if self.trains:
                self.results.compact()
        finally:
            self.journal.close()

    def _finish(self, id_: str, result: Result) -> None:
        # One mapping for all plans: thousands of results are not copied for each that comes.
        self._trials[id_] = result
        trial = self.in_flight.pop(id_)
        # The first epoch of a process pays for what later ones find there.
        if result.pace and any(len(curve) > 1 for curve in result.curves.values()):
            self.widths.took(structure(trial), result.width, result.pace)
        self.finished_here += 1
        self._stale = True
        self._tell(Event("commit", trial, self.role(id_), result))
        self._write_state()

    def _give_up_if_lost(self) -> None:
        """Another launch has taken this study over: what is in flight ends, and nothing more starts here."""
        if self.journal.lost:
            self._packs.clear()
            self._stale = False

    def _replan(self) -> Plan:
        self._stale, started = False, time.monotonic()
        self.plan = plan(self.study, self.known, self._made)
        while self.plan.unsettled:
            self._settle()
            self.plan = plan(self.study, self.known, self._made)
        for (key, generation), points in self.plan.proposals.items():
            if self.trains:
                self.results.store_proposals(key, generation, points)
        self.known = replace(self.known, proposals={**self.known.proposals, **self.plan.proposals})
        self._roles = {}
        self._cut()
        self._planned = time.monotonic()
        self._planning = self._planned - started
        self._tell(Event("plan"))
        return self.plan

    def _cut(self) -> None:
        """What is ready and not in flight, as packs."""
        waiting = [t for t in self.plan.ready if t.id not in self.in_flight and self.lost[t.id] < PATIENCE]
        # The longest chains of what waits for one another first: no order changes a result.
        waiting.sort(key=self._turn)

        def most(trial: Trial) -> int:
            return self.widths.most(structure(trial), settlement(trial, self.study.resources, self.known.device))

        self._packs = deque(pack(waiting, most=most, places=self.widths.places))

    def _turn(self, trial: Trial) -> tuple[int, int]:
        """Sorts what others wait for first: early stages, and of searches those that have come least far."""
        role = self.role(trial.id)
        return (STAGES.index(role.stage), role.generation) if role else (0, 0)

    def _settle(self) -> None:
        """What the plan waits for is settled: who only looks on does it in memory alone."""
        choices = settle(
            self.plan.unsettled,
            self.study,
            self.results,
            device=self.known.device,
            trains=self.trains,
            settled=self._show_settled,
        )
        self.widths.memory |= {name: choice.memory for name, choice in choices.items()}
        names = {name: choice.name for name, choice in choices.items()}
        self.known = replace(self.known, arithmetic={**self.known.arithmetic, **names})

    def _show_settled(self, trial: Trial, choice: Arithmetic) -> None:
        # What is the same for several structures is said once.
        if choice.notable and choice.reason not in self._shown:
            self._shown.add(choice.reason)
            alone = "trains one at a time: " if choice.name == "plain" else ""
            self._tell(Event("settled", trial, message=f"{alone}{choice.reason}"))
        if compiled_width(choice.name):
            # Compiling takes a while, in which `status` is to show what runs.
            self.journal.write(**self._progress())

    def _write_state(self, *, force: bool = False) -> None:
        if not self.trains or (not force and time.monotonic() - self._beat < BEAT):
            return
        self._beat = time.monotonic()
        # The index says what a plan asks for: with the same plan it is the same.
        if force or self._indexed is not self.plan:
            self.journal.write_index(index(self.plan, self._earlier))
            self._indexed = self.plan
        self.journal.write(**self._progress())

    def _progress(self) -> dict[str, Any]:
        return {
            "device": self.known.device,
            "finished_here": self.finished_here,
            "in_flight": [dataclasses.asdict(r) for r in map(self.role, self.in_flight) if r is not None],
            "queued": sum(map(len, self._packs)),
            "expected": dict(self.expected),
            "complete": self.complete and not self.in_flight,
            "ended": list(self.plan.ended),
            "inapplicable": dict(self.plan.inapplicable),
        }


def with_facts(study: Study) -> Study:
    """The study with what identifies its data's content, which has to be read for it.

    Raises:
        StudyError: its parts do not fit each other (`kdsweep.study_file.compatibility`).
    """
    compatibility.check(study)
    over = study.data.infer_over or ""
    found = replace(study, facts=source.load(study.data.reference).facts(study.data.split, over=over))
    compatibility.check_facts(found)
    return found
