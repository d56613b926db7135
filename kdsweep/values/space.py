"""What may vary: ranges of numbers, sets of values, and numbers that change over training."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Value = float | int | str | bool


@dataclass(frozen=True)
class Float:
    """A real number from `low` to `high`, both included; uniform, or uniform in its logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)

    def contains(self, value: object) -> bool:
        return _is_number(value) and self.low <= value <= self.high  # type: ignore[operator]


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high`, both included; uniform, or uniform in its logarithm."""

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, self.log)

    def contains(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of a few values, without an order."""

    values: tuple[Value, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values:
            raise ValueError("a choice needs at least one value, got none")
        if len(set(self.values)) < len(self.values):
            raise ValueError(f"a choice names each value once, got {list(self.values)}")

    def contains(self, value: object) -> bool:
        return value in self.values


Domain = Float | Int | Choice
Space = Mapping[str, Domain]


@dataclass(frozen=True)
class Schedule:
    """A number over training: 0 until `start`, up to `value` over `ramp`, and back to 0 over the last `decay`.

    Args:
        value: the number at its height.
        start, ramp, decay: fractions of the training run, in [0, 1].
        shape: of the ramp and the decay, linear or cosine.
    """

    value: Value | Domain = 1.0
    start: float | Domain = 0.0
    ramp: float | Domain = 0.0
    decay: float | Domain = 0.0
    shape: Literal["linear", "cosine"] = "linear"

    def __post_init__(self) -> None:
        for name in ("start", "ramp", "decay"):
            part = getattr(self, name)
            ends = (part.low, part.high) if isinstance(part, Float | Int) else (part,)
            if not all(_is_number(end) and 0 <= end <= 1 for end in ends):
                raise ValueError(f"{name} is a fraction of training, from 0 to 1, got {part}")

    def spread(self, term: str) -> dict[str, Any]:
        """The numbers of `term` that this schedule stands for, by their full names."""
        parts = {"weight": self.value, "start": self.start, "ramp": self.ramp, "decay": self.decay}
        return {f"{term}.{name}": part for name, part in parts.items()} | {f"{term}.shape": self.shape}


def to_json(domain: Domain) -> dict[str, Any]:
    """The way a study file writes the range; equal ranges give equal text."""
    match domain:
        case Choice(values):
            return {"choice": list(values)}
        case Float(low, high, log):
            return {"float": [float(low), float(high)], "log": log}
        case Int(low, high, log):
            return {"int": [low, high], "log": log}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_range(low: float, high: float, log: bool) -> None:
    if not (_is_number(low) and _is_number(high)):
        raise ValueError(f"a range has two finite numbers, got {low=}, {high=}")
    if not low < high:
        raise ValueError(f"low must be below high, got {low=}, {high=}")
    if log and low <= 0:
        raise ValueError(f"a logarithmic range starts above 0, got {low=}")
