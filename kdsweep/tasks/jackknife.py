"""Metrics that are no means of samples, without each test unit in turn. I units, C labels or targets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdsweep.tasks.base import Jackknife

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]


def stacked(predictions: pd.DataFrame, column: str) -> Array:
    """[N, C] of a column of lists."""
    return np.stack([np.asarray(row, dtype=float) for row in predictions[column]])


def of_sums(
    parts: Callable[[pd.DataFrame], Array], metric: Callable[[Array], Array]
) -> Callable[[pd.DataFrame, NDArray[np.intp], int], Jackknife]:
    """Of a metric of sums [..., S, C] over samples: without a unit, of the sums less its own.

    Args:
        parts: [N, S, C] what is added up, of a table of predictions.
    """

    def jackknife(predictions: pd.DataFrame, units: NDArray[np.intp], count: int) -> Jackknife:
        values = parts(predictions)
        whole = values.sum(0)
        return Jackknife(float(metric(whole[None])[0]), metric(whole[None] - _by_unit(values, units, count)))

    return jackknife


def _by_unit(values: Array, units: NDArray[np.intp], count: int) -> Array:
    """[I, ...]: sums over each unit's samples."""
    sums: NDArray[Any] = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, units, values)
    return sums
