"""Giving a dataset a split of its own: stratified by class, and never through a group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from kdsweep.data.card import PARTS
from kdsweep.data.dataset import Dataset
from kdsweep.study import Data, Folds


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


def _with(dataset: Dataset, data: Data, fold: int) -> Dataset:
    parts, split = dataset.parts(data, fold), np.empty(len(dataset), dtype="<U5")
    for part in PARTS:
        split[parts[part]] = part
    return replace(dataset, split=split)
