"""One modality as a column of a Parquet file: how its values are kept, and how rows of it are read back.

Letters: N rows, n rows asked for, L steps of the longest sequence, F features.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import methodcaller
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kdsweep.values.card import Modality

Array = NDArray[Any]
Scale = tuple[float, float]
Storage = Literal["float32", "float16", "uint8"]


def scale_of(chunks: Iterable[Array], modality: Modality, storage: Storage) -> Scale | None:
    """The [low, high] of values that are kept as bytes; None for those that keep their own.

    Raises:
        ValueError: float16 does not reach that far.
    """
    if storage == "float32":
        return None
    low, high = math.inf, -math.inf
    for values in chunks:
        body = values[..., :-1] if modality.kind == "sequence" else values
        low, high = min(low, float(body.min(initial=low))), max(high, float(body.max(initial=high)))
    if storage == "uint8":
        return low, high
    furthest, reach = max(-low, high), float(np.finfo(np.float16).max)
    if furthest > reach:
        raise ValueError(f"float16 reaches to {reach:.0f}, got {furthest:g}: keep it as float32 or uint8")
    return None


def narrow(values: Array, modality: Modality, storage: Storage, scale: Scale | None) -> Array:
    """Values as they are kept. A byte b stands for low + b/255 · (high − low); the flag of a sequence stays 0 or 1."""
    if scale is None:
        return values.astype(storage, copy=False)
    low, high = scale
    body = values[..., :-1] if modality.kind == "sequence" else values
    kept = np.rint((body - low) * (255 / ((high - low) or 1.0))).astype(np.uint8)
    if modality.kind == "sequence":
        kept = np.concatenate([kept, values[..., -1:].astype(np.uint8)], axis=-1)
    return kept


def widen(kept: Array, present: Array, modality: Modality, scale: Scale | None) -> Array:
    """What is read back of kept values: float32 [n, *shape], 0 where they are missing and behind a sequence."""
    if modality.kind == "sequence":
        real = kept[..., -1:].astype(np.float32)
        body = np.where(real != 0, _float32(kept[..., :-1], scale), np.float32(0))
        values = np.concatenate([body, real], axis=-1)
    else:
        values = _float32(kept, scale)
    values[~present] = 0
    return values


def encode(values: Array, present: Array, modality: Modality) -> pa.Array:
    """Fixed-shape tensors, or lists of steps [F] without the padding; null where the modality is missing."""
    kind, missing = pa.from_numpy_dtype(values.dtype), pa.array(~present)
    if modality.kind != "sequence":
        flat = pa.array(np.ascontiguousarray(values).reshape(-1), kind)
        tensors = pa.FixedSizeListArray.from_arrays(flat, math.prod(modality.shape), mask=missing)
        return pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(kind, modality.shape), tensors)
    real = (values[..., -1] != 0) & present[:, None]
    steps = pa.FixedSizeListArray.from_arrays(pa.array(values[real][:, :-1].reshape(-1), kind), modality.shape[1] - 1)
    ends = np.concatenate([[0], np.cumsum(real.sum(1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), steps, mask=missing)


class Kept(NamedTuple):
    """Values [n, *shape] in the type they are kept in, 0 where missing, and presence [n]."""

    values: Array
    present: Array


def unpack(column: pa.Array, modality: Modality) -> Kept:
    """A column of a file as arrays, sequences padded and flagged, nothing widened."""
    present = np.asarray(column.is_valid())
    there = column.filter(column.is_valid())
    if modality.kind != "sequence":
        flat = there.storage.flatten().to_numpy(zero_copy_only=False)
        values = np.zeros((len(column), *modality.shape), flat.dtype)
        values[present] = flat.reshape(len(there), *modality.shape)
        return Kept(values, present)
    longest, width = modality.shape
    real = np.arange(longest) < np.asarray(there.value_lengths())[:, None]
    steps = there.flatten().flatten().to_numpy(zero_copy_only=False).reshape(-1, width - 1)
    padded = np.zeros((len(there), longest, width), steps.dtype)
    padded[real, :-1] = steps
    padded[..., -1] = real
    values = np.zeros((len(column), longest, width), steps.dtype)
    values[present] = padded
    return Kept(values, present)


class RowGroup(NamedTuple):
    """Rows `start` to `stop` of the dataset: what a Parquet file reads at a time."""

    path: Path
    number: int
    start: int
    stop: int


@dataclass
class Column:
    """One modality on disk. `take` reads the row groups that hold the rows asked for, and no other."""

    files: tuple[Path, ...]
    name: str
    modality: Modality
    scale: Scale | None
    # Trials ask for the same parts again and again: with and without the test part.
    _taken: dict[bytes, tuple[Array, Array]] = field(default_factory=dict, repr=False)

    def take(self, rows: Array) -> tuple[Array, Array]:
        """Values [n, *shape] float32 and presence [n] of these rows of the dataset."""
        key = np.ascontiguousarray(rows, np.int64).tobytes()
        if key not in self._taken:
            if len(self._taken) == 2:
                self._taken.pop(next(iter(self._taken)))
            self._taken[key] = self._read(rows)
        return self._taken[key]

    def _read(self, rows: Array) -> tuple[Array, Array]:
        values, present = np.zeros((len(rows), *self.modality.shape), np.float32), np.zeros(len(rows), bool)
        for group in self.row_groups():
            here = np.flatnonzero((rows >= group.start) & (rows < group.stop))
            if len(here):
                kept = unpack(self.read(group).take(pa.array(rows[here] - group.start)), self.modality)
                values[here] = widen(*kept, self.modality, self.scale)
                present[here] = kept.present
        return values, present

    def read(self, group: RowGroup) -> pa.Array:
        """The whole of one row group."""
        table = whole(group.path, methodcaller("read_row_group", group.number, [self.name]))
        return table[self.name].combine_chunks()

    def row_groups(self) -> Iterator[RowGroup]:
        """Those of all files, in the order of the dataset's rows."""
        start = 0
        for path in self.files:
            meta = whole(path, lambda file: file.metadata)
            for number in range(meta.num_row_groups):
                stop = start + meta.row_group(number).num_rows
                yield RowGroup(path, number, start, stop)
                start = stop


def whole(path: Path, reading: Callable[[Any], Any]) -> Any:
    """What `reading` gets from an open Parquet file.

    Raises:
        ValueError: the file is truncated or damaged.
    """
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            return reading(file)
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path}: the file is damaged or is no Parquet: {error}") from error


def _float32(values: Array, scale: Scale | None) -> Array:
    if scale is None:
        return values.astype(np.float32)
    low, high = scale
    return np.float32(low) + values.astype(np.float32) * np.float32((high - low) / 255)
