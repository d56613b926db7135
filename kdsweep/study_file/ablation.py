"""The rows of an ablation: one arm with terms taken away, or with a choice, a number or a key of `data` changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from kdsweep import methods
from kdsweep.methods import Method
from kdsweep.study_file import sections, settings
from kdsweep.study_file.findings import Findings, Path, did_you_mean, listed
from kdsweep.study_file.settings import Numbers
from kdsweep.values.space import Choice, Float, Int, Value
from kdsweep.values.study import Arm, Data, Row

WORDS = ("leave_one_out", "add_one_in")
FORMS = ("without", "set", "each")
SHARES = ("data.drop_auxiliary", "data.drop_labels")
DATA_KEYS = (*SHARES, "data.auxiliary")


def read(
    written: sections.Ablate, arm: Arm, *, data: Data, auxiliary: tuple[str, ...], task: str, findings: Findings
) -> tuple[Row, ...]:
    """The rows in their order. Of rows that change the same the first stays; one that changes nothing is the arm."""
    reader = _Reader(arm, methods.load(arm.method, task), data, auxiliary, findings)
    kept: list[Row] = []
    for index, entry in enumerate(written.rows):
        path = ("ablate", "rows", index)
        for row in reader.rows(entry, path):
            change = replace(row, name="", kind="")
            if reader.is_arm(row):
                if row.kind != "add_one_in":
                    findings.warn(path, f"the row {row.name!r} is the arm {arm.name} as it is, and is left out")
            elif not any(replace(other, name="", kind="") == change for other in kept):
                kept.append(row)
    return tuple(kept)


@dataclass(frozen=True)
class _Reader:
    arm: Arm
    method: Method
    data: Data
    auxiliary: tuple[str, ...]
    findings: Findings

    @property
    def terms(self) -> tuple[str, ...]:
        return self.method.terms(self.arm.choices)

    def is_arm(self, row: Row) -> bool:
        """Whether the row changes nothing. A number that the arm searches is changed by any value."""
        own = {key.removeprefix("data."): getattr(self.data, key.removeprefix("data.")) for key in SHARES}
        own["auxiliary"] = self.auxiliary
        searched = self.arm.space
        return (
            not row.dropped
            and all(name not in searched and self.arm.choices[name] == value for name, value in row.choices.items())
            and all(name in self.arm.fixed and self.arm.fixed[name] == value for name, value in row.numbers.items())
            and all(own[name] == value for name, value in row.data.items())
        )

    def rows(self, entry: str | Mapping[str, Any], path: Path) -> Iterator[Row]:
        optional = [term for term in self.terms if term not in self.method.required]
        if entry == "leave_one_out":
            for term in optional:
                yield Row(f"without {term}", "leave_one_out", dropped=(term,))
        elif entry == "add_one_in":
            added = [term for term in optional if term not in self.method.base]
            for term in added:
                yield Row(f"only {term}", "add_one_in", dropped=tuple(other for other in added if other != term))
        elif isinstance(entry, str):
            message = f"no rows {entry!r}: expected {listed(WORDS)}, or {{{': …}, {'.join(FORMS)}: …}}"
            self.findings.refuse(path, message + did_you_mean(entry, WORDS))
        else:
            yield from self._changed(entry, path)

    def _changed(self, entry: Mapping[str, Any], path: Path) -> Iterator[Row]:
        if len(entry) != 1:
            self.findings.refuse(path, f"a row has one of {listed(FORMS)}, got {listed(entry)}")
            return
        ((form, value),) = entry.items()
        here = (*path, form)
        if form not in FORMS:
            message = f"unknown key {form!r}: a row has one of {listed(FORMS)}{did_you_mean(form, FORMS)}"
            self.findings.refuse(here, message)
        elif form == "without":
            dropped = self._dropped(value, here)
            if dropped:
                yield Row(f"without {', '.join(dropped)}", "without", dropped=dropped)
        elif not isinstance(value, dict) or not value:
            example = "{entropy.form: gaussian}" if form == "set" else "{data.drop_auxiliary: [0.5, 0.9]}"
            self.findings.refuse(here, f"{form} is a mapping such as {example}, got {value!r}")
        elif form == "set":
            yield from self._beside_labels_alone(self._change("set", value, here))
        else:
            for key, values in value.items():
                if not isinstance(values, list) or not values:
                    self.findings.refuse((*here, key), f"each lists the values of {key}, got {values!r}")
                    continue
                for index, option in enumerate(values):
                    yield from self._beside_labels_alone(self._change("each", {key: option}, here, index))

    def _beside_labels_alone(self, rows: Iterator[Row]) -> Iterator[Row]:
        """The rows; one with other labels and nothing else comes with the student that learns from those alone, and
        with the one that learns from the study's own."""
        optional = tuple(term for term in self.terms if term not in self.method.required)
        for row in rows:
            yield row
            if row.data.keys() == {"drop_labels"} and not (row.choices or row.numbers) and not self.is_arm(row):
                yield replace(row, name=f"labels alone, {row.name}", dropped=optional)
                yield Row("labels alone", row.kind, dropped=optional)

    def _dropped(self, value: Any, path: Path) -> tuple[str, ...]:
        if not isinstance(value, list) or not value:
            self.findings.refuse(path, f"without is a list of terms, got {value!r}")
            return ()
        fine = True
        for index, term in enumerate(value):
            if term not in self.terms:
                message = f"{self.arm.name} has no term {term!r}: it has {listed(self.terms)}"
                self.findings.refuse((*path, index), message + did_you_mean(term, self.terms))
                fine = False
            elif term in self.method.required:
                self.findings.refuse((*path, index), f"{term} is required by {self.method.name} and is never dropped")
                fine = False
        return tuple(term for term in self.terms if term in value) if fine else ()

    def _change(self, kind: str, pairs: Mapping[str, Any], path: Path, *index: int) -> Iterator[Row]:
        """One row, or none and a mistake. Choices are read first: which numbers exist depends on them."""
        structure = {key: name for key in pairs if (name := settings.choice_name(self.method, key))}
        read: dict[str, Any] = {}
        for key, name in structure.items():
            read[key] = self._choice(key, name, pairs[key], (*path, key, *index))
        choices = {name: read[key] for key, name in structure.items() if read[key] is not None}
        if (task := self.method.task) not in (able := self.method.tasks({**self.arm.choices, **choices})):
            message = f"with these choices {self.method.name} is a method for {listed(able)}, got the task {task}"
            self.findings.refuse(path, message)
        numbers = Numbers.of(self.method, {**self.arm.choices, **choices})
        for key in pairs:
            here = (*path, key, *index)
            if key.startswith("data."):
                read[key] = self._data(key, pairs[key], here)
            elif key not in structure:
                read[key] = self._number(key, numbers, pairs[key], here)
        if all(value is not None for value in read.values()):
            yield Row(
                name=", ".join(f"{self._spelled(key)} = {_shown(read[key])}" for key in pairs),
                kind=kind,
                choices=choices,
                numbers={key: read[key] for key in pairs if not (key in structure or key.startswith("data."))},
                data={key.removeprefix("data."): read[key] for key in pairs if key.startswith("data.")},
            )

    def _choice(self, key: str, name: str, written: Any, path: Path) -> Value | None:
        value = self._value(key, written, path)
        fits = value is not None and settings.choice(self.method, name, value, path=path, findings=self.findings)
        return value if fits else None

    def _number(self, key: str, numbers: Numbers, written: Any, path: Path) -> Any:
        value = self._value(key, written, path)
        return None if value is None else numbers.check(key, value, path=path, findings=self.findings)

    def _value(self, key: str, written: Any, path: Path) -> Value | None:
        setting = settings.read(written, path=path, findings=self.findings)
        if isinstance(setting, Float | Int | Choice):
            self.findings.refuse(path, f"a row sets {key} to one value, got a range")
            return None
        return setting

    def _data(self, key: str, value: Any, path: Path) -> Any:
        if key not in DATA_KEYS:
            message = f"a row changes {listed(DATA_KEYS)} of the data, got {key!r}{did_you_mean(key, DATA_KEYS)}"
            self.findings.refuse(path, message)
        elif key in SHARES:
            if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1:
                return float(value)
            self.findings.refuse(path, f"{key} is a share, from 0 to below 1, got {value!r}")
        elif not isinstance(value, list):
            self.findings.refuse(path, f"{key} is a list of modalities, got {value!r}")
        elif unknown := [name for name in value if name not in self.auxiliary]:
            message = f"the study has no auxiliary modality {unknown[0]!r}: it has {listed(self.auxiliary)}"
            self.findings.refuse(path, message + did_you_mean(unknown[0], self.auxiliary))
        else:
            return tuple(name for name in self.auxiliary if name in value)
        return None

    def _spelled(self, key: str) -> str:
        """`entropy.form` for the choice `entropy_form` of the term `entropy`; other keys as they are."""
        name = settings.choice_name(self.method, key)
        for term in self.terms:
            if name.startswith(f"{term}_"):
                return f"{term}.{name.removeprefix(f'{term}_')}"
        return name or key


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)
