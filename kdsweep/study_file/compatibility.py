"""Whether what a study brings fits what it asks for: asked with torch, as networks and objectives are built for it, and
of its data once they are read."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from kdsweep import methods
from kdsweep.data.augment import MIXUP
from kdsweep.study_file.findings import Mistake, StudyError
from kdsweep.values.space import Choice, Value
from kdsweep.values.study import Arm, Study
from kdsweep.values.trial import Given


def check(study: Study) -> None:
    """Nothing, where a study's parts fit each other.

    Raises:
        StudyError: the weights of a given teacher do not fit the network that the study describes, or arms read what is
            not among its outputs or what mixup blends: with all of these.
    """
    mistakes: list[Mistake] = []
    if study.given is not None and study.given.kind == "weights":
        first, *more = [*_misfits(study, study.given), ""]
        if first:
            # One wrong width is wrong in every layer that meets it.
            rest = f", and {len(more) - 1} more" if len(more) > 1 else ""
            mistakes.append(Mistake(0, f"{study.given.path} does not fit networks.teacher: {first}{rest}"))
    for arm in study.arms.values():
        messages = set[str]()
        if study.given is not None and study.given.kind == "outputs" and arm.teacher == "multimodal":
            messages |= set(_unsaid(study, arm, study.given))
        if MIXUP in study.augment:
            messages |= set(_unmixed(study, arm))
        mistakes += [Mistake(arm.line, message) for message in sorted(messages)]
    if mistakes:
        raise StudyError(study.path or study.name, mistakes)


def check_facts(study: Study) -> None:
    """Nothing, where what the data hold can do what the study asks for.

    Raises:
        StudyError: batches are to hold a share of labelled rows, and every row has a label.
    """
    assert study.facts is not None
    without = study.data.drop_labels or any("drop_labels" in row.data for row in study.rows)
    if study.train.labelled is not None and not without and not study.facts.folds[0].unlabelled.get("train"):
        message = "train.labelled is for training samples without a label, and all of them have one"
        raise StudyError(study.path or study.name, [Mistake(0, message)])


def _unmixed(study: Study, arm: Arm) -> Iterator[str]:
    """Terms that do not understand blends."""
    for choices in _built(study, arm):
        for name, term in methods.load(arm.method).build(choices).items():
            if not term.mixes:
                yield f"{name} of {arm.name} takes labels or samples as they are: no mixup beside it"


def _unsaid(study: Study, arm: Arm, given: Given) -> Iterator[str]:
    """What terms read of the teacher that was not brought."""
    for choices in _built(study, arm):
        for name, term in methods.load(arm.method).build(choices).items():
            for read in term.reads:
                whose, _, what = read.partition(".")
                if whose == "teacher" and what not in given.network:
                    yield f"{name} of {arm.name} reads {read}, and teachers.outputs has no {what}"


def _built(study: Study, arm: Arm) -> Iterator[dict[str, Value]]:
    """All structure that trials of an arm may have, by searched choices and by rows."""
    known = methods.load(arm.method).choices
    searched = {name: d.values for name, d in arm.space.items() if isinstance(d, Choice) and name in known}
    rows = [row.choices for row in study.rows] if arm.name == study.ablated else []
    for values in itertools.product(*searched.values()):
        for changed in ({}, *rows):
            yield {**arm.choices, **dict(zip(searched, values, strict=True)), **changed}


def _misfits(study: Study, given: Given) -> Iterator[str]:
    """Weights that the network has otherwise, or that only one of the two has."""
    from safetensors import safe_open

    from kdsweep.networks.network import build

    network = build(
        given.network, study.card, needs=study.student, any_of=study.auxiliary, classes=len(study.card.classes)
    )
    expected = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    with safe_open(given.path, framework="pt") as file:
        there = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    for name in dict.fromkeys([*expected, *there]):
        if expected.get(name) != there.get(name):
            wanted, got = (f"shape {table[name]}" if name in table else "nothing" for table in (expected, there))
            yield f"{name} is to have {wanted}, has {got}"
