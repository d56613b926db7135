"""What a dataset holds, and what may be wrong with it: numbers for whoever is about to spend a sweep on it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.dataset import Dataset
from kdsweep.data.split import unlabelled
from kdsweep.tasks import registry as tasks
from kdsweep.values.card import PARTS, Modality, Part, Split

Array = NDArray[Any]


class ModalityLine(NamedTuple):
    """One modality.

    Attributes:
        present: share of all rows, and by part.
        constant: how many of a vector's features never vary in train.
    """

    name: str
    modality: Modality
    present: float
    by_part: dict[Part, float]
    constant: int


class Target(NamedTuple):
    """The values of one target in the training part."""

    mean: float
    deviation: float
    low: float
    high: float


@dataclass(frozen=True)
class Audit:
    """A dataset under a split.

    Attributes:
        classes: rows of each class, by part; empty where labels are values.
        targets: what such values range over, by name.
        unlabelled: rows without a label, by part: those of train are among its rows, those of other parts left out.
        groups: how many groups each part has; empty where rows name none.
        warnings: what a reader of the study's report would object to.
    """

    rows: dict[Part, int]
    classes: dict[str, dict[Part, int]]
    targets: dict[str, Target]
    groups: dict[Part, int]
    modalities: tuple[ModalityLine, ...]
    warnings: tuple[str, ...]
    unlabelled: Mapping[Part, int] = field(default_factory=dict)


def audit(dataset: Dataset, split: Split) -> Audit:
    """Counts, missingness, balance, and leaks between the parts. Values are read piece by piece."""
    parts = dataset.parts(split)
    classes: dict[str, dict[Part, int]] = {}
    targets: dict[str, Target] = {}
    names, labels = dataset.card.classes, tasks.load(dataset.card.task).labels
    for part, rows in parts.items():
        if (counts := labels.counts(dataset.labels[rows], len(names))) is not None:
            for name, count in zip(names, counts.tolist(), strict=True):
                classes.setdefault(name, {})[part] = count
    if not classes:
        train = parts["train"]
        seen = dataset.labels[train[dataset.labelled[train]]].T
        targets = {
            name: Target(float(row.mean()), float(row.std()), float(row.min()), float(row.max()))
            for name, row in zip(names, seen, strict=True)
        }
    groups: dict[Part, int] = {}
    if dataset.groups is not None:
        groups = {part: len(set(dataset.groups[parts[part]])) for part in PARTS}
    lines = []
    for name, modality in dataset.card.modalities.items():
        there = dataset.present[name][np.arange(len(dataset))]
        by_part: dict[Part, float] = {part: float(there[parts[part]].mean()) for part in PARTS if len(parts[part])}
        constant = _constant(dataset, name, parts["train"][there[parts["train"]]]) if modality.kind == "vector" else 0
        lines.append(ModalityLine(name, modality, float(there.mean()), by_part, constant))
    sizes: dict[Part, int] = {part: len(parts[part]) for part in PARTS}
    warnings = tuple(_warnings(dataset, parts, classes, lines))
    return Audit(sizes, classes, targets, groups, tuple(lines), warnings, unlabelled(dataset, split))


def _constant(dataset: Dataset, name: str, rows: Array) -> int:
    """How many features of a vector are equal in all these rows."""
    first: Array | None = None
    same = np.zeros(0, bool)
    for _, values in dataset.chunks(name, rows):
        if first is None:
            first, same = values[:1], np.ones(values.shape[1], bool)
        same &= (values == first).all(0)
    return int(same.sum())


def _warnings(
    dataset: Dataset, parts: dict[Part, Array], classes: dict[str, dict[Part, int]], lines: list[ModalityLine]
) -> Iterator[str]:
    for part in PARTS:
        if lacking := [name for name, counts in classes.items() if not counts[part]]:
            yield f"{part} has no sample of {', '.join(lacking)}"
    if dataset.groups is not None:
        for one, other in (("train", "valid"), ("train", "test"), ("valid", "test")):
            if both := sorted(set(dataset.groups[parts[one]]) & set(dataset.groups[parts[other]])):  # type: ignore[index]
                yield f"{len(both)} groups are in {one} and in {other}, such as {both[0]}: the score leaks"
        if len(set(dataset.groups[parts["test"]])) == 1:
            yield "test has one group: its score says nothing of others"
    for name in dataset.card.modalities:
        yield from _duplicates(dataset, parts, name)
    for line in lines:
        if line.constant:
            yield f"{line.name} has {line.constant} features that are equal in all training rows"
        if line.present == 0:
            yield f"{line.name} is missing everywhere"


def _duplicates(dataset: Dataset, parts: dict[Part, Array], name: str) -> Iterator[str]:
    """Test rows whose very values of a modality were trained on."""
    seen = {digest: row for row, digest in _digests(dataset, parts["train"], name)}
    again = [(row, seen[digest]) for row, digest in _digests(dataset, parts["test"], name) if digest in seen]
    if again:
        row, twin = again[0]
        some = f"{dataset.ids[row]} and {dataset.ids[twin]}"
        yield f"{len(again)} test rows have a twin in train by {name}, such as {some}"


def _digests(dataset: Dataset, rows: Array, name: str) -> Iterator[tuple[int, bytes]]:
    present = dataset.present[name][np.arange(len(dataset))]
    for some, values in dataset.chunks(name, rows[present[rows]]):
        for row, value in zip(some.tolist(), values, strict=True):
            yield row, hashlib.blake2b(value.tobytes(), digest_size=16).digest()
