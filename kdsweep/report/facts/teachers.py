"""Whom runs learned from: the models that make up their teacher, its scores, and how a table names it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from kdsweep.report.facts.runs import Runs


def in_words(runs: Runs, roles: pd.DataFrame) -> str:
    """The teacher of a row: which one, the key of its first run, and its mean score on test.

    One of several models names each: "unimodal: audio 1f0c22d4 71.3, depth 9ab41e07 80.2".
    """
    done = roles[roles["state"] == "complete"]
    if done.empty:
        return "–"
    first = done.sort_values(["repeat", "fold", "seed"]).iloc[0]
    models = named(runs, ids(first["teacher"]))
    means = {name: runs.printed(values.mean()) for name, values in scores(runs, done).items()}
    printed = {name: f"{mean:.{runs.digits}f}" for name, mean in means.items() if not math.isnan(mean)}
    if not models and not first["distils_from"] and not printed:
        return "none"
    which = first["distils_from"] or "joint"
    if len(models) > 1:
        each = [
            " ".join([name, id_[:8], *([printed[name]] if name in printed else [])]) for name, id_ in models.items()
        ]
        return f"{which}: {', '.join(each)}"
    return " ".join([which, *(id_[:8] for id_ in models.values()), *printed.values()])


def scores(runs: Runs, roles: pd.DataFrame) -> dict[str, pd.Series]:
    """Test scores of the models that the runs learned from, row by row; NaN where there is none.

    By the models' names: that of a single one is "", those of a teacher of several are their modalities.
    """
    teachers = [named(runs, ids(cell)) for cell in roles["teacher"]]
    test = runs.test()
    if names := dict.fromkeys(name for models in teachers for name in models if name):
        return {
            name: pd.Series([test.get(models.get(name)) for models in teachers], roles.index, float) for name in names
        }
    joint = roles["trial"].map(runs.last(f"test/teacher_{runs.study.metric}")).astype(float)
    return {"": joint.fillna(roles["teacher"].map(test).astype(float))}


def at_chance(runs: Runs, roles: pd.DataFrame) -> bool:
    """Whether the kept predictions of their teachers are right no more often than always saying the commonest class.

    On average over the teachers, within a standard error of one test set; False where it is not known.
    """
    if not runs.task.recognises:
        return False
    kept = [runs.predictions(model) for model in models_of(roles)]
    known = [predictions for predictions in kept if predictions is not None and len(predictions)]
    if not known:
        return False
    right = sum(float((one["prediction"] == one["label"]).mean()) for one in known) / len(known)
    chance = float(known[0]["label"].value_counts(normalize=True).max())
    return right <= chance + math.sqrt(chance * (1 - chance) / len(known[0]))


def named(runs: Runs, models: Sequence[str]) -> dict[str, str]:
    """The models that make up a teacher, by their names: a single one has none."""
    return {runs.trains.get(model, model[:8]) if len(models) > 1 else "": model for model in models}


def models_of(roles: pd.DataFrame) -> list[str]:
    """Every trial that the runs learned from; a teacher of several models counts with each."""
    return list(dict.fromkeys(model for cell in roles["teacher"] for model in ids(cell)))


def shared(runs: Runs, arm: str) -> str:
    """ "brought" where the teacher is none of this study's trials, "one" where all seeds share it, else ""."""
    roles = runs.select("confirm", arm)
    models = set(models_of(roles))
    if models - set(runs.trials["trial"]):
        return "brought"
    return "one" if models and len(set(roles["teacher"].dropna())) == 1 < roles["seed"].nunique() else ""


def ids(cell: object) -> list[str]:
    """The trials that a cell of `teacher` or `auxiliaries` names; a role without a trial yet has no such text."""
    return [id_ for id_ in cell.split(",") if id_] if isinstance(cell, str) else []
