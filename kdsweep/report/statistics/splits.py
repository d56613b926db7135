"""How much of a score's spread comes from the split and how much from the seed, where the data was cut into folds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pandas as pd


class Spreads(NamedTuple):
    """Standard deviations between the folds' true means, and between the runs of one fold.

    Attributes:
        folds: 0 where the folds' means differ by no more than their runs explain.
        runs: NaN where every fold has one run.
    """

    folds: float
    runs: float


def spreads(values: pd.Series) -> Spreads | None:
    """Variance components of one way by moments (Searle, Casella, McCulloch 1992): of runs by `fold`, an index level.

    None below two folds.
    """
    groups = [group.to_numpy(dtype=float) for _, group in values.dropna().groupby(level="fold")]
    if len(groups) < 2:
        return None
    sizes, means = np.array([len(group) for group in groups]), np.array([group.mean() for group in groups])
    total, freedom = sizes.sum(), sizes.sum() - len(groups)
    between = float((sizes * (means - values.dropna().mean()) ** 2).sum()) / (len(groups) - 1)
    if freedom == 0:
        return Spreads(math.sqrt(between), math.nan)
    within = float(sum(((group - group.mean()) ** 2).sum() for group in groups)) / freedom
    size = float(total - (sizes**2).sum() / total) / (len(groups) - 1)
    return Spreads(math.sqrt(max(0.0, (between - within) / size)), math.sqrt(within))
