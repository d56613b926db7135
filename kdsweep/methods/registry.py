"""A method by its name, and what its module says of it. Read without torch."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kdsweep.tasks.registry import TASKS
from kdsweep.values.imports import source_digest
from kdsweep.values.space import Domain, Value

if TYPE_CHECKING:
    from kdsweep.objective import Objective

SCHEDULE = ("weight", "start", "ramp", "decay")
Choices = Mapping[str, Value]


@dataclass(frozen=True)
class Method:
    """A method's module, read without torch, for a task."""

    name: str
    module: ModuleType
    task: str = "classification"

    @property
    def summary(self) -> str:
        return (self.module.__doc__ or "").strip().split("\n")[0]

    @property
    def choices(self) -> dict[str, tuple[Value, ...]]:
        return dict(getattr(self.module, "CHOICES", {}))

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(getattr(self.module, "REQUIRED", ("ce",)))

    @property
    def base(self) -> tuple[str, ...]:
        return tuple(getattr(self.module, "BASE", ()))

    def teacher(self, choices: Choices) -> str:
        """ "frozen", "joint", "none" or "self"."""
        word: str = self._declared("TEACHER", "frozen", choices)
        return word

    def auxiliary(self, choices: Choices) -> str:
        """ "frozen" where the method reads auxiliary models, trained beforehand; "joint" where it trains them."""
        word: str = self._declared("AUXILIARY", "none", choices)
        return word

    def tasks(self, choices: Choices) -> tuple[str, ...]:
        """The tasks whose labels and scores its terms understand."""
        tasks: tuple[str, ...] = self._declared("TASKS", TASKS, choices)
        return tasks

    def defaults(self) -> dict[str, Value]:
        return {name: values[0] for name, values in self.choices.items()}

    def terms(self, choices: Choices) -> tuple[str, ...]:
        """Every term of the objective that these choices build."""
        return tuple(name for name in getattr(self.module, "TERMS", ("ce",)) if self._exists(name, choices))

    def space(self, choices: Choices, dropped: tuple[str, ...] = ()) -> dict[str, Domain]:
        """The ranges of the numbers that exist under these choices, less those of dropped terms."""
        terms = set(self.terms(choices)) - set(dropped)
        return {
            name: domain
            for name, domain in self.module.SPACE.items()
            if name.split(".")[0] in terms and self._exists(name, choices)
        }

    def numbers(self, choices: Choices, dropped: tuple[str, ...] = ()) -> set[str]:
        """Every number that may be set: those of SPACE and NUMBERS, and each term's weight and schedule."""
        terms = [name for name in self.terms(choices) if name not in dropped]
        more = {
            name
            for name in getattr(self.module, "NUMBERS", ())
            if name.split(".")[0] in terms and self._exists(name, choices)
        }
        return set(self.space(choices, dropped)) | more | {f"{term}.{part}" for term in terms for part in SCHEDULE}

    def build(self, choices: Choices, dropped: tuple[str, ...] = ()) -> Objective:
        """The objective, with published values as its numbers."""
        objective: Objective = self.module.build(**choices)
        return objective.without(*dropped) if dropped else objective

    @property
    def digest(self) -> str:
        """What decides this method's results beside its settings: a revision, or the source of a user's modules."""
        if self.module.__name__.startswith("kdsweep."):
            return f"{self.name}@{getattr(self.module, 'revision', 1)}"
        return source_digest(self.module.__name__)

    def _exists(self, name: str, choices: Choices) -> bool:
        full = {**self.defaults(), **choices, "task": self.task}
        return all(full[choice] in values for choice, values in getattr(self.module, "WHEN", {}).get(name, {}).items())

    def _declared(self, name: str, default: Any, choices: Choices) -> Any:
        declared = getattr(self.module, name, default)
        return declared(**{**self.defaults(), **choices}) if callable(declared) else declared


def names() -> list[str]:
    """The methods that are shipped."""
    here = Path(__file__)
    return sorted(module.name for module in pkgutil.iter_modules([str(here.parent)]) if module.name != here.stem)


@functools.cache
def load(name: str, task: str = "classification") -> Method:
    """The method of this name: one of ours, or `package.module` of a user's own.

    Args:
        task: what it is used for: some numbers exist only there.

    Raises:
        ValueError: there is no such method, it is not Python, or the module lacks SPACE or build.
    """
    dotted = f"{__package__}.{name}" if name in names() else name
    if "." not in dotted:
        raise ValueError(f"no method {name!r} in kdsweep/methods: found {', '.join(names())}")
    # Before it runs, as workers do: what it adds to the path is not where its imports are looked for.
    source_digest(dotted)
    try:
        module = importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        raise ValueError(f"cannot import method {name!r}: {error}") from error
    for part in ("SPACE", "build"):
        if not hasattr(module, part):
            raise ValueError(f"a method's module has SPACE and build, {name!r} has no {part}")
    return Method(name, module, task)
