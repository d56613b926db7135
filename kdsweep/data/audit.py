"""What a dataset holds, and what may be wrong with it: numbers for whoever is about to spend a sweep on it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.card import PARTS, Modality, Part
from kdsweep.data.dataset import Dataset
from kdsweep.study import Data

Array = NDArray[Any]


class ModalityLine(NamedTuple):
    """One modality: presence is a share of all rows, `constant` counts a vector's features that never vary in train."""

    name: str
    modality: Modality
    present: float
    constant: int


class Score(NamedTuple):
    """Test accuracy, on so many samples, of logistic regression on standardised features, or on their first 256
    principal components where they are more than 512."""

    modalities: tuple[str, ...]
    accuracy: float
    samples: int


@dataclass(frozen=True)
class Audit:
    """A dataset under a study's split.

    Attributes:
        classes: rows of each class, by part.
        groups: how many groups each part has; empty where rows name none.
        warnings: what a reader of the study's report would object to.
    """

    rows: dict[Part, int]
    classes: dict[str, dict[Part, int]]
    groups: dict[Part, int]
    modalities: tuple[ModalityLine, ...]
    warnings: tuple[str, ...]


def audit(dataset: Dataset, data: Data) -> Audit:
    """Counts, missingness, balance, and leaks between the parts."""
    parts = dataset.parts(data)
    every = np.arange(len(dataset))
    whole = dataset.select(every)
    rows: dict[Part, int] = {part: len(parts[part]) for part in PARTS}
    classes = {}
    for label, name in enumerate(dataset.card.classes):
        classes[name] = {part: int((dataset.labels[parts[part]] == label).sum()) for part in PARTS}
    groups: dict[Part, int] = {}
    if dataset.groups is not None:
        groups = {part: len(set(dataset.groups[parts[part]])) for part in PARTS}
    lines = []
    for name, modality in dataset.card.modalities.items():
        constant = 0
        if modality.kind == "vector":
            train = whole.modalities[name][parts["train"]][whole.present[name][parts["train"]]]
            constant = int((train == train[:1]).all(0).sum()) if len(train) else 0
        lines.append(ModalityLine(name, modality, float(whole.present[name].mean()), constant))
    return Audit(rows, classes, groups, tuple(lines), tuple(_warnings(whole, parts, classes, lines)))


def linear_scores(dataset: Dataset, data: Data) -> Iterator[Score]:
    """What a linear model makes of each modality alone, and of all of them side by side; missing values are 0."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    parts = dataset.parts(data)
    whole = dataset.select(np.concatenate([parts["train"], parts["test"]]))
    names = tuple(dataset.card.modalities)
    for asked in (*((name,) for name in names), *((names,) if len(names) > 1 else ())):
        there = np.any([whole.present[name] for name in asked], axis=0)
        x = np.concatenate([whole.modalities[name].reshape(len(whole), -1) for name in asked], axis=1)
        train = np.flatnonzero(there[: len(parts["train"])])
        test = np.flatnonzero(there[len(parts["train"]) :]) + len(parts["train"])
        if len(test) and len(set(whole.labels[train])) > 1:
            steps = [StandardScaler()]
            if x.shape[1] > 512:
                steps.append(PCA(min(256, len(train)), svd_solver="randomized", random_state=0))
            model = make_pipeline(*steps, LogisticRegression(C=0.1, max_iter=200))
            with warnings.catch_warnings():
                # A few hundred steps tell as much as is asked here.
                warnings.simplefilter("ignore")
                model.fit(x[train], whole.labels[train])
            yield Score(asked, float(model.score(x[test], whole.labels[test])), len(test))


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
    values, present = dataset.modalities[name], dataset.present[name]
    seen = {values[row].tobytes(): row for row in parts["train"] if present[row]}
    again = [row for row in parts["test"] if present[row] and values[row].tobytes() in seen]
    if again:
        twin = dataset.ids[seen[values[again[0]].tobytes()]]
        yield f"{len(again)} test rows have a twin in train by {name}, such as {dataset.ids[again[0]]} and {twin}"
