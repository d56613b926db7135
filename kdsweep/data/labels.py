"""Labels by task: a class, a set of classes, or numbers. N rows, C classes, R targets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from kdsweep.values.card import Card

Array = NDArray[Any]


def encode(labels: Array, card: Card) -> pa.Array:
    """As a column of a file: names, lists of names, or lists of R numbers."""
    if card.task == "regression":
        return pa.FixedSizeListArray.from_arrays(pa.array(labels.reshape(-1), pa.float32()), len(card.classes))
    if card.task == "multilabel":
        names = [[card.classes[label] for label in np.flatnonzero(row)] for row in labels]
        return pa.array(names, pa.list_(pa.string()))
    return pa.array([card.classes[label] for label in labels], pa.string())


def decode(column: pa.ChunkedArray, card: Card, where: Path) -> Array:
    """Labels of a column: int64 [N], float32 [N, C] of 0 and 1, or float32 [N, R].

    Raises:
        ValueError: a name is no class.
    """
    if card.task == "regression":
        numbers = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
        found: Array = numbers.reshape(-1, len(card.classes)).astype(np.float32)
        return found
    known = {name: label for label, name in enumerate(card.classes)}
    told = [names if isinstance(names, list) else [names] for names in column.to_pylist()]
    for row, names in enumerate(told):
        for name in names:
            if name not in known:
                raise ValueError(f"{where}: a label is a class, got {str(name)!r} in row {row}, column label")
    if card.task != "multilabel":
        return np.array([known[name] for (name,) in told], dtype=np.int64)
    several = np.zeros((len(told), len(known)), np.float32)
    for row, names in enumerate(told):
        several[row, [known[name] for name in names]] = 1
    return several


def check(labels: Array, card: Card, ids: Array, where: str) -> None:
    """Labels as the card's task has them.

    Raises:
        ValueError: they are not: names the row and the column.
    """
    if card.task in ("multilabel", "regression"):
        expected = (len(ids), len(card.classes))
        if labels.shape != expected or labels.dtype != np.float32:
            rule = (
                f"labels of task {card.task} are float32 of shape {expected}, a column for each of the card's classes"
            )
            raise ValueError(f"{where}: {rule}, got {labels.dtype} of shape {labels.shape}")
    elif labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise ValueError(f"{where}: labels are whole numbers, one a row, got {labels.dtype} of shape {labels.shape}")
    if card.task == "regression":
        wrong, rule = ~np.isfinite(labels), "a target is a finite number"
    elif card.task == "multilabel":
        wrong, rule = ~np.isin(labels, (0, 1)), "a label of several is 0 or 1"
    else:
        wrong, rule = (
            (labels < 0) | (labels >= len(card.classes)),
            f"a label is a class, from 0 to {len(card.classes) - 1}",
        )
    if wrong.any():
        row, *which = np.argwhere(wrong)[0]
        column = f"label {card.classes[which[0]]}" if which else "label"
        got = f"{labels[(row, *which)]} in row {row} ({str(ids[row])!r}), column {column}"
        raise ValueError(f"{where}: {rule}, got {got}")
    if card.task != "regression":
        _check_counts(labels, card, ids, where)


def _check_counts(labels: Array, card: Card, ids: Array, where: str) -> None:
    counts = counts_of(labels, len(card.classes))
    for label in np.flatnonzero(counts == 1):
        row = int(np.flatnonzero(labels[:, label] if labels.ndim == 2 else labels == label)[0])
        got = f"1 of {card.classes[label]!r}: row {row} ({str(ids[row])!r}), column label"
        raise ValueError(f"{where}: a class has at least 2 samples, got {got}")


def counts_of(labels: Array, classes: int) -> Array:
    """How many rows are of each class: [C]. A row of several classes counts in each."""
    found: Array = labels.sum(0).astype(int) if labels.ndim == 2 else np.bincount(labels, minlength=classes)
    return found
