"""Any per-sample score of two rows, paired over seeds and samples: for parts of the test set that no metric names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from kdsweep.report.facts import predicted
from kdsweep.report.facts.runs import Runs
from kdsweep.report.statistics.compare import Side
from kdsweep.report.statistics.crossed import Crossed
from kdsweep.report.statistics.intervals import Interval

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Paired:
    """Side a's scores less side b's.

    Attributes:
        differences: [S, I] by seed (with repeats: by repeat, the mean over its seeds) and test sample.
        samples: [I] their ids.
        label: [I].
        group: [I], or None where a new sample is a new unit.
    """

    differences: Array
    samples: NDArray[np.object_]
    label: NDArray[np.int64]
    group: NDArray[np.object_] | None

    def interval(self, where: NDArray[np.bool_]) -> Interval | None:
        """For new seeds and new samples (or groups) of this part of the test set; None below two of either."""
        D = self.differences[:, where]
        if self.group is not None and D.size:
            # Units whose mean is the mean over samples, however unequal the groups are.
            codes, names = pd.factorize(self.group[where])
            sums = np.zeros((len(D), len(names)))
            np.add.at(sums.T, codes, D.T)
            D = sums * len(names) / len(codes)
        # Of a class that both get right all the time, few samples are no certainty.
        return Crossed.of(D, step=1 / int(where.sum())).interval if min(D.shape) >= 2 else None


def paired(
    runs: Runs, a: Side, b: Side, score: Callable[[pd.DataFrame], Array], *, logits: bool = False
) -> Paired | None:
    """Scores of the runs that both sides have finished; None with folds, whose test sets differ, and without
    predictions.

    Args:
        logits: whether the score reads them: they are large and read anew each time.
    """
    look = runs.predictions if logits else functools.partial(predicted.read, runs)
    shared = sorted(a.finished.keys() & b.finished.keys())
    if runs.study.data.folds > 1 or not shared:
        return None
    rows: dict[int | tuple[int, int, int], list[pd.Series]] = {}
    first: pd.DataFrame | None = None
    for key in shared:
        frames = [look(side.finished[key]) for side in (a, b)]
        kept = [frame for frame in frames if frame is not None]
        if len(kept) < 2:
            return None
        left, right = (pd.Series(score(frame), index=frame["sample"].astype(str)) for frame in kept)
        rows.setdefault(key[0] if runs.study.budget.repeats > 1 else key, []).append(left - right)
        first = kept[0] if first is None else first
    assert first is not None
    # Samples that some run lacks leave the table: every row must be about the same test set.
    table = pd.concat([pd.concat(row, axis=1).mean(axis=1, skipna=False) for row in rows.values()], axis=1).dropna()
    about = first.assign(sample=first["sample"].astype(str)).set_index("sample").reindex(table.index)
    return Paired(
        table.to_numpy(dtype=float).T,
        np.asarray(table.index, dtype=object),
        about["label"].to_numpy(dtype=np.int64),
        about["group"].astype(str).to_numpy(dtype=object) if runs.grouped else None,
    )


def correct(predictions: pd.DataFrame) -> Array:
    return np.asarray(predictions["prediction"] == predictions["label"], dtype=float)
