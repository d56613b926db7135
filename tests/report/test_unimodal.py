"""A teacher of several auxiliary models: each is named with its score, wherever a teacher is."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import arms, classes, headline, teachers
from kdsweep.values.study import Claim
from tests.helpers import report_fakes


@pytest.fixture(scope="module")
def runs() -> Runs:
    """KD distils from the models of two auxiliary modalities, of which depth is worse than a student alone."""
    made = report_fakes.make(search=2, seeds=3, skills={"teacher": 2.4, "auxiliary_only": 0.6})
    index = made.index.replace({"trains": {"teacher": "audio", "bottom": "depth"}})
    trials = made.trials.copy()
    kd = trials["trial"].str.startswith("kd-confirm")
    pairs = "teacher-0-0-" + trials["seed"].astype(str) + ",auxiliary_only-0-0-" + trials["seed"].astype(str)
    trials.loc[kd, ["teacher", "distils_from"]] = pairs[kd].to_frame("teacher").assign(distils_from="unimodal")
    study = replace(made.study, auxiliary=("audio", "depth"), claim=None, rows={}, controls=(), ablated="kd")
    return replace(made, study=study, index=index, trials=trials)


def score(runs: Runs, model: str) -> str:
    return f"{100 * runs.test()[[f'{model}-0-0-{seed}' for seed in (1, 2, 3)]].mean():.1f}"


def test_every_table_names_each_model_with_its_key_and_its_score(runs):
    rows = {row["arm"]: row for row in arms.table(runs)[0].rows}
    audio, depth = score(runs, "teacher"), score(runs, "auxiliary_only")
    assert rows["KD"]["teacher"] == f"unimodal: audio teacher- {audio}, depth auxiliar {depth}"
    assert re.fullmatch(r"multimodal teacher- [\d.]+", rows["AMID"]["teacher"])


def test_each_model_stands_beside_the_students_that_it_taught(runs):
    rows = {row["row"]: row for row in teachers.table(runs)[0].rows}
    assert {"KD: teacher audio", "KD: teacher depth", "AMID"} == set(rows)
    assert f"{rows['KD: teacher depth']['T']:.1f}" == score(runs, "auxiliary_only")
    assert rows["KD: teacher audio"]["T"] > rows["KD: teacher audio"]["S"] > rows["KD: teacher depth"]["T"]


def test_the_weak_one_of_two_is_named_with_its_score(runs):
    depth, alone = score(runs, "auxiliary_only"), score(runs, "student_only-confirm")
    sentence = f"On average the teacher of KD (depth) does worse than Student only: {depth} against {alone} %."
    assert headline.weak_teacher(runs) == sentence


def test_two_weak_ones_are_both_named(runs):
    test = runs.curves["metric"] == "test/accuracy"
    weak = runs.curves.assign(
        value=runs.curves["value"].where(~(test & runs.curves["trial"].str.startswith("teacher-")), 0.25)
    )
    sentence = headline.weak_teacher(replace(runs, curves=weak))
    assert sentence.startswith("On average the teachers of KD (audio and depth) do worse than Student only: 25.0 and ")


def test_both_count_in_the_recall_of_the_teacher(runs):
    claimed = replace(runs, study=replace(runs.study, claim=Claim("kd", ("student_only",))))
    right = [
        (kept["prediction"] == kept["label"]).groupby(kept["label"]).mean()
        for model in ("teacher", "auxiliary_only")
        for seed in (1, 2, 3)
        if (kept := runs.predictions(f"{model}-0-0-{seed}")) is not None
    ]
    recall = {row["class"]: row["teacher of KD"] for row in classes.table(claimed)[0].rows}
    assert recall["class 2"] == pytest.approx(100 * sum(one[2] for one in right) / len(right))


def test_one_seed_with_a_dead_unit_does_not_make_the_probe():
    made = report_fakes.make(seeds=5, search=2, samples=40)
    nats = pd.DataFrame(
        {
            "trial": [f"kd-confirm-0-0-{seed}" for seed in range(1, 6)],
            "epoch": 8,
            "metric": "test/nats/teacher_given_student",
            "value": [5.0, 6.0, 5.5, 2909.0, 5.2],
        }
    )
    (table,) = teachers.table(replace(made, curves=pd.concat([made.curves, nats])))
    assert next(row for row in table.rows if row["row"] == "KD")["H(T|S)"] == 5.5
