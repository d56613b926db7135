"""The labels of an import: what a user's column says, as the labels of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.importing.files import Piece
from kdsweep.values.study import Task

Array = NDArray[Any]
# Between the names of several classes in one cell of a table.
BETWEEN = ";"


class Told(NamedTuple):
    """Labels as a Dataset has them, and the names of classes or targets."""

    labels: Array
    classes: tuple[str, ...]


def parse(values: Sequence[Any], ids: Sequence[str], piece: Piece, *, task: Task, classes: tuple[str, ...]) -> Told:
    """Labels of rows that have one.

    Args:
        values: a name or a number; of task multilabel names (a list, or a text with ";" between them) or 0 and 1 for
            each class; of task regression a number or several.
        classes: names in order; default: those that occur, or the columns', or numbers.

    Raises:
        ValueError: a value is none of these: names the file and the row.
    """
    if task == "regression":
        return _numbers(values, ids, piece, classes)
    if task == "multilabel" and not isinstance(values[0], str) and _is_numbers(values[0]):
        return _flags(values, ids, piece, classes)
    for value, id_ in zip(values, ids, strict=True):
        if isinstance(value, float | np.floating) and not np.isfinite(value):
            raise ValueError(f"{piece.where}: a label is a name or a number, got {value} in the row {id_!r}")
    names = [_names(value) if task == "multilabel" else [text(value)] for value in values]
    known = {name: number for number, name in enumerate(classes or _sorted({one for row in names for one in row}))}
    several = np.zeros((len(names), len(known)), np.float32)
    for row, told in enumerate(names):
        for name in told:
            if name not in known:
                rule = f"a label is one of {', '.join(known)}"
                raise ValueError(f"{piece.where}: {rule}, got {name!r} in the row {ids[row]!r}")
            several[row, known[name]] = 1
    return Told(several if task == "multilabel" else several.argmax(1).astype(np.int64), tuple(known))


def text(value: Any) -> str:
    # A column of whole numbers with gaps is read as floats.
    if isinstance(value, bytes):
        return value.decode()
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)


def _numbers(values: Sequence[Any], ids: Sequence[str], piece: Piece, classes: tuple[str, ...]) -> Told:
    rows = _rows(values, ids, piece, "the targets of a regression are finite numbers, as many in every row")
    return Told(rows, _columns(rows.shape[1], piece, classes, "target"))


def _flags(values: Sequence[Any], ids: Sequence[str], piece: Piece, classes: tuple[str, ...]) -> Told:
    rule = "several labels are a list of names, or 0 or 1 for each class"
    rows = _rows(values, ids, piece, rule)
    for row in np.flatnonzero(~np.isin(rows, (0, 1)).all(1)):
        raise ValueError(f"{piece.where}: {rule}, got {rows[row].tolist()} in the row {ids[int(row)]!r}")
    return Told(rows, _columns(rows.shape[1], piece, classes, "class"))


def _rows(values: Sequence[Any], ids: Sequence[str], piece: Piece, rule: str) -> NDArray[np.float32]:
    rows: list[Array] = []
    for value, id_ in zip(values, ids, strict=True):
        try:
            row = np.atleast_1d(np.asarray(value, np.float32))
        except (TypeError, ValueError):
            row = np.array([np.nan])
        if row.ndim != 1 or not np.isfinite(row).all() or (rows and len(row) != len(rows[0])):
            raise ValueError(f"{piece.where}: {rule}, got {value!r} in the row {id_!r}")
        rows.append(row)
    return np.stack(rows)


def _columns(count: int, piece: Piece, classes: tuple[str, ...], word: str) -> tuple[str, ...]:
    names = classes or piece.names or ((piece.where.rpartition(":")[2],) if count == 1 else ())
    names = names or tuple(f"{word} {number}" for number in range(count))
    if len(names) != count:
        raise ValueError(f"{piece.where}: a name for each {word}, got {len(names)} names of {count} columns")
    return names


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return [name.strip() for name in value.split(BETWEEN) if name.strip()]
    return [text(name) for name in value]


def _is_numbers(value: Any) -> bool:
    return np.asarray(value).dtype.kind in "iufb" and np.size(value) > 0


def _sorted(names: set[str]) -> tuple[str, ...]:
    numbers = all(name.lstrip("-").isdigit() for name in names)
    return tuple(sorted(names, key=int) if numbers else sorted(names))
