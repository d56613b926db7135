"""A row may have no label: it is trained on without one, and chooses and judges nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdsweep.data.checks import check
from kdsweep.data.disk import format
from kdsweep.data.look.audit import audit
from kdsweep.data.look.linear import scores
from kdsweep.tasks.labels import without
from kdsweep.values.card import Split
from tests.helpers.commands import data_command
from tests.helpers.datasets import blobs, clips

PARTS = ("train", "valid", "test")


def some_unlabelled(dataset, every=4):
    return replace(dataset, labels=without(dataset.labels, np.arange(0, len(dataset), every)))


def test_rows_without_a_label_are_drawn_into_train_and_the_others_stratified():
    dataset = some_unlabelled(blobs())
    parts = check(dataset, where="here").parts(Split())
    assert set(np.arange(0, 120, 4)) <= set(parts["train"])
    assert [len(parts[part]) for part in PARTS] == [54 + 30, 18, 18]
    assert {tuple(np.bincount(dataset.labels[parts[part]])) for part in ("valid", "test")} == {(6, 6, 6)}
    every = [dataset.parts(Split(folds=3), fold)["test"] for fold in range(3)]
    assert sorted(np.concatenate(every)) == [row for row in range(120) if row % 4]


def test_a_group_does_not_part_over_missing_labels():
    dataset = some_unlabelled(blobs(groups=10), every=3)
    parts = dataset.parts(Split())
    groups = [set(dataset.groups[parts[part]]) for part in PARTS]
    assert not groups[0] & (groups[1] | groups[2])
    facts = dataset.facts(Split()).folds[0]
    assert all(dataset.labelled[parts[part]].all() for part in ("valid", "test"))
    assert sum(facts.unlabelled.values()) == 40
    assert facts.unlabelled["test"] > 0


def test_a_given_test_row_without_a_label_is_left_out_and_counted():
    dataset = some_unlabelled(clips(), every=5)
    parts = dataset.parts(Split())
    assert [len(parts[part]) for part in PARTS] == [20, 4, 4]
    facts = dataset.facts(Split()).folds[0]
    assert (facts.counts["test"], dict(facts.unlabelled)) == (4, {"train": 4, "valid": 1, "test": 1})
    assert clips().facts(Split()).folds[0].unlabelled == {}


@pytest.mark.parametrize(("part", "words"), [("train", "train needs 2 rows"), ("test", "test needs a row")])
def test_a_part_without_labels_is_refused(part, words):
    dataset = clips()
    dataset = replace(dataset, labels=without(dataset.labels, np.flatnonzero(dataset.split == part)))
    with pytest.raises(ValueError, match=words):
        dataset.parts(Split())


def test_describe_counts_them(tmp_path):
    told = audit(some_unlabelled(clips(), every=5), Split())
    assert told.unlabelled == {"train": 4, "valid": 1, "test": 1}
    assert sum(counts["train"] for counts in told.classes.values()) == 16
    assert len(list(scores(some_unlabelled(blobs()), Split()))) == 3
    format.write(some_unlabelled(clips(), every=5), tmp_path / "kept")
    code, said = data_command("describe", str(tmp_path / "kept"), "--no-scores")
    assert code == 0, said
    assert "no label: 4 rows of train, trained on without" in said
    assert "no label: 1 rows of test, left out" in said


def test_an_empty_label_is_imported_as_none(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["a", "", "b", "a", "b", ""]
    pd.DataFrame({"id": list("uvwxyz"), "label": names, "x": np.arange(6.0)}).to_csv("y.csv", index=False)
    code, said = data_command("import", "--modality", "x=y.csv:x", "--label", "y.csv:label", "--id", "id", "--out", "d")
    assert code == 0, said
    assert "label: none in 2 of 6 rows" in said
    read = format.read(Path("d"))
    assert [
        read.card.classes[label] if there else "" for label, there in zip(read.labels, read.labelled, strict=True)
    ] == names
    assert read.digest() == read.fingerprint


@pytest.mark.parametrize(
    ("task", "values"), [("multilabel", ["a;b", "", "b", "a"]), ("regression", ["1", "", "2", "3"])]
)
def test_every_task_reads_an_empty_label(tmp_path, monkeypatch, task, values):
    monkeypatch.chdir(tmp_path)
    pd.DataFrame({"id": range(4), "label": values, "x": np.arange(4.0)}).to_csv("y.csv", index=False)
    asked = ["--modality", "x=y.csv:x", "--label", "y.csv:label", "--id", "id", "--task", task, "--out", "d"]
    code, said = data_command("import", *asked)
    assert code == 0, said
    read = format.read(Path("d"))
    assert read.labelled.tolist() == [True, False, True, True]
    assert np.isnan(read.labels[1]).all()


def test_labels_are_dropped_of_every_class_alike_by_the_rows_own_ids():
    dataset, train = blobs(), np.arange(90)
    left = dataset.without_labels(train, 0.8).labelled
    assert [int(left[train][dataset.labels[train] == label].sum()) for label in range(3)] == [6, 6, 6]
    assert left[90:].all()
    # A smaller share loses a subset.
    assert (dataset.without_labels(train, 0.5).labelled | ~left).all()
    # In another order the same.
    turned = np.random.default_rng(0).permutation(120)
    again = dataset.select(turned)
    assert (again.without_labels(np.flatnonzero(turned < 90), 0.8).labelled == left[turned]).all()
    # One more row changes one other at most.
    more = dataset.without_labels(np.arange(91), 0.8).labelled
    assert (more != left)[:90].sum() <= 1
    # A class keeps one.
    assert dataset.without_labels(np.arange(6), 0.99).labelled[:6].sum() == 3


def test_labels_that_are_missing_already_are_not_dropped_again():
    dataset = some_unlabelled(blobs())
    left = dataset.without_labels(np.arange(120), 0.5).labelled
    assert left.sum() == 45


def test_classes_that_nobody_knows_are_not_shuffled_within():
    dataset = some_unlabelled(blobs())
    with pytest.raises(ValueError, match="30 training rows have no label"):
        dataset.shuffled_within_class(np.arange(120), ("hidden",), 0)
