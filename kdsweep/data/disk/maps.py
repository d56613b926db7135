"""Data larger than memory: a modality is decoded once into flat files, of which a batch's rows are read through a map.

A row is where it was, whoever asks: the order of batches, and so every number, is that of a run from memory. The files
keep the narrow type of the dataset (bytes, float16 or float32) and lie in KDSWEEP_CACHE, or beside the dataset's own.
N rows, n of them asked for.
"""

from __future__ import annotations

import functools
import glob
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import numpy as np
from filelock import FileLock
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from kdsweep.atomic import replacing
from kdsweep.data.disk.columns import Column, Kept, RowGroup, Scale, unpack, widen
from kdsweep.values.card import Modality

Array = NDArray[Any]
# A process holds its parts, and copies of them for a moment: of the memory that is there each core's gets a quarter.
SHARE = 0.25


def memory_limit() -> int:
    """Bytes of float32 above which a dataset stays on disk: KDSWEEP_MEMORY, or a core's share of what is available."""
    if told := os.environ.get("KDSWEEP_MEMORY"):
        if not told.isdigit():
            raise ValueError(f"KDSWEEP_MEMORY is a whole number of bytes, got {told!r}")
        return int(told)
    return int(SHARE * _available() / (os.cpu_count() or 1))


def _available() -> int:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):  # Not Linux.
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


class Span(NamedTuple):
    """Rows `start` to `stop` of the dataset: those of one of its files."""

    start: int
    stop: int
    groups: tuple[RowGroup, ...]


@dataclass(frozen=True)
class Map:
    """One modality of a dataset on disk, each of its files decoded when the first of that file's rows is asked for."""

    column: Column
    cache: Path

    @functools.cached_property
    def spans(self) -> tuple[Span, ...]:
        found: dict[Path, list[RowGroup]] = {}
        for group in self.column.row_groups():
            found.setdefault(group.path, []).append(group)
        return tuple(Span(groups[0].start, groups[-1].stop, tuple(groups)) for groups in found.values())

    @property
    def modality(self) -> Modality:
        return self.column.modality

    @property
    def scale(self) -> Scale | None:
        return self.column.scale

    @functools.cached_property
    def _opened(self) -> dict[int, Kept]:
        return {}

    def values(self, rows: Array) -> Array:
        """These rows as they are kept, copied: [n, *shape]."""
        return self._gather(rows, lambda kept: kept.values)

    def presence(self, rows: Array) -> Array:
        """Where these rows are not null: [n]."""
        return self._gather(rows, lambda kept: kept.present)

    def _gather(self, rows: Array, of: Callable[[Kept], Array]) -> Array:
        first, last = rows.min(initial=np.iinfo(np.int64).max), rows.max(initial=-1)
        touched = [number for number, span in enumerate(self.spans) if first < span.stop and last >= span.start]
        if len(touched) == 1:
            # Nearly always: a part of a split is a file.
            found: Array = of(self._open(touched[0])).take(rows - self.spans[touched[0]].start, axis=0)
            return found
        gathered: Array | None = None
        for number in touched or [0]:
            span, array = self.spans[number], of(self._open(number))
            here = np.flatnonzero((rows >= span.start) & (rows < span.stop))
            if gathered is None:
                gathered = np.zeros((len(rows), *array.shape[1:]), array.dtype)
            gathered[here] = array.take(rows[here] - span.start, axis=0)
        assert gathered is not None
        return gathered

    def _open(self, number: int) -> Kept:
        if number not in self._opened:
            span = self.spans[number]
            stem = f"{span.groups[0].path.stem}.{quote(self.column.name, safe='')}"
            values, present = self.cache / f"{stem}.npy", self.cache / f"{stem}.present.npy"
            if not (values.is_file() and present.is_file()):
                self._decode(span, values, present)
            # Values through a map, presence in memory: it is a byte a row.
            kept = Kept(np.load(values, mmap_mode="r"), np.load(present))
            if kept.values.shape != (span.stop - span.start, *self.modality.shape):
                raise ValueError(f"{values}: it is decoded from {span.groups[0].path}, which has changed: remove it")
            self._opened[number] = kept
        return self._opened[number]

    def _decode(self, span: Span, values: Path, present: Path) -> None:
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            # Workers of one machine start together, and one of them decodes.
            with FileLock(f"{values}.lock"):
                for file in (values, present):
                    for stray in self.cache.glob(f".{glob.escape(file.name)}.*"):
                        # Of a process that was killed: whoever writes this file holds the lock.
                        stray.unlink()
                if not (values.is_file() and present.is_file()):
                    _write_whole(span, self.column, values, present)
        except OSError as error:
            rule = f"{self.column.name} is larger than memory and is decoded into {self.cache}"
            raise OSError(f"{rule}: {error}; KDSWEEP_CACHE names another folder") from error


def _write_whole(span: Span, column: Column, values: Path, present: Path) -> None:
    there = np.zeros(span.stop - span.start, bool)
    flat = None
    # Presence takes its place first: where values are, it is.
    with replacing(values) as new_values, replacing(present) as new_present:
        for group in span.groups:
            kept = unpack(column.read(group), column.modality)
            if flat is None:
                flat = open_memmap(new_values, "w+", kept.values.dtype, (len(there), *column.modality.shape))
            rows = slice(group.start - span.start, group.stop - span.start)
            flat[rows], there[rows] = kept
        assert flat is not None
        flat.flush()
        with open(new_present, "wb") as file:
            np.save(file, there)


@dataclass(frozen=True)
class OnDisk:
    """N rows of a modality that stay on disk. Indexed like an array [N, *shape] float32, it reads those rows.

    Attributes:
        rows: [N], where they lie in the dataset.
        present: [N]; others are 0.
    """

    map: Map
    rows: Array
    present: Array

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Array) -> Array:
        kept = self.take(rows)
        return widen(*kept, self.map.modality, self.map.scale)

    def take(self, rows: Array) -> Kept:
        """These rows as they are kept."""
        return Kept(self.map.values(self.rows[rows]), self.present[rows])

    def select(self, rows: Array) -> OnDisk:
        """These rows alone, in this order; nothing is read."""
        return OnDisk(self.map, self.rows[rows], self.present[rows])

    def without(self, rows: Array) -> OnDisk:
        """The same, less what these rows hold."""
        present = self.present.copy()
        present[rows] = False
        return OnDisk(self.map, self.rows, present)


@dataclass(frozen=True)
class Values:
    """All of a modality on disk. Indexed by row numbers like an array [N, *shape] float32, it reads those rows."""

    map: Map
    large: bool

    def __getitem__(self, rows: Array) -> Array:
        if self.large:
            return widen(self.map.values(rows), self.map.presence(rows), self.map.modality, self.map.scale)
        return self.map.column.take(rows)[0]

    def select(self, rows: Array) -> Array | OnDisk:
        """These rows in memory, or where they lie if the dataset is too large for that."""
        return OnDisk(self.map, rows, self.map.presence(rows)) if self.large else self[rows]


@dataclass(frozen=True)
class Presence:
    """Where a modality on disk is not null, indexed by row numbers like an array [N]."""

    map: Map
    large: bool

    def __getitem__(self, rows: Array) -> Array:
        return self.map.presence(rows) if self.large else self.map.column.take(rows)[1]


class Columns(NamedTuple):
    """What a dataset on disk has in the place of arrays."""

    values: Mapping[str, Values]
    present: Mapping[str, Presence]


def columns(made: Iterator[Column], *, rows: int, folder: Path, fingerprint: str) -> Columns:
    """The modalities of the dataset in `folder`: read into memory when asked for, or mapped where that is too much."""
    home = os.environ.get("KDSWEEP_CACHE")
    cache = (Path(home) if home else folder / ".decoded") / fingerprint
    maps = {column.name: Map(column, cache) for column in made}
    size = sum(4 * rows * int(np.prod(one.modality.shape)) for one in maps.values())
    large = size > memory_limit()
    return Columns(
        {name: Values(one, large) for name, one in maps.items()},
        {name: Presence(one, large) for name, one in maps.items()},
    )
