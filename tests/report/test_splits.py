"""The spread between splits beside the spread between seeds, and what a search was declared to try."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kdsweep.report.sections import settings, splits
from kdsweep.report.statistics.splits import spreads
from kdsweep.values.space import Choice, Float, Int
from tests.helpers import report_fakes


def runs_of(folds: list[list[float]]) -> pd.Series:
    keys = [(0, fold, seed) for fold, values in enumerate(folds) for seed in range(len(values))]
    return pd.Series(np.concatenate(folds), pd.MultiIndex.from_tuples(keys, names=["repeat", "fold", "seed"]))


def test_spreads_are_the_components_of_variance_written_out():
    # Means 2 and 5, two runs each: MS between 9, within 2; (9 - 2) / 2.
    found = spreads(runs_of([[1.0, 3.0], [4.0, 6.0]]))
    assert found == (pytest.approx(math.sqrt(3.5)), pytest.approx(math.sqrt(2)))
    assert spreads(runs_of([[1.0, 3.0], [1.0, 3.0]])).folds == 0
    assert spreads(runs_of([[1.0, 3.0]])) is None
    one = spreads(runs_of([[1.0], [3.0]]))
    assert (one.folds, math.isnan(one.runs)) == (pytest.approx(math.sqrt(2)), True)


def test_spreads_find_what_unequal_folds_were_drawn_with():
    rng = np.random.default_rng(0)
    drawn = [spreads(runs_of([list(rng.normal(rng.normal(scale=2), 1, n)) for n in (3, 5, 8)])) for _ in range(400)]
    assert np.sqrt(np.mean([found.runs**2 for found in drawn])) == pytest.approx(1, abs=0.05)
    assert np.sqrt(np.mean([found.folds**2 for found in drawn])) == pytest.approx(2, abs=0.2)


def test_the_spread_between_folds_stands_beside_that_between_seeds():
    (table,) = splits.table(report_fakes.make(search=2, folds=3, seeds=3, samples=60))
    names = ["Student only", "KD", "AMID", "KD − Student only", "AMID − Student only", "AMID − KD"]
    assert [row["score or difference"] for row in table.rows] == names
    assert {(row["folds"], row["runs"]) for row in table.rows} == {(3, 9)}
    assert not splits.applies(report_fakes.make(search=2, seeds=3, samples=20))


def test_a_number_stands_beside_its_range_its_prior_and_its_trials():
    runs = report_fakes.make(search=4, seeds=3, samples=20)
    space = {"kd.weight": Float(0.1, 10, log=True), "kd.temperature": Int(1, 8), "form": Choice(("soft", "hard"))}
    arms = {**runs.study.arms, "kd": replace(runs.study.arms["kd"], space=space)}
    trials = runs.trials.assign(choices=json.dumps({"form": "hard"}), **{"param.kd.weight": 9.5})
    table = settings.table(replace(runs, study=replace(runs.study, arms=arms), trials=trials))[0]
    rows = {row["number"]: row for row in table.rows if row["arm"] == "KD"}
    shown = {name: [row[key] for key in ("range", "prior", "trials")] for name, row in rows.items()}
    assert shown["kd.weight"] == ["0.1 to 10", "log-uniform", 4]
    assert shown["kd.temperature"] == ["1 to 8", "uniform, whole numbers", 4]
    assert shown["form"] == ["soft, hard", "one of these", 4]
    assert (rows["kd.weight"]["best"], rows["kd.weight"]["note"]) == ("9.5", "near the end of its range")
    assert (rows["form"]["tried"], rows["form"]["best"]) == ("hard", "hard")


def test_the_search_of_a_teacher_is_listed_as_well():
    runs = report_fakes.make(search=2, seeds=3, samples=20)
    index = runs.index.assign(number=runs.index["number"].where(runs.index["stage"] != "teacher", -1))
    searched = index[index["stage"] == "teacher"].head(3).assign(number=[0, 1, 2])
    study = replace(runs.study, model_space={"train.lr": Float(0.001, 0.1, log=True)})
    table = settings.table(replace(runs, index=pd.concat([index, searched]), study=study))[0]
    assert [(row["number"], row["range"], row["trials"]) for row in table.rows if row["arm"] == "teacher"] == [
        ("train.lr", "0.001 to 0.1", 3)
    ]
