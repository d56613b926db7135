"""What runs that somebody else made said of test samples, held against their scores.

predictions    arm, seed, sample, label, prediction          and: fold, group, and what a metric reads beside them:
               logits, rank (of the label, from 0), gallery_rank, average_precision, ...

A label or prediction is a class; of a regression a number, of several targets or labels a list of them, which a CSV
writes with spaces between.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdsweep.report.facts.imported_tables import KEYS, RunKey, Scores, names, read_table
from kdsweep.report.statistics.scores import units
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.base import Metric, Task

PREDICTIONS = ("arm", "seed", "sample", "label", "prediction")
TEXTS = (*KEYS, "sample", "group", "label", "prediction")
SLACK = 5e-4  # between a score that was written down and the one that its predictions give: three digits
MOST = 5e-3  # the same, where fewer digits were written


@dataclass(frozen=True)
class Predictions:
    """What runs said about test samples.

    Attributes:
        task: whose labels they are.
        by_run: a row for each sample, classes as numbers.
        classes: their names; of targets and labels, their numbers.
        lacks: the column that the metric reads and that is not there; "" where its scores can be worked out.
    """

    task: Task
    by_run: Mapping[RunKey, pd.DataFrame]
    classes: tuple[str, ...]
    lacks: str

    @property
    def samples(self) -> int:
        return len({sample for frame in self.by_run.values() for sample in frame["sample"]})

    @property
    def groups(self) -> int | None:
        frames = list(self.by_run.values())
        return len({group for frame in frames for group in frame["group"]}) if "group" in frames[0] else None


def read_predictions(path: Path, metric: str) -> Predictions:
    """Every run's predictions.

    Raises:
        ValueError: a column lacks, a run predicts a sample twice, a sample has two labels or groups, or a cell is not
            what the metric's task has in its column.
    """
    table = read_table(path, "predictions", PREDICTIONS)
    table = table.assign(sample=names(table["sample"]))
    if table.duplicated([*KEYS, "sample"]).any():
        raise ValueError(f"{path}: a run predicts each sample once, got one twice")
    if "group" in table and (table["group"] == "").all():
        table = table.drop(columns="group")
    if "group" in table and (table["group"] == "").any():
        alone = table.loc[table["group"] == "", "sample"].iloc[0]
        raise ValueError(f"{path}: every sample has a group or none has, got {alone} without")
    for column in [str(name) for name in table if name not in TEXTS]:
        table[column] = _numbers(table[column], column, path)
    task = _task(table, metric)
    if task.scores.softmax:
        table, classes = _as_classes(table, path)
    else:
        numbers = {name: _lists(table[name], name, path) for name in ("label", "prediction")}
        table = table.assign(label=numbers["label"], prediction=numbers["prediction"])
        widths = {len(cell) for name in ("label", "prediction") for cell in table[name]}
        if len(widths) > 1:
            raise ValueError(f"{path}: labels and predictions are equally many numbers, got {sorted(widths)}")
        classes = tuple(map(str, range(widths.pop())))
    for column in ("label", "group"):
        if column in table and (table.groupby("sample")[column].agg(lambda cells: len(set(map(str, cells)))) > 1).any():
            raise ValueError(f"{path}: a sample has one {column} in all runs, got several")
    by_run: dict[Any, pd.DataFrame] = {
        key: frame.reset_index(drop=True) for key, frame in table.groupby(KEYS, sort=False)
    }
    return Predictions(task, by_run, classes, _lacks(next(iter(by_run.values())), task.metrics[metric]))


def check_agreement(scores: Scores, given: Predictions, metric: str, path: Path) -> None:
    """Refuse predictions that are of other runs than the scores.

    Raises:
        ValueError: no run has predictions, or a run's do not give the score that is written down for it.
    """
    mine = scores.table[scores.table["metric"] == metric]
    keys = list(mine[KEYS].itertuples(index=False, name=None))
    if not set(keys) & set(given.by_run):
        there = next(iter(given.by_run))
        raise ValueError(
            f"{path}: predictions are of these runs, got none of {_run(keys[0])}, but of {_run(there)}: arms, seeds "
            "and folds are written alike in both tables"
        )
    for key, value, slack in zip(keys, mine["value"], mine["slack"], strict=True):
        if key not in given.by_run or np.isnan(value):
            continue
        score = _score(given.by_run[key], given.task.metrics[metric]) if not given.lacks else None
        allowed = max(SLACK, min(slack, MOST)) * max(1.0, abs(value))
        if score is not None and abs(score - value) > allowed + 1e-9:
            raise ValueError(
                f"{path}: {metric} of {_run(key)} is {value:.4f}, but its predictions give {score:.4f}: they are not "
                "of the same run"
            )


def on_shared_samples(scores: Scores, given: Predictions, metric: str, path: Path) -> tuple[Scores, Predictions, str]:
    """Scores and predictions on the samples that every run of a fold was tested on, and in words what that left out.

    Raises:
        ValueError: runs were tested on other samples and share none, or their scores cannot be worked out on those.
    """
    keys = set(scores.table[KEYS].itertuples(index=False, name=None))
    tested = {key: frozenset(frame["sample"]) for key, frame in given.by_run.items() if key in keys}
    shared = {
        fold: frozenset.intersection(*(samples for key, samples in tested.items() if key[2] == fold))
        for fold in {key[2] for key in tested}
    }
    if all(samples == shared[key[2]] for key, samples in tested.items()):
        return scores, given, ""
    counts = {key[0]: len(samples) for key, samples in sorted(tested.items(), key=lambda item: len(item[1]))}
    said = ", ".join(f"{arm} on {count:,}" for arm, count in sorted(counts.items()))
    least = min(map(len, shared.values()))
    if least < 2:
        raise ValueError(f"{path}: arms are compared on the same samples, got {said}, and {least} that all runs share")
    if given.lacks or set(keys) - set(tested):
        why = f"without {given.lacks}" if given.lacks else "and runs without predictions"
        raise ValueError(f"{path}: arms are compared on the same samples, got {said}, {why} to score the shared ones")
    by_run = {
        key: given.by_run[key][given.by_run[key]["sample"].isin(shared[key[2]])].reset_index(drop=True)
        for key in tested
    }
    rescored = {key: _score(frame, given.task.metrics[metric]) for key, frame in by_run.items()}
    # Scores of other metrics stand for samples that are not compared.
    table = scores.table[scores.table["metric"] == metric]
    anew = pd.Series([rescored[key] for key in table[KEYS].itertuples(index=False, name=None)], table.index, float)
    values = anew.where(table["value"].notna())
    note = f"tested: {said}; scored anew and compared on the {sum(map(len, shared.values())):,} that all runs share"
    return scores._replace(table=table.assign(value=values)), replace(given, by_run=by_run), note


def _task(table: pd.DataFrame, metric: str) -> Task:
    """The first that has the metric; where a cell holds several numbers, the first whose labels are no classes."""
    having = [task for task in map(tasks.load, tasks.names()) if metric in task.metrics]
    several = [task for task in having if not task.scores.softmax]
    first = table["label"].iloc[0]
    many = not isinstance(first, str) or len(_cell(first) or []) > 1
    return several[0] if several and many else having[0]


def _as_classes(table: pd.DataFrame, path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Labels and predictions as numbers, and the names of the classes in this order."""
    texts = {column: names(table[column].astype(str)) for column in ("label", "prediction")}
    found = sorted(set(texts["label"]) | set(texts["prediction"]), key=_natural)
    if "logits" in table:
        widths = {len(row) for row in table["logits"]}
        width = max(widths)
        numbered = [name for name in found if name.isdecimal() and int(name) < width]
        if len(widths) > 1 or (len(found) != width and len(numbered) < len(found)):
            raise ValueError(
                f"{path}: every row has a logit for each class, got {width} of them and {len(found)} classes, which "
                "are not their numbers"
            )
        if len(numbered) == len(found):
            found = [str(number) for number in range(width)]
    codes = {word: i for i, word in enumerate(found)}
    return table.assign(**{column: text.map(codes).astype(int) for column, text in texts.items()}), tuple(found)


def _lists(column: pd.Series, name: str, path: Path) -> pd.Series:
    cells = [_cell(cell) for cell in column]
    for cell, text in zip(cells, column, strict=True):
        if not cell:
            raise ValueError(f"{path}: a {name} is a number, or several, got {str(text)!r}")
    return pd.Series(cells, column.index)


def _numbers(column: pd.Series, name: str, path: Path) -> pd.Series:
    """What a metric reads beside labels; another column stays as it is."""
    cells = [_cell(cell) for cell in column]
    for cell, text in zip(cells, column, strict=True):
        if not cell and name == "logits":
            raise ValueError(f"{path}: logits are numbers, one for each class, got {str(text)!r}")
        if not cell:
            return column
    if name != "logits" and all(len(cell) == 1 for cell in cells if cell):
        return pd.Series([cell[0] for cell in cells if cell], column.index)
    return pd.Series(cells, column.index)


def _cell(cell: object) -> list[float] | None:
    """The numbers of a cell; None where it holds something else."""
    parts = re.split(r"[\s,;]+", cell.strip("[]() ")) if isinstance(cell, str) else cell
    try:
        numbers: NDArray[np.float64] = np.asarray(parts, dtype=float).reshape(-1)
    except (TypeError, ValueError):
        return None
    return None if np.isnan(numbers).any() else [float(number) for number in numbers]


def _lacks(frame: pd.DataFrame, metric: Metric) -> str:
    try:
        units(frame, metric)
    except KeyError as column:
        return str(column.args[0])
    except TypeError:
        return "columns of numbers"
    return ""


def _score(frame: pd.DataFrame, metric: Metric) -> float | None:
    each = units(frame, metric)
    return None if each is None else float(each.mean())


def _run(key: RunKey) -> str:
    arm, seed, fold = key
    return f"{arm}, seed {seed}" + (f", fold {fold}" if fold else "")


def _natural(word: str) -> tuple[bool, float, str]:
    """Numbers in their order, before words."""
    return (False, float(word), word) if re.fullmatch(r"\d+(\.\d+)?", word) else (True, 0.0, word)
