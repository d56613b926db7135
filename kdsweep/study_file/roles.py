"""Who sees what: the data's modalities by role, and a network for each, written out in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdsweep import networks
from kdsweep.data import augment
from kdsweep.data import registry as source
from kdsweep.study_file.findings import Findings, Path, did_you_mean, listed
from kdsweep.study_file.sections import Networks
from kdsweep.values.card import Card, Kind
from kdsweep.values.study import Data


def describe(data: Data, findings: Findings) -> Card | None:
    """The dataset's card, its modalities checked against the roles; None where it cannot be had."""
    sources = [key for key in ("name", "path", "python") if getattr(data, key) is not None]
    if len(sources) != 1:
        findings.refuse(("data",), f"data has one of name, path and python, got {listed(sources)}")
        return None
    path: Path = ("data", sources[0])
    try:
        card = source.card(data.reference)
    except Exception as error:  # A user's loader runs here, and may raise anything.
        if not isinstance(error, ValueError):
            findings.refuse(path, f"describing the data raised {type(error).__name__}: {error}")
            return None
        unknown = data.name is not None and data.name not in source.names()
        findings.refuse(path, f"{error}{did_you_mean(data.name, source.names()) if unknown else ''}")
        return None
    seen: set[str] = set()
    for role, names in (("student", data.student), ("auxiliary", data.auxiliary or ())):
        for index, name in enumerate(names):
            here = ("data", role, index)
            if name not in card.modalities:
                message = f"the data has no modality {name!r}: it has {listed(card.modalities)}"
                findings.refuse(here, message + did_you_mean(name, card.modalities))
            elif name in seen:
                findings.refuse(here, f"a modality has one role and is listed once, got {name!r} again as {role}")
            seen.add(name)
    if data.folds is not None and data.folds.by == "group" and not card.grouped:
        findings.refuse(("data", "folds", "by"), "folds by group need data that names groups, got data without")
    for key, grouping in (("split_by", data.split_by), ("infer_over", data.infer_over)):
        if grouping is not None and grouping not in card.groupings:
            message = f"the data has no grouping {grouping!r}: it has {listed(card.groupings) or 'none with a name'}"
            findings.refuse(("data", key), message + did_you_mean(grouping, card.groupings))
    return card if seen <= set(card.modalities) else None


def auxiliary(data: Data, card: Card) -> tuple[str, ...]:
    """The auxiliary modalities: as listed, or all that the student does not see."""
    if data.auxiliary is not None:
        return data.auxiliary
    return tuple(name for name in card.modalities if name not in data.student)


def complete(written: Networks, data: Data, card: Card, findings: Findings) -> dict[str, dict[str, Any]]:
    """A specification for every part of every role; short forms and gaps filled."""
    student, helpers = data.student, auxiliary(data, card)
    both = tuple(dict.fromkeys((*student, *helpers)))
    parts = {
        "student": (*student, *(("fusion",) if len(student) > 1 else ())),
        "teacher": (*both, "fusion"),
        "auxiliary": helpers,
    }
    full: dict[str, dict[str, Any]] = {}
    for role, names in parts.items():
        given: Mapping[str, Any] = getattr(written, role)
        if networks.MODULE in given:
            full[role] = _module(given, role, findings)
            continue
        for part in given:
            if part not in names:
                message = f"the {role} has no {part!r}: it has {listed(names)}{did_you_mean(part, names)}"
                findings.refuse(("networks", role, part), message)
        full[role] = {}
        for name in names:
            kind = None if name == "fusion" else card.modalities[name].kind
            full[role][name] = _part(given.get(name), kind, ("networks", role, name), findings)
    return full


def _module(given: Mapping[str, Any], role: str, findings: Findings) -> dict[str, Any]:
    """A role that is one module of the user's own."""
    if role == "auxiliary":
        findings.refuse(("networks", role, "module"), "auxiliary models have an encoder each, by modality, got module")
        return {}
    try:
        return networks.complete_module(given)
    except ValueError as error:
        findings.refuse(("networks", role), str(error))
        return {}


def augmentations(written: Mapping[str, Any], data: Data, card: Card, findings: Findings) -> dict[str, Any]:
    """What is done to each modality's training inputs, in full."""
    read = (*data.student, *auxiliary(data, card))
    full: dict[str, Any] = {}
    for name, several in written.items():
        if name == augment.MIXUP:
            try:
                full[name] = augment.complete_mixup(several)
            except ValueError as error:
                findings.refuse(("augment", name), str(error))
            continue
        if name not in read:
            message = f"the study reads no modality {name!r}: it reads {listed(read)}{did_you_mean(name, read)}"
            findings.refuse(("augment", name), message)
            continue
        try:
            steps = augment.complete(several, kind=card.modalities[name].kind)
        except ValueError as error:
            findings.refuse(("augment", name), str(error))
            continue
        if steps:
            full[name] = steps
    if augment.MIXUP in full:
        findings.warn(("augment",), "mixup blends all modalities: frozen models are asked at every step")
    elif full:
        kept = [name for name in auxiliary(data, card) if name not in full]
        aside = f"; only models of {listed(kept)} alone are asked once" if kept else ""
        findings.warn(("augment",), f"frozen models that read {listed(full)} are asked at every step{aside}")
    return full


def _part(spec: Any, kind: Kind | None, path: Path, findings: Findings) -> dict[str, Any]:
    """The specification in full; an empty one, and a mistake, where there is no such network."""
    try:
        full = networks.complete(spec, kind=kind)
    except ValueError as error:
        table = networks.FUSIONS if kind is None else networks.ENCODERS
        written = {spec: {}} if isinstance(spec, str) else spec
        hint, where = "", path
        for name, arguments in written.items():
            if name in networks.OPTIONS:
                continue
            if name not in table:
                hint, where = did_you_mean(name, [*table, *networks.OPTIONS]), (*path, name)
            for argument in arguments if isinstance(arguments, Mapping) else ():
                if name in table and argument not in table[name].defaults:
                    hint, where = did_you_mean(argument, table[name].defaults), (*path, name, argument)
        findings.refuse(where, f"{error}{hint}")
        return {}
    name = networks.name_of(full)
    arguments = full[name]
    if ":" in name:
        # A network of the user's own checks its arguments itself.
        return full
    defaults = (networks.FUSIONS if kind is None else networks.ENCODERS)[name].defaults
    for argument, value in arguments.items():
        if rule := _argument_rule(value, defaults[argument]):
            findings.refuse((*path, name, argument), f"{argument} of {name} must be {rule}, got {value!r}")
        elif isinstance(defaults[argument], float):
            # 0 and 0.0 are the same argument and must make the same trial.
            arguments[argument] = float(value)
    return full


def _argument_rule(value: object, default: object) -> str:
    """What an argument must be, by the kind of its default, and is not; "" where it fits."""
    match default:
        case bool():
            return "" if isinstance(value, bool) else "true or false"
        case int():
            return "" if _is_count(value) else "a whole number, at least 1"
        case float():
            fits = isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
            return "" if fits else "a number, at least 0"
        case list():
            return "" if isinstance(value, list) and all(map(_is_count, value)) else "a list of whole numbers"
        case str():
            return "" if isinstance(value, str) else "text"
    return ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
