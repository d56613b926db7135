"""Sets of labels and numbers as labels: imported, written, read, split and checked like classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdsweep.data.checks import check
from kdsweep.data.dataset import Dataset
from kdsweep.data.disk import format
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.base import Labelled
from kdsweep.values.study import Data
from tests.helpers.commands import data_command
from tests.helpers.datasets import ROWS, clips

ASKED = Data(path=".", student=("look",))


def moods(task: str) -> Dataset:
    """The clips, with two moods that may both be there, or two numbers."""
    numbers = np.stack([np.arange(ROWS) % 2, np.arange(ROWS) % 3 == 0], axis=1).astype(np.float32)
    numbers = numbers if task == "multilabel" else numbers * np.float32(0.3) - 1
    return replace(clips(), card=replace(clips().card, task=task), labels=numbers)


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_a_written_dataset_reads_back_its_labels(tmp_path, task):
    written = format.write(moods(task), tmp_path / "d")
    back = format.read(tmp_path / "d")
    assert (back.card.task, back.card.classes) == (task, ("walk", "wander"))
    assert back.labels.dtype == np.float32
    assert (back.labels == moods(task).labels).all()
    assert back.digest() == written


@pytest.mark.parametrize("task", ["multilabel", "regression"])
@pytest.mark.parametrize("grouped", [True, False])
def test_a_split_is_drawn_without_strata_and_keeps_groups_whole(task, grouped):
    dataset = replace(moods(task), split=None, groups=moods(task).groups if grouped else None)
    parts = dataset.parts(ASKED.split)
    assert sorted(np.concatenate(list(parts.values()))) == list(range(ROWS))
    if grouped:
        members = [group for rows in parts.values() for group in set(dataset.groups[rows])]
        assert len(members) == len(set(members))


def test_shuffling_keeps_each_set_of_labels_to_itself():
    dataset = replace(moods("multilabel"), split=None)
    rows = np.arange(ROWS)
    moved = dataset.shuffled_within_class(rows, ("look",), seed=0)
    assert (moved.modalities["look"] != dataset.modalities["look"]).any()
    for kind in np.unique(dataset.labels, axis=0):
        members = (dataset.labels == kind).all(1)
        before, after = (
            sorted(one.modalities["look"][members].reshape(members.sum(), -1).tolist()) for one in (dataset, moved)
        )
        assert before == after


def test_numbers_have_no_classes_to_shuffle_within():
    with pytest.raises(ValueError, match="permutes within classes, and a regression has none"):
        moods("regression").shuffled_within_class(np.arange(ROWS), ("look",), seed=0)


@pytest.mark.parametrize(
    ("task", "change", "message"),
    [
        ("multilabel", np.full((ROWS, 2), 0.5, np.float32), r"is 0 or 1, got 0\.5 in row 0 .*column label walk"),
        (
            "multilabel",
            np.zeros((ROWS, 3), np.float32),
            r"float32 of shape \(30, 2\), .* got float32 of shape \(30, 3\)",
        ),
        ("multilabel", np.eye(ROWS, 2, dtype=np.float32), r"at least 2 samples, got 1 of 'walk': row 0"),
        ("regression", np.full((ROWS, 2), np.inf, np.float32), "a target is a finite number, got inf in row 0"),
        ("regression", np.arange(ROWS), r"float32 of shape \(30, 2\)"),
        ("classification", np.zeros((ROWS, 2), np.float32), "labels are whole numbers, one a row, got float32"),
    ],
)
def test_labels_that_are_not_the_tasks_are_named(task, change, message):
    with pytest.raises(ValueError, match=message):
        check(replace(moods(task), labels=change), where="here")


def parsed(values: list, task: str, classes: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> Labelled:
    ids = [f"r{row}" for row in range(len(values))]
    return tasks.load(task).labels.read(values, ids, where="y.csv:mood", columns=names, classes=classes)


@pytest.mark.parametrize("values", [["sad;glad", "", "glad"], [["glad", "sad"], [], ["glad"]]])
def test_names_of_several_classes_become_flags(values):
    told = parsed(values, "multilabel")
    assert told.classes == ("glad", "sad")
    assert told.labels.tolist() == [[1, 1], [0, 0], [1, 0]]


def test_flags_take_their_names_from_the_columns():
    told = parsed([[0, 1], [1, 1]], "multilabel", names=("glad", "sad"))
    assert (told.classes, told.labels.tolist()) == (("glad", "sad"), [[0, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"y\.csv:mood: .* 0 or 1 for each class, got \[0\.0, 2\.0\] in the row 'r1'"):
        parsed([[0, 1], [0, 2]], "multilabel")


def test_no_number_is_no_class():
    with pytest.raises(ValueError, match=r"y\.csv:mood: a label is a name or a number, got nan in the row 'r1'"):
        parsed([1.0, float("nan")], "classification")


def test_numbers_are_targets():
    assert parsed([0.5, 2], "regression").classes == ("mood",)
    told = parsed([[0.5, 2], [1, 3]], "regression", classes=("valence", "arousal"))
    assert (told.classes, told.labels.tolist()) == (("valence", "arousal"), [[0.5, 2], [1, 3]])
    with pytest.raises(ValueError, match=r"finite numbers, as many in every row, got 'high' in the row 'r1'"):
        parsed([0.5, "high"], "regression")
    with pytest.raises(ValueError, match=r"finite numbers, .* in the row 'r1'"):
        parsed([0.5, float("nan")], "regression")


@pytest.mark.parametrize(("task", "label"), [("multilabel", "y.csv:is_*"), ("regression", "y.csv:valence")])
def test_an_import_of_a_task_is_a_dataset_of_it(tmp_path, monkeypatch, task, label):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.save("x.npy", rng.normal(size=(20, 3)).astype(np.float32))
    table = {"valence": rng.normal(size=20), "is_glad": np.arange(20) % 2, "is_sad": np.arange(20) % 3 % 2}
    pd.DataFrame(table).to_csv("y.csv", index=False)
    code, said = data_command("import", "--modality", "x=x.npy", "--label", label, "--task", task, "--out", "d")
    assert code == 0, said
    dataset = format.read(Path("d"))
    assert dataset.card.classes == (("is_glad", "is_sad") if task == "multilabel" else ("valence",))
    assert tasks.load(task).labels.encode(dataset.labels[:1], dataset.card.classes).to_pylist()[0] == (
        [] if task == "multilabel" else pytest.approx([table["valence"][0]])
    )
    code, said = data_command("describe", "d")
    assert code == 0, said
    assert f"task {task}" in said


def test_a_task_that_is_none_is_refused(tmp_path):
    code, said = data_command(
        "import", "--modality", "x=x", "--label", "y", "--task", "ranking", "--out", str(tmp_path / "d")
    )
    assert code == 2
    assert "--task is one of classification, multilabel, regression, retrieval, got 'ranking'" in said
