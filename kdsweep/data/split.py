"""Drawing the parts of a dataset: stratified by class, and never through a group."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdsweep.tasks import registry as tasks
from kdsweep.values.card import PARTS, Part, Split

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset

Array = NDArray[Any]


def drawn(dataset: Dataset, *, seed: int, folds: int = 5, fold: int = 0) -> Dataset:
    """One of `folds` parts of the rows tests, a quarter of the rest validates. Equal seeds draw equal splits.

    Raises:
        ValueError: there are fewer folds, or groups, than that.
    """
    if not 0 <= fold < folds:
        raise ValueError(f"a fold is one of 0 to {folds - 1}, got {fold}")
    return _with(dataset, Split(seed, folds), fold)


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
    return _with(replace(dataset, split=split), Split(seed), 0)


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


def _with(dataset: Dataset, split: Split, fold: int) -> Dataset:
    rows, names = _assigned(dataset, split, fold), np.empty(len(dataset), dtype="<U5")
    for part in PARTS:
        names[rows[part]] = part
    return replace(dataset, split=names)


def parts(dataset: Dataset, split: Split, fold: int) -> dict[Part, Array]:
    """Row numbers of each part; those of valid and test have a label, as others can neither choose nor judge.

    Raises:
        ValueError: fewer than two rows of train have one, or none of valid or test.
    """
    assigned, there = _assigned(dataset, split, fold), dataset.labelled
    if there.all():
        return assigned
    judged: dict[Part, Array] = {part: rows[there[rows]] for part, rows in assigned.items()}
    least_of: dict[Part, int] = {"train": 2, "valid": 1, "test": 1}
    for part, least in least_of.items():
        if len(assigned[part]) and len(judged[part]) < least:
            rule = f"{part} needs {least} rows that have a label" if least > 1 else f"{part} needs a row with a label"
            raise ValueError(f"{rule}, got {len(judged[part])} of {len(assigned[part])}")
    return {**judged, "train": assigned["train"]}


def unlabelled(dataset: Dataset, split: Split, fold: int = 0) -> dict[Part, int]:
    """How many rows of each part have no label: those of train are trained on, the others are left out. Without 0."""
    there = dataset.labelled
    if there.all():
        return {}
    gone: dict[Part, int] = {part: int((~there[rows]).sum()) for part, rows in _assigned(dataset, split, fold).items()}
    return {part: count for part, count in gone.items() if count}


def _assigned(dataset: Dataset, split: Split, fold: int) -> dict[Part, Array]:
    """All rows of each part: drawn where there are folds, or the dataset has no split, or no valid part.

    Raises:
        ValueError: there is no grouping to split by, or the dataset's own parts split its groups.
    """
    if split.by:
        dataset = replace(dataset, groups=dataset.grouped_by(split.by))
    if split.folds:
        return _fold(dataset, split, fold)
    if dataset.split is not None and split.by:
        _check_apart(dataset, split.by)
    if dataset.split is None:
        rest, test = _hold_out(dataset, np.arange(len(dataset)), 5, split.seed)
    else:
        given = {part: np.flatnonzero(dataset.split == part) for part in PARTS}
        if len(given["valid"]):
            return given
        rest, test = given["train"], given["test"]
    train, valid = _hold_out(dataset, rest, 4, split.seed + 1)
    return {"train": train, "valid": valid, "test": test}


def _check_apart(dataset: Dataset, by: str) -> None:
    """That a given split is what a study says of it.

    Raises:
        ValueError: a group is in two parts.
    """
    assert dataset.split is not None
    parts_of = pd.DataFrame({"group": dataset.groups, "part": dataset.split}).groupby("group")["part"].unique()
    if len(torn := parts_of[parts_of.map(len) > 1]):
        where = " and ".join(torn.iloc[0])
        raise ValueError(f"data split by {by} have each of its groups in one part, got {torn.index[0]} in {where}")


def _fold(dataset: Dataset, split: Split, fold: int) -> dict[Part, Array]:
    for number, (rest, test) in enumerate(_cuts(dataset, np.arange(len(dataset)), split.folds, split.seed)):
        if number == fold:
            train, valid = _hold_out(dataset, rest, 4, split.seed + 1)
            return {"train": train, "valid": valid, "test": test}
    raise AssertionError(f"{fold=} of {split.folds}")


def _hold_out(dataset: Dataset, rows: Array, share: int, seed: int) -> tuple[Array, Array]:
    """Split off one in `share` of the rows, stratified where there are classes; rows of one group stay together."""
    return next(_cuts(dataset, rows, share, seed))


def _cuts(dataset: Dataset, rows: Array, count: int, seed: int) -> Iterator[tuple[Array, Array]]:
    """A row without a label would judge nothing: it stays with the rest, unless its group is held out."""
    there = dataset.labelled[rows]
    others, groups = rows[~there], dataset.groups
    for rest, held in _cuts_of_labelled(dataset, rows[there], count, seed):
        away = np.isin(groups[others], groups[held]) if groups is not None else np.zeros(len(others), bool)
        yield np.sort(np.append(rest, others[~away])), np.sort(np.append(held, others[away]))


def _cuts_of_labelled(dataset: Dataset, rows: Array, count: int, seed: int) -> Iterator[tuple[Array, Array]]:
    from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

    labels = dataset.labels[rows]
    stratified = tasks.load(dataset.card.task).labels.strata(labels) is not None
    if dataset.groups is not None:
        groups = len(set(dataset.groups[rows]))
        if groups < count:
            raise ValueError(f"a group is never split: {count} parts need {count} groups, got {groups}")
        splitter = (StratifiedGroupKFold if stratified else GroupKFold)(count, shuffle=True, random_state=seed)
        cuts = splitter.split(labels, labels, dataset.groups[rows])
    else:
        splitter = (StratifiedKFold if stratified else KFold)(count, shuffle=True, random_state=seed)
        cuts = splitter.split(labels, labels)
    for rest, held in cuts:
        yield rows[np.sort(rest)], rows[np.sort(held)]
