"""A study is a program over trials, and `plan` is its lazy evaluation: a pure function that says what is ready now.

Nothing here runs, writes or waits. The same study and the same results give the same plan; a plan after a crash, on
another machine or with another study's results in the store is only "unfold again, and reuse what is there".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kdsweep.protocol.entries import Entry, meaningless
from kdsweep.protocol.search import Ended, Numbers, Search, finalist_rank, published
from kdsweep.protocol.trials import FRESH, Memory, Replicate, Thresholds, Trials, Variation
from kdsweep.values.control import CONTROLS, NONE
from kdsweep.values.result import Proposal, Result
from kdsweep.values.study import Arm, Study
from kdsweep.values.trial import Trial


@dataclass(frozen=True)
class Known:
    """What the plan is told of the store.

    Attributes:
        trials: finished ones, by id.
        proposals: by (search key, generation).
        arithmetic: how each settled structure computes, by its settlement.
        device: the kind that trials train on, "cpu" or "cuda": it is settled for each.
    """

    trials: Mapping[str, Result] = field(default_factory=dict)
    proposals: Mapping[tuple[str, int], tuple[Proposal, ...]] = field(default_factory=dict)
    arithmetic: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"


@dataclass(frozen=True)
class Role:
    """One part that a trial plays in a study; it may play several.

    Attributes:
        trial: its id.
        stage: one of `values.stages.STAGES`.
        arm, row, control: whose it is; "" where nobody's.
        retuned: whether the row or control had a search of its own.
        trains: "student", "teacher", or the modality of an auxiliary model.
        repeat, seed, fold: `seed` pairs the arms.
        generation, number: its position in a search; -1 elsewhere.
    """

    trial: str
    stage: str
    arm: str = ""
    row: str = ""
    control: str = ""
    retuned: bool = False
    trains: str = "student"
    repeat: int = 0
    seed: int = 0
    fold: int = 0
    generation: int = -1
    number: int = -1


@dataclass(frozen=True)
class Plan:
    """What a study asks for, given what is there.

    Attributes:
        ready: trials that may run now, each once, in the order in which they were asked for.
        proposals: to be stored before any of them starts.
        unsettled: an example trial of each structure whose arithmetic has to be settled before its trials exist.
        roles: of every trial asked for so far, finished or not.
        trials: those trials, by id.
        ended: what goes no further, and why: "arm kd: no trial of its search finished".
        inapplicable: controls that have no meaning for the claim's arm, with the reason.
    """

    ready: tuple[Trial, ...]
    proposals: Mapping[tuple[str, int], tuple[Proposal, ...]]
    unsettled: Mapping[str, Trial]
    roles: tuple[Role, ...]
    trials: Mapping[str, Trial]
    ended: tuple[str, ...]
    inapplicable: Mapping[str, str]

    @property
    def complete(self) -> bool:
        """Nothing is left to run, now or later."""
        return not self.ready and not self.proposals and not self.unsettled


def plan(study: Study, known: Known, memory: Memory | None = None) -> Plan:
    """The study's trials that are ready now, and the proposals to store first.

    Args:
        study: with the facts of its data.
        known: what the store holds.
        memory: of earlier plans of this very study. It saves time and changes nothing.
    """
    unfolding = _Unfolding(study, known, memory or Memory())
    unfolding.unfold()
    return Plan(
        ready=tuple(unfolding.ready.values()),
        proposals=unfolding.proposals,
        unsettled=unfolding.make.unsettled,
        roles=tuple(dict.fromkeys(unfolding.roles)),
        trials=unfolding.trials,
        ended=tuple(dict.fromkeys(unfolding.ended)),
        inapplicable=unfolding.inapplicable,
    )


class _Unfolding:
    """One evaluation of a study. Methods return None where the answer is not known yet."""

    def __init__(self, study: Study, known: Known, memory: Memory) -> None:
        self.study, self.known, self.make = study, known, Trials(study, known.arithmetic, known.device, memory)
        self.ready: dict[str, Trial] = {}
        self.trials: dict[str, Trial] = {}
        self.proposals: dict[tuple[str, int], tuple[Proposal, ...]] = {}
        self.roles: list[Role] = []
        self.ended: list[str] = []
        self.inapplicable: dict[str, str] = {}
        # Best points that are asked for again and again: an arm's by its rows and controls, a model's by its readers.
        self._points: dict[tuple[str, Replicate], Numbers | None] = {}
        # A search asks for the same models in each of its trials. Asked once, they have all their roles.
        self._models: dict[str, Trial | None] = {}

    def unfold(self) -> None:
        study = self.study
        assert study.facts is not None, "a plan needs the facts of the data"
        replicates = [Replicate(r, fold) for r in range(study.search.repeats) for fold in range(len(study.facts.folds))]
        for replicate in replicates:
            for arm in study.arms.values():
                self._branch(f"arm {arm.name}", self._arm, arm, replicate)
                if study.confirm.defaults and not arm.reference:
                    self._branch(f"defaults of arm {arm.name}", self._defaults, arm, replicate)
        for replicate in replicates:
            for row in study.rows:
                entry = Entry(study.arms[study.ablated], row=row)
                self._branch(f"row {row.name}", self._row, entry, replicate)
            for control in study.controls:
                assert study.claim is not None, "controls are for the arm of the claim"
                entry = Entry(study.arms[study.claim.arm], control=CONTROLS[control])
                self._branch(f"control {control}", self._control, entry, replicate)

    def _branch(self, name: str, unfold: Callable[..., None], *arguments: Any) -> None:
        try:
            unfold(*arguments)
        except Ended as reason:
            self.ended.append(f"{name}: {reason}")

    # --- stages

    def _arm(self, arm: Arm, replicate: Replicate) -> None:
        if arm.reference:
            # The teachers and auxiliary models that are trained anyway, shown as rows.
            for trains in ("teacher",) if arm.method == "teacher" else self.study.auxiliary:
                for seed in self._confirm_seeds(replicate):
                    self._model(trains, replicate, seed, stage="confirm", arm=arm.name)
            return
        self._confirm(Entry(arm), replicate, self._best(arm, replicate), stage="confirm")

    def _defaults(self, arm: Arm, replicate: Replicate) -> None:
        """The arm as it is published, at the seeds of confirm; where nothing is searched, confirm is that."""
        entry = Entry(arm)
        template = self.make.student(
            entry, replicate, {}, seed=replicate.offset, ask=self._models_in(self._searched_in(replicate))
        )
        space = entry.space(self.study.train.model_dump())
        if template is not None and space:
            self._confirm(entry, replicate, published(template, space), stage="defaults")

    def _row(self, entry: Entry, replicate: Replicate) -> None:
        best, retune = self._best(entry.arm, replicate), self.study.retune
        if retune in (False, "both"):
            self._confirm(entry, replicate, best, stage="ablate")
        if best is not None and retune in (True, "both"):
            self._confirm(entry, replicate, self._search(entry, replicate), stage="ablate", retuned=True)

    def _control(self, entry: Entry, replicate: Replicate) -> None:
        reason = meaningless(self.study, entry.arm, entry.control)
        if reason:
            self.inapplicable[entry.control.name] = reason
        elif entry.control.searched:
            self._confirm(entry, replicate, self._search(entry, replicate), stage="control", retuned=True)
        else:
            self._confirm(entry, replicate, self._best(entry.arm, replicate), stage="control")

    def _best(self, arm: Arm, replicate: Replicate) -> Numbers | None:
        """The point that an arm's own search and finalists chose."""
        key = arm.name, self._searched_in(replicate)
        if key not in self._points:
            self._points[key] = self._search(Entry(arm), replicate)
        return self._points[key]

    def _search(self, entry: Entry, replicate: Replicate) -> Numbers | None:
        replicate = self._searched_in(replicate)

        def make(numbers: Mapping[str, Any], seed: int, thresholds: Thresholds) -> Trial | None:
            return self.make.student(
                entry, replicate, numbers, seed=seed, thresholds=thresholds, ask=self._models_in(replicate)
            )

        retuned = entry.row is not None or entry.control is not NONE
        template = make({}, replicate.offset, ())
        if template is None:
            return None
        space = entry.space(self.study.train.model_dump())
        search = Search(
            self.study, replicate, entry.names, template, space, make, self.study.search.trials, self.proposals
        )

        def want(trial: Trial, generation: int, number: int) -> Result | None:
            role = {"retuned": retuned, "generation": generation, "number": number, **entry.names}
            return self._want(trial, replicate, replicate.offset, stage="search", **role)

        best = search.run(self.known.proposals, want)
        return self._finalist(make, best, replicate, {"retuned": retuned, **entry.names}) if best is not None else None

    def _finalist(
        self, make: Callable[..., Trial | None], best: list[Numbers], replicate: Replicate, names: Mapping[str, Any]
    ) -> Numbers | None:
        """The point whose fresh seeds do best on validation: one lucky run does not choose it."""
        settings = self.study.finalists
        if settings.points == 1 or len(best) == 1:
            return best[0]
        ranks, waiting = [], False
        for number, numbers in enumerate(best[: settings.points]):
            results: list[Result | None] = []
            for seed in range(FRESH + replicate.offset, FRESH + replicate.offset + settings.seeds):
                trial = make(numbers, seed, ())
                asked = None if trial is None else self._want(
                    trial, replicate, seed, stage="finalists", number=number, **names
                )  # fmt: skip
                results.append(asked)
            there = [result for result in results if result is not None]
            waiting = waiting or len(there) < len(results)
            ranks.append(finalist_rank(there, self.study.metric, maximize=self.study.maximize))
        return None if waiting else best[ranks.index(min(ranks))]

    def _confirm(
        self, entry: Entry, replicate: Replicate, numbers: Numbers | None, *, stage: str, retuned: bool = False
    ) -> None:
        if numbers is None:
            return
        for seed in self._confirm_seeds(replicate):
            trial = self.make.student(
                entry, replicate, numbers, seed=seed, reads_test=True, ask=self._models_in(replicate)
            )
            if trial is not None:
                self._want(trial, replicate, seed, stage=stage, retuned=retuned, **entry.names)

    # --- models that others read

    def _models_in(self, replicate: Replicate) -> Callable[[str, int, Variation], Trial | None]:
        def ask(trains: str, seed: int, variation: Variation) -> Trial | None:
            question = repr((trains, replicate, seed, variation))
            if question not in self._models:
                self._models[question] = self._model(trains, replicate, seed, variation)
            return self._models[question]

        return ask

    def _model(
        self,
        trains: str,
        replicate: Replicate,
        seed: int,
        variation: Variation | None = None,
        *,
        stage: str = "teacher",
        arm: str = "",
    ) -> Trial | None:
        """A teacher or auxiliary model at the settings that its own search chose; None while it has not."""
        numbers = self._model_point(trains, replicate)
        if numbers is None:
            return None
        confirming = seed in self._confirm_seeds(replicate)
        if self.study.teachers.seeds == "one":
            seed = replicate.offset + int(confirming)
        trial = self.make.model(trains, replicate, numbers, seed=seed, variation=variation, reads_test=confirming)
        if trial is not None:
            self._want(trial, replicate, seed, stage=stage, arm=arm, control=trial.control, trains=trains)
        return trial

    def _model_point(self, trains: str, replicate: Replicate) -> Numbers | None:
        replicate = self._searched_in(replicate)
        # A model's name may be an arm's as well.
        key = f"model {trains}", replicate
        if key in self._points:
            return self._points[key]

        def make(numbers: Mapping[str, Any], seed: int, thresholds: Thresholds) -> Trial | None:
            return self.make.model(trains, replicate, numbers, seed=seed, thresholds=thresholds)

        template = make({}, replicate.offset, ())
        if template is None:
            return None

        def want(trial: Trial, generation: int, number: int) -> Result | None:
            role = {"trains": trains, "generation": generation, "number": number}
            return self._want(trial, replicate, replicate.offset, stage="teacher", **role)

        search = Search(
            self.study,
            replicate,
            {"trains": trains},
            template,
            self.study.teacher_space,
            make,
            self.study.teachers.trials,
            self.proposals,
        )
        best = search.run(self.known.proposals, want)
        self._points[key] = best[0] if best is not None else None
        return self._points[key]

    # --- all of them

    def _searched_in(self, replicate: Replicate) -> Replicate:
        """Where the settings of a replicate are chosen: in its own fold, or in the first one for all."""
        folds = self.study.data.folds
        return replicate._replace(fold=0) if folds is not None and folds.search == "first" else replicate

    def _confirm_seeds(self, replicate: Replicate) -> range:
        return range(replicate.offset + 1, replicate.offset + 1 + self.study.confirm.seeds)

    def _want(self, trial: Trial, replicate: Replicate, seed: int, *, stage: str, **role: Any) -> Result | None:
        """Ask for a trial in a role. Its result, or None: it is ready when all models that it reads are there.

        A trial whose model failed never runs and has failed with it: nobody waits for what will not come.
        """
        self.roles.append(Role(trial.id, stage, repeat=replicate.repeat, seed=seed, fold=replicate.fold, **role))
        self.trials[trial.id] = trial
        result = self.known.trials.get(trial.id)
        if result is None:
            models = [self.known.trials.get(m.id) for m in trial.models.values() if isinstance(m, Trial)]
            if any(model is not None and model.state != "complete" for model in models):
                self.ended.append(f"{stage} {role.get('arm', '')} seed {seed}: a model that it reads failed")
                return Result("failed", 0)
            if all(model is not None for model in models):
                self.ready.setdefault(trial.id, trial)
        return result
