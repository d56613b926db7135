"""Datasets of files the user downloaded: read where KDSWEEP_DATA names their folder, asked for in words elsewhere."""

from __future__ import annotations

import os

import numpy as np
import pytest

from kdsweep.data import registry as source
from kdsweep.data.checks import check
from kdsweep.data.datasets import _downloaded as downloaded
from kdsweep.values.study import Data

ROOT = os.environ.get("KDSWEEP_DATA", "")
NAMES = ("av_digits", "mfeat", "ucf51", "utd_mhad")
needs_files = pytest.mark.skipif(not ROOT, reason="KDSWEEP_DATA does not name a folder of downloaded datasets")


@needs_files
@pytest.mark.parametrize("name", NAMES)
def test_a_downloaded_dataset_is_as_its_card_says(name):
    dataset = check(source.module(name).load(root=ROOT), where=name)
    assert dataset.card == source.module(name).card()
    data = Data(name=name, student=(next(iter(dataset.modalities)),))
    parts = dataset.parts(data.split)
    assert min(len(rows) for rows in parts.values()) > 0
    if dataset.groups is not None:
        members = [group for rows in parts.values() for group in set(dataset.groups[rows])]
        assert len(members) == len(set(members))


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_not_there_are_asked_for(name, tmp_path):
    with pytest.raises(ValueError, match=r"\.npz is not there: .*; set options: \{root"):
        source.module(name).load(root=str(tmp_path))


def test_an_archive_that_is_another_is_refused(tmp_path):
    np.savez(tmp_path / "mfeat.npz", y=np.zeros(3))
    with pytest.raises(ValueError, match="holds y, and lacks mod_fou"):
        source.module("mfeat").load(root=str(tmp_path))
    (tmp_path / "mfeat.npz").write_bytes((tmp_path / "mfeat.npz").read_bytes()[:40])
    with pytest.raises(ValueError, match="the archive is damaged"):
        source.module("mfeat").load(root=str(tmp_path))


def test_statistics_are_those_of_the_training_rows():
    values = np.array([[0.0, 5.0], [2.0, 5.0], [100.0, 7.0]])
    scaled = downloaded.standardise(values, np.array([0, 1]))
    assert scaled.tolist() == [[-1, 0], [1, 0], [99, 2]]
