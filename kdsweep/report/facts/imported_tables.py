"""Tables of runs that somebody else made: read, and refused where they cannot be what they say.

runs           arm, seed, metric, value          and where there are any: fold
predictions    arm, seed, sample, label, prediction          and: fold, group, rank, logits
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from kdsweep.report.statistics.scores import units
from kdsweep.tasks.registry import METRICS, having

RunKey = tuple[str, int, int]  # arm, seed, fold
KEYS = ["arm", "seed", "fold"]
NEEDS = {"runs": ["arm", "seed", "metric", "value"], "predictions": ["arm", "seed", "sample", "label", "prediction"]}
# What a metric reads beside label and prediction.
READS = {"log_loss": "logits", "top5": "rank", "ece": "logits"}
SLACK = 5e-4  # between a score that was written down and the one that its predictions give: three digits


class Predictions(NamedTuple):
    """What runs said about test samples.

    Attributes:
        whole: a row for each run and sample, classes as numbers.
        by_run: the same, run by run.
        classes: their names.
    """

    whole: pd.DataFrame
    by_run: Mapping[RunKey, pd.DataFrame]
    classes: tuple[str, ...]

    @property
    def samples(self) -> int:
        return int(self.whole["sample"].nunique())

    @property
    def groups(self) -> int | None:
        return int(self.whole["group"].nunique()) if "group" in self.whole else None

    def suffice(self, metric: str) -> bool:
        """Whether the metric's score of every sample can be worked out from them."""
        return metric not in READS or READS[metric] in self.whole


def read_scores(path: Path, metric: str) -> pd.DataFrame:
    """A row for each run and metric.

    Raises:
        ValueError: a column lacks, a run is there twice, a share is no share, or nothing is of this metric.
    """
    scores = _runs(_table(path, "runs"), path)
    if metric not in set(scores["metric"]):
        known = ", ".join(scores["metric"].unique())
        raise ValueError(f"{path}: the metric that is compared is one of {known}, got {metric!r}")
    return scores


def read_predictions(path: Path) -> Predictions:
    """Every run's predictions.

    Raises:
        ValueError: a column lacks, a run predicts a sample twice, or a sample has two labels or groups.
    """
    table = _table(path, "predictions")
    names = sorted({*table["label"].astype(str), *table["prediction"].astype(str)}, key=_natural)
    codes = {word: i for i, word in enumerate(names)}
    numbers = {column: table[column].astype(str).map(codes).astype(int) for column in ("label", "prediction")}
    table = table.assign(sample=table["sample"].astype(str), **numbers)
    if table.duplicated([*KEYS, "sample"]).any():
        raise ValueError(f"{path}: a run predicts each sample once, got one twice")
    for column in ("label", "group"):
        if column in table and (table.groupby("sample")[column].nunique(dropna=False) > 1).any():
            raise ValueError(f"{path}: a sample has one {column} in all runs, got several")
    if "group" not in table or table["group"].isna().all():
        table = table.drop(columns="group", errors="ignore")
    by_run: dict[Any, pd.DataFrame] = {
        key: frame.reset_index(drop=True) for key, frame in table.groupby(KEYS, sort=False)
    }
    return Predictions(table, by_run, tuple(names))


def check_agreement(scores: pd.DataFrame, tested: Mapping[RunKey, pd.DataFrame], metric: str, path: Path) -> None:
    """Refuse predictions that are of other runs than the scores.

    Raises:
        ValueError: a run's predictions do not give the score that is written down for it.
    """
    mine = scores[scores["metric"] == metric]
    for arm, seed, fold, value in mine[[*KEYS, "value"]].itertuples(index=False, name=None):
        frame = tested.get((arm, seed, fold))
        if frame is None or np.isnan(value) or (metric in READS and READS[metric] not in frame):
            continue
        each = units(frame.assign(group=frame.get("group", "")), having(metric).metrics[metric])
        # The jackknife's mean is the score without its bias: of a metric that is no mean it need not be the same.
        given = None if each is None or not METRICS[metric].mean else float(each.mean())
        if given is not None and abs(given - value) > SLACK:
            raise ValueError(
                f"{path}: {metric} of {arm}, seed {seed} is {value:.4f}, but its predictions give {given:.4f}: they "
                "are not of the same run"
            )


def _table(path: Path, kind: str) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {kind} are a table, as .csv or .parquet: {str(error).splitlines()[0]}") from error
    if missing := [column for column in NEEDS[kind] if column not in table]:
        raise ValueError(f"{path}: {kind} need the columns {', '.join(NEEDS[kind])}; {', '.join(missing)} is not there")
    if "fold" not in table:
        table = table.assign(fold=0)
    if table.empty or table[KEYS].isna().any(axis=None):
        raise ValueError(f"{path}: {kind} have a row for each run, and none without its arm and seed")
    try:
        return table.astype({"arm": str, "seed": int, "fold": int})
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: seeds and folds are whole numbers: {error}") from error


def _runs(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    table = table.assign(metric=table["metric"].astype(str).str.removeprefix("test/"))
    if unknown := sorted(set(table["metric"]) - set(METRICS)):
        raise ValueError(f"{path}: a metric is one of {', '.join(METRICS)}, got {unknown[0]!r}")
    twice = table[table.duplicated([*KEYS, "metric"])]
    if len(twice):
        arm, seed, metric = twice.iloc[0][["arm", "seed", "metric"]]
        raise ValueError(f"{path}: a run has one value a metric, got two for {arm}, seed {seed}, {metric}")
    value = pd.to_numeric(table["value"], errors="coerce")
    shares = table["metric"].map(lambda name: METRICS[name].unit == "%")
    wrong = value[shares & ((value < 0) | (value > 1))]
    if len(wrong):
        raise ValueError(f"{path}: shares are from 0 to 1 (0.874 for 87.4 %), got {wrong.iloc[0]:g}")
    return table.assign(value=value)


def _natural(word: str) -> tuple[bool, float, str]:
    """Numbers in their order, before words."""
    return (False, float(word), word) if word.replace(".", "", 1).isdigit() else (True, 0.0, word)
