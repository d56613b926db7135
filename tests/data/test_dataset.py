"""Datasets: splits, groups, what identifies them, and what controls change in them and nothing else."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kdsweep.data import registry as source
from kdsweep.data.dataset import Dataset
from kdsweep.data.tensors import to_tensors
from kdsweep.testing import check_dataset
from kdsweep.values.card import Card, Modality, Split
from kdsweep.values.study import Data, Folds
from tests.helpers.datasets import blobs

ROOT = Path(__file__).parent.parent.parent
ASKED = Data(name="digits", student=("top",))
# The others read files that the user downloaded, from a folder `root`: tests/data/test_downloaded.py.
SHIPPED = [name for name in source.names() if "root" not in inspect.signature(source.module(name).load).parameters]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_dataset_is_as_its_card_says(name):
    check_dataset(name)
    assert source.module(name).__doc__
    dataset = source.module(name).load()
    assert set(np.unique(dataset.labels)) == set(range(len(dataset.card.classes)))


def test_the_check_of_datasets_finds_a_loader_that_draws_anew():
    check_dataset("tests.helpers.modules_of_a_user:what_a_teacher_said")
    with pytest.raises(AssertionError, match="the same rows whenever it is called"):
        check_dataset("tests.helpers.modules_of_a_user:others_each_time")


def test_parts_share_no_row_and_leave_none_out():
    parts = blobs().parts(ASKED.split)
    rows = np.concatenate(list(parts.values()))
    assert sorted(rows) == list(range(120))


def test_parts_are_stratified_and_drawn_by_the_split_seed_alone():
    parts = blobs().parts(ASKED.split)
    for rows in parts.values():
        assert len(set(np.bincount(blobs().labels[rows]))) == 1
    again, other = blobs().parts(ASKED.split), blobs().parts(ASKED.model_copy(update={"split_seed": 1}).split)
    assert all((parts[part] == again[part]).all() for part in parts)
    assert any(len(parts[part]) != len(other[part]) or (parts[part] != other[part]).any() for part in parts)


def test_a_split_of_the_datas_own_is_kept():
    own = replace(blobs(), split=np.array(["train", "valid", "test"] * 40))
    assert list(own.parts(ASKED.split)["test"]) == list(range(2, 120, 3))


@pytest.mark.parametrize("folds", [None, Folds(count=3), Folds(count=3, by="group")])
def test_parts_never_share_a_group(folds):
    dataset = blobs(groups=20)
    data = ASKED.model_copy(update={"folds": folds})
    for fold in range(3 if folds else 1):
        parts = dataset.parts(data.split, fold)
        members = [group for rows in parts.values() for group in set(dataset.groups[rows])]
        assert len(members) == len(set(members))


def test_every_row_is_tested_in_one_fold():
    data = ASKED.model_copy(update={"folds": Folds(count=4)})
    tested = np.concatenate([blobs().parts(data.split, fold)["test"] for fold in range(4)])
    assert sorted(tested) == list(range(120))


def test_any_value_changes_the_fingerprint_and_the_same_values_do_not():
    base = blobs().facts(ASKED.split)
    assert blobs().facts(ASKED.split) == base
    changed = blobs()
    changed.modalities["hidden"][7, 1] += 1e-6
    assert changed.facts(ASKED.split).fingerprint != base.fingerprint
    missing = replace(blobs(), present={**blobs().present, "hidden": np.arange(120) > 0})
    assert missing.facts(ASKED.split).fingerprint != base.fingerprint
    renamed = replace(blobs(), ids=np.array([f"clip {number:04d}" for number in range(120)]))
    assert renamed.facts(ASKED.split).fingerprint != base.fingerprint


def test_shuffling_moves_auxiliaries_within_class_and_part_and_nothing_else():
    dataset, rows = blobs(), np.arange(60)
    shuffled = dataset.shuffled_within_class(rows, ("hidden",), seed=1)
    assert (shuffled.modalities["seen"] == dataset.modalities["seen"]).all()
    assert (shuffled.modalities["hidden"][60:] == dataset.modalities["hidden"][60:]).all()
    assert (shuffled.modalities["hidden"][:60] != dataset.modalities["hidden"][:60]).any()
    for label in range(3):
        of_class = rows[dataset.labels[rows] == label]
        before, after = (np.sort(d.modalities["hidden"][of_class], axis=0) for d in (dataset, shuffled))
        assert (before == after).all()


def test_shuffling_moves_all_auxiliaries_by_one_permutation():
    dataset = replace(blobs(), modalities={**blobs().modalities, "twin": blobs().modalities["hidden"].copy()})
    dataset = replace(dataset, present={**dataset.present, "twin": dataset.present["hidden"]})
    shuffled = dataset.shuffled_within_class(np.arange(120), ("hidden", "twin"), seed=1)
    assert (shuffled.modalities["hidden"] == shuffled.modalities["twin"]).all()


def test_less_scarcity_keeps_what_more_kept():
    dataset, rows = blobs(), np.arange(100)
    kept = [
        set(np.flatnonzero(dataset.without_auxiliary(rows, ("hidden",), share, 1).present["hidden"]))
        for share in (0.9, 0.5, 0.1)
    ]
    assert kept[0] < kept[1] < kept[2]
    assert len(kept[0]) == 30
    poorer = dataset.without_auxiliary(rows, ("hidden",), 0.5, 1)
    assert (poorer.modalities["hidden"][~poorer.present["hidden"]] == 0).all()
    assert poorer.present["seen"].all()


def test_the_students_modality_stands_in_for_all_others():
    stand_in = blobs().student_only(("seen",), ("hidden",))
    assert (stand_in.modalities["hidden"] == blobs().modalities["seen"]).all()
    assert stand_in.card.modalities["hidden"] == blobs().card.modalities["seen"]


def test_a_selection_keeps_rows_together():
    chosen = blobs(groups=4).select(np.array([5, 3]))
    assert list(chosen.ids) == ["row 5", "row 3"]
    assert list(chosen.groups) == ["group 1", "group 3"]
    tensors = to_tensors(chosen, ("hidden",), torch.device("cpu"))
    assert set(tensors.inputs) == {"hidden"}


def test_facts_say_which_parts_the_data_name_and_which_groups_are_in_several():
    grouped = blobs(groups=6)
    assert grouped.facts(ASKED.split).given == ""
    assert grouped.facts(ASKED.split).known_groups == 0
    halves = replace(grouped, split=np.array(["train", "test"]).repeat(60))
    assert (halves.facts(ASKED.split).given, halves.facts(ASKED.split).known_groups) == ("test", 6)
    parts = replace(blobs(groups=12), split=np.array(["train", "valid", "test"]).repeat(40))
    assert parts.facts(ASKED.split).given == "all"
    assert parts.facts(Split(folds=2)).given == ""


def test_a_study_may_split_by_one_grouping_and_infer_over_another():
    made = blobs(groups=12)
    talks = np.array([f"talk {row // 6}" for row in range(120)])
    both = replace(made, card=replace(made.card, groupings=("speaker", "talk")))
    both = replace(both, groupings={"speaker": made.groups, "talk": talks})
    for by, groups in (("speaker", made.groups), ("talk", talks)):
        parts = both.parts(Split(by=by))
        assert not set(groups[parts["train"]]) & set(groups[parts["test"]])
    facts = both.facts(Split(by="speaker"), over="talk")
    tested = both.parts(Split(by="speaker"))["test"]
    assert facts.groups == dict(zip(both.ids[tested], talks[tested], strict=True))
    assert both.facts(Split(by="talk")).groups.keys() == set(both.ids[both.parts(Split(by="talk"))["test"]])
    with pytest.raises(ValueError, match="rows are grouped by speaker, talk, got 'talks'"):
        both.facts(Split(), over="talks")


def test_a_given_split_that_tears_a_group_which_a_study_splits_by_is_refused():
    made = blobs(groups=12)
    given = replace(
        made,
        card=replace(made.card, groupings=("speaker",)),
        groupings={"speaker": made.groups},
        split=np.array(["train", "valid", "test"]).repeat(40),
    )
    assert len(given.parts(Split())["test"]) == 40
    with pytest.raises(ValueError, match="in one part, got group 0 in train and valid and test"):
        given.parts(Split(by="speaker"))


def test_the_documented_loader_runs(tmp_path, monkeypatch):
    """docs/data.md: its function is a dataset that a study can name."""
    (snippet,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL)
    (tmp_path / "my_clips.py").write_text(snippet)
    monkeypatch.syspath_prepend(tmp_path)
    data = Data(python="my_clips:load", student=("video",), auxiliary=("audio",))
    dataset = source.load(data.reference)
    assert source.card(data.reference).modalities["audio"].shape == (20,)
    facts = dataset.facts(data.split)
    test = dataset.parts(data.split)["test"]
    assert facts.test_groups == len(set(dataset.groups[test]))
    assert facts.groups.items() >= dict(zip(dataset.ids[test], dataset.groups[test], strict=True)).items()
    assert 0 < dataset.present["audio"].mean() < 1


def test_a_dataset_that_is_not_there_is_named_with_those_that_are():
    with pytest.raises(ValueError, match=r"no dataset 'digit'.*found activitynet, av_digits"):
        source.card(Data(name="digit", student=("top",)).reference)
    with pytest.raises(ValueError, match="cannot import 'nowhere:load'"):
        source.load(Data(python="nowhere:load", student=("top",)).reference)


def test_another_kind_is_other_data():
    """It decides how a modality is scaled and augmented."""
    one = planted_of("image")
    assert one.digest() != planted_of("spectrogram").digest()


def planted_of(kind):
    values, there = np.zeros((4, 2, 2), np.float32), np.ones(4, bool)
    card = Card({"m": Modality(kind, (2, 2))}, ("a", "b"))
    return Dataset(card, {"m": values}, {"m": there}, np.array([0, 1, 0, 1]), np.array(list("abcd")))
