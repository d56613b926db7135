"""What every dataset must hold to. A user's loader and an import are checked here; everything after trusts it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.card import AXES, PARTS, Modality
from kdsweep.data.dataset import Dataset


def check(dataset: Dataset, *, where: str) -> Dataset:
    """The dataset, with nothing wrong with it.

    Args:
        where: what it was read from, for messages.

    Raises:
        ValueError: something is: names the source, the row and the column.
    """
    rows, classes = len(dataset.labels), len(dataset.card.classes)
    for name, values in (("ids", dataset.ids), ("split", dataset.split), ("groups", dataset.groups)):
        if values is not None and len(values) != rows:
            raise ValueError(f"{where}: every column has one value a label, got {len(values)} {name} of {rows}")
    if not rows:
        raise ValueError(f"{where}: a dataset has at least one row, got none")
    unique, counts = np.unique(dataset.ids, return_counts=True)
    if len(unique) < rows:
        raise ValueError(f"{where}: ids are unique, got {str(unique[counts > 1][0])!r} {counts.max()} times")
    outside = np.flatnonzero((dataset.labels < 0) | (dataset.labels >= classes))
    if len(outside):
        row = outside[0]
        got = f"{dataset.labels[row]} in {_row(dataset, row)}"
        raise ValueError(f"{where}: a label is a class, from 0 to {classes - 1}, got {got}, column label")
    _check_classes(dataset, where)
    _check_split(dataset, where)
    for name, modality in dataset.card.modalities.items():
        _check_modality(dataset, name, modality, where)
    return dataset


def _check_classes(dataset: Dataset, where: str) -> None:
    labels, counts = np.unique(dataset.labels, return_counts=True)
    for label, count in zip(labels, counts, strict=True):
        if count < 2:
            row = int(np.flatnonzero(dataset.labels == label)[0])
            name = dataset.card.classes[label]
            message = f"a class has at least 2 samples, got 1 of {name!r}: {_row(dataset, row)}, column label"
            raise ValueError(f"{where}: {message}")


def _check_split(dataset: Dataset, where: str) -> None:
    if dataset.split is None:
        return
    for row in np.flatnonzero(~np.isin(dataset.split, PARTS)):
        got = f"{str(dataset.split[row])!r} in {_row(dataset, row)}, column split"
        raise ValueError(f"{where}: a split is one of {', '.join(PARTS)}, got {got}")
    for part in ("train", "test"):
        if not (dataset.split == part).any():
            raise ValueError(f"{where}: a split has rows in train and in test, got no {part} in column split")


def _check_modality(dataset: Dataset, name: str, modality: Modality, where: str) -> None:
    if name not in dataset.modalities or name not in dataset.present:
        raise ValueError(f"{where}: every modality of the card has values and presence, got no {name!r}")
    rows = np.arange(len(dataset))
    values, present = dataset.modalities[name][rows], dataset.present[name][rows]
    expected = (len(dataset), *modality.shape)
    if values.shape != expected or present.shape != expected[:1]:
        raise ValueError(f"{where}: {name} has the shape {expected} that its card says, got {values.shape}")
    if values.dtype != np.float32:
        raise ValueError(f"{where}: values are float32, got {values.dtype} in {name}")
    if len(modality.shape) not in AXES[modality.kind]:
        axes = " or ".join(map(str, AXES[modality.kind]))
        raise ValueError(f"{where}: a sample of kind {modality.kind} has {axes} axes, got {modality.shape} in {name}")
    for row in np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1)):
        place = " ".join(map(str, np.argwhere(~np.isfinite(values[row]))[0]))
        raise ValueError(f"{where}: values are finite, got {_row(dataset, row)}, column {name}, feature {place}")
    if modality.kind == "sequence":
        _check_padding(dataset, name, values, present, where)


def _check_padding(dataset: Dataset, name: str, values: NDArray[Any], present: NDArray[np.bool_], where: str) -> None:
    flag = values[..., -1]
    lengths = flag.sum(1)
    wrong = (flag != (np.arange(flag.shape[1]) < lengths[:, None])).any(1) | (present & (lengths < 1))
    for row in np.flatnonzero(wrong):
        rule = "a sequence's last feature is 1 on its steps, of which there is at least one, and 0 behind them"
        raise ValueError(f"{where}: {rule}, got otherwise in {_row(dataset, row)}, column {name}")


def _row(dataset: Dataset, row: np.integer[Any] | int) -> str:
    return f"row {row} ({str(dataset.ids[row])!r})"
