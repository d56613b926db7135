"""Making one dataset of columns from several files, joined by id. What does not match is counted, never guessed."""

from __future__ import annotations

import functools
import itertools
import math
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.checks import check
from kdsweep.data.dataset import Dataset
from kdsweep.data.disk.maps import memory_limit
from kdsweep.data.importing.files import Piece
from kdsweep.data.importing.media import Decoded
from kdsweep.data.progress import Show, silent
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.labels import spread, text
from kdsweep.values.card import Card, Kind, Modality

Array = NDArray[Any]
# Other words for the parts of a split.
WORDS = {"training": "train", "val": "valid", "validation": "valid", "dev": "valid", "testing": "test"}


@dataclass(frozen=True)
class Counts:
    """How the files matched.

    Attributes:
        rows: kept, and how many of them have no label.
        unlisted: ids that a modality has and the label's file has not, and so are left out.
        without_any: ids that have a label and no modality, and so are left out.
        missing: rows by modality.
    """

    rows: int
    unlabelled: int
    unlisted: int
    without_any: int
    missing: Mapping[str, int]


class Joined(NamedTuple):
    """A dataset, and how its files matched."""

    dataset: Dataset
    counts: Counts


def join(
    modalities: Mapping[str, Piece],
    label: Piece,
    *,
    groups: Mapping[str, Piece] | None = None,
    split: Piece | None = None,
    task: str = "classification",
    kinds: Mapping[str, str] | None = None,
    classes: tuple[str, ...] = (),
    licence: str = "",
    source: str = "",
    id_column: str = "id",
    scratch: Path | None = None,
    show: Show = silent,
) -> Joined:
    """The rows that the label's file has and at least one modality, in that file's order; an empty label is none.

    Args:
        kinds: of modalities whose arrays do not tell.
        groups: by name; a study splits by the first where it names none.
        classes: their names in the order of the labels, or those of the targets; default: those that occur, sorted.
        id_column: what the files call it, to be kept beside the ids.
        scratch: folder for what is larger than memory, in files without a name.
        show: is given the rows of each modality to pass through: a progress bar.

    Raises:
        ValueError: something is wrong with the data: names the file, the row and the column.
    """
    pieces = {**modalities, "label": label}
    groups = groups or {}
    pieces |= {f"group {name}": piece for name, piece in groups.items()} | ({"split": split} if split else {})
    by_id = {name: _by_id(piece, pieces, empty=piece is label) for name, piece in pieces.items()}
    wanted = {id_ for name in modalities for id_ in by_id[name]}
    ids = [id_ for id_ in by_id["label"] if id_ in wanted]
    if not ids:
        raise ValueError(
            f"{label.where}: rows are matched by id, got none that any modality has: is --id the same in all?"
        )
    told = [label.values[by_id["label"][id_]] for id_ in ids]
    there = np.array([not _is_empty(value) for value in told])
    if not there.any():
        raise ValueError(f"{label.where}: some rows have a label, got none in {len(ids)} rows")
    labelled = tasks.load(task).labels.read(
        list(itertools.compress(told, there)),
        list(itertools.compress(ids, there)),
        where=label.where,
        columns=label.names,
        classes=classes,
    )
    made = {}
    for name, piece in modalities.items():
        rows = [by_id[name].get(id_) for id_ in ids]
        made[name] = _modality(piece, rows, ids, (kinds or {}).get(name), scratch, functools.partial(show, name=name))
    grouped = {name: np.array(_texts(piece, by_id[f"group {name}"], ids)) for name, piece in groups.items()}
    dataset = Dataset(
        card=Card(
            {name: one.modality for name, one in made.items()},
            labelled.classes,
            task=task,
            grouped=bool(groups),
            groupings=tuple(groups),
            licence=licence,
            source=source,
            id_column=id_column,
        ),
        modalities={name: one.values for name, one in made.items()},
        present={name: one.present for name, one in made.items()},
        labels=spread(labelled.labels, there),
        ids=np.array(ids),
        split=np.array([WORDS.get(word, word) for word in _texts(split, by_id["split"], ids)]) if split else None,
        groups=next(iter(grouped.values()), None),
        groupings=grouped,
    )
    counts = Counts(
        rows=len(ids),
        unlabelled=int((~there).sum()),
        unlisted=len(wanted - set(by_id["label"])),
        without_any=len(by_id["label"]) - len(ids),
        missing={name: int((~one.present).sum()) for name, one in made.items()},
    )
    return Joined(check(dataset, where=label.where), counts)


class _Made(NamedTuple):
    modality: Modality
    values: Array
    present: Array


def _by_id(piece: Piece, pieces: Mapping[str, Piece], *, empty: bool) -> dict[str, int]:
    """The rows of a column by id, by their place where no file names ids; those that hold nothing where asked for."""
    if piece.ids is None:
        for other in pieces.values():
            if other.ids is not None:
                rule = "rows match by id, or by order where no file names ids"
                raise ValueError(f"{rule}: {other.where} names them, {piece.where} does not")
            if len(other.values) != len(piece.values):
                lengths = f"{len(piece.values)} in {piece.where}, {len(other.values)} in {other.where}"
                raise ValueError(f"rows without ids match by their order and are equally many, got {lengths}")
    elif len(piece.ids) != len(piece.values):
        raise ValueError(f"{piece.where}: one id a row, got {len(piece.ids)} of {len(piece.values)} rows")
    ids = piece.ids if piece.ids is not None else [f"{row:06d}" for row in range(len(piece.values))]
    found: dict[str, int] = {}
    for row, id_ in enumerate(ids):
        if id_ in found:
            raise ValueError(f"{piece.where}: ids are unique, got {id_!r} in rows {found[id_]} and {row}")
        found[id_] = row
    if empty or isinstance(piece.values, np.ndarray | Decoded):
        # Nothing is missing in an array, and to look at what is decoded would decode it.
        return found
    return {id_: row for id_, row in found.items() if piece.values[row] is not None}


def _is_empty(value: Any) -> bool:
    """Whether a cell holds no label."""
    return value is None or (np.asarray(value).dtype.kind == "f" and bool(np.isnan(value).all()))


def _modality(
    piece: Piece,
    rows: Sequence[int | None],
    ids: list[str],
    kind: str | None,
    scratch: Path | None,
    show: Callable[[Iterable[int]], Iterable[int]],
) -> _Made:
    """One modality's values; `rows` says where in the piece each id is."""
    if kind is not None and kind not in get_args(Kind):
        raise ValueError(f"a kind is one of {', '.join(get_args(Kind))}, got {kind!r}")
    present = np.array([row is not None for row in rows])
    there = np.flatnonzero(present).tolist()
    if not there:
        raise ValueError(f"{piece.where}: a modality has at least one row that has a label, got none")

    def array(row: int) -> Array:
        return _array(piece, piece.values[rows[row]], ids[row])  # type: ignore[index]

    one_shape = isinstance(piece.values, np.ndarray | Decoded)
    shapes = {there[0]: array(there[0]).shape} if one_shape else {row: array(row).shape for row in there}
    shape = shapes[there[0]]
    found = kind or piece.kind or _kind(piece, shape, ragged=len(shape) == 2 and len(set(shapes.values())) > 1)
    if found == "sequence":
        if len(shape) != 2:
            raise ValueError(
                f"{piece.where}: a sequence is [steps, features], got {shape} in {_at(piece, ids[there[0]])}"
            )
        longest, width = max(length for length, *_ in shapes.values()), shape[1]
        full: tuple[int, ...] = (longest, width + 1)
    else:
        full = shape
    values = _room((len(ids), *full), scratch)
    for row in show(there):
        made = array(row)
        if found == "sequence":
            if made.ndim != 2 or made.shape[1] != width or not 1 <= len(made) <= longest:
                rule = f"a sequence is [steps, {width}] with at least one step"
                raise ValueError(f"{piece.where}: {rule}, got {made.shape} in {_at(piece, ids[row])}")
            # Steps behind a sequence are 0, and its last feature says which are real.
            values[row, : len(made), :-1] = made
            values[row, : len(made), -1] = 1
        elif made.shape != shape:
            got = f"{shape} in {_at(piece, ids[there[0]])} and {made.shape} in {_at(piece, ids[row])}"
            raise ValueError(f"{piece.where}: samples of kind {found} have one shape, got {got}")
        else:
            values[row] = made
    return _Made(Modality(found, full), values, present)  # type: ignore[arg-type]


def _room(shape: tuple[int, ...], scratch: Path | None) -> Array:
    """Zeros: in memory, or in a file without a name, which nothing can leave behind, where they are too many."""
    if scratch is None or 4 * math.prod(shape) <= memory_limit():
        return np.zeros(shape, np.float32)
    with tempfile.TemporaryFile(dir=scratch) as file:
        return np.memmap(file, np.float32, "w+", shape=shape)


def _array(piece: Piece, value: Any, id_: str) -> Array:
    try:
        # Lists of lists arrive from Parquet as arrays of arrays.
        nested = value.tolist() if isinstance(value, np.ndarray) and value.dtype == object else value
        nested = [np.asarray(one).tolist() for one in nested] if isinstance(nested, list) else nested
        array = np.asarray(nested, np.float32)
    except (TypeError, ValueError) as error:
        rule = "a sample is an array of numbers"
        raise ValueError(f"{piece.where}: {rule}, got otherwise in {_at(piece, id_)}: {error}") from error
    array = array.reshape(1) if array.ndim == 0 else array
    if not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        place = " ".join(map(str, bad[0]))
        got = f"{array[tuple(bad[0])]} in {_at(piece, id_)}, feature {place}"
        raise ValueError(f"{piece.where}: values are finite, got {got}")
    return array


def _kind(piece: Piece, shape: tuple[int, ...], *, ragged: bool) -> str:
    if ragged:
        return "sequence"
    kinds = {1: "vector", 3: "image", 4: "video"}
    if len(shape) not in kinds:
        rule = "an array with two axes may be an image, a spectrogram or a sequence"
        raise ValueError(f"{piece.where}: {rule}: say which by --kind, got the shape {shape}")
    return kinds[len(shape)]


def _texts(piece: Piece, rows: Mapping[str, int], ids: list[str]) -> list[str]:
    for id_ in ids:
        if id_ not in rows:
            raise ValueError(f"{piece.where}: every row has a value, got none for {id_!r}")
    return [text(piece.values[rows[id_]]) for id_ in ids]


def _at(piece: Piece, id_: str) -> str:
    row = int(id_) if piece.ids is None else piece.ids.index(id_)
    return f"row {row} ({id_!r})"
