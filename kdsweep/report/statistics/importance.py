"""Which numbers mattered in an arm's search, by PED-ANOVA and fANOVA."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from kdsweep.report.facts.runs import Runs
from kdsweep.report.facts.searches import Searched, searched, thinned

FEWEST = 10  # finished trials below which a ranking is noise
MOST = 300  # trials that PED-ANOVA reads, evenly over the search
FOREST, TREES = 100, 32  # trials and trees of fANOVA, whose cost grows with the square of the trials
SHUFFLES = 39


@dataclass(frozen=True)
class Importance:
    """One number's importance in one arm's search.

    Attributes:
        ped, fanova: shares that sum to 1 over the arm's numbers.
        above_chance: whether its PED-ANOVA is above what shuffles of the scores give it, at 5%.
    """

    name: str
    ped: float
    fanova: float
    above_chance: bool


@functools.lru_cache(maxsize=64)
def ranked(runs: Runs, arm: str) -> tuple[Importance, ...]:
    """An arm's searched numbers, the most important first by PED-ANOVA; empty where too little was tried."""
    search = searched(runs, arm)
    trials = thinned(search.complete, MOST).reset_index(drop=True)
    if len(trials) < FEWEST or len(search.space) < 2 or trials["score"].nunique() < 2:
        return ()
    import optuna

    study = _study(search, trials)
    # With a target of our own PED-ANOVA asks what makes it low.
    scores = trials["score"].to_numpy() * (-1 if search.maximize else 1)
    with warnings.catch_warnings():
        # Experimental in Optuna's words; the tests hold both to a score whose shares are known.
        warnings.simplefilter("ignore")
        ped = optuna.importance.PedAnovaImportanceEvaluator()
        measure = functools.partial(_measure, study, list(search.space), ped)
        raw = measure(lambda trial: float(scores[trial.number]))
        rng = np.random.default_rng(0)
        chance: dict[str, list[float]] = {name: [] for name in search.space}
        for _ in range(SHUFFLES):
            shuffled = rng.permutation(scores)
            for name, importance in measure(lambda trial, s=shuffled: float(s[trial.number])).items():
                chance[name].append(importance)
        few = thinned(trials, FOREST).reset_index(drop=True)
        forest = optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0)
        variance = _measure(_study(search, few), list(search.space), forest, lambda trial: float(trial.value))
    ped_share, fanova_share = _shares(raw), _shares(variance)
    importances = [
        Importance(
            name,
            ped_share[name],
            fanova_share[name],
            above_chance=above_chance(raw[name], chance[name]),
        )
        for name in search.space
    ]
    return tuple(sorted(importances, key=lambda importance: -importance.ped))


def above_chance(value: float, shuffled: Sequence[float], level: float = 0.05) -> bool:
    """Whether the value is above chance: (1 + those of the shuffled that reach it) / (1 + all) ≤ level."""
    return (1 + sum(other >= value for other in shuffled)) / (1 + len(shuffled)) <= level


def _study(search: Searched, trials: pd.DataFrame) -> Any:
    """The finished trials as Optuna keeps them; numbers as places in their ranges, which both measures read as is."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    unit = optuna.distributions.FloatDistribution(0.0, 1.0)
    positions = {name: np.clip(search.unit(name, trials[name]), 0, 1) for name in search.space}
    study = optuna.create_study(direction="minimize")
    study.add_trials(
        [
            optuna.trial.create_trial(
                value=float(score),
                params={name: float(values[i]) for name, values in positions.items()},
                distributions=dict.fromkeys(positions, unit),
            )
            for i, score in enumerate(trials["score"])
        ]
    )
    return study


def _measure(study: Any, names: list[str], evaluator: Any, target: Callable[..., float]) -> dict[str, float]:
    import optuna

    return optuna.importance.get_param_importances(
        study, evaluator=evaluator, params=names, target=target, normalize=False
    )


def _shares(values: dict[str, float]) -> dict[str, float]:
    whole = sum(values.values())
    return {name: value / whole if whole > 0 else 1 / len(values) for name, value in values.items()}
