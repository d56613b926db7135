"""What a report says of single test samples: confusion, calibration, gained and lost, recall at k, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import calibration, classes, confusion, recall, samples
from kdsweep.report.statistics.compare import compare, confirmed
from kdsweep.report.statistics.crossed import Crossed
from kdsweep.report.statistics.paired import correct, paired
from kdsweep.values.study import Claim
from tests.helpers import report_fakes

LABEL = [0, 0, 1, 1]
SAID = {"amid": [0, 0, 1, 0], "student_only": [0, 1, 1, 1], "kd": [0, 0, 1, 1], "teacher": [0, 0, 1, 1]}


def told(trial: str) -> pd.DataFrame:
    prediction = SAID[trial.split("-")[0]]
    # Odd and even seeds disagree on nothing but the logits.
    sure = 1.0 + int(trial[-1])
    logits = [[sure, 0.0] if p == 0 else [0.0, sure] for p in prediction]
    wrong = [int(p != y) for p, y in zip(prediction, LABEL, strict=True)]
    return pd.DataFrame(
        {
            "sample": list("abcd"),
            "group": None,
            "label": LABEL,
            "prediction": prediction,
            "rank": wrong,
            "logits": logits,
        }
    )


@pytest.fixture
def runs() -> Runs:
    made = report_fakes.make(search=2, seeds=3, samples=20)
    return replace(made, predictions=told)


def test_a_score_over_all_samples_gives_the_interval_of_the_main_table():
    for made in (report_fakes.make(search=2, seeds=4), report_fakes.make(search=2, seeds=4, groups=20)):
        sides = confirmed(made, "amid"), confirmed(made, "kd")
        table = paired(made, *sides, correct)
        ours = table.interval(np.ones(len(table.label), dtype=bool))
        assert ours.mean == pytest.approx(compare(made, *sides).crossed.interval.mean)
        assert ours.error == pytest.approx(compare(made, *sides).crossed.interval.error)


def test_a_part_of_the_test_set_gets_the_interval_of_its_own_samples():
    made = report_fakes.make(search=2, seeds=4)
    table = paired(made, confirmed(made, "amid"), confirmed(made, "kd"), correct)
    part = table.label == 2
    assert table.interval(part) == Crossed.of(table.differences[:, part]).interval
    claimed = replace(made, study=replace(made.study, claim=Claim("amid", ("kd",))))
    rows = {row["class"]: row["difference"] for row in classes.table(claimed)[0].rows}
    low, high = table.interval(part).bounds()
    assert (rows["class 2"].low, rows["class 2"].high) == pytest.approx((100 * low, 100 * high))


def test_folds_have_test_sets_of_their_own_and_get_no_interval():
    made = report_fakes.make(search=2, seeds=2, folds=2)
    assert paired(made, confirmed(made, "amid"), confirmed(made, "kd"), correct) is None
    assert confusion.table(made)[0].rows[0]["difference"] is None


def test_mistakes_are_counted_pair_by_pair(runs):
    rows = confusion.table(runs)[0].rows
    assert [(row["class"], row["taken for"], row["AMID"], row["Student only"]) for row in rows] == [
        ("class 0", "class 1", 0, 50),
        ("class 1", "class 0", 50, 0),
    ]
    assert rows[0]["difference"].value == -50


def test_a_class_that_one_side_never_names_has_its_row(runs):
    wide = {**SAID, "amid": [0, 0, 1, 5]}

    def said(trial: str) -> pd.DataFrame:
        return told(trial).assign(prediction=wide[trial.split("-")[0]])

    found = replace(runs, predictions=said)
    assert ("class 1", "5") in [(row["class"], row["taken for"]) for row in confusion.table(found)[0].rows]
    assert confusion.drawing(found) is not None


def test_gained_and_lost_samples_are_named(runs):
    gained, lost = samples.table(runs)
    assert [(row["sample"], row["AMID mostly says"], row["Student only mostly says"]) for row in gained.rows] == [
        ("b", "class 0", "class 1")
    ]
    assert [(row["sample"], row["teacher, right"]) for row in lost.rows] == [("d", 100)]
    assert "part in the same way on 0 samples" in gained.notes[1]


def test_every_test_sample_is_in_one_dot(runs):
    baseline, method = (f"seeds of {name} that are right (%)" for name in ("Student only", "AMID"))
    dots = samples.drawing(runs).numbers[[baseline, method, "samples"]]
    assert sorted(dots.itertuples(index=False, name=None)) == [(0, 100, 1), (100, 0, 1), (100, 100, 2)]


def test_the_brier_score_is_the_squared_distance_from_the_label():
    p = np.exp(2.0) / (1 + np.exp(2.0))
    expected = [2 * (1 - p) ** 2, 2 * (1 - p) ** 2, 2 * (1 - p) ** 2, 2 * p**2]
    assert calibration.brier(told("amid-confirm-0-0-1")) == pytest.approx(expected)


def test_bins_of_a_reliability_diagram_hold_equally_many():
    sure = pd.DataFrame({"confidence": np.linspace(0.5, 1, 100), "right": [0.0] * 50 + [1.0] * 50})
    bins = calibration.reliability(sure)
    assert len(bins) == calibration.BINS
    assert bins["right"].tolist() == [0] * 5 + [1] * 5
    assert bins["confidence"].iloc[0] == pytest.approx(sure["confidence"][:10].mean())


def test_without_logits_there_is_no_calibration(runs):
    def said(trial: str) -> pd.DataFrame:
        return told(trial).drop(columns="logits")

    bare = replace(runs, predictions=said)
    assert calibration.table(bare)[0].rows == []
    assert calibration.drawing(bare) is None


def test_recall_at_k_counts_ranks_below_k(runs):
    ranks = {"amid": [0, 0, 1, 6], "student_only": [0, 2, 4, 9], "kd": [0, 0, 0, 0]}

    def said(trial: str) -> pd.DataFrame:
        return told(trial).assign(rank=ranks[trial.split("-")[0]])

    asked = replace(runs, study=replace(runs.study, task="retrieval"), predictions=said)
    rows = {row["arm"]: row for row in recall.table(asked)[0].rows}
    assert [rows["AMID"][f"R@{k}"] for k in (1, 5, 10)] == [50, 75, 100]
    assert rows["AMID"]["MRR"] == pytest.approx((1 + 1 + 1 / 2 + 1 / 7) / 4)
    assert rows["AMID"]["median rank"] == 1.5
    assert rows["AMID"]["R@1 − Student only"].value == pytest.approx(25)
    curves = recall.drawing(asked).numbers
    assert curves[curves["arm"] == "AMID"].iloc[0][["k", "recall (%)"]].tolist() == [1, 50]
    assert recall.applies(asked)
    assert not recall.applies(runs)
