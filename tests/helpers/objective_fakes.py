"""Every shipped method with its choices, built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kdsweep import methods
from kdsweep.objective import Objective
from kdsweep.objective.toy import SIZES, stream


@dataclass(frozen=True)
class Recipe:
    """A method with choices, named for a test's id."""

    method: str
    choices: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.method, *(f"{name}={value}" for name, value in self.choices.items())])

    @property
    def loaded(self) -> methods.Method:
        return methods.load(self.method)

    @property
    def full(self) -> dict[str, Any]:
        return {**self.loaded.defaults(), **self.choices}

    def build(self, *, seed: int = 0, dtype: torch.dtype = torch.float64, **numbers: float) -> Objective:
        """Set up, in the given precision."""
        made = self.loaded.build(self.full).set({name.replace("__", "."): value for name, value in numbers.items()})
        made.setup(SIZES, lambda name: stream(seed, name))
        return made.to(dtype)


def recipes() -> list[Recipe]:
    """Every shipped method with its defaults, and with each other value of each of its choices."""
    found = []
    for name in methods.names():
        found.append(Recipe(name))
        for choice, values in methods.load(name).choices.items():
            found += [Recipe(name, {choice: value}) for value in values[1:]]
    return found


def draws(made: Objective, n: int, seed: int = 0) -> dict[str, dict[str, Tensor]]:
    return made.draw(n, {name: torch.Generator().manual_seed(seed) for name, _ in made.items()})
