"""The file's sections as pydantic models: names, types and bounds. What sections say about each other comes later."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from kdsweep.study_file.findings import Findings, Path, did_you_mean, listed
from kdsweep.tasks.registry import TASKS
from kdsweep.values.control import CONTROLS
from kdsweep.values.study import Confirm, Data, Evaluate, Finalists, Resources, Search, Section, Teachers, Train

Encoder = str | dict[str, Any]
if TYPE_CHECKING:
    TaskName = str
    ControlName = str
else:
    # Those that there are: editors complete them from the schema.
    TaskName, ControlName = Literal[TASKS], Literal[*CONTROLS]


class Networks(Section):
    """Encoders by modality, and `fusion` where several are read, for each role."""

    student: Mapping[str, Encoder] = Field({})
    teacher: Mapping[str, Encoder] = Field({})
    auxiliary: Mapping[str, Encoder] = Field({})


class Ablate(Section):
    """One arm with things taken away or changed, at the same seeds."""

    arm: str
    retune: bool | Literal["both"] = Field(False, description="whether each row gets a search of its own")
    rows: tuple[str | dict[str, Any], ...] = ("leave_one_out",)


class Comparison(Section):
    """What the study sets out to show: `arm` beats each of `against`."""

    arm: str
    against: tuple[str, ...] = Field(min_length=1)


class Report(Section):
    """What the report decides."""

    claim: Comparison | None = None
    equivalent: float | None = Field(None, gt=0, description="half the region of equivalence, in the metric's unit")
    references: bool = Field(True, description="a linear model and an MLP of scikit-learn beside the student")


class File(Section):
    """A study of kdsweep. Every key but data and arms has a default."""

    name: str = Field("", description="default: the file's name")
    seed: int = Field(0, ge=0, description="seeds the samplers")
    data: Data | None = None
    task: TaskName = Field("classification", description="default: what the data is made for")
    metric: str | None = Field(None, description="chooses on validation, judges on test; default: the task's first")
    select: Literal["last", "best_valid"] = Field("last", description="which epoch counts, everywhere")
    networks: Networks = Networks()
    teachers: Teachers = Teachers()
    train: Train = Train()
    augment: dict[str, Any] = Field({}, description="by modality")
    every_arm: dict[str, Any] = Field({}, description="ranges searched in each arm that reads them")
    arms: dict[str, Any] = Field({}, description="the rows of the comparison")
    search: Search = Search()
    finalists: Finalists | None = None
    confirm: Confirm = Confirm()
    evaluate: Evaluate = Evaluate()
    ablate: Ablate | None = None
    controls: tuple[ControlName, ...] = ()
    report: Report = Report()
    storage: str = Field("runs/", min_length=1, description="where results are kept")
    resources: Resources = Resources()


def read(written: Mapping[str, Any], findings: Findings) -> File:
    """The sections; one with mistakes in it is reported and left at its default, so that the others are checked."""
    try:
        # JSON's rules, strictly: a list may be a tuple, but "5" is no number and 1 is not true.
        return File.model_validate_json(json.dumps(written), strict=True)
    except ValidationError as error:
        _report(error, written, findings)
        faulty = {str(problem["loc"][0]) for problem in error.errors()}
    rest = {key: value for key, value in written.items() if key not in faulty}
    return File.model_validate_json(json.dumps(rest), strict=True)


def number_fault(name: str, value: object) -> str:
    """What is wrong with `value` for `train.<name>`; "" where nothing is."""
    try:
        Train.model_validate_json(json.dumps({name: value}), strict=True)
    except ValidationError as error:
        return " or ".join(_rule(problem) for problem in error.errors())
    return ""


def _report(error: ValidationError, written: Mapping[str, Any], findings: Findings) -> None:
    """A union gives one problem for each of its members: they become one mistake."""
    rules: dict[Path, list[Any]] = {}
    for problem in error.errors():
        rules.setdefault(_path(problem["loc"], written), []).append(problem)
    for path, problems in rules.items():
        name = ".".join(map(str, path))
        kinds = {problem["type"] for problem in problems}
        if "extra_forbidden" in kinds:
            known = _keys(path[:-1])
            message = f"unknown key {path[-1]!r}: expected {listed(known)}{did_you_mean(path[-1], known)}"
        elif kinds == {"missing"}:
            message = f"{name} needs {listed(problem['loc'][-1] for problem in problems)}"
        elif problems[0]["loc"][-1] == "[key]":
            known = _words(problems[0])
            message = f"unknown key {path[-1]!r}: expected {listed(known)}{did_you_mean(path[-1], known)}"
        else:
            value = _at(path, written)
            rule = " or ".join(dict.fromkeys(map(_rule, problems)))
            words = [word for problem in problems for word in _words(problem)]
            message = f"{name} must be {rule}, got {shown(value)}{did_you_mean(value, words)}"
        findings.refuse(path, message)


def _path(location: Iterable[Any], written: Any) -> Path:
    """The part of pydantic's location that is in the file: it also names union members and missing keys."""
    path: Path = ()
    for part in location:
        if (isinstance(written, list) and isinstance(part, int)) or (isinstance(written, dict) and part in written):
            path, written = (*path, part), written[part]
    return path


def _at(path: Path, written: Any) -> Any:
    for part in path:
        written = written[part]
    return written


def _keys(path: Path) -> list[str]:
    """The keys of the section at `path`."""
    model: type[BaseModel] = File
    for part in path:
        field = model.model_fields[str(part)]
        kinds = [field.annotation, *getattr(field.annotation, "__args__", ())]
        model = next(kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel))
    return list(model.model_fields)


_RULES = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "literal_error": "{expected}",
    "too_short": "at least {min_length} long",
    "string_too_short": "not empty",
}


def _rule(problem: Any) -> str:
    # What has no words of ours keeps pydantic's, which begin so.
    message: str = problem["msg"].removeprefix("Input should be ")
    return _RULES.get(problem["type"], message).format_map(problem.get("ctx", {}))


def _words(problem: Any) -> list[str]:
    return re.findall(r"'([^']*)'", problem["ctx"]["expected"]) if problem["type"] == "literal_error" else []


def shown(value: object) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
