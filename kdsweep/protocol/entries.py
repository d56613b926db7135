"""What is searched, ranked and confirmed: an arm, a row of its ablation or a control of it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdsweep import methods
from kdsweep.data.augment import MIXUP
from kdsweep.tasks import registry as tasks
from kdsweep.values.control import NONE, Control, Subject
from kdsweep.values.space import Domain, Value
from kdsweep.values.study import Arm, Row, Study


@dataclass(frozen=True)
class Entry:
    """An arm, one of its rows, or a control of it."""

    arm: Arm
    row: Row | None = None
    control: Control = NONE

    @property
    def names(self) -> dict[str, str]:
        """As roles and search keys name it."""
        return {"arm": self.arm.name, "row": self.row.name if self.row else "", "control": self.control.name}

    @property
    def choices(self) -> dict[str, Value]:
        return {**self.arm.choices, **(self.row.choices if self.row else {})}

    def dropped(self, choices: Mapping[str, Value]) -> tuple[str, ...]:
        """Terms that the row removes, and those that the control leaves without meaning."""
        broken = _broken(self.arm.method, choices, self.control)
        return tuple(dict.fromkeys([*(self.row.dropped if self.row else ()), *broken]))

    def space(self, recipe: Mapping[str, Any]) -> dict[str, Domain]:
        """The ranges that are left to search: of what is read, and neither fixed nor changed by the row."""
        method, row = methods.load(self.arm.method), self.row
        taken = {*self.arm.fixed, *(row.numbers if row else ()), *(row.choices if row else ())}
        read = readable(method, self.choices, self.dropped(self.choices), recipe) | method.choices.keys()
        return {name: domain for name, domain in self.arm.space.items() if name in read and name not in taken}


def meaningless(study: Study, arm: Arm, control: Control) -> str:
    """Why a control says nothing about an arm; "" where it does."""
    subject = Subject(
        teacher=methods.load(arm.method).teacher(arm.choices),
        given=study.given is not None and arm.teacher == "multimodal",
        mixed=MIXUP in study.augment,
        reads=lambda: [term.reads for _, term in _objective(arm.method, tuple(sorted(arm.choices.items()))).items()],
        meaningless=tasks.load(study.task).meaningless.get(control.name, ""),
        unlabelled=study.facts.folds[0].unlabelled.get("train", 0) if study.facts else 0,
    )
    return control.meaningless(subject)


@functools.cache
def defaults(method: str, choices: tuple[tuple[str, Value], ...], dropped: tuple[str, ...]) -> dict[str, float]:
    """The published values of a method's numbers."""
    numbers: dict[str, float] = methods.load(method).build(dict(choices), dropped).numbers()
    return numbers


def readable(
    method: methods.Method, choices: Mapping[str, Value], dropped: tuple[str, ...], recipe: Mapping[str, Any]
) -> set[str]:
    """The numbers that a trial of this method reads: those of its recipe, and of the terms that it keeps."""
    return {f"train.{name}" for name in recipe} | method.numbers(choices, dropped)


def _broken(method: str, choices: Mapping[str, Value], control: Control) -> list[str]:
    """The terms that a control leaves without meaning."""
    if control.teacher == "own":
        return []
    joint = methods.load(method).teacher(choices) == "joint"
    terms = _objective(method, tuple(sorted(choices.items()))).items()
    return [name for name, term in terms if control.drops(term.reads, trains=term.trains, joint=joint)]


@functools.cache
def _objective(method: str, choices: tuple[tuple[str, Value], ...]) -> Any:
    return methods.load(method).build(dict(choices))
