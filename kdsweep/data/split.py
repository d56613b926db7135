"""Giving a dataset a split of its own: stratified by class, and never through a group."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdsweep.data.dataset import Dataset
from kdsweep.values.card import PARTS
from kdsweep.values.study import Data, Folds

Array = NDArray[Any]


def drawn(dataset: Dataset, *, seed: int, folds: int = 5, fold: int = 0) -> Dataset:
    """One of `folds` parts of the rows tests, a quarter of the rest validates. Equal seeds draw equal splits.

    Raises:
        ValueError: there are fewer folds, or groups, than that.
    """
    if not 0 <= fold < folds:
        raise ValueError(f"a fold is one of 0 to {folds - 1}, got {fold}")
    any_modality = next(iter(dataset.card.modalities))
    return _with(dataset, Data(path=".", student=(any_modality,), split_seed=seed, folds=Folds(count=folds)), fold)


def leaving_out(dataset: Dataset, groups: Iterable[str], *, seed: int) -> Dataset:
    """These groups test; of the others a quarter validates.

    Raises:
        ValueError: the dataset has no groups, or none of such a name, or these are all.
    """
    if dataset.groups is None:
        raise ValueError("leaving groups out needs data that names groups, got data without")
    out, known = list(groups), sorted(set(dataset.groups))
    if unknown := [group for group in out if group not in known]:
        raise ValueError(f"a group is one of {', '.join(known)}, got {', '.join(unknown)}")
    split = np.where(np.isin(dataset.groups, out), "test", "train")
    if not (split == "train").any():
        raise ValueError("some groups are left in, got all of them to leave out")
    any_modality = next(iter(dataset.card.modalities))
    return _with(replace(dataset, split=split), Data(path=".", student=(any_modality,), split_seed=seed), 0)


def k_fold(dataset: Dataset, *, seed: int, folds: int) -> dict[str, Array]:
    """A split for each fold, named fold_0, ...: each row tests in one of them."""
    return {f"fold_{fold}": _split(drawn(dataset, seed=seed, folds=folds, fold=fold)) for fold in range(folds)}


def leave_one_out(dataset: Dataset, *, seed: int, folds: int = 0) -> dict[str, Array]:
    """A split for each group, named without_..., in which that group alone tests.

    Raises:
        ValueError: the dataset names no groups, or too few for a validation part beside one that tests.
    """
    if dataset.groups is None:
        raise ValueError("leaving groups out needs data that names groups, got data without")
    groups = sorted(set(dataset.groups))
    return {f"without_{group}": _split(leaving_out(dataset, [group], seed=seed)) for group in groups}


def table(dataset: Dataset, splits: Mapping[str, Array | None], *, id_column: str) -> pd.DataFrame:
    """Rows by id, and a column of "train", "valid" and "test" for each split: what `data import --split` reads."""
    return pd.DataFrame({id_column: dataset.ids, **splits})


def _split(dataset: Dataset) -> Array:
    assert dataset.split is not None
    return dataset.split


def _with(dataset: Dataset, data: Data, fold: int) -> Dataset:
    parts, split = dataset.parts(data, fold), np.empty(len(dataset), dtype="<U5")
    for part in PARTS:
        split[parts[part]] = part
    return replace(dataset, split=split)
