"""A teacher that the user brings: as weights, or as columns of the data that hold what it said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdsweep.data.augment import MIXUP
from kdsweep.study_file.findings import Findings, did_you_mean, listed
from kdsweep.study_file.sections import File
from kdsweep.values import user_code
from kdsweep.values.card import Card
from kdsweep.values.trial import Given


def columns(file: File, card: Card | None, findings: Findings) -> dict[str, str]:
    """The columns that hold what a teacher said, by "logits" and "embedding"."""
    written, path = file.teachers.outputs, ("teachers", "outputs")
    if written is None or card is None or file.data is None:
        return {}
    if file.teachers.weights is not None:
        findings.refuse(path, "a teacher is brought as weights or as outputs, got both")
    columns = {"logits": written} if isinstance(written, str) else written.model_dump(exclude_none=True)
    roles_taken = (*file.data.student, *(file.data.auxiliary or ()))
    for key, name in columns.items():
        shape = card.modalities[name].shape if name in card.modalities else None
        if shape is None:
            hint = did_you_mean(name, card.modalities)
            findings.refuse(path, f"the data has no column {name!r}: it has {listed(card.modalities)}{hint}")
        elif name in roles_taken:
            findings.refuse(path, f"what a teacher said is seen by nobody, and {name!r} is a modality of the study")
        elif len(shape) != 1 or (key == "logits" and shape != (len(card.classes),)):
            wanted = f"[{len(card.classes)}]" if key == "logits" else "[width]"
            findings.refuse(path, f"{key} are vectors {wanted}, got {list(shape)} in {name!r}")
    return columns


def given(file: File, network: Mapping[str, Any], columns: Mapping[str, str], findings: Findings) -> Given | None:
    """The teacher that the user brought, named by its bytes."""
    path = file.teachers.weights
    if path is None and not columns:
        return None
    for key in sorted(file.teachers.model_fields_set & {"trials", "seeds"}):
        findings.warn(("teachers", key), f"teachers.{key} is for auxiliary models alone: the teacher is given")
    if path is None:
        if MIXUP in file.augment:
            message = "mixup blends inputs, and what a teacher said of the rows as they are teaches nothing of blends"
            findings.refuse(("teachers", "outputs"), message)
        elif file.augment:
            findings.warn(("teachers", "outputs"), "the teacher's outputs are of inputs as they are, not augmented")
        return Given(kind="outputs", digest="", network=dict(columns))
    try:
        brought = user_code.weights(path)
    except ValueError as error:
        findings.refuse(("teachers", "weights"), f"teachers.{error}")
        return None
    return Given(kind="weights", digest=brought["digest"], network=network, path=brought["path"])
