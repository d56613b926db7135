"""A store, read for a report: what a trial is comes from its settings, and these are what its id names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from kdsweep.report.facts import teachers
from kdsweep.report.facts.collect import collect
from kdsweep.report.facts.runs import Runs
from kdsweep.run.journal import Standing
from kdsweep.run.store import Results
from kdsweep.values.study import Study
from kdsweep.values.trial import Trial
from tests.helpers.fakes import study

STUDENT = Trial(
    trains="student", method="kd", code="kd@1", fingerprint="content", rows={}, student=("top",), auxiliary=("bottom",),
    task="classification", select="last", metric="accuracy", train={}, networks={}, seed=1,
)  # fmt: skip
PROVENANCE = ("version", "commit", "host", "processor", "device", "start", "end")
POINTS = [(1, "test/accuracy", 0.75, 0.5)]


def kept(results: Results, trial: Trial, *, settings_of: Trial | None = None) -> dict[str, Any]:
    """Make the trial a finished result. Returns its role."""
    meta = {
        "trial": (settings_of or trial).to_json(), "state": "complete", "selected": 1, "epochs": 1,
        "seconds": 0.5, "error": "", "valid": {}, "numbers": {}, "papers": {}, "libraries": {},
        **dict.fromkeys(PROVENANCE, ""),
    }  # fmt: skip
    results.stage(trial.id, POINTS, meta)
    results.commit(trial.id)
    return {
        "trial": trial.id, "stage": "confirm", "arm": "kd", "row": "", "retuned": False, "control": "",
        "trains": trial.trains, "repeat": 0, "seed": trial.seed, "fold": 0, "generation": -1, "number": -1,
        "wanted": True,
    }  # fmt: skip


def read(results: Results, *roles: dict[str, Any], asked: Study | None = None) -> Runs:
    return collect(asked or study(), results, Standing(roles, complete=False, inapplicable={}))


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path)


def test_an_arm_brings_what_its_method_says(results):
    amid = read(results, kept(results, STUDENT)).study.arms["amid"].recipe
    assert amid.terms[0] == "ce"
    assert (amid.required, amid.base) == (("ce",), ("ce_teacher", "ce_auxiliary"))
    assert amid.summary


def test_a_unimodal_teacher_is_every_auxiliary_model(results):
    models = {name: replace(STUDENT, trains=name, method="auxiliary_only") for name in ("bottom", "side")}
    student = replace(STUDENT, distils_from="unimodal", auxiliaries=models)
    runs = read(results, *(kept(results, trial) for trial in (*models.values(), student)))
    keys = {name: model.id[:8] for name, model in models.items()}
    words = teachers.in_words(runs, runs.select("confirm", "kd"))
    assert words == f"unimodal: bottom {keys['bottom']} 75.0, side {keys['side']} 75.0"


def test_settings_that_the_id_does_not_name_are_refused(results):
    forged = kept(results, STUDENT, settings_of=replace(STUDENT, seed=2))
    with pytest.raises(ValueError, match=f"settings of trial {STUDENT.id} are not those that it is named by"):
        read(results, forged)


def grouped(*groups: str) -> Study:
    """A study of data whose test rows r0, r1, ... are of these groups."""
    made = study()
    named = {f"r{i}": group for i, group in enumerate(groups)}
    return replace(made, facts=replace(made.facts, test_groups=len(set(groups)), groups=named))


def test_groups_are_those_of_the_data_and_not_those_of_an_earlier_study(results):
    role = kept(results, STUDENT)
    said = pa.table({"sample": ["r2", "r0", "r1"], "label": [0, 1, 0], "prediction": [0, 1, 1]})
    results.write_predictions(STUDENT.id, said)
    dialogues = read(results, role, asked=grouped("d1", "d2", "d3"))
    assert list(dialogues.predictions(STUDENT.id)["group"]) == ["d3", "d1", "d2"]
    assert dialogues.units(STUDENT.id).to_dict() == {"d1": 1, "d2": 0, "d3": 1}
    speakers = read(results, role, asked=grouped("s1", "s1", "s2"))
    assert speakers.units(STUDENT.id).to_dict() == pytest.approx({"s1": 2 / 3, "s2": 2 / 3})
    assert "group" not in read(results, role).predictions(STUDENT.id)


def test_predictions_of_samples_that_the_data_lack_are_refused(results):
    role = kept(results, STUDENT)
    results.write_predictions(STUDENT.id, pa.table({"sample": ["r9"], "label": [0], "prediction": [0]}))
    with pytest.raises(ValueError, match="got 'r9' from trial"):
        read(results, role, asked=grouped("d1")).predictions(STUDENT.id)
