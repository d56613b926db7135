"""What every dataset must hold to. A user's loader and an import are checked here; everything after trusts it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.dataset import Dataset
from kdsweep.tasks import registry as tasks
from kdsweep.values.card import AXES, PARTS, Modality


def check(dataset: Dataset, *, where: str) -> Dataset:
    """The dataset, with nothing wrong with it.

    Args:
        where: what it was read from, for messages.

    Raises:
        ValueError: something is: names the source, the row and the column.
    """
    if not isinstance(dataset, Dataset):
        raise ValueError(f"{where}: a loader returns a kdsweep.Dataset, got {type(dataset).__name__}")
    rows = len(dataset.labels)
    for name, values in (
        *(("ids", dataset.ids), ("split", dataset.split), ("groups", dataset.groups)),
        *dataset.groupings.items(),
    ):
        if values is not None and len(values) != rows:
            raise ValueError(f"{where}: every column has one value a label, got {len(values)} {name} of {rows}")
    if tuple(dataset.groupings) != dataset.card.groupings:
        told, got = (", ".join(names) or "none" for names in (dataset.card.groupings, dataset.groupings))
        raise ValueError(f"{where}: a dataset has the groupings of its card, {told}, got {got}")
    if dataset.groupings and dataset.groups is None:
        raise ValueError(f"{where}: a dataset with groupings has groups, those of one of them, got none")
    if not rows:
        raise ValueError(f"{where}: a dataset has at least one row, got none")
    unique, counts = np.unique(dataset.ids, return_counts=True)
    if len(unique) < rows:
        raise ValueError(f"{where}: ids are unique, got {str(unique[counts > 1][0])!r} {counts.max()} times")
    tasks.load(dataset.card.task).labels.check(dataset.labels, dataset.card.classes, dataset.ids, where)
    _check_split(dataset, where)
    for name, modality in dataset.card.modalities.items():
        _check_modality(dataset, name, modality, where)
    return dataset


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
    present = dataset.present[name][np.arange(len(dataset))]
    if present.shape != (len(dataset),):
        raise ValueError(f"{where}: presence is one value a row, got {present.shape} of {name}")
    if len(modality.shape) not in AXES[modality.kind]:
        axes = " or ".join(map(str, AXES[modality.kind]))
        raise ValueError(f"{where}: a sample of kind {modality.kind} has {axes} axes, got {modality.shape} in {name}")
    for rows, values in dataset.chunks(name):
        _check_values(dataset, name, modality, rows, values, where)
        if modality.kind == "sequence":
            _check_padding(dataset, name, rows, values, present[rows], where)


def _check_values(
    dataset: Dataset, name: str, modality: Modality, rows: NDArray[Any], values: NDArray[Any], where: str
) -> None:
    expected = (len(rows), *modality.shape)
    if values.shape != expected:
        got = (len(dataset), *values.shape[1:])
        raise ValueError(
            f"{where}: {name} has the shape {(len(dataset), *modality.shape)} that its card says, got {got}"
        )
    if values.dtype != np.float32:
        raise ValueError(f"{where}: values are float32, got {values.dtype} in {name}")
    for row in np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(1)):
        place = " ".join(map(str, np.argwhere(~np.isfinite(values[row]))[0]))
        raise ValueError(f"{where}: values are finite, got {_row(dataset, rows[row])}, column {name}, feature {place}")


def _check_padding(
    dataset: Dataset, name: str, rows: NDArray[Any], values: NDArray[Any], present: NDArray[np.bool_], where: str
) -> None:
    flag = values[..., -1]
    lengths = flag.sum(1)
    wrong = (flag != (np.arange(flag.shape[1]) < lengths[:, None])).any(1) | (present & (lengths < 1))
    for row in np.flatnonzero(wrong):
        rule = "a sequence's last feature is 1 on its steps, of which there is at least one, and 0 behind them"
        raise ValueError(f"{where}: {rule}, got otherwise in {_row(dataset, rows[row])}, column {name}")


def _row(dataset: Dataset, row: np.integer[Any] | int) -> str:
    return f"row {row} ({str(dataset.ids[row])!r})"
