"""Columns of Hugging Face datasets, by name or from a folder of `save_to_disk`. Their splits follow each other."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.importing import media

PREFIX = "hf:"
# Beside the dataset's own columns: which of its splits a row is in.
SPLIT = "split"


class Column(NamedTuple):
    """Ids of the rows, where the dataset has such a column, and values."""

    ids: list[str] | None
    values: Sequence[Any] | media.Decoded


def read(told: str, *, id_column: str | None, recipe: media.Recipe) -> Column:
    """The column of `hf:NAME:COLUMN` or `hf:FOLDER:COLUMN`.

    Raises:
        ValueError: `datasets` is missing, or there is no such dataset or column.
    """
    try:
        import datasets
    except ImportError as error:
        raise ValueError(f"{told}: Hugging Face datasets need: pip install 'kdsweep[hub]'") from error
    name, _, column = told.removeprefix(PREFIX).rpartition(":")
    if not name:
        raise ValueError(f"{told}: name a column, as {told}:COLUMN")
    try:
        loaded: Any = datasets.load_from_disk(name) if Path(name).is_dir() else datasets.load_dataset(name)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        raise ValueError(f"{told}: the dataset cannot be read: {error}") from error
    parts: dict[str, Any] = dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"": loaded}
    whole = datasets.concatenate_datasets(list(parts.values()))
    ids = [str(id_) for id_ in whole[id_column]] if id_column in whole.column_names else None
    if column == SPLIT and column not in whole.column_names:
        return Column(ids, [part for part, rows in parts.items() for _ in range(len(rows))])
    if column not in whole.column_names:
        raise ValueError(f"{told}: no column {column!r}: it has {', '.join(whole.column_names)}")
    return Column(ids, _values(whole, column, told, recipe))


def _values(whole: Any, column: str, told: str, recipe: media.Recipe) -> Sequence[Any] | media.Decoded:
    import datasets

    feature = whole.features[column]
    if isinstance(feature, datasets.ClassLabel):
        return [feature.names[label] if label is not None and label >= 0 else None for label in whole[column]]
    if isinstance(feature, datasets.Image | datasets.Audio):
        # Undecoded: what is read is read as in a folder of files.
        raw = whole.select_columns([column]).cast_column(column, type(feature)(decode=False))
        names = [f"{told}, row {row}" for row in range(len(raw))]
        if isinstance(feature, datasets.Image):
            return media.Decoded(
                len(raw), lambda row: media.image(_file(raw[row][column]), recipe.size, where=names[row])
            )
        return media.sounds([_file(row[column]) for row in raw], recipe.mels, names)
    values: Sequence[Any] = [_array(value) for value in whole[column]]
    return values


def _file(kept: dict[str, Any]) -> Path | io.BytesIO:
    return io.BytesIO(kept["bytes"]) if kept["bytes"] is not None else Path(kept["path"])


def _array(value: Any) -> Any:
    """Lists of numbers as arrays; texts and lists of texts as they are."""
    if not isinstance(value, list) or not value or isinstance(value[0], str):
        return value
    try:
        array: NDArray[Any] = np.asarray(value)
    except ValueError:
        return value
    return array
