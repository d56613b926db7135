"""What tasks share that check labels and read them from a user's files. N rows, C classes, R columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
# The class of a row that has none; of float labels such a row is NaN.
NO_CLASS = -1


def labelled(labels: Array) -> NDArray[np.bool_]:
    """[N]: whether a row has a label. A row of several numbers of which some are NaN has a faulty one."""
    absent: NDArray[np.bool_] = labels == NO_CLASS
    if labels.dtype.kind == "f":
        absent = np.asarray(np.isnan(labels).all(axis=tuple(range(1, labels.ndim))))
    return ~absent


def without(labels: Array, rows: Array) -> Array:
    """A copy of the labels, in which these rows have none."""
    left = labels.copy()
    left[rows] = np.nan if labels.dtype.kind == "f" else NO_CLASS
    return left


def spread(labels: Array, there: NDArray[np.bool_]) -> Array:
    """Labels of the rows that have one, at their places among all."""
    whole = np.zeros((len(there), *labels.shape[1:]), labels.dtype)
    whole[there] = labels
    return without(whole, np.flatnonzero(~there))


def check_width(labels: Array, task: str, classes: Sequence[str], ids: Array, where: str) -> None:
    """Nothing, if there is a float32 a row and class."""
    expected = (len(ids), len(classes))
    if labels.shape != expected or labels.dtype != np.float32:
        rule = f"labels of task {task} are float32 of shape {expected}, a column for each of the card's classes"
        raise ValueError(f"{where}: {rule}, got {labels.dtype} of shape {labels.shape}")


def check_values(
    wrong: NDArray[np.bool_], rule: str, labels: Array, classes: Sequence[str], ids: Array, where: str
) -> None:
    """Nothing, if no label [N] or [N, C] is wrong, of the rows that have one."""
    found = np.argwhere(wrong & labelled(labels).reshape(-1, *[1] * (wrong.ndim - 1)))
    if not len(found):
        return
    row, *which = found[0]
    column = f"label {classes[which[0]]}" if which else "label"
    got = f"{labels[(row, *which)]} in row {row} ({str(ids[row])!r}), column {column}"
    raise ValueError(f"{where}: {rule}, got {got}")


def check_counts(
    counts: Array, members: Callable[[Any], Array], classes: Sequence[str], ids: Array, where: str
) -> None:
    """Nothing, if no class has a single sample.

    Args:
        members: [N] where a class is, by its number.
    """
    for label in np.flatnonzero(counts == 1):
        row = int(np.flatnonzero(members(label))[0])
        got = f"1 of {classes[int(label)]!r}: row {row} ({str(ids[row])!r}), column label"
        raise ValueError(f"{where}: a class has at least 2 samples, got {got}")


def numbered(
    named: Sequence[Sequence[str]], classes: Sequence[str], rule: str, row_name: Callable[[int], str]
) -> list[list[int]]:
    """The numbers of the classes that each row names.

    Args:
        rule: what a name is, with what goes before it in a message.

    Raises:
        ValueError: a name is no class.
    """
    known = {name: label for label, name in enumerate(classes)}
    for row, names in enumerate(named):
        for name in names:
            if name not in known:
                raise ValueError(f"{rule}, got {str(name)!r} in {row_name(row)}")
    return [[known[name] for name in names] for names in named]


def flags(numbers: Sequence[Sequence[int]], classes: int) -> Array:
    """[N, C] float32: 1 for each of a row's classes."""
    members = np.zeros((len(numbers), classes), np.float32)
    for row, own in enumerate(numbers):
        members[row, own] = 1
    return members


def stored(named: Sequence[Sequence[str]], classes: Sequence[str], where: str) -> list[list[int]]:
    """Of a file's column: the numbers of the classes that each row names."""
    return numbered(named, classes, f"{where}: a label is a class", lambda row: f"row {row}, column label")


def imported(
    named: Sequence[Sequence[str]], ids: Sequence[str], classes: Sequence[str], where: str
) -> tuple[list[list[int]], tuple[str, ...]]:
    """Of a user's column: the numbers of the classes that each row names, and the classes in their order."""
    known = tuple(classes) or in_order({name for names in named for name in names})
    rule = f"{where}: a label is one of {', '.join(known)}"
    return numbered(named, known, rule, lambda row: f"the row {ids[row]!r}"), known


def read_numbers(values: Sequence[Any], ids: Sequence[str], rule: str, where: str) -> NDArray[np.float32]:
    """[N, R] of rows that are a number or several."""
    rows: list[Array] = []
    for value, id_ in zip(values, ids, strict=True):
        try:
            row = np.atleast_1d(np.asarray(value, np.float32))
        except (TypeError, ValueError):
            row = np.array([np.nan])
        if row.ndim != 1 or not np.isfinite(row).all() or (rows and len(row) != len(rows[0])):
            raise ValueError(f"{where}: {rule}, got {value!r} in the row {id_!r}")
        rows.append(row)
    return np.stack(rows)


def name_columns(count: int, columns: Sequence[str], classes: Sequence[str], word: str, where: str) -> tuple[str, ...]:
    """The names of R columns: those asked for, the file's, that of its only column, or numbers."""
    only = (where.rpartition(":")[2],) if count == 1 else ()
    names = tuple(classes) or tuple(columns) or only or tuple(f"{word} {number}" for number in range(count))
    if len(names) != count:
        raise ValueError(f"{where}: a name for each {word}, got {len(names)} names of {count} columns")
    return names


def check_named(values: Sequence[Any], ids: Sequence[str], where: str) -> None:
    """Nothing, if no value is a number that is none."""
    for value, id_ in zip(values, ids, strict=True):
        if isinstance(value, float | np.floating) and not np.isfinite(value):
            raise ValueError(f"{where}: a label is a name or a number, got {value} in the row {id_!r}")


def text(value: Any) -> str:
    """A cell as a name."""
    # A column of whole numbers with gaps is read as floats.
    if isinstance(value, bytes):
        return value.decode()
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)


def in_order(names: set[str]) -> tuple[str, ...]:
    """Names in their order; numbers in theirs."""
    numbers = all(name.lstrip("-").isdigit() for name in names)
    return tuple(sorted(names, key=int) if numbers else sorted(names))
