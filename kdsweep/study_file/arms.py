"""Arms: each a method with its choices, its fixed numbers and its ranges, under a name of the user's."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kdsweep import methods
from kdsweep.methods import Method
from kdsweep.study_file import settings
from kdsweep.study_file.findings import Findings, Path, did_you_mean, listed
from kdsweep.study_file.settings import Numbers, Setting
from kdsweep.values.space import Choice, Domain, Float, Int, Value
from kdsweep.values.study import Arm, Recipe

RESERVED = ("use", "teacher", "label")
REFERENCES = ("teacher", "auxiliary_only")


@dataclass(frozen=True)
class Written:
    """A setting, and where it is written."""

    setting: Setting
    path: Path


def shared(recipe: Mapping[str, Any], every_arm: Mapping[str, Any], findings: Findings) -> dict[str, Written]:
    """The settings common to all arms: the ranges under `train`, and `every_arm`, which goes before them."""
    entries = {f"train.{name}": (("train", name), value) for name, value in recipe.items()}
    entries |= {key: (("every_arm", key), value) for key, value in every_arm.items()}
    return _settings(entries, findings)


def teacher_settings(common: Mapping[str, Written], findings: Findings) -> tuple[dict[str, Domain], dict[str, Value]]:
    """Ranges and values of the training recipe that teachers and auxiliary models follow."""
    checked = {
        key: settings.train_number(key, written.setting, path=written.path, findings=findings)
        for key, written in common.items()
        if key.startswith("train.")
    }
    return _split(checked)


def read(
    arms: Mapping[str, Any],
    common: Mapping[str, Written],
    *,
    auxiliary: tuple[str, ...] | None,
    task: str,
    findings: Findings,
) -> dict[str, Arm]:
    """The arms in their order. `auxiliary` is None where the data could not be described."""
    read: dict[str, Arm] = {}
    for name, keys in arms.items():
        if not isinstance(keys, dict | None):
            findings.refuse(("arms", name), f"an arm is a mapping of its keys, {{}} where it has none, got {keys!r}")
            continue
        arm = _arm(name, keys or {}, common, auxiliary=auxiliary, task=task, findings=findings)
        if arm is not None:
            read[name] = arm
    if len(read) == len(arms):
        _check_common(common, [arm for arm in read.values() if not arm.reference], findings)
    labels: dict[str, str] = {}
    for name, arm in read.items():
        if (other := labels.setdefault(arm.label, name)) != name:
            path = ("arms", name, "label")
            findings.refuse(path, f"two arms have the label {arm.label!r}: {other} and {name}")
    return read


def _check_common(common: Mapping[str, Written], arms: list[Arm], findings: Findings) -> None:
    """What is common to all arms, one of them must read."""
    loaded = [(methods.load(arm.method), arm.choices) for arm in arms]
    known = {name for method, choices in loaded for name in (*method.numbers(choices), *method.choices)}
    for key, written in common.items():
        is_choice = any(settings.choice_name(method, key) for method, _ in loaded)
        if not (key.startswith("train.") or key in known or is_choice):
            findings.refuse(written.path, f"no arm reads {key!r}{did_you_mean(key, known)}")


def _arm(
    name: str,
    keys: Mapping[str, Any],
    common: Mapping[str, Written],
    *,
    auxiliary: tuple[str, ...] | None,
    task: str,
    findings: Findings,
) -> Arm | None:
    here: Path = ("arms", name)
    if rule := name_fault(name):
        findings.refuse(here, f"an arm's name {rule}, got {name!r}")
    for key in RESERVED:
        if key in keys and not isinstance(keys[key], str):
            findings.refuse((*here, key), f"{key} must be text, got {keys[key]!r}")
            keys = {k: v for k, v in keys.items() if k != key}
    used = (*here, "use") if "use" in keys else here
    method = _method(keys.get("use", name), task, used, findings)
    if method is None:
        return None
    if method.name in REFERENCES:
        for key in keys:
            message = f"{method.name} is a reference row, trained as `teachers` says, and takes no keys, got {key!r}"
            findings.refuse((*here, key), message)
        label, choices = name.replace("_", " "), method.defaults()
        return Arm(name, label, method.name, "", choices, {}, {}, _recipe(method, choices), findings.line(here))

    own = _settings({k: ((*here, k), v) for k, v in keys.items() if k not in RESERVED}, findings)
    for key in own:
        if (choice := settings.choice_name(method, key)) != key and choice in own:
            findings.refuse(own[key].path, f"{key} and {choice} are the same choice: expected one of them")
    written = {settings.choice_name(method, key) or key: value for key, value in {**common, **own}.items()}

    choices, structure = _choices(method, written, findings)
    if task not in method.tasks(choices):
        findings.refuse(used, f"{method.name} is a method for {listed(method.tasks(choices))}, got the task {task}")
    combinations = itertools.product(*(domain.values for domain in structure.values()))
    numbers = Numbers.of(method, *({**choices, **dict(zip(structure, values, strict=True))} for values in combinations))
    checked: dict[str, Setting | None] = dict(numbers.space)
    for key, value in written.items():
        reads = key in numbers.names or key.startswith("train.")
        # What is common goes to the arms that read it; what is an arm's own, it must read.
        if key not in method.choices and (reads or value.path[0] == "arms"):
            checked[key] = numbers.check(key, value.setting, path=value.path, findings=findings)
    space, fixed = _split(checked)
    teacher = _teacher(method, choices, keys, here, auxiliary, findings)
    label = keys.get("label", name.replace("_", " "))
    return Arm(
        name=name,
        label=label,
        method=method.name,
        teacher=teacher,
        choices=choices,
        fixed=fixed,
        space={**structure, **space},
        recipe=_recipe(method, choices),
        line=findings.line(here),
    )


def _recipe(method: Method, choices: Mapping[str, Value]) -> Recipe:
    return Recipe(method.summary, method.terms(choices), method.required, method.base)


def name_fault(name: str) -> str:
    """Why `name` cannot name a folder and a line of a table; "" where it can."""
    if not name.strip() or not name.isprintable() or name != name.strip():
        return "is printable text without spaces around it"
    return "has no '/' in it and does not begin with '.'" if "/" in name or name.startswith(".") else ""


def _method(name: str, task: str, path: Path, findings: Findings) -> Method | None:
    try:
        method = methods.load(name, task)
        # Of the user's own, everything that it imports is read for it.
        _ = method.digest
        return method
    except ValueError as error:
        findings.refuse(path, f"{error}{did_you_mean(name, methods.names())}")
    except Exception as error:  # A user's module runs here, and may raise anything.
        findings.refuse(path, f"importing {name!r} raised {type(error).__name__}: {error}")
    return None


def _settings(entries: Mapping[str, tuple[Path, Any]], findings: Findings) -> dict[str, Written]:
    read = {key: (settings.read(value, path=path, findings=findings), path) for key, (path, value) in entries.items()}
    return {key: Written(setting, path) for key, (setting, path) in read.items() if setting is not None}


def _choices(
    method: Method, written: Mapping[str, Written], findings: Findings
) -> tuple[dict[str, Value], dict[str, Choice]]:
    """Every choice with its value, and those that are searched."""
    values, searched = method.defaults(), dict[str, Choice]()
    for name in method.choices:
        if name not in written or not settings.choice(
            method, name, written[name].setting, path=written[name].path, findings=findings
        ):
            continue
        match written[name].setting:
            case Choice(options) as domain:
                searched[name] = domain
                values[name] = values[name] if values[name] in options else options[0]
                cost = f"searching {name} is searching structure: each of its values trains in packs of its own"
                findings.warn(written[name].path, f"{cost}, and numbers that only some of them have stay as published")
            case Float() | Int():
                raise AssertionError("settings.choice refuses ranges of numbers")
            case value:
                values[name] = value
    return values, searched


def _split(checked: Mapping[str, Setting | None]) -> tuple[dict[str, Domain], dict[str, Value]]:
    space = {key: setting for key, setting in checked.items() if isinstance(setting, Float | Int | Choice)}
    fixed = {key: setting for key, setting in checked.items() if isinstance(setting, float | int | str)}
    return space, fixed


def _teacher(
    method: Method,
    choices: Mapping[str, Value],
    keys: Mapping[str, Any],
    here: Path,
    auxiliary: tuple[str, ...] | None,
    findings: Findings,
) -> str:
    kind = method.teacher(choices)
    if auxiliary == () and method.auxiliary(choices) == "frozen":
        findings.refuse(here, f"{method.name} reads auxiliary models, and the data has no auxiliary modality")
    if "teacher" not in keys:
        return "multimodal" if kind == "frozen" else ""
    word: str = keys["teacher"]
    path = (*here, "teacher")
    if kind != "frozen":
        why = "trains its own inside the trial" if kind == "joint" else "reads none"
        findings.refuse(path, f"{method.name} takes no teacher: it {why}, got {word!r}")
        return ""
    words = ("multimodal", *(("unimodal", *auxiliary) if auxiliary else ()))
    if auxiliary is not None and word not in words:
        findings.refuse(path, f"teacher is one of {listed(words)}, got {word!r}{did_you_mean(word, words)}")
    return word
