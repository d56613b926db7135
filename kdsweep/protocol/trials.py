"""A study's trials: what an arm, a row, a control or a model stands for, as frozen values."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, TypeVar, cast

from kdsweep import methods
from kdsweep.data.augment import MIXUP
from kdsweep.networks import MODULE
from kdsweep.protocol.code import code_digest
from kdsweep.protocol.entries import Entry, readable
from kdsweep.values.arithmetic import settlement
from kdsweep.values.card import PARTS
from kdsweep.values.control import control
from kdsweep.values.space import Value
from kdsweep.values.study import Arm, Study
from kdsweep.values.trial import Trial

# Seeds: 0 searches, 1 to n confirm and ablate, 1001 on rank the finalists; repeat r adds r times REPEAT.
FRESH, REPEAT = 1001, 10_000
Thresholds = tuple[tuple[int, float], ...]
Answer = TypeVar("Answer")


class Replicate(NamedTuple):
    """One run of the whole protocol: which repeat, in which fold."""

    repeat: int
    fold: int

    @property
    def offset(self) -> int:
        """What is added to every seed."""
        return self.repeat * REPEAT


class Variation(NamedTuple):
    """What a row or a control, by its name, changes for the models that a trial reads, too."""

    control: str = ""
    drop_auxiliary: float = 0.0
    drop_labels: float = 0.0
    auxiliary: tuple[str, ...] = ()


# A teacher ("teacher") or auxiliary model (its modality) at a seed, under a variation; None while it is not known.
Ask = Callable[[str, int, Variation], Trial | None]


class Memory:
    """What has been made for one study, for whoever asks for the same again: a plan asks for all of an earlier one's.

    Nothing in it depends on a result, so that a plan is the same with it and without.
    """

    def __init__(self) -> None:
        self._made: dict[Hashable, Any] = {}

    def once(self, question: Hashable, make: Callable[[], Answer]) -> Answer:
        """The answer to a question that names all that decides it, beside the study."""
        if question not in self._made:
            self._made[question] = make()
        return cast("Answer", self._made[question])


class Draft(NamedTuple):
    """A student's trial without the models that it reads: which these are, and which of them is its one teacher."""

    trial: Trial
    models: Mapping[str, Variation]
    teacher: str = ""


@dataclass(frozen=True)
class Trials:
    """Makes a study's trials.

    Attributes:
        arithmetic: how a structure computes, by its digest, for those that are settled.
        device: the kind that they are settled for.
        memory: of what was made for the same study before.
        unsettled: an example of each structure that was asked for and is not: it has to be before its trials exist.
    """

    study: Study
    arithmetic: Mapping[str, str] = field(default_factory=dict)
    device: str = "cpu"
    memory: Memory = field(default_factory=Memory)
    unsettled: dict[str, Trial] = field(default_factory=dict)

    def student(
        self,
        entry: Entry,
        replicate: Replicate,
        numbers: Mapping[str, Value],
        *,
        seed: int,
        ask: Ask,
        thresholds: Thresholds = (),
        reads_test: bool = False,
    ) -> Trial | None:
        """A trial of an arm, row or control, with the models that it reads; None while one of those is not known."""
        # As text: 1, 1.0 and True are equal, and make different trials.
        question = repr((*entry.names.values(), replicate, numbers, seed, thresholds, reads_test))
        draft = self.memory.once(
            question,
            lambda: self._draft(entry, replicate, numbers, seed=seed, thresholds=thresholds, reads_test=reads_test),
        )
        asked = {name: ask(name, seed, changed) for name, changed in draft.models.items()}
        known = {name: model for name, model in asked.items() if model is not None}
        if len(known) < len(asked):
            return None
        ids = tuple(model.id for model in known.values())
        return self._settled((question, ids), lambda: _reading(draft, known))

    def _draft(
        self,
        entry: Entry,
        replicate: Replicate,
        numbers: Mapping[str, Value],
        *,
        seed: int,
        thresholds: Thresholds,
        reads_test: bool,
    ) -> Draft:
        study, arm, row = self.study, entry.arm, entry.row
        method = methods.load(arm.method)
        numbers = {**arm.fixed, **numbers, **(row.numbers if row else {})}
        # Structure may be searched, too: its names have no dot.
        searched = {name: value for name, value in numbers.items() if name in method.choices}
        choices = {**arm.choices, **searched, **(row.choices if row else {})}
        dropped = entry.dropped(choices)
        read = readable(method, choices, dropped, study.train.model_dump())

        kind, reads_auxiliary = method.teacher(choices), method.auxiliary(choices)
        data = row.data if row else {}
        auxiliary: tuple[str, ...] = tuple(data.get("auxiliary", study.auxiliary))
        dropped_auxiliary, dropped_labels = (
            data.get(key, getattr(study.data, key)) for key in ("drop_auxiliary", "drop_labels")
        )
        variation = Variation(entry.control.name, dropped_auxiliary, dropped_labels, auxiliary)
        if kind == "none" and reads_auxiliary == "none":
            auxiliary, variation = (), Variation(drop_labels=dropped_labels)
        elif kind == "frozen" and arm.teacher in auxiliary and reads_auxiliary == "none":
            auxiliary = (arm.teacher,)

        models = self._models(arm, kind, reads_auxiliary, auxiliary, variation)
        single = next((name for name in models if name in ("teacher", arm.teacher)), "") if kind == "frozen" else ""
        distils = kind == "frozen" and entry.control.teacher != "labels"

        networks = {"student": study.networks["student"]}
        if kind == "joint":
            networks["teacher"] = _only(study.networks["teacher"], (*study.student, *auxiliary))
        if reads_auxiliary == "joint":
            networks |= {name: {name: study.networks["auxiliary"][name]} for name in auxiliary}
        trial = replace(
            self._template(replicate, seed),
            trains="student",
            method=arm.method,
            code=code_digest(arm.method),
            auxiliary=auxiliary,
            augment=self._augmented(study.student, auxiliary),
            choices=choices,
            numbers={name: value for name, value in numbers.items() if name in read},
            dropped=dropped,
            drop_auxiliary=variation.drop_auxiliary,
            drop_labels=variation.drop_labels,
            control=variation.control,
            networks=networks,
            thresholds=thresholds,
            reads_test=reads_test,
            teacher=study.given if distils and self._is_given(arm) else None,
            distils_from=arm.teacher if distils else "",
        )
        return Draft(trial, models, single)

    def model(
        self,
        trains: str,
        replicate: Replicate,
        numbers: Mapping[str, Value],
        *,
        seed: int,
        variation: Variation | None = None,
        thresholds: Thresholds = (),
        reads_test: bool = False,
    ) -> Trial | None:
        """A trial of the teacher or of an auxiliary model; without a variation, on the study's own data."""
        data = self.study.data
        changed = variation or Variation("", data.drop_auxiliary, data.drop_labels, self.study.auxiliary)
        question = repr(("model", trains, replicate, numbers, seed, changed, thresholds, reads_test))
        return self._settled(
            question,
            lambda: self._model(
                trains, replicate, numbers, seed=seed, variation=changed, thresholds=thresholds, reads_test=reads_test
            ),
        )

    def _model(
        self,
        trains: str,
        replicate: Replicate,
        numbers: Mapping[str, Value],
        *,
        seed: int,
        variation: Variation,
        thresholds: Thresholds,
        reads_test: bool,
    ) -> Trial:
        study, teacher = self.study, trains == "teacher"
        auxiliary = variation.auxiliary if teacher else (trains,)
        if teacher:
            networks = {"teacher": _only(study.networks["teacher"], (*study.student, *auxiliary))}
        else:
            networks = {trains: {trains: study.networks["auxiliary"][trains]}}
        method = "teacher" if teacher else "auxiliary_only"
        # At its initial weights: no epoch of training.
        broken = control(variation.control)
        untrained = {"epochs": 0} if broken.teacher == "untrained" else {}
        # An auxiliary model reads its own modality alone, unless the student's stands in for it.
        reads_student = teacher or broken.inputs == "student"
        template = self._template(replicate, seed)
        return replace(
            template,
            trains=trains,
            method=method,
            code=code_digest(method),
            student=template.student if reads_student else (),
            auxiliary=auxiliary,
            augment=self._augmented(study.student if reads_student else (), auxiliary),
            numbers={**study.teacher_fixed, **numbers},
            drop_auxiliary=variation.drop_auxiliary,
            drop_labels=variation.drop_labels,
            control=variation.control,
            networks=networks,
            thresholds=thresholds,
            reads_test=reads_test,
            train={**template.train, **untrained},
        )

    def _settled(self, question: Hashable, make: Callable[[], Trial]) -> Trial | None:
        """The trial with the arithmetic of its structure; None while that is not settled."""
        trial = self.memory.once(question, make)
        if self.study.resources.pack == 1:
            return trial
        name = self.memory.once(
            (question, "settlement", self.device), lambda: settlement(trial, self.study.resources, self.device)
        )
        if name not in self.arithmetic:
            self.unsettled.setdefault(name, trial)
            return None
        arithmetic = self.arithmetic[name]
        return self.memory.once((question, "settled", arithmetic), lambda: replace(trial, arithmetic=arithmetic))

    def _models(
        self, arm: Arm, kind: str, reads_auxiliary: str, auxiliary: tuple[str, ...], variation: Variation
    ) -> dict[str, Variation]:
        """The trained models that a trial reads, and what is changed for each."""
        broken = control(variation.control)
        if broken.teacher == "labels":
            return {}
        needed: dict[str, Variation] = {}
        if reads_auxiliary == "frozen":
            # An untrained joint teacher leaves the auxiliary models as they are: the question is what T learned.
            kept = variation._replace(control="") if broken.teacher == "untrained" else variation
            needed |= dict.fromkeys(auxiliary, kept)
        if kind == "frozen" and arm.teacher == "unimodal":
            needed |= dict.fromkeys(auxiliary, variation)
        elif kind == "frozen" and not self._is_given(arm):
            needed["teacher" if arm.teacher == "multimodal" else arm.teacher] = variation
        return needed

    def _augmented(self, *seen: tuple[str, ...]) -> dict[str, Any]:
        """What is done to the inputs that a trial reads, and nothing else: other modalities decide nothing in it."""
        read = {name for names in seen for name in names}
        return {name: steps for name, steps in self.study.augment.items() if name in read or name == MIXUP}

    def _is_given(self, arm: Arm) -> bool:
        return self.study.given is not None and arm.teacher == "multimodal"

    def _template(self, replicate: Replicate, seed: int) -> Trial:
        study, facts = self.study, self.study.facts
        assert facts is not None, "a plan needs the facts of the data"
        rows = facts.folds[replicate.fold]
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
            # What is not asked for names no trial.
            train=study.train.model_dump(exclude_none=True),
            standardise=study.data.path is not None if study.data.standardise is None else study.data.standardise,
            networks={},
            seed=seed,
            fold=replicate.fold,
        )


def _reading(draft: Draft, models: Mapping[str, Trial]) -> Trial:
    auxiliaries = {name: model for name, model in models.items() if name != draft.teacher}
    return replace(draft.trial, teacher=models.get(draft.teacher, draft.trial.teacher), auxiliaries=auxiliaries)


def _only(network: Mapping[str, Any], modalities: tuple[str, ...]) -> dict[str, Any]:
    """A network's specification for these modalities alone; a module of the user's own is one whole."""
    if MODULE in network:
        return dict(network)
    return {name: part for name, part in network.items() if name in modalities or name == "fusion"}
