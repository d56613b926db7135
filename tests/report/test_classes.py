"""The classes where a method gains and loses, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import classes
from tests.helpers import report_fakes

LABEL = [0, 0, 1, 1]
SAID = {"amid": [0, 0, 1, 0], "student_only": [0, 1, 1, 1], "teacher": [0, 0, 1, 1]}


@pytest.fixture
def runs() -> Runs:
    made = report_fakes.make(search=2, seeds=3, samples=20)

    def said(trial: str) -> pd.DataFrame:
        prediction = SAID[trial.split("-")[0]]
        return pd.DataFrame({"sample": list("abcd"), "label": LABEL, "prediction": prediction})

    return replace(made, predictions=said)


def test_recall_is_counted_class_by_class(runs):
    recall, _ = classes.table(runs)
    assert [
        (row["class"], row["test samples"], row["AMID"], row["Student only"], row["difference"].value)
        for row in recall.rows
    ] == [
        ("class 0", 2, 100.0, 50.0, 50.0),
        ("class 1", 2, 50.0, 100.0, -50.0),
    ]
    assert {row["teacher of AMID"] for row in recall.rows} == {100.0}


def test_gained_and_lost_samples_are_counted(runs):
    _, changed = classes.table(runs)
    assert [row["test samples"] for row in changed.rows] == [2, 1, 1, 0]
