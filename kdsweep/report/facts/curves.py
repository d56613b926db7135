"""What the validation curves of some runs have in common."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from kdsweep.report.facts.runs import Runs


def by_epoch(runs: Runs, trials: Iterable[str], prefix: str) -> pd.DataFrame:
    """Median, low and high over some runs."""
    curve = runs.curve(prefix + runs.study.metric)
    curve = curve[curve["trial"].isin(set(trials))]
    values = curve.groupby("epoch")["value"]
    return pd.DataFrame({"median": values.median(), "low": values.min(), "high": values.max()}) * runs.metric.scale
