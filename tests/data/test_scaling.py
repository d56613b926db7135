"""Inputs on one scale: by the training part alone, in memory and from disk."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kdsweep.data.dataset import Dataset
from kdsweep.data.disk import format
from kdsweep.data.scaling import of_part
from kdsweep.data.tensors import to_tensors
from kdsweep.engine.build import parts
from kdsweep.values.card import Card, Modality
from kdsweep.values.study import Data
from tests.helpers.datasets import clips, clips_trial, read
from tests.helpers.fakes import run, study

CPU = torch.device("cpu")
SHAPES = {"vector": (3,), "image": (2, 4, 4), "spectrogram": (4, 6), "video": (3, 2, 4, 4)}


def of_kind(kind: str, rows: int = 40) -> Dataset:
    values = np.random.default_rng(0).normal(5, 3, size=(rows, *SHAPES[kind])).astype(np.float32)
    card = Card({"m": Modality(kind, SHAPES[kind])}, ("a", "b"))
    present = np.arange(rows) % 4 > 0
    values[~present] = 0
    return Dataset(card, {"m": values}, {"m": present}, np.arange(rows) % 2, np.arange(rows).astype(str))


@pytest.mark.parametrize(
    ("kind", "axes"), [("vector", ()), ("image", (2, 3)), ("spectrogram", (2,)), ("video", (1, 3, 4))]
)
def test_each_feature_bin_or_channel_gets_a_scale_of_its_own(kind, axes):
    dataset = of_kind(kind)
    scaling = of_part(dataset, "m", dataset.card.modalities["m"])
    scaled = to_tensors(dataset, ("m",), CPU, {"m": scaling}).inputs["m"].numpy()
    there = scaled[dataset.present["m"]]
    assert there.mean((0, *axes)) == pytest.approx(0, abs=1e-5)
    assert there.std((0, *axes)) == pytest.approx(1, abs=1e-4)
    assert not scaled[~dataset.present["m"]].any()


def test_a_sequence_is_scaled_over_its_real_steps_and_keeps_its_padding():
    values = np.zeros((2, 3, 2), np.float32)
    values[0, :2], values[1, :3] = [[1, 1], [3, 1]], [[5, 1], [7, 1], [9, 1]]
    card = Card({"m": Modality("sequence", (3, 2))}, ("a", "b"))
    dataset = Dataset(card, {"m": values}, {"m": np.ones(2, bool)}, np.arange(2), np.array(["a", "b"]))
    scaled = to_tensors(dataset, ("m",), CPU, {"m": of_part(dataset, "m", card.modalities["m"])}).inputs["m"]
    deviation = np.std([1, 3, 5, 7, 9])
    assert scaled[0].tolist() == [[pytest.approx(-4 / deviation), 1], [pytest.approx(-2 / deviation), 1], [0, 0]]


def test_a_constant_feature_becomes_0():
    dataset = of_kind("vector")
    dataset.modalities["m"][:, 1] = np.where(dataset.present["m"], 1234.5, 0)
    scaled = to_tensors(dataset, ("m",), CPU, {"m": of_part(dataset, "m", dataset.card.modalities["m"])}).inputs["m"]
    assert not scaled[:, 1].any()


def test_the_training_part_alone_decides():
    dataset, data = clips(), Data(path="x", student=("look",))
    asked = clips_trial(standardise=True, auxiliary=("gait",))
    test = dataset.parts(data.split)["test"]
    moved = replace(dataset, modalities={**dataset.modalities, "look": dataset.modalities["look"].copy()})
    moved.modalities["look"][test] += 100
    one, other = (parts(asked, each, data, CPU)["train"].inputs["look"] for each in (dataset, moved))
    assert torch.equal(one, other)


def test_from_disk_the_scale_is_the_same_to_the_last_bit(tmp_path, monkeypatch):
    format.write(clips(), tmp_path / "clips", storage={"look": "uint8"})
    data, asked = Data(path=str(tmp_path / "clips"), student=("look",)), clips_trial(standardise=True)
    rows, found = torch.tensor([3, 0, 2]), []
    for large in (False, True):
        train = parts(asked, read(tmp_path / "clips", monkeypatch, large=large), data, CPU)["train"]
        found.append(train.batch(rows)[0])
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])


def test_whether_inputs_are_scaled_is_part_of_a_trials_name():
    plainly, scaled = (
        {
            trial_.id
            for trial_ in run(study(data={"name": "digits", "student": ["top"], "standardise": told}))[
                1
            ].trials.values()
        }
        for told in (False, True)
    )
    assert not plainly & scaled
