"""How far scores and differences change with the split, beside how far they change with the seed. What changes with the
split is not averaged out by more seeds."""

from __future__ import annotations

import pandas as pd

from kdsweep.report.facts.runs import Runs
from kdsweep.report.render.tables import Row, Table
from kdsweep.report.statistics.compare import Key, confirmed
from kdsweep.report.statistics.splits import spreads
from kdsweep.report.statistics.verdicts import unit

TITLE = "Splits and seeds"
CHAPTER = "belief"
ORDER = 26
RESTS = ("search", "finalists", "confirm")
PAGES = ("study", "imported")
GLOSSARY = {
    "SD between folds": "Spread of the folds' true means: 0 where they differ no more than their runs explain.",
    "SD between runs": "Spread of the runs within one fold.",
}


def applies(runs: Runs) -> bool:
    return runs.study.data.folds > 1


def table(runs: Runs) -> list[Table]:
    scores = {arm: _scores(runs, arm) for arm in runs.arms}
    shown = {runs.label(arm): values for arm, values in scores.items()}
    shown |= {
        f"{runs.label(arm)} − {runs.label(baseline)}": (scores[arm] - scores[baseline]).dropna()
        for baseline in runs.baselines
        for arm in runs.arms
        if arm not in runs.baselines[: runs.baselines.index(baseline) + 1]
    }
    rows: list[Row] = [
        {
            "score or difference": name,
            "mean": float(values.mean()),
            "SD between folds": found.folds,
            "SD between runs": found.runs,
            "folds": values.index.get_level_values("fold").nunique(),
            "runs": len(values),
        }
        for name, values in shown.items()
        if (found := spreads(values)) is not None
    ]
    caption = (
        f"Test {runs.metric.label} ({runs.metric.unit}; differences and SD in {unit(runs.metric.unit)}) by fold and by "
        "run: variance components, no intervals."
    )
    digits = dict.fromkeys(["mean", "SD between folds", "SD between runs"], max(runs.digits, 2))
    return [Table("splits", caption, rows, digits, ("Few folds tell little of a spread between them.",))]


def _scores(runs: Runs, arm: str) -> pd.Series:
    """By repeat, fold and seed, in the printed unit."""
    finished: dict[Key, str] = confirmed(runs, arm).finished
    index = pd.MultiIndex.from_tuples(list(finished), names=["repeat", "fold", "seed"])
    scores = runs.test().reindex(list(finished.values())).to_numpy(dtype=float) * runs.metric.scale
    return pd.Series(scores, index).dropna()
