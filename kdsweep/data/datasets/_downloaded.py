"""What datasets share that read files the user downloaded: finding them, and putting values on one scale."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def arrays(root: str, name: str, expected: tuple[str, ...], *, about: str) -> dict[str, Array]:
    """These arrays of the numpy archive `name` in the folder `root`.

    Args:
        about: where it comes from, for who does not have it.

    Raises:
        ValueError: it is not there, or is not what it should be. Nothing is ever downloaded.
    """
    path = Path(root) / name
    if not path.is_file():
        raise ValueError(f"{path} is not there: {about}; set options: {{root: its folder}}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            if missing := [key for key in expected if key not in archive.files]:
                raise ValueError(f"{path} holds {', '.join(archive.files)}, and lacks {', '.join(missing)}")
            found = {key: archive[key] for key in expected}
    except (OSError, zipfile.BadZipFile, EOFError) as error:
        raise ValueError(f"{path}: the archive is damaged: {error}") from error
    rows = {key: len(array) for key, array in found.items() if array.ndim}
    if len(set(rows.values())) != 1:
        raise ValueError(f"{path}: every array has one entry a sample, got {rows}")
    return found


def standardise(values: Array, train: Array, *, axes: tuple[int, ...] = (0,)) -> NDArray[np.float32]:
    """(x − mean) / deviation over these axes of the training rows; a constant feature becomes 0."""
    seen = values[train].astype(np.float64)
    mean, deviation = seen.mean(axes, keepdims=True), seen.std(axes, keepdims=True)
    scaled: NDArray[np.float32] = ((values - mean) / np.where(deviation > 0, deviation, 1)).astype(np.float32)
    return scaled


def flagged(sequences: Array) -> NDArray[np.float32]:
    """Sequences [N, L, F] of equal length as a modality of kind sequence [N, L, F + 1]."""
    return np.concatenate([sequences, np.ones((*sequences.shape[:2], 1))], axis=2).astype(np.float32)


def all_present(modalities: Mapping[str, Array]) -> dict[str, NDArray[np.bool_]]:
    return {name: np.ones(len(values), dtype=bool) for name, values in modalities.items()}
