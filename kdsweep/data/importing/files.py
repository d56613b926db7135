"""Reading what an import is told: one column of a file, with the ids of its rows where the file names them.

values.npz:features   values.npy   table.csv:label   table.csv:f*   table.parquet:embedding   images/   sounds/
videos/   hf:name:column   hf:folder/:column
my_package.my_module:callable, which returns a mapping from id to array
"""

from __future__ import annotations

import fnmatch
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from kdsweep.data.importing import hub, media
from kdsweep.values import user_code as sources

Array = NDArray[Any]


SUFFIXES = (".npy", ".npz", ".csv", ".parquet")


class Piece(NamedTuple):
    """One column, row by row.

    Attributes:
        where: file and column, for messages.
        ids: of the rows; None where the file does not name them, and rows are matched by their order.
        values: arrays (texts for a label, a group, a split); None where one is missing.
        names: of the columns that lie side by side in `values`, where they do.
        kind: of the modality, where the files tell; "" where the arrays' axes have to.
    """

    where: str
    ids: list[str] | None
    values: Sequence[Any] | Array | media.Decoded
    names: tuple[str, ...] = ()
    kind: str = ""


def read(told: str, *, id_column: str | None, recipe: media.Recipe = media.PLAIN) -> Piece:
    """The column that `told` names.

    Args:
        id_column: what the column of ids is called in tables and archives.
        recipe: what becomes of images, sounds and videos.

    Raises:
        ValueError: there is no such file or column, or the file is damaged: names it.
    """
    if told.startswith(hub.PREFIX):
        return Piece(told, *hub.read(told, id_column=id_column, recipe=recipe))
    path, column = _place(told)
    try:
        if path is None:
            return _called(told)
        if path.is_dir():
            return Piece(told, *media.folder(path, recipe), kind="spectrogram" if media.holds_sounds(path) else "")
        match path.suffix.lower():
            case ".npy":
                # Through a map: it may be larger than memory.
                return Piece(told, None, _numpy(lambda: np.load(path, mmap_mode="r", allow_pickle=False)))
            case ".npz":
                return _archive(path, column, id_column)
            case ".csv" | ".parquet":
                return _table(path, column, id_column)
    except (OSError, zipfile.BadZipFile, EOFError, pa.ArrowException, pd.errors.ParserError, _Damaged) as error:
        raise ValueError(f"{told}: the file is damaged or not what its name says: {error}") from error
    known = "npz, npy, csv, parquet, a folder of images, sounds or videos, hf:name, or package.module:callable"
    raise ValueError(f"{told}: reading {path.suffix or 'this'} is not available: expected {known}")


def _place(told: str) -> tuple[Path | None, str | None]:
    """A path and a column; no path for a callable."""
    if Path(told).exists():
        return Path(told), None
    before, _, column = told.rpartition(":")
    if before and Path(before).exists():
        return Path(before), column
    if before and Path(before).suffix not in SUFFIXES and all(map(str.isidentifier, (*before.split("."), column))):
        return None, None
    raise ValueError(f"{before or told}: there is no such file or folder")


def _archive(path: Path, column: str | None, id_column: str | None) -> Piece:
    with np.load(path, allow_pickle=False) as archive:
        name = column or (archive.files[0] if len(archive.files) == 1 else None)
        if name not in archive.files:
            raise ValueError(f"{path}: name one of its arrays, as {path.name}:name: it has {', '.join(archive.files)}")
        ids = None
        if id_column in archive.files:
            ids = _ids(_numpy(lambda: archive[str(id_column)]).tolist(), f"{path}", str(id_column))
        return Piece(f"{path}:{name}", ids, _numpy(lambda: archive[str(name)]))


class _Damaged(Exception):
    """An array that numpy cannot read."""


def _numpy(load: Callable[[], Array]) -> Array:
    try:
        return load()
    except ValueError as error:
        # Truncated, or of Python objects, which would have to be unpickled. numpy does not name the file.
        raise _Damaged(str(error)) from error


def _ids(values: Iterable[Any], where: str, column: str) -> list[str]:
    ids = []
    for row, id_ in enumerate(values):
        if _is_missing(id_):
            raise ValueError(f"{where}: every row has an id, got none in row {row}, column {column}")
        try:
            ids.append(id_.decode() if isinstance(id_, bytes) else str(id_))
        except UnicodeDecodeError as error:
            raise ValueError(f"{where}: an id is UTF-8 text, got {id_!r} in row {row}, column {column}") from error
    return ids


def _table(path: Path, column: str | None, id_column: str | None) -> Piece:
    table = _read_table(path, id_column)
    ids = None
    if id_column in table.columns:
        ids = _ids(table[id_column], str(path), str(id_column))
    if column in table.columns:
        values = table[column]
        # A missing value is None or NaN; a list is neither.
        return Piece(f"{path}:{column}", ids, [None if _is_missing(value) else value for value in values])
    chosen = [name for name in table.columns if name != id_column and fnmatch.fnmatch(name, column or "*")]
    if not chosen:
        raise ValueError(f"{path}: no column {column!r}: it has {', '.join(map(str, table.columns))}")
    for name in chosen:
        if not pd.api.types.is_numeric_dtype(table[name]):
            bad = next((row for row, value in enumerate(table[name]) if not _is_missing(value)), 0)
            got = f"{table[name].iloc[bad]!r} in row {bad}, column {name}"
            raise ValueError(f"{path}: columns side by side are numbers, got {got}: name the columns you mean")
    rows = table[chosen].to_numpy(np.float64)
    return Piece(f"{path}:{column or '*'}", ids, [None if np.isnan(row).all() else row for row in rows], tuple(chosen))


def _read_table(path: Path, id_column: str | None) -> pd.DataFrame:
    if path.suffix.lower() == ".parquet":
        table: pd.DataFrame = pq.read_table(path).to_pandas()
        return table
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content[: error.start].count(b"\n") - 1
        raise ValueError(f"{path}: text is UTF-8, got the byte 0x{content[error.start]:02x} in row {row}") from error
    try:
        # Ids are names: 007 is not 7.
        return pd.read_csv(io.StringIO(text), dtype={id_column: str} if id_column else None)
    except pd.errors.EmptyDataError as error:
        raise ValueError(f"{path}: a table has a header and rows, got an empty file") from error


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))


def _called(told: str) -> Piece:
    found = sources.load(told)()
    if not isinstance(found, Mapping):
        raise ValueError(f"{told}: returns a mapping from id to array, got {type(found).__name__}")
    return Piece(told, [str(id_) for id_ in found], list(found.values()))
