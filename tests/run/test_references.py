"""Models of scikit-learn on the student's rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from kdsweep.data import registry as source
from kdsweep.run import references
from kdsweep.run.launch import with_facts
from kdsweep.run.references import fit, fit_references
from kdsweep.run.store import Results
from kdsweep.study_file import load
from kdsweep.values.reference_model import reference_models
from kdsweep.values.study import Study
from tests.helpers.commands import write


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return with_facts(load(write(tmp_path_factory.mktemp("study"), report={})))


@pytest.fixture(scope="module")
def fitted(study, tmp_path_factory) -> Results:
    results = Results(tmp_path_factory.mktemp("runs"))
    assert fit_references(study, results) == 2
    return results


def test_each_model_speaks_of_every_test_row_and_beats_chance(study, fitted):
    dataset = source.load(study.data.reference)
    tested = dataset.ids[dataset.parts(study.data.split)["test"]]
    for model in reference_models(study):
        predictions, record = fitted.reference(model.id)
        assert set(predictions["sample"]) == set(tested)
        right = (predictions["prediction"] == predictions["label"]).mean()
        assert record["scores"]["accuracy"] == pytest.approx(right)
        assert right > 0.5
        assert not record["error"]


def test_what_is_there_is_not_fitted_again(study, fitted):
    assert fit_references(study, fitted) == 0


def test_what_another_scikit_learn_fitted_is_fitted_again(study, fitted, tmp_path):
    results, (linear, mlp) = Results(tmp_path), reference_models(study)
    for model, changes in ((linear, {"library": "0.1"}), (mlp, {})):
        predictions, record = fitted.reference(model.id)
        results.write_reference(model.id, pa.Table.from_pandas(predictions), {**record, **changes})
    assert fit_references(study, results) == 1
    assert results.reference(linear.id)[1] == fitted.reference(linear.id)[1]


def test_labels_that_the_study_takes_away_are_not_seen(study):
    model, split = reference_models(study)[0], study.data.split
    whole = source.load(study.data.reference).only(["train", "valid", "test"], study.student, split)
    without = whole.without_labels(np.flatnonzero(whole.split == "train"), 0.9)
    removed = fit(model, without.select(np.flatnonzero(without.labelled)), split)
    assert fit(replace(model, drop_labels=0.9), whole, split).scores == pytest.approx(removed.scores)
    assert removed.scores["accuracy"] < fit(model, whole, split).scores["accuracy"]


def test_the_digest_covers_rows_labels_metric_and_modalities(study):
    (linear, mlp) = reference_models(study)
    changes = [{"drop_labels": 0.5}, {"metric": "macro_f1"}, {"modalities": ("bottom",)}, {"rows": {}}, {"content": ""}]
    assert len({linear.id, mlp.id, *(replace(linear, **change).id for change in changes)}) == 2 + len(changes)


def test_a_fit_that_fails_ends_nothing_and_is_tried_again(study, tmp_path):
    results = Results(tmp_path)
    unknown = replace(study, data=study.data.model_copy(update={"student": ("nowhere",)}))
    assert fit_references(unknown, results) == 0
    for model in reference_models(unknown):
        predictions, record = results.reference(model.id)
        assert predictions.empty
        assert record["error"].startswith("KeyError")


def test_of_too_many_features_or_rows_a_note_says_so(study, monkeypatch):
    dataset, (linear, _) = source.load(study.data.reference), reference_models(study)
    monkeypatch.setattr(references, "ROWS", 100)
    some = fit(linear, dataset, study.data.split)
    assert some.note.startswith("fitted on 100 of ")
    assert len(some.predictions["sample"]) == study.facts.folds[0].counts["test"]
    monkeypatch.setattr(references, "FEATURES", 10)
    assert fit(linear, dataset, study.data.split) == ({}, {}, "not fitted on more than 10 features, and here are 32")


def test_a_study_may_go_without(study, tmp_path):
    assert fit_references(replace(study, references=False), Results(tmp_path)) == 0
