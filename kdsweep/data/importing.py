"""Making one dataset of columns from several files, joined by id. What does not match is counted, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.card import Card, Kind, Modality
from kdsweep.data.checks import check
from kdsweep.data.dataset import Dataset
from kdsweep.data.files import Piece

Array = NDArray[Any]
# Other words for the parts of a split.
WORDS = {"training": "train", "val": "valid", "validation": "valid", "dev": "valid", "testing": "test"}


@dataclass(frozen=True)
class Counts:
    """How the files matched: rows kept, rows dropped for want of a label, and what is missing, by modality."""

    rows: int
    unlabelled: int
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
    group: Piece | None = None,
    split: Piece | None = None,
    kinds: Mapping[str, str] | None = None,
    classes: tuple[str, ...] = (),
    licence: str = "",
    source: str = "",
) -> Joined:
    """The rows that have a label and at least one modality, in the order of the labels.

    Args:
        kinds: of modalities whose arrays do not tell.
        classes: their names in the order of the labels; default: those that occur, sorted.

    Raises:
        ValueError: something is wrong with the data: names the file, the row and the column.
    """
    pieces = {**modalities, "label": label}
    pieces |= {name: piece for name, piece in (("group", group), ("split", split)) if piece is not None}
    by_id = {name: _by_id(piece, pieces) for name, piece in pieces.items()}
    labelled = {id_: value for id_, value in by_id["label"].items() if value is not None}
    wanted = {id_ for name in modalities for id_, value in by_id[name].items() if value is not None}
    ids = [id_ for id_ in labelled if id_ in wanted]
    if not ids:
        raise ValueError(
            f"{label.where}: rows are matched by id, got none that any modality has: is --id the same in all?"
        )
    made = {}
    for name, piece in modalities.items():
        made[name] = _modality(piece, [by_id[name].get(id_) for id_ in ids], ids, (kinds or {}).get(name))
    names = classes or _sorted({_text(labelled[id_]) for id_ in ids})
    labels = _labels([_text(labelled[id_]) for id_ in ids], ids, names, label.where)
    dataset = Dataset(
        card=Card(
            {name: one.modality for name, one in made.items()},
            names,
            grouped=group is not None,
            licence=licence,
            source=source,
        ),
        modalities={name: one.values for name, one in made.items()},
        present={name: one.present for name, one in made.items()},
        labels=labels,
        ids=np.array(ids),
        split=np.array([WORDS.get(word, word) for word in _texts(split, by_id["split"], ids)]) if split else None,
        groups=np.array(_texts(group, by_id["group"], ids)) if group else None,
    )
    counts = Counts(
        rows=len(ids),
        unlabelled=len(wanted - set(labelled)),
        without_any=len(labelled) - len(ids),
        missing={name: int((~one.present).sum()) for name, one in made.items()},
    )
    return Joined(check(dataset, where=label.where), counts)


class _Made(NamedTuple):
    modality: Modality
    values: Array
    present: Array


def _by_id(piece: Piece, pieces: Mapping[str, Piece]) -> dict[str, Any]:
    """A column's values by id; by their place where no file names ids."""
    if piece.ids is None:
        for other in pieces.values():
            if other.ids is not None:
                rule = "rows match by id, or by order where no file names ids"
                raise ValueError(f"{rule}: {other.where} names them, {piece.where} does not")
            if len(other.values) != len(piece.values):
                lengths = f"{len(piece.values)} in {piece.where}, {len(other.values)} in {other.where}"
                raise ValueError(f"rows without ids match by their order and are equally many, got {lengths}")
        return {f"{row:06d}": value for row, value in enumerate(piece.values)}
    if len(piece.ids) != len(piece.values):
        raise ValueError(f"{piece.where}: one id a row, got {len(piece.ids)} of {len(piece.values)} rows")
    found = dict(zip(piece.ids, piece.values, strict=True))
    if len(found) < len(piece.ids):
        first: dict[str, int] = {}
        for row, id_ in enumerate(piece.ids):
            if id_ in first:
                raise ValueError(f"{piece.where}: ids are unique, got {id_!r} in rows {first[id_]} and {row}")
            first[id_] = row
    return found


def _modality(piece: Piece, values: list[Any], ids: list[str], kind: str | None) -> _Made:
    if kind is not None and kind not in get_args(Kind):
        raise ValueError(f"a kind is one of {', '.join(get_args(Kind))}, got {kind!r}")
    present = np.array([value is not None for value in values])
    arrays = {row: _array(piece, value, ids[row]) for row, value in enumerate(values) if value is not None}
    shapes = {row: array.shape for row, array in arrays.items()}
    first, shape = next(iter(shapes.items()))
    ragged = next((row for row, other in shapes.items() if other != shape), None)
    found = kind or _kind(piece, shape, ragged is not None)
    if found == "sequence":
        return _sequence(piece, arrays, ids, present)
    if ragged is not None:
        got = f"{shape} in {_at(piece, ids[first])} and {shapes[ragged]} in {_at(piece, ids[ragged])}"
        raise ValueError(f"{piece.where}: samples of kind {found} have one shape, got {got}")
    filled = np.zeros((len(values), *shape), np.float32)
    for row, array in arrays.items():
        filled[row] = array
    return _Made(Modality(found, shape), filled, present)  # type: ignore[arg-type]


def _sequence(piece: Piece, arrays: Mapping[int, Array], ids: list[str], present: Array) -> _Made:
    """Steps behind a sequence are 0, and its last feature says which are real."""
    width = next(iter(arrays.values())).shape[-1]
    for row, array in arrays.items():
        if array.ndim != 2 or array.shape[1] != width or not len(array):
            got = f"{array.shape} in {_at(piece, ids[row])}"
            raise ValueError(f"{piece.where}: a sequence is [steps, {width}] with at least one step, got {got}")
    longest = max(len(array) for array in arrays.values())
    values = np.zeros((len(present), longest, width + 1), np.float32)
    for row, array in arrays.items():
        values[row, : len(array), :-1] = array
        values[row, : len(array), -1] = 1
    return _Made(Modality("sequence", (longest, width + 1)), values, present)


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
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        place = " ".join(map(str, bad[0]))
        got = f"{array[tuple(bad[0])]} in {_at(piece, id_)}, feature {place}"
        raise ValueError(f"{piece.where}: values are finite, got {got}")
    return array


def _kind(piece: Piece, shape: tuple[int, ...], ragged: bool) -> str:
    if ragged and len(shape) == 2:
        return "sequence"
    kinds = {1: "vector", 3: "image", 4: "video"}
    if len(shape) not in kinds:
        rule = "an array with two axes may be an image, a spectrogram or a sequence"
        raise ValueError(f"{piece.where}: {rule}: say which by --kind, got the shape {shape}")
    return kinds[len(shape)]


def _labels(texts: list[str], ids: list[str], classes: tuple[str, ...], where: str) -> Array:
    known = {name: number for number, name in enumerate(classes)}
    for text, id_ in zip(texts, ids, strict=True):
        if text not in known:
            raise ValueError(f"{where}: a label is one of {', '.join(classes)}, got {text!r} in the row {id_!r}")
    return np.array([known[text] for text in texts], dtype=np.int64)


def _texts(piece: Piece, values: Mapping[str, Any], ids: list[str]) -> list[str]:
    for id_ in ids:
        if values.get(id_) is None:
            raise ValueError(f"{piece.where}: every row has a value, got none for {id_!r}")
    return [_text(values[id_]) for id_ in ids]


def _text(value: Any) -> str:
    # A column of whole numbers with gaps is read as floats.
    return str(int(value)) if isinstance(value, float | np.floating) and value == int(value) else str(value)


def _sorted(names: set[str]) -> tuple[str, ...]:
    numbers = all(name.lstrip("-").isdigit() for name in names)
    return tuple(sorted(names, key=int) if numbers else sorted(names))


def _at(piece: Piece, id_: str) -> str:
    row = int(id_) if piece.ids is None else piece.ids.index(id_)
    return f"row {row} ({id_!r})"
