"""A dataset on disk: a folder of Parquet files, one for each part of its split, that describe themselves.

    id string · label (the class's name) · split · group · one column a modality, null where it is missing

The schema's metadata, under the key "kdsweep", holds the card, the scales of bytes, and the content's fingerprint.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from operator import methodcaller
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kdsweep.data.card import PARTS, Card, Modality
from kdsweep.data.checks import check
from kdsweep.data.columns import Column, Kept, Presence, Scale, Storage, Values, encode, narrow, whole, widen
from kdsweep.data.dataset import Dataset

Array = NDArray[Any]
VERSION = 1
KEY = b"kdsweep"
# What the columns beside the modalities are called.
RESERVED = ("id", "label", "split", "group")
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
        licence=told["licence"],
        source=told["source"],
    )
    scales = {name: (low, high) for name, (low, high) in told["scales"].items()}
    return Description(card, files, scales, told["fingerprint"])


def read(folder: Path) -> Dataset:
    """The dataset in a folder. Modalities are columns that are read when rows are asked for.

    Raises:
        ValueError: there is none, or a file is damaged.
    """
    card, files, scales, fingerprint = describe(folder)
    texts = _texts(files)
    known = {name: label for label, name in enumerate(card.classes)}
    for row, name in enumerate(texts["label"]):
        if name not in known:
            raise ValueError(f"{folder}: a label is a class, got {str(name)!r} in row {row}, column label")
    columns = {name: Column(files, name, modality, scales.get(name)) for name, modality in card.modalities.items()}
    return Dataset(
        card=card,
        # They are indexed by row numbers like arrays, and like arrays by nothing else before `select`.
        modalities={name: cast(Array, Values(column)) for name, column in columns.items()},
        present={name: cast(Array, Presence(column)) for name, column in columns.items()},
        labels=np.array([known[name] for name in texts["label"]], dtype=np.int64),
        ids=texts["id"],
        split=texts.get("split"),
        groups=texts.get("group"),
        fingerprint=fingerprint,
    )


def write(dataset: Dataset, folder: Path, *, storage: Mapping[str, Storage] | None = None) -> str:
    """Write a dataset as a new folder, whole or not at all; returns the fingerprint of what was written.

    Args:
        storage: what a modality's values are kept as; float32 where it is not said. What is read back is float32.

    Raises:
        ValueError: the folder exists, or something is wrong with the dataset.
    """
    if folder.exists():
        raise ValueError(f"a dataset is written to a new folder, and {folder} exists")
    for name in dataset.card.modalities:
        if name in RESERVED:
            raise ValueError(f"a modality has a name other than {', '.join(RESERVED)}, got {name!r}")
    dataset = check(_in_file_order(dataset), where=str(folder))
    kept = {
        name: narrow(dataset.modalities[name], modality, (storage or {}).get(name, "float32"))
        for name, modality in dataset.card.modalities.items()
    }
    meta = _metadata(dataset, kept)
    partial = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        partial.mkdir(parents=True)
        for name, rows in _files(dataset).items():
            table = _table(dataset.select(rows), {name: values[rows] for name, (values, _) in kept.items()})
            size = max(1, GROUP_BYTES // max(values[0].nbytes for values, _ in kept.values()))
            pq.write_table(
                table.replace_schema_metadata({KEY: meta}), partial / name, row_group_size=size, compression="zstd"
            )
        os.rename(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return str(json.loads(meta)["fingerprint"])


def _texts(files: tuple[Path, ...]) -> dict[str, Array]:
    tables = []
    for path in files:
        names = [name for name in RESERVED if name in whole(path, lambda file: file.schema_arrow.names)]
        tables.append(whole(path, methodcaller("read", names)))
    table = pa.concat_tables(tables)
    return {name: np.array(table[name].cast(pa.string()).to_pylist(), dtype=str) for name in table.column_names}


def _in_file_order(dataset: Dataset) -> Dataset:
    """All rows in memory, in the order in which they will be read back."""
    if dataset.split is None:
        return dataset.select(np.arange(len(dataset)))
    rank = {part: number for number, part in enumerate(PARTS)}
    return dataset.select(np.argsort([rank.get(part, len(rank)) for part in dataset.split], kind="stable"))


def _files(dataset: Dataset) -> dict[str, Array]:
    if dataset.split is None:
        return {FILES[0]: np.arange(len(dataset))}
    rows = {f"{part}.parquet": np.flatnonzero(dataset.split == part) for part in PARTS}
    return {name: numbers for name, numbers in rows.items() if len(numbers)}


def _table(dataset: Dataset, kept: Mapping[str, Array]) -> pa.Table:
    columns = {
        "id": pa.array(dataset.ids.tolist(), pa.string()),
        "label": pa.array([dataset.card.classes[label] for label in dataset.labels], pa.string()),
    }
    for name, texts in (("split", dataset.split), ("group", dataset.groups)):
        if texts is not None:
            columns[name] = pa.array(texts.tolist(), pa.string())
    for name, values in kept.items():
        columns[name] = encode(values, dataset.present[name], dataset.card.modalities[name])
    return pa.table(columns)


def _metadata(dataset: Dataset, kept: Mapping[str, Kept]) -> bytes:
    card = dataset.card
    # A narrow type rounds: what identifies the dataset is what will be read back.
    read_back = {name: widen(values, card.modalities[name]) for name, values in kept.items()}
    for name, values in read_back.items():
        values[~dataset.present[name]] = 0
    rounded = Dataset(card, read_back, dataset.present, dataset.labels, dataset.ids, dataset.split, dataset.groups)
    told = {
        "format": VERSION,
        "task": card.task,
        "classes": card.classes,
        "grouped": dataset.groups is not None,
        "licence": card.licence,
        "source": card.source,
        "modalities": {name: {"kind": one.kind, "shape": one.shape} for name, one in card.modalities.items()},
        "scales": {name: one.scale for name, one in kept.items() if one.scale},
        "fingerprint": rounded.digest(),
    }
    return json.dumps(told).encode()
