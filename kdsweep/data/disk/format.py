"""A dataset on disk: a folder of Parquet files, one for each part of its split, that describe themselves.

    id string · label · split · group · one column a modality, null where it is missing

A label is the class's name; of task multilabel a list of names; of task regression a list of as many numbers as the
card's `classes` name.

The schema's metadata, under the key "kdsweep", holds the card, the scales of bytes, and the content's fingerprint.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from operator import methodcaller
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kdsweep.atomic import replacing
from kdsweep.data.checks import check
from kdsweep.data.dataset import Dataset, Hash
from kdsweep.data.disk import maps
from kdsweep.data.disk.columns import Column, Scale, Storage, encode, narrow, scale_of, whole, widen
from kdsweep.data.progress import Show, silent
from kdsweep.tasks import registry as tasks
from kdsweep.values.card import PARTS, Card, Modality

Array = NDArray[Any]
VERSION = 1
KEY = b"kdsweep"
# What the columns beside the modalities are called.
RESERVED = ("id", "label", "split", "group")
GROUPING = "group."  # and its name
# Without a split of its own a dataset is one file.
FILES = ("rows.parquet", *(f"{part}.parquet" for part in PARTS))
GROUP_BYTES = 32 * 2**20


class Description(NamedTuple):
    """What a folder says of itself, before a row is read."""

    card: Card
    files: tuple[Path, ...]
    scales: Mapping[str, Scale]
    fingerprint: str


def describe(folder: Path) -> Description:
    """What the dataset in a folder says of itself.

    Raises:
        ValueError: there is none, or this version does not read it.
    """
    if not folder.is_dir():
        raise ValueError(f"a dataset on disk is a folder, and there is none at {folder.absolute()}")
    files = tuple(folder / name for name in FILES if (folder / name).is_file())
    if not files:
        raise ValueError(f"a dataset on disk is a folder with {' or '.join(FILES[:2])}, got neither in {folder}")
    metas = [(whole(path, lambda file: file.schema_arrow).metadata or {}).get(KEY) for path in files]
    for path, meta in zip(files, metas, strict=True):
        if meta is None:
            raise ValueError(f"{path}: a dataset's file describes itself, got no metadata of kdsweep: import it again")
        if meta != metas[0]:
            raise ValueError(f"{path}: the files of a dataset are written together, got one that {files[0]} is not of")
    told = json.loads(metas[0] or b"")
    if told["format"] != VERSION:
        raise ValueError(f"{folder}: this version reads format {VERSION}, got format {told['format']}")
    modalities = {name: Modality(one["kind"], tuple(one["shape"])) for name, one in told["modalities"].items()}
    card = Card(
        modalities,
        tuple(told["classes"]),
        task=told["task"],
        grouped=told["grouped"],
        groupings=tuple(told.get("groupings", ())),
        licence=told["licence"],
        source=told["source"],
        # Folders that were written before this was kept do not say it.
        id_column=told.get("id_column", "id"),
    )
    scales = {name: (low, high) for name, (low, high) in told["scales"].items()}
    return Description(card, files, scales, told["fingerprint"])


def read(folder: Path) -> Dataset:
    """The dataset in a folder. Modalities are columns that are read when rows are asked for.

    Raises:
        ValueError: there is none, or a file is damaged.
    """
    card, files, scales, fingerprint = describe(folder)
    texts = _texts(files, ("id", "split", "group", *(GROUPING + name for name in card.groupings)))
    made = (Column(files, name, modality, scales.get(name)) for name, modality in card.modalities.items())
    values, present = maps.columns(made, rows=len(texts["id"]), folder=folder, fingerprint=fingerprint)
    return Dataset(
        card=card,
        # They are indexed by row numbers like arrays, and like arrays by nothing else before `select`.
        modalities=cast(Mapping[str, Array], values),
        present=cast(Mapping[str, Array], present),
        labels=tasks.load(card.task).labels.decode(_read(files, ("label",))["label"], card.classes, str(folder)),
        ids=texts["id"],
        split=texts.get("split"),
        groups=texts.get("group"),
        groupings={name: texts[GROUPING + name] for name in card.groupings},
        fingerprint=fingerprint,
    )


def write(dataset: Dataset, folder: Path, *, storage: Mapping[str, Storage] | None = None, show: Show = silent) -> str:
    """Write a dataset as a new folder, whole or not at all; returns the fingerprint of what was written.

    Args:
        storage: what a modality's values are kept as; float32 where it is not said. What is read back is float32.
        show: is given the pieces of each file to pass through: a progress bar.

    Raises:
        ValueError: the folder exists, or something is wrong with the dataset.
    """
    if folder.exists():
        raise ValueError(f"a dataset is written to a new folder, and {folder} exists")
    for name in dataset.card.modalities:
        if name in RESERVED or name.startswith(GROUPING):
            raise ValueError(f"a modality has a name other than {', '.join(RESERVED)} and {GROUPING}*, got {name!r}")
    check(dataset, where=str(folder))
    order = np.concatenate(list(_files(dataset).values()))
    kept = {}
    for name, modality in dataset.card.modalities.items():
        told = (storage or {}).get(name, "float32")
        scale = scale_of((values for _, values in dataset.chunks(name)), modality, told)
        kept[name] = _Kept(dataset, name, modality, told, scale)
    meta = _metadata(dataset, order, kept)
    with replacing(folder) as partial:
        partial.mkdir(parents=True)
        for file, rows in _files(dataset).items():
            size = max(1, GROUP_BYTES // max(one.row_bytes for one in kept.values()))
            pieces = show(range(0, len(rows), size), f"writing {file}")
            groups = (rows[start : start + size] for start in pieces)
            _write_file(partial / file, (_table(dataset, some, kept) for some in groups), meta)
    return str(json.loads(meta)["fingerprint"])


@dataclass(frozen=True)
class _Kept:
    """A modality as it will lie on disk, made from its values whenever rows of it are asked for."""

    dataset: Dataset
    name: str
    modality: Modality
    storage: Storage
    scale: Scale | None

    @property
    def row_bytes(self) -> int:
        return math.prod(self.modality.shape) * np.dtype(self.storage).itemsize

    def narrow(self, values: Array) -> Array:
        return narrow(values, self.modality, self.storage, self.scale)

    def column(self, rows: Array) -> pa.Array:
        values = self.narrow(self.dataset.modalities[self.name][rows])
        return encode(values, self.dataset.present[self.name][rows], self.modality)

    def read_back(self, rows: Array) -> Iterator[Array]:
        """What will be read back of these rows: a narrow type rounds."""
        for some, values in self.dataset.chunks(self.name, rows):
            present = self.dataset.present[self.name][some]
            yield widen(self.narrow(values), present, self.modality, self.scale)


def _write_file(path: Path, groups: Iterable[pa.Table], meta: bytes) -> None:
    writer: pq.ParquetWriter | None = None
    try:
        for group in groups:
            table = group.replace_schema_metadata({KEY: meta})
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table, row_group_size=len(table))
    finally:
        if writer is not None:
            writer.close()


def _read(files: tuple[Path, ...], asked: Iterable[str]) -> pa.Table:
    tables = []
    for path in files:
        names = [name for name in asked if name in whole(path, lambda file: file.schema_arrow.names)]
        tables.append(whole(path, methodcaller("read", names)))
    return pa.concat_tables(tables)


def _texts(files: tuple[Path, ...], asked: Iterable[str]) -> dict[str, Array]:
    table = _read(files, asked)
    return {name: np.array(table[name].cast(pa.string()).to_pylist(), dtype=str) for name in table.column_names}


def _files(dataset: Dataset) -> dict[str, Array]:
    """The rows of each file, in the order in which they will be read back."""
    if dataset.split is None:
        return {FILES[0]: np.arange(len(dataset))}
    rows = {f"{part}.parquet": np.flatnonzero(dataset.split == part) for part in PARTS}
    return {name: numbers for name, numbers in rows.items() if len(numbers)}


def _table(dataset: Dataset, rows: Array, kept: Mapping[str, _Kept]) -> pa.Table:
    columns = {
        "id": pa.array(dataset.ids[rows].tolist(), pa.string()),
        "label": tasks.load(dataset.card.task).labels.encode(dataset.labels[rows], dataset.card.classes),
    }
    groupings = ((GROUPING + name, groups) for name, groups in dataset.groupings.items())
    for name, texts in (("split", dataset.split), ("group", dataset.groups), *groupings):
        if texts is not None:
            columns[name] = pa.array(texts[rows].tolist(), pa.string())
    return pa.table(columns | {name: one.column(rows) for name, one in kept.items()})


def _metadata(dataset: Dataset, order: Array, kept: Mapping[str, _Kept]) -> bytes:
    card = dataset.card
    hashed = Hash(dataset.ids[order], dataset.labels[order])
    for name in sorted(kept):
        hashed.add(np.array([name, card.modalities[name].kind]))
        hashed.add_in_pieces((len(dataset), *card.modalities[name].shape), kept[name].read_back(order))
        hashed.add(dataset.present[name][order])
    told = {
        "format": VERSION,
        "task": card.task,
        "classes": card.classes,
        "grouped": dataset.groups is not None,
        "groupings": list(dataset.groupings),
        "licence": card.licence,
        "source": card.source,
        "id_column": card.id_column,
        "modalities": {name: {"kind": one.kind, "shape": one.shape} for name, one in card.modalities.items()},
        "scales": {name: one.scale for name, one in kept.items() if one.scale},
        "fingerprint": hashed.text(),
    }
    return json.dumps(told).encode()
