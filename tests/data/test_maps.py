"""Data larger than memory stays on disk, and nobody's numbers know."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from kdsweep.data.disk import format, maps
from kdsweep.data.tensors import Mapped, to_tensors
from kdsweep.engine import build as models
from kdsweep.engine.loop import run
from kdsweep.values.study import Data, Folds
from tests.helpers.datasets import ROWS, clips, clips_trial, read

CPU = torch.device("cpu")


@pytest.fixture(params=["float32", "float16", "uint8"])
def folder(request, tmp_path) -> Path:
    format.write(clips(), tmp_path / "d", storage={"look": request.param, "gait": request.param})
    return tmp_path / "d"


CHANGES = [
    {},
    {"control": "shuffled_within_class"},
    {"control": "student_only_teacher"},
    {"drop_auxiliary": 0.5},
]


@pytest.mark.parametrize("changes", CHANGES, ids=["as it is", "shuffled", "student only", "dropped"])
def test_every_batch_is_bit_for_bit_that_of_a_run_from_memory(folder, monkeypatch, changes):
    asked, data = clips_trial(**changes), Data(path=str(folder), student=("look",))
    small, large = (models.parts(asked, read(folder, monkeypatch, large=large), data, CPU) for large in (False, True))
    assert small.keys() == large.keys()
    for part, tensors in small.items():
        rows = torch.randperm(len(tensors), generator=torch.Generator().manual_seed(0))
        for asked_rows in (rows, rows[:4].reshape(2, 2)):
            ours, theirs = large[part].batch(asked_rows), tensors.batch(asked_rows)
            for one, other in zip(ours, theirs, strict=True):
                assert {name: values.numpy().tobytes() for name, values in one.items()} == {
                    name: values.numpy().tobytes() for name, values in other.items()
                }
    assert all(isinstance(values, Mapped) for values in large["train"].inputs.values())


@pytest.mark.parametrize("arithmetic", ["plain", "stacked"])
def test_a_training_curve_is_that_of_a_run_from_memory(folder, monkeypatch, arithmetic):
    data = Data(path=str(folder), student=("look",))
    pack = [clips_trial(seed=seed, arithmetic=arithmetic) for seed in ((1, 2) if arithmetic == "stacked" else (1,))]

    def curves(large: bool) -> list:
        outcomes = list(run(pack, read(folder, monkeypatch, large=large), data, lambda *_: {}))
        assert [one.error for one in outcomes] == [""] * len(pack)
        return sorted(
            (one.trial.id, *((point.epoch, point.metric, point.value) for point in one.points)) for one in outcomes
        )

    said = curves(True)
    assert said == curves(False)
    assert len(said) == len(pack)
    assert len(said[0]) > 9


def test_no_control_copies_values(folder, monkeypatch):
    dataset = read(folder, monkeypatch, large=True).select(np.arange(ROWS))
    changed = dataset.without_auxiliary(np.arange(9), ("gait",), 0.5, 1)
    changed = changed.shuffled_within_class(np.arange(9), ("gait",), 1).student_only(("look",), ("gait",))
    assert all(isinstance(values, maps.OnDisk) for values in changed.modalities.values())


def test_folds_gather_from_several_files(folder, monkeypatch):
    data = Data(path=str(folder), student=("look",), folds=Folds(count=3))
    small, large = (
        read(folder, monkeypatch, large=large).only(("train",), ("gait",), data.split, fold=1)
        for large in (False, True)
    )
    every = torch.arange(len(small))
    one, other = (to_tensors(part, ("gait",), CPU).batch(every) for part in (small, large))
    assert torch.equal(one[0]["gait"], other[0]["gait"])
    assert torch.equal(one[1]["gait"], other[1]["gait"])


def test_a_file_is_decoded_once_and_only_when_its_rows_are_asked_for(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("KDSWEEP_CACHE", str(tmp_path / "cache"))
    data = Data(path=str(folder), student=("look",))
    for _ in range(2):
        read(folder, monkeypatch, large=True).only(("train", "valid"), ("look",), data.split)
    (made,) = (tmp_path / "cache").iterdir()
    assert made.name == format.describe(folder).fingerprint
    assert {path.name for path in made.glob("*.npy")} == {
        f"{part}.look{kind}.npy" for part in ("train", "valid") for kind in ("", ".present")
    }
    assert not (folder / ".decoded").exists()


def test_a_map_of_other_rows_is_not_read(folder, monkeypatch):
    read(folder, monkeypatch, large=True).select(np.arange(3))
    flat = next(folder.glob(".decoded/*/train.look.npy"))
    np.save(flat, np.load(flat)[:-1])
    with pytest.raises(ValueError, match=r"train\.look\.npy: it is decoded from .*train\.parquet, which has changed"):
        read(folder, monkeypatch, large=True).select(np.arange(3))


def test_a_folder_that_cannot_be_written_says_what_to_do(folder, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KDSWEEP_CACHE", str(tmp_path / "file"))
    dataset = read(folder, monkeypatch, large=True)
    with pytest.raises(OSError, match=r"larger than memory .* KDSWEEP_CACHE names another folder"):
        dataset.select(np.arange(3))


def test_a_decoding_that_was_killed_leaves_nothing_that_is_read(folder, monkeypatch):
    """The map appears by a rename, after its last row."""
    monkeypatch.setattr(np, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        read(folder, monkeypatch, large=True).select(np.arange(3))
    assert not list(folder.glob(".decoded/*/*.npy"))
    monkeypatch.undo()
    stray = next(folder.glob(".decoded/*")) / ".train.gait.npy.00000000"
    stray.write_bytes(b"of a process that was killed")
    rows = read(folder, monkeypatch, large=True).select(np.arange(ROWS)).modalities["gait"]
    assert rows[np.arange(ROWS)].shape == (ROWS, 5, 3)
    assert not stray.exists()


def test_many_ask_at_once_and_one_decodes(folder, monkeypatch):
    decoded: list[int] = []
    monkeypatch.setattr(np, "save", lambda *told, save=np.save: decoded.append(1) or save(*told))
    with ThreadPoolExecutor(4) as pool:
        datasets = [read(folder, monkeypatch, large=True) for _ in range(4)]
        seen = list(pool.map(lambda dataset: dataset.modalities["gait"][np.arange(20)].sum(), datasets))
    assert len(set(seen)) == 1
    assert len(decoded) == 1


def test_what_memory_holds_is_not_mapped(monkeypatch, tmp_path):
    monkeypatch.delenv("KDSWEEP_MEMORY", raising=False)
    assert 0 < maps.memory_limit() < os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    format.write(replace(clips(), split=None), tmp_path / "d")
    assert isinstance(format.read(tmp_path / "d").select(np.arange(3)).modalities["look"], np.ndarray)
    monkeypatch.setenv("KDSWEEP_MEMORY", "4 GB")
    with pytest.raises(ValueError, match=r"a whole number of bytes, got '4 GB'"):
        maps.memory_limit()
