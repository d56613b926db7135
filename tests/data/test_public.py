"""Loaders of public files, each on a small folder of the layout in which its home ships them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from kdsweep.data import registry as source
from kdsweep.data.checks import check
from kdsweep.values.study import Data


def avgzsl(root: Path, name: str, clips: dict[str, list[str]], *, silent: str = "") -> None:
    """Features of clips, by class: one file a class and stage, as the benchmark's zip holds them."""
    h5py = pytest.importorskip("h5py")
    rng = np.random.default_rng(0)
    for modality, width in (("video", 512), ("audio", 512)):
        for stage, some in (("stage_2_train", slice(0, None, 2)), ("stage_2_test_seen", slice(1, None, 2))):
            folder = root / name / "features" / "main_features" / modality / stage
            folder.mkdir(parents=True)
            for label, names in clips.items():
                there = [clip for clip in names[some] if modality == "video" or clip != silent]
                with h5py.File(folder / f"{label}.h5", "w") as file:
                    file.create_dataset("data", data=rng.normal(5, 2, (len(there), width)))
                    file.create_dataset("video_urls", dtype="S80", data=[clip.encode() for clip in there])


def checked(name: str, **options: object):
    module = source.module(name)
    dataset = check(module.load(**options), where=name)
    assert dataset.card == module.card(**options)
    assert dataset.card == source.card(Data(name=name, student=("any",), options=options).reference)
    parts = dataset.parts(Data(name=name, student=("any",)).split)
    if dataset.groups is not None:
        members = [group for rows in parts.values() for group in set(dataset.groups[rows])]
        assert len(members) == len(set(members))
    return dataset, parts


def test_ucf101_tests_on_the_published_groups(tmp_path):
    clips = {
        label: [f"v_{label}_g{group:02d}_c{clip:02d}" for group in range(1, 26) for clip in (1, 2)]
        for label in ("Archery", "Surfing")
    }
    avgzsl(tmp_path, "UCF", clips, silent="v_Archery_g09_c01")
    dataset, parts = checked("ucf101", root=str(tmp_path))
    assert len(dataset) == 100
    assert {group[-3:] for group in dataset.groups[parts["test"]]} == {f"g{n:02d}" for n in range(1, 8)}
    assert list(dataset.ids[~dataset.present["audio"]]) == ["v_Archery_g09_c01"]
    assert all(dataset.card.classes[label] in id_ for label, id_ in zip(dataset.labels, dataset.ids, strict=True))
    trained = dataset.modalities["video"][dataset.split == "train"]
    assert np.abs(trained.mean(0)).max() < 1e-5


def test_activitynet_keeps_the_activities_of_a_video_together(tmp_path):
    clips = {
        label: [f"{label[:3]}-{video:06d}_I_{clip}" for video in range(40) for clip in (0, 1)]
        for label in ("Capoeira", "Painting")
    }
    avgzsl(tmp_path, "ActivityNet", clips)
    dataset, parts = checked("activitynet", root=str(tmp_path))
    assert len(set(dataset.groups)) == 80
    assert 0.1 < len(parts["test"]) / len(dataset) < 0.35


def test_what_is_not_of_the_benchmarks_layout_is_named(tmp_path):
    h5py = pytest.importorskip("h5py")
    with pytest.raises(ValueError, match="features is one of main_features, cls_features, got 'mine'"):
        source.module("ucf101").card(root=str(tmp_path), features="mine")
    avgzsl(tmp_path, "UCF", {"Archery": [f"v_Archery_g{n:02d}_c01" for n in range(1, 9)]})
    file = tmp_path / "UCF" / "features" / "main_features" / "audio" / "stage_2_train" / "Archery.h5"
    with h5py.File(file, "w") as opened:
        opened.create_dataset("data", data=np.zeros((2, 3)))
        opened.create_dataset("video_urls", data=[b"a", b"b"])
    with pytest.raises(ValueError, match=r"Archery\.h5: data is \[clips, 512\] .* got \(2, 3\) and 2 names"):
        source.module("ucf101").load(root=str(tmp_path))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"Archery\.h5: the file is damaged"):
        source.module("ucf101").load(root=str(tmp_path))


def test_avmnist_validates_on_the_last_training_rows(tmp_path):
    rng = np.random.default_rng(0)
    for kind, shape in (("image", (784,)), ("audio", (112, 112))):
        (tmp_path / kind).mkdir()
        for part, rows in (("train", 40), ("test", 20)):
            np.save(tmp_path / kind / f"{part}_data.npy", rng.integers(0, 256, (rows, *shape)).astype(np.float64))
    for part, rows in (("train", 40), ("test", 20)):
        np.save(tmp_path / f"{part}_labels.npy", np.arange(rows) % 10)
    module = source.module("avmnist")
    dataset = check(module.load(root=str(tmp_path), pool=2, valid=10), where="avmnist")
    assert dataset.card == module.card(pool=2)
    assert list(dataset.ids[dataset.split == "valid"]) == [f"train {row:05d}" for row in range(30, 40)]
    raw = np.load(tmp_path / "audio" / "test_data.npy")
    assert dataset.modalities["audio"][40, 0, 1] == pytest.approx(raw[0, :2, 2:4].mean() / 255, rel=1e-5)
    assert 0 <= dataset.modalities["image"].min() <= dataset.modalities["image"].max() <= 1
    with pytest.raises(ValueError, match="pool divides 112, got 3"):
        module.card(pool=3)
    np.save(tmp_path / "audio" / "test_data.npy", raw[:, :50])
    with pytest.raises(ValueError, match=r"test_data\.npy: a sample has the shape \(112, 112\), got \(50, 112\)"):
        module.load(root=str(tmp_path))


def dialogues(**changes) -> tuple:
    names = [f"Ses{session:02d}F_impro{number:02d}" for session in range(1, 6) for number in range(4)]
    rng = np.random.default_rng(0)
    each = {name: [f"{name}_M{turn:03d}" for turn in range(6)] for name in names}
    parts = {
        "ids": each,
        "speakers": {name: ["M"] * 6 for name in names},
        "labels": {name: list(range(6)) for name in names},
        "text": {name: list(rng.normal(size=(6, 100))) for name in names},
        "audio": {name: list(rng.normal(size=(6, 100))) for name in names},
        "visual": {name: list(rng.normal(size=(6, 512))) for name in names},
        "sentences": {name: ["…"] * 6 for name in names},
        "train": {name for name in names if "Ses05" not in name},
        "test": {name for name in names if "Ses05" in name},
    }
    return tuple((parts | changes).values())


def test_iemocap_tests_on_the_fifth_session(tmp_path):
    (tmp_path / "IEMOCAP_features_raw.pkl").write_bytes(pickle.dumps(dialogues(), protocol=2))
    dataset, parts = checked("iemocap", root=str(tmp_path))
    assert len(dataset) == 120
    assert {group[:5] for group in dataset.groups[parts["test"]]} == {"Ses05"}
    assert len(set(dataset.groups)) == 20
    sessions, _ = checked("iemocap", root=str(tmp_path), group="session")
    assert set(sessions.groups) == {f"Ses{number:02d}" for number in range(1, 6)}


def test_a_pickle_runs_nothing(tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "made"),)

    (tmp_path / "IEMOCAP_features_raw.pkl").write_bytes(pickle.dumps(dialogues(sentences=Attack())))
    with pytest.raises(ValueError, match=r"holds other than arrays: it asks for posix\.mkdir"):
        source.module("iemocap").load(root=str(tmp_path))
    assert not (tmp_path / "made").exists()


def test_other_pickles_are_named(tmp_path):
    path = tmp_path / "IEMOCAP_features_raw.pkl"
    path.write_bytes(pickle.dumps(dialogues())[:500])
    with pytest.raises(ValueError, match=r"features_raw\.pkl: the file is damaged"):
        source.module("iemocap").load(root=str(tmp_path))
    path.write_bytes(pickle.dumps(dialogues()[:7]))
    with pytest.raises(ValueError, match=r"holds 9 parts, .* got 7 parts"):
        source.module("iemocap").load(root=str(tmp_path))
    short = dialogues()[4] | {"Ses01F_impro00": [np.zeros(3)] * 6}
    path.write_bytes(pickle.dumps(dialogues(audio=short)))
    with pytest.raises(ValueError, match=r"audio has 100 features in each of 120 utterances, got \(3,\) in row 0"):
        source.module("iemocap").load(root=str(tmp_path))


@pytest.mark.parametrize("name", ["ucf101", "activitynet", "avmnist", "iemocap"])
def test_files_that_are_not_there_are_asked_for(name, tmp_path):
    with pytest.raises(ValueError, match=r"is not there: .*; set options: \{root"):
        source.module(name).load(root=str(tmp_path))
