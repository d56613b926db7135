"""A study is a program over trials, and `plan` is its lazy evaluation: a pure function that says what is ready now.

Nothing here runs, writes or waits. The same study and the same results give the same plan; a plan after a crash, on
another machine or with another study's results in the store is only "unfold again, and reuse what is there".
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from kdsweep import methods
from kdsweep.data.card import PARTS
from kdsweep.results import Proposal, Result
from kdsweep.space import Domain, Value, to_json
from kdsweep.study import Arm, Row, Study
from kdsweep.sweep.proposals import Told, propose
from kdsweep.training import REVISION
from kdsweep.training.stopping import rungs, threshold
from kdsweep.trial import Trial, digest

# Seeds: 0 searches, 1 to n confirm and ablate, 1001 on rank the finalists; repeat r adds r times this.
FRESH, REPEAT = 1001, 10_000


@dataclass(frozen=True)
class Known:
    """What the plan is told of the store: finished trials by id, and proposals by (search key, generation)."""

    trials: Mapping[str, Result] = field(default_factory=dict)
    proposals: Mapping[tuple[str, int], tuple[Proposal, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Role:
    """One part that a trial plays in a study; it may play several.

    Attributes:
        trial: its id.
        stage: "teacher", "search", "finalists", "confirm", "ablate" or "control".
        arm, row, control: whose it is; "" where nobody's.
        retuned: whether the row or control had a search of its own.
        trains: "student", "teacher", or the modality of an auxiliary model.
        repeat, seed, fold: `seed` pairs the arms.
        generation, number: its place in a search; -1 elsewhere.
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
        roles: of every trial asked for so far, finished or not.
        ended: what goes no further, and why: "arm kd: no trial of its search finished".
        inapplicable: controls that have no meaning for the claim's arm, with the reason.
        complete: nothing is left to run, now or later.
    """

    ready: tuple[Trial, ...]
    proposals: Mapping[tuple[str, int], tuple[Proposal, ...]]
    roles: tuple[Role, ...]
    ended: tuple[str, ...]
    inapplicable: Mapping[str, str]
    trials: Mapping[str, Trial]

    @property
    def complete(self) -> bool:
        return not self.ready and not self.proposals


class _Place(NamedTuple):
    """One run of the protocol: which repeat, in which fold."""

    repeat: int
    fold: int

    @property
    def offset(self) -> int:
        return self.repeat * REPEAT


class _Variation(NamedTuple):
    """What a row or a control changes for the models that a trial reads, too."""

    control: str = ""
    drop_auxiliary: float = 0.0
    auxiliary: tuple[str, ...] = ()


class _Ended(Exception):
    """This branch of the study goes no further."""


def plan(study: Study, known: Known) -> Plan:
    """The study's trials that are ready now, and the proposals to store first.

    Args:
        study: with the facts of its data.
        known: what the store holds.
    """
    assert study.facts is not None, "a plan needs the facts of the data: Study.with_facts"
    unfolding = _Unfolding(study, known)
    unfolding.unfold()
    return Plan(
        ready=tuple(unfolding.ready.values()),
        proposals=unfolding.proposals,
        roles=tuple(dict.fromkeys(unfolding.roles)),
        ended=tuple(dict.fromkeys(unfolding.ended)),
        inapplicable=unfolding.inapplicable,
        trials=unfolding.trials,
    )


class _Unfolding:
    """One evaluation of a study. Methods return None where the answer is not known yet."""

    def __init__(self, study: Study, known: Known) -> None:
        self.study, self.known = study, known
        self.ready: dict[str, Trial] = {}
        self.trials: dict[str, Trial] = {}
        self.proposals: dict[tuple[str, int], tuple[Proposal, ...]] = {}
        self.roles: list[Role] = []
        self.ended: list[str] = []
        self.inapplicable: dict[str, str] = {}
        self._points: dict[tuple[str, _Place], dict[str, Value] | None] = {}

    def unfold(self) -> None:
        folds = len(self.study.facts.folds) if self.study.facts else 1
        places = [_Place(repeat, fold) for repeat in range(self.study.search.repeats) for fold in range(folds)]
        for place in places:
            for arm in self.study.arms.values():
                self._branch(f"arm {arm.name}", self._arm, arm, place)
        for place in places:
            if self.study.ablated:
                arm = self.study.arms[self.study.ablated]
                for row in self.study.rows:
                    self._branch(f"row {row.name}", self._row, arm, row, place)
            if self.study.claim:
                arm = self.study.arms[self.study.claim.arm]
                for control in self.study.controls:
                    self._branch(f"control {control}", self._control, arm, control, place)

    def _branch(self, name: str, unfold: Callable[..., None], *arguments: Any) -> None:
        try:
            unfold(*arguments)
        except _Ended as reason:
            self.ended.append(f"{name}: {reason}")

    # --- stages

    def _arm(self, arm: Arm, place: _Place) -> None:
        if arm.reference:
            self._reference(arm, place)
            return
        numbers = self._point(arm, place)
        if numbers is not None:
            self._confirm(arm, place, numbers, stage="confirm")

    def _reference(self, arm: Arm, place: _Place) -> None:
        """The teachers and auxiliary models that are trained anyway, shown as rows."""
        trains = ("teacher",) if arm.method == "teacher" else self.study.auxiliary
        for model in trains:
            for seed in self._confirm_seeds(place):
                self._model(model, place, seed, _Variation(), stage="confirm", arm=arm.name)

    def _row(self, arm: Arm, row: Row, place: _Place) -> None:
        numbers = self._point(arm, place)
        if numbers is None:
            return
        if self.study.retune in (False, "both"):
            self._confirm(arm, place, numbers, stage="ablate", row=row)
        if self.study.retune in (True, "both"):
            own = self._search_and_rank(arm, place, row=row)
            if own is not None:
                self._confirm(arm, place, own, stage="ablate", row=row, retuned=True)

    def _control(self, arm: Arm, control: str, place: _Place) -> None:
        reason = _meaningless(self.study, arm, control)
        if reason:
            self.inapplicable[control] = reason
            return
        searched = control == "student_only_teacher"
        numbers = self._search_and_rank(arm, place, control=control) if searched else self._point(arm, place)
        if numbers is not None:
            self._confirm(arm, place, numbers, stage="control", control=control, retuned=searched)

    def _point(self, arm: Arm, place: _Place) -> dict[str, Value] | None:
        """The arm's best point; asked for by its confirmation, its rows and its controls, and unfolded once."""
        key = (arm.name, self._searched_in(place))
        if key not in self._points:
            self._points[key] = self._search_and_rank(arm, place)
        return self._points[key]

    def _searched_in(self, place: _Place) -> _Place:
        """Where the settings of a place are chosen: in its own fold, or in the first one for all."""
        folds = self.study.data.folds
        return place._replace(fold=0) if folds is not None and folds.search == "first" else place

    def _search_and_rank(
        self, arm: Arm, place: _Place, *, row: Row | None = None, control: str = ""
    ) -> dict[str, Value] | None:
        place = self._searched_in(place)
        dropped = row.dropped if row else ()
        changed = {*arm.fixed, *(row.numbers if row else ()), *(row.choices if row else ())}
        choices = {**arm.choices, **(row.choices if row else {})}
        readable = self._readable(arm.method, choices, dropped) | methods.load(arm.method).choices.keys()
        space = {name: domain for name, domain in arm.space.items() if name in readable and name not in changed}

        def make(numbers: Mapping[str, Value], seed: int, thresholds: tuple[tuple[int, float], ...]) -> Trial | None:
            return self._student(
                arm, place, {**arm.fixed, **numbers}, seed=seed, row=row, control=control, thresholds=thresholds
            )

        common = {
            "arm": arm.name,
            "row": row.name if row else "",
            "control": control,
            "retuned": row is not None or bool(control),
        }
        best = self._search(make, space, place, common, trials=self.study.search.trials, stage="search")
        return self._finalists(make, best, place, common) if best is not None else None

    def _search(
        self,
        make: Callable[..., Trial | None],
        space: Mapping[str, Domain],
        place: _Place,
        common: Mapping[str, Any],
        *,
        trials: int,
        stage: str,
    ) -> list[dict[str, Value]] | None:
        """A search, generation by generation; its distinct finished points, best first.

        Raises:
            _Ended: none of its trials finished.
        """
        template = make({}, place.offset, ())
        if template is None:
            return None
        settings = self.study.search
        key = digest(
            {
                "template": template.identity,
                "space": {name: to_json(domain) for name, domain in space.items()},
                "first": list(settings.first),
                "sampler": settings.sampler,
                "pruner": settings.pruner.model_dump() if settings.pruner else None,
                "generation": settings.generation,
                "seed": self.study.seed,
                "place": list(place),
                "metric": self.study.metric,
                **{name: common.get(name, "") for name in ("arm", "row", "control", "trains")},
            }
        )
        # By numbers: a point that was proposed before is that earlier trial, its thresholds included.
        first_seen: dict[str, Trial] = {}
        done: list[tuple[dict[str, Value], Result]] = []
        for generation in _generations(trials, settings.generation):
            proposals = self._generation(key, generation.number, generation.size, space, done, template)
            results = []
            for number, proposal in enumerate(proposals[: generation.used], start=generation.first):
                point = digest(dict(proposal.numbers))
                if point not in first_seen:
                    trial = make(proposal.numbers, place.offset, proposal.thresholds)
                    assert trial is not None
                    first_seen[point] = trial
                role = {**common, "generation": generation.number, "number": number}
                results.append(self._want(first_seen[point], place, place.offset, stage=stage, **role))
            finished = [result for result in results if result is not None]
            if len(finished) < len(results):
                return None
            done += [(dict(p.numbers), r) for p, r in zip(proposals, finished, strict=False)]
        complete = [(numbers, result) for numbers, result in done if result.state == "complete"]
        if not complete:
            raise _Ended("no trial of its search finished")
        sign = -1 if self.study.maximize else 1
        # Sorting is stable: ties stay in the order of their numbers.
        complete.sort(key=lambda pair: sign * pair[1].score(self.study.metric))
        return list({digest(numbers): numbers for numbers, _ in complete}.values())

    def _generation(
        self,
        key: str,
        generation: int,
        size: int,
        space: Mapping[str, Domain],
        done: list[tuple[dict[str, Value], Result]],
        template: Trial,
    ) -> tuple[Proposal, ...]:
        stored = self.known.proposals.get((key, generation)) or self.proposals.get((key, generation))
        if stored is not None:
            return stored
        metric, maximize = self.study.metric, self.study.maximize
        history = [Told(numbers, r.state, r.score(metric), r.curves.get(metric, ())) for numbers, r in done]  # type: ignore[arg-type]
        points = propose(
            space,
            history,
            size=size,
            sampler=self.study.search.sampler,
            maximize=maximize,
            seed=int(digest([key, generation])[:15], 16),
            first=[self._first(point, space, template) for point in self.study.search.first],
        )
        thresholds = self._thresholds([result for _, result in done], int(template.train["epochs"]))
        self.proposals[key, generation] = tuple(Proposal(point, thresholds) for point in points)
        return self.proposals[key, generation]

    def _first(
        self, point: Literal["defaults"] | Mapping[str, Value], space: Mapping[str, Domain], template: Trial
    ) -> dict[str, Value]:
        defaults = _defaults(template.method, tuple(sorted(template.choices.items())), template.dropped)
        recipe = {f"train.{name}": value for name, value in template.train.items()}
        whole = {**template.choices, **defaults, **recipe, **(point if point != "defaults" else {})}
        return {name: whole[name] for name in space}

    def _thresholds(self, earlier: list[Result], epochs: int) -> tuple[tuple[int, float], ...]:
        pruner = self.study.search.pruner
        if pruner is None or not earlier:
            return ()
        bars = []
        for rung in rungs(epochs):
            curves = [result.curves.get(self.study.metric, ()) for result in earlier]
            reached = [curve[rung - 1] for curve in curves if len(curve) >= rung]
            bar = threshold(reached, keep=pruner.keep, maximize=self.study.maximize)
            if bar is not None:
                bars.append((rung, bar))
        return tuple(bars)

    def _finalists(
        self, make: Callable[..., Trial | None], best: list[dict[str, Value]], place: _Place, common: Mapping[str, Any]
    ) -> dict[str, Value] | None:
        """The point whose fresh seeds do best on validation: one lucky run does not choose it."""
        settings = self.study.finalists
        if settings.points == 1 or len(best) == 1:
            return best[0]
        scores, waiting = [], False
        for number, numbers in enumerate(best[: settings.points]):
            results = []
            for seed in range(FRESH + place.offset, FRESH + place.offset + settings.seeds):
                trial = make(numbers, seed, ())
                result = self._want(trial, place, seed, stage="finalists", number=number, **common) if trial else None
                waiting = waiting or result is None
                results.append(result)
            if not waiting:
                scores.append(_rank([result for result in results if result], self.study.metric, self.study.maximize))
        return None if waiting else best[scores.index(min(scores))]

    def _confirm(
        self,
        arm: Arm,
        place: _Place,
        numbers: Mapping[str, Value],
        *,
        stage: str,
        row: Row | None = None,
        control: str = "",
        retuned: bool = False,
    ) -> None:
        for seed in self._confirm_seeds(place):
            trial = self._student(
                arm, place, {**arm.fixed, **numbers}, seed=seed, row=row, control=control, reads_test=True
            )
            if trial is not None:
                self._want(
                    trial,
                    place,
                    seed,
                    stage=stage,
                    arm=arm.name,
                    row=row.name if row else "",
                    control=control,
                    retuned=retuned,
                )

    def _confirm_seeds(self, place: _Place) -> Iterator[int]:
        yield from range(place.offset + 1, place.offset + 1 + self.study.confirm.seeds)

    # --- trials

    def _student(
        self,
        arm: Arm,
        place: _Place,
        numbers: Mapping[str, Value],
        *,
        seed: int,
        row: Row | None = None,
        control: str = "",
        thresholds: tuple[tuple[int, float], ...] = (),
        reads_test: bool = False,
    ) -> Trial | None:
        """A trial of an arm, with the models that it reads; None while their settings are not chosen."""
        method = methods.load(arm.method)
        # Structure may be searched, too: its names have no dot.
        searched = {name: value for name, value in numbers.items() if name in method.choices}
        choices = {**arm.choices, **searched, **(row.choices if row else {})}
        kind, reads_auxiliary = method.teacher(choices), method.auxiliary(choices)
        dropped = tuple(dict.fromkeys([*(row.dropped if row else ()), *_broken(arm.method, choices, control)]))
        readable = self._readable(arm.method, choices, dropped)
        numbers = {
            name: value for name, value in {**numbers, **(row.numbers if row else {})}.items() if name in readable
        }
        sees = kind != "none" or reads_auxiliary != "none"
        data = row.data if row else {}
        auxiliary = tuple(data.get("auxiliary", self.study.auxiliary))
        variation = _Variation(control, data.get("drop_auxiliary", self.study.data.drop_auxiliary), auxiliary)

        if not sees:
            auxiliary, variation = (), _Variation()
        elif kind == "frozen" and arm.teacher in auxiliary and reads_auxiliary == "none":
            auxiliary = (arm.teacher,)
        networks = {"student": self.study.networks["student"]}
        if kind == "joint":
            networks["teacher"] = _only(self.study.networks["teacher"], (*self.study.student, *auxiliary))
        if reads_auxiliary == "joint":
            networks |= {name: {name: self.study.networks["auxiliary"][name]} for name in auxiliary}
        teacher: Any = None
        needed: list[str] = list(auxiliary) if reads_auxiliary == "frozen" else []
        if kind == "frozen" and control != "label_smoothing":
            if arm.teacher == "unimodal":
                needed = list(auxiliary)
            elif self.study.given is not None and arm.teacher == "multimodal":
                teacher = self.study.given
            else:
                name = "teacher" if arm.teacher == "multimodal" else arm.teacher
                teacher = self._model(name, place, seed, variation)
                if teacher is None:
                    return None
        auxiliaries = {}
        for name in [] if control == "label_smoothing" else needed:
            # An untrained teacher leaves the other models as they are: the question is what the teacher learned.
            changed = (
                variation if control != "untrained_teacher" or kind == "frozen" else variation._replace(control="")
            )
            model = self._model(name, place, seed, changed)
            if model is None:
                return None
            auxiliaries[name] = model
        return replace(
            self._template(place, seed),
            trains="student",
            method=arm.method,
            code=code_digest(arm.method),
            auxiliary=auxiliary,
            choices=choices,
            numbers=numbers,
            dropped=dropped,
            drop_auxiliary=variation.drop_auxiliary,
            control=control if sees else "",
            networks=networks,
            thresholds=thresholds,
            reads_test=reads_test,
            teacher=teacher,
            auxiliaries=auxiliaries,
            distils_from=arm.teacher if kind == "frozen" and control != "label_smoothing" else "",
        )

    def _model(
        self, trains: str, place: _Place, seed: int, variation: _Variation, *, stage: str = "teacher", arm: str = ""
    ) -> Trial | None:
        """A teacher or auxiliary model at the settings that its own search chose; None while it has not."""
        variation = variation._replace(auxiliary=variation.auxiliary or self.study.auxiliary)
        if variation.control == "label_smoothing":
            variation = variation._replace(control="")
        numbers = self._model_point(trains, place)
        if numbers is None:
            return None
        confirming = place.offset < seed <= place.offset + self.study.confirm.seeds
        if self.study.teachers.seeds == "one":
            seed = place.offset + (1 if confirming else 0)
        trial = self._model_trial(trains, place, numbers, seed=seed, variation=variation, reads_test=confirming)
        self._want(trial, place, seed, stage=stage, arm=arm, control=variation.control, trains=trains)
        return trial

    def _model_point(self, trains: str, place: _Place) -> dict[str, Value] | None:
        place = self._searched_in(place)
        key = (f"model {trains}", place)
        if key not in self._points:

            def make(numbers: Mapping[str, Value], seed: int, thresholds: tuple[tuple[int, float], ...]) -> Trial:
                plain = _Variation("", self.study.data.drop_auxiliary, self.study.auxiliary)
                trial = self._model_trial(trains, place, numbers, seed=seed, variation=plain, reads_test=False)
                return replace(trial, thresholds=thresholds)

            best = self._search(
                make,
                self.study.teacher_space,
                place,
                {"trains": trains},
                trials=self.study.teachers.trials,
                stage="teacher",
            )
            self._points[key] = best[0] if best is not None else None
        return self._points[key]

    def _model_trial(
        self,
        trains: str,
        place: _Place,
        numbers: Mapping[str, Value],
        *,
        seed: int,
        variation: _Variation,
        reads_test: bool,
    ) -> Trial:
        teacher = trains == "teacher"
        auxiliary = variation.auxiliary if teacher else (trains,)
        if teacher:
            networks = {"teacher": _only(self.study.networks["teacher"], (*self.study.student, *auxiliary))}
        else:
            networks = {trains: {trains: self.study.networks["auxiliary"][trains]}}
        method = "teacher" if teacher else "auxiliary_only"
        template = self._template(place, seed)
        # At its initial weights: no epoch of training.
        untrained = {"epochs": 0} if variation.control == "untrained_teacher" else {}
        # An auxiliary model is a function of its own modality: only a control that stands the student's modality in
        # for it makes it read that one.
        stands_in = variation.control == "student_only_teacher"
        return replace(
            template,
            trains=trains,
            method=method,
            code=code_digest(method),
            student=template.student if teacher or stands_in else (),
            auxiliary=auxiliary,
            numbers={**self.study.teacher_fixed, **numbers},
            drop_auxiliary=variation.drop_auxiliary,
            control=variation.control,
            networks=networks,
            reads_test=reads_test,
            train={**template.train, **untrained},
        )

    def _template(self, place: _Place, seed: int) -> Trial:
        study, facts = self.study, self.study.facts
        assert facts is not None
        rows = facts.folds[place.fold]
        return Trial(
            trains="",
            method="",
            code="",
            fingerprint=facts.fingerprint,
            rows={part: rows.digests[part] for part in PARTS},
            student=study.student,
            auxiliary=(),
            task=study.task,
            select=study.select,
            metric=study.metric,
            train=study.train.model_dump(),
            augment=dict(study.augment),
            networks={},
            seed=seed,
            fold=place.fold,
        )

    def _readable(self, method: str, choices: Mapping[str, Value], dropped: tuple[str, ...]) -> set[str]:
        """The numbers that a trial of this method reads: those of its recipe, and of the terms that it keeps."""
        recipe = {f"train.{name}" for name in self.study.train.model_dump()}
        return recipe | methods.load(method).numbers(choices, dropped)

    def _want(self, trial: Trial, place: _Place, seed: int, *, stage: str, **role: Any) -> Result | None:
        """Ask for a trial in a role. Its result, or None: it is ready when all models that it reads are there."""
        self.roles.append(Role(trial.id, stage, repeat=place.repeat, seed=seed, fold=place.fold, **role))
        self.trials[trial.id] = trial
        result = self.known.trials.get(trial.id)
        if result is None:
            models = [self.known.trials.get(m.id) for m in trial.models.values() if isinstance(m, Trial)]
            if any(model is not None and model.state != "complete" for model in models):
                # This seed alone goes no further; a report prints it as failed.
                self.ended.append(f"{stage} {role.get('arm', '')} seed {seed}: a model that it reads failed")
            elif all(model is not None for model in models):
                self.ready.setdefault(trial.id, trial)
        return result


class _Generation(NamedTuple):
    number: int
    first: int
    size: int
    used: int


def _generations(trials: int, size: int) -> Iterator[_Generation]:
    """A search's generations: the first is twice as large; `trials` only cuts the sequence."""
    number = first = 0
    while first < trials:
        whole = 2 * size if number == 0 else size
        yield _Generation(number, first, whole, min(whole, trials - first))
        number, first = number + 1, first + whole


def _rank(results: list[Result], metric: str, maximize: bool) -> tuple[bool, float]:
    """Sorts the better point first; one with a failed seed comes below all without."""
    complete = [result.score(metric) for result in results if result.state == "complete"]
    if not complete:
        return True, float("inf")
    mean = statistics.fmean(complete)
    return len(complete) < len(results), -mean if maximize else mean


def _broken(method: str, choices: Mapping[str, Value], control: str) -> list[str]:
    """The terms that a control leaves without meaning."""
    objective = _objective(method, tuple(sorted(choices.items())))
    if control == "untrained_teacher":
        joint = methods.load(method).teacher(choices) == "joint"
        return [name for name, term in objective.items() if joint and term.trains == "teacher"]
    if control == "label_smoothing":
        return [name for name, term in objective.items() if any(not _from_labels(read) for read in term.reads)]
    return []


def _from_labels(read: str) -> bool:
    """Whether smoothed labels can stand in for what a term reads."""
    return read.startswith("student.") or read == "teacher.logits"


def _meaningless(study: Study, arm: Arm, control: str) -> str:
    """Why a control says nothing about an arm; "" where it does."""
    method = methods.load(arm.method)
    kind = method.teacher(arm.choices)
    given = study.given is not None and arm.teacher == "multimodal" and kind == "frozen"
    if kind == "none":
        return "the method reads no teacher"
    if control == "label_smoothing":
        objective = _objective(arm.method, tuple(sorted(arm.choices.items())))
        logits = [n for n, t in objective.items() if "teacher.logits" in t.reads and all(map(_from_labels, t.reads))]
        if kind == "joint":
            return "the teacher trains with the student: its place cannot be taken by labels"
        return "" if logits else "no term reads the teacher's logits"
    return "the teacher is given and cannot be retrained" if given else ""


@functools.cache
def _objective(method: str, choices: tuple[tuple[str, Value], ...]) -> Any:
    return methods.load(method).build(dict(choices))


@functools.cache
def _defaults(method: str, choices: tuple[tuple[str, Value], ...], dropped: tuple[str, ...]) -> dict[str, float]:
    numbers: dict[str, float] = methods.load(method).build(dict(choices), dropped).numbers()
    return numbers


@functools.cache
def code_digest(method: str) -> str:
    """Digest of the code that decides a trial: our revisions, the source of a user's own modules."""
    return digest([REVISION, methods.load(method).digest])


def _only(network: Mapping[str, Any], modalities: tuple[str, ...]) -> dict[str, Any]:
    """A network's specification for these modalities alone."""
    return {name: part for name, part in network.items() if name in modalities or name == "fusion"}
