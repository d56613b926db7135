"""What a key of an arm may be set to: numbers, ranges of numbers, and choices of structure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdsweep.methods import SCHEDULE, Method
from kdsweep.study_file import sections
from kdsweep.study_file.findings import Findings, Path, did_you_mean, listed
from kdsweep.values.space import Choice, Domain, Float, Int, Value
from kdsweep.values.study import SEARCHABLE_TRAIN, Train

RANGES = ("float", "int", "choice")
Setting = Value | Domain


@dataclass(frozen=True)
class Numbers:
    """The numbers that a method reads under given choices, and their published ranges where there are any."""

    method: Method
    names: frozenset[str]
    space: Mapping[str, Domain]

    @classmethod
    def of(cls, method: Method, *every: Mapping[str, Value]) -> Numbers:
        """Those that exist under each of these choices."""
        names = frozenset.intersection(*(frozenset(method.numbers(choices)) for choices in every))
        spaces = [method.space(choices) for choices in every]
        return cls(method, names, {name: known for name, known in spaces[0].items() if all(name in s for s in spaces)})

    def check(self, key: str, setting: Setting, *, path: Path, findings: Findings) -> Setting | None:
        """The setting, its numbers as floats where they are real; None and a mistake where it does not fit."""
        if key.startswith("train."):
            return train_number(key, setting, path=path, findings=findings)
        if key not in self.names:
            findings.refuse(path, self._unread(key))
            return None
        known = self.space.get(key)
        if rule := _rule(key, setting, known):
            findings.refuse(path, f"{key} must be {rule}, got {shown(setting)}")
            return None
        return setting if isinstance(known, Int | Choice) else _as_float(setting)

    def _unread(self, key: str) -> str:
        module = self.method.module
        term, _, part = key.partition(".")
        scheduled = part in SCHEDULE and term in getattr(module, "TERMS", ("ce",))
        if scheduled or key in module.SPACE or key in getattr(module, "NUMBERS", ()):
            when: Mapping[str, Mapping[str, tuple[Value, ...]]] = getattr(module, "WHEN", {})
            rules = {**when.get(term, {}), **when.get(key, {})}
            where = " and ".join(f"{choice} is {' or '.join(map(str, values))}" for choice, values in rules.items())
            return f"{key} exists only where {where}"
        known = [*sorted(self.names), *self.method.choices, *(f"train.{name}" for name in SEARCHABLE_TRAIN)]
        return f"{self.method.name} does not read {key!r}: it reads {listed(known)}{did_you_mean(key, known)}"


def read(written: Any, *, path: Path, findings: Findings) -> Setting | None:
    """A plain value, or a range: {float: [low, high], log: true}, {int: [low, high]}, {choice: [...]}."""
    if not findings.readable(path):
        return None
    if written is None or isinstance(written, list):
        findings.refuse(path, f"{path[-1]} must be a value or a range, got {'nothing' if written is None else written}")
        return None
    if not isinstance(written, dict):
        return written  # type: ignore[no-any-return]
    kinds = [key for key in written if key in RANGES]
    for key in written:
        if key not in (*RANGES, "log"):
            message = f"unknown key {key!r}: a range has float, int or choice, and log{did_you_mean(key, RANGES)}"
            findings.refuse((*path, key), message)
            return None
    if len(kinds) != 1:
        findings.refuse(path, f"a range has one of {', '.join(RANGES)}, got {listed(kinds)}")
        return None
    try:
        return _range(kinds[0], written[kinds[0]], written.get("log", False))
    except ValueError as error:
        findings.refuse(path, f"{path[-1]}: {error}")
        return None


def _range(kind: str, ends: Any, log: Any) -> Domain:
    """Raises ValueError where it is none."""
    if not isinstance(log, bool):
        raise ValueError(f"log is true or false, got {log!r}")
    if not isinstance(ends, list) or any(isinstance(end, list | dict) or end is None for end in ends):
        raise ValueError(f"{kind} is a list of values, got {ends!r}")
    if kind == "choice":
        if log:
            raise ValueError("a choice has no order: log goes with float and int")
        return Choice(tuple(ends))
    if len(ends) != 2:
        raise ValueError(f"{kind} has two ends, [low, high], got {ends}")
    if kind == "float":
        low, high = (float(end) if isinstance(end, int) and not isinstance(end, bool) else end for end in ends)
        return Float(low, high, log)
    if not all(isinstance(end, int) and not isinstance(end, bool) for end in ends):
        raise ValueError(f"int has whole ends, got {ends}")
    return Int(ends[0], ends[1], log)


def train_number(key: str, setting: Setting, *, path: Path, findings: Findings) -> Setting | None:
    """The same for a number of the training recipe."""
    name = key.removeprefix("train.")
    known = [f"train.{name}" for name in SEARCHABLE_TRAIN]
    if name not in Train.model_fields:
        findings.refuse(path, f"no {key!r}: arms read {listed(known)}{did_you_mean(key, known)}")
    elif name not in SEARCHABLE_TRAIN:
        findings.refuse(path, f"{key} is one value for all arms, under train: arms set or search {listed(known)}")
    elif rules := [rule for end in _ends(setting) if (rule := sections.number_fault(name, end))]:
        findings.refuse(path, f"{key} must be {rules[0]}, got {shown(setting)}")
    else:
        return _as_float(setting)
    return None


def choice(method: Method, name: str, setting: Setting, *, path: Path, findings: Findings) -> bool:
    """Whether the choice `name` of the method takes this value, or each of these."""
    known = method.choices[name]
    if isinstance(setting, Float | Int):
        findings.refuse(path, f"{name} is one of {listed(known)}, got a range of numbers")
        return False
    for value in _ends(setting):
        # True == 1, and a choice between them would be none.
        if not any(value == word and type(value) is type(word) for word in known):
            findings.refuse(path, f"{name} is one of {listed(known)}, got {value!r}{did_you_mean(value, known)}")
            return False
    return True


def choice_name(method: Method, key: str) -> str:
    """`entropy.form` and `entropy_form` are the same choice; "" where the key names none."""
    name = key.replace(".", "_")
    return name if name in method.choices else ""


def shown(setting: Setting) -> str:
    match setting:
        case Choice(values):
            return f"{{choice: {list(values)}}}"
        case Float(low, high) | Int(low, high):
            return f"[{low}, {high}]"
        case value:
            return repr(value)


def _ends(setting: Setting) -> tuple[Value, ...]:
    """The values that bound it."""
    match setting:
        case Choice(values):
            return values
        case Float(low, high) | Int(low, high):
            return (low, high)
        case value:
            return (value,)


def _rule(key: str, setting: Setting, known: Domain | None) -> str:
    """What `setting` must be and is not; "" where it fits."""
    ends = _ends(setting)
    if isinstance(known, Choice):
        return "" if all(end in known.values for end in ends) else f"one of {listed(known.values)}"
    if any(isinstance(end, bool | str) for end in ends):
        return "a number"
    numbers = [float(end) for end in ends]
    whole = all(isinstance(end, int) for end in ends) and not isinstance(setting, Float)
    if isinstance(known, Int) and not whole:
        return "whole numbers"
    part = key.split(".")[-1]
    if part in ("start", "ramp", "decay", "until"):
        return "" if all(0 <= n <= 1 for n in numbers) else "a fraction of training, from 0 to 1"
    if part == "weight":
        return "" if min(numbers) >= 0 else "at least 0"
    # The published range is logarithmic where a number has a sign: temperatures, rates, widths.
    return "above 0" if isinstance(known, Float | Int) and known.log and min(numbers) <= 0 else ""


def _as_float(setting: Setting) -> Setting:
    """1 and 1.0 are the same number and must make the same trial."""
    match setting:
        case Choice(values):
            return Choice(tuple(float(value) for value in values))
        case Int() | Float():
            return setting
        case value:
            return float(value)
