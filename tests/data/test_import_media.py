"""Importing sounds, videos and Hugging Face datasets: decoded one at a time, and every damaged file named."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from kdsweep.data.disk import format, maps
from kdsweep.data.importing import files, media
from kdsweep.data.importing import join as importing
from kdsweep.data.importing.media import Recipe
from tests.helpers.commands import data_command

av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")


def film(path: Path, brightness: list, edge: int = 32) -> None:
    """A video whose frames are plain, each of its own brightness; or are arrays."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = edge
        for level in brightness:
            frame = av.VideoFrame.from_ndarray(np.full((edge, edge, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_a_video_becomes_frames_from_the_middles_of_equal_stretches(tmp_path):
    levels = [0, 30, 60, 90, 120, 150, 180, 210]
    film(tmp_path / "clip.mp4", levels)
    ids, (clip,) = media.folder(tmp_path, Recipe(size=16, frames=4))
    assert ids == ["clip"]
    assert clip.shape == (4, 3, 16, 16)
    expected = np.array(levels)[[1, 3, 5, 7]] / 127.5 - 1
    assert np.abs(clip.mean((1, 2, 3)) - expected).max() < 0.05


def test_a_short_video_shows_frames_again(tmp_path):
    film(tmp_path / "clip.mp4", [0, 200])
    (clip,) = media.folder(tmp_path, Recipe(frames=4))[1]
    assert np.abs(clip[0] - clip[1]).max() == 0
    assert (clip[2] - clip[1]).min() > 1


def test_a_truncated_video_is_named(tmp_path):
    film(tmp_path / "clip.avi", list(np.random.default_rng(0).integers(0, 255, (20, 64, 64, 3))), edge=64)
    content = (tmp_path / "clip.avi").read_bytes()
    (tmp_path / "clip.avi").write_bytes(content[:100])
    with pytest.raises(ValueError, match=r"clip\.avi: the video is damaged"):
        list(media.folder(tmp_path, Recipe())[1])
    (tmp_path / "clip.avi").write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(ValueError, match=r"clip\.avi: the video is damaged: it should hold 20 frames, and breaks off"):
        list(media.folder(tmp_path, Recipe())[1])
    (tmp_path / "clip.avi").write_bytes(b"")
    with pytest.raises(ValueError, match=r"clip\.avi: the video is damaged"):
        list(media.folder(tmp_path, Recipe())[1])


def test_sounds_are_of_one_rate_and_a_damaged_one_is_named(tmp_path):
    soundfile.write(tmp_path / "a.flac", np.zeros(800), 8000)
    soundfile.write(tmp_path / "b.wav", np.zeros((1600, 2)), 8000)
    assert [one.shape for one in media.folder(tmp_path, Recipe(mels=8))[1]] == [(8, 18)] * 2
    soundfile.write(tmp_path / "c.wav", np.zeros(800), 16000)
    with pytest.raises(ValueError, match=r"one sampling rate, got 8000 in .*a\.flac, 16000 in .*c\.wav"):
        media.folder(tmp_path, Recipe())
    (tmp_path / "c.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"c\.wav: the sound is damaged"):
        media.folder(tmp_path, Recipe())


def test_a_folder_is_of_one_kind(tmp_path):
    film(tmp_path / "a.mp4", [1])
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 8000)
    with pytest.raises(ValueError, match=r"a folder is one of images .* got \.mp4, \.wav"):
        media.folder(tmp_path, Recipe())


def videos_and_labels(tmp_path: Path) -> list[str]:
    (tmp_path / "clips").mkdir()
    for number in range(6):
        film(tmp_path / "clips" / f"c{number}.mp4", [40 * number] * 3)
    pd.DataFrame({"clip": [f"c{n}" for n in range(6)], "label": list("ababab")}).to_csv("y.csv", index=False)
    told = ["--modality", "clip=clips/", "--label", "y.csv:label", "--id", "clip", "--size", "8", "--frames", "2"]
    return ["import", *told, "--out", "d"]


def test_a_folder_larger_than_memory_is_imported_through_a_file_that_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = videos_and_labels(tmp_path)
    code, said = data_command(*words, "--store", "clip=uint8")
    assert code == 0, said
    monkeypatch.setenv("KDSWEEP_MEMORY", "0")
    files: list[Path] = []
    unnamed = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *, dir: files.append(Path(dir)) or unnamed(dir=dir))
    code, said = data_command(*words[:-1], "e", "--store", "clip=uint8")
    assert code == 0, said
    assert len(files) == 1
    assert format.describe(Path("d")).fingerprint == format.describe(Path("e")).fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clips", "d", "e", "y.csv"]


def test_a_video_of_another_shape_ends_the_import_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = videos_and_labels(tmp_path)
    film(tmp_path / "clips" / "c3.mp4", [1, 2], edge=48)
    code, said = data_command(*[word for word in words if word not in ("--size", "8")])
    assert code == 2
    assert re.search(r"clips/: samples of kind video have one shape, got .*'c0'.* and \(2, 3, 48, 48\) in row 3", said)
    assert not Path("d").exists()


def test_columns_of_a_saved_hugging_face_dataset(tmp_path):
    datasets = pytest.importorskip("datasets")
    pillow = pytest.importorskip("PIL.Image")

    def part(names: str):
        features = datasets.Features(
            {
                "key": datasets.Value("string"),
                "vector": datasets.List(datasets.Value("float32")),
                "kind": datasets.ClassLabel(names=["cat", "dog"]),
                "look": datasets.Image(),
                "sound": {"bytes": datasets.Value("binary"), "path": datasets.Value("string")},
            }
        )
        wave = io.BytesIO()
        soundfile.write(wave, np.zeros(800), 8000, format="wav")
        rows = {
            "sound": [{"bytes": wave.getvalue(), "path": None}] * len(names),
            "key": list(names),
            "vector": [[float(ord(name)), 1.0] for name in names],
            "kind": [n % 2 for n in range(len(names))],
            "look": [pillow.fromarray(np.full((4, 4), n, np.uint8)) for n in range(len(names))],
        }
        # To make an Audio column from values asks for a codec; to read one does not.
        return datasets.Dataset.from_dict(rows, features=features).cast_column("sound", datasets.Audio())

    datasets.DatasetDict(train=part("abcd"), test=part("ef")).save_to_disk(tmp_path / "saved")

    def column(name: str):
        return files.read(f"hf:{tmp_path}/saved:{name}", id_column="key", recipe=Recipe(size=2))

    assert column("vector").ids == list("abcdef")
    assert [value.tolist() for value in column("vector").values] == [[float(ord(name)), 1.0] for name in "abcdef"]
    assert column("kind").values == ["cat", "dog", "cat", "dog", "cat", "dog"]
    assert column("split").values == ["train"] * 4 + ["test"] * 2
    assert [one.shape for one in column("look").values] == [(1, 2, 2)] * 6
    assert [one.shape for one in column("sound").values] == [(64, 8)] * 6
    joined = importing.join({"v": column("vector"), "look": column("look")}, column("kind"), split=column("split"))
    assert joined.counts.missing == {"v": 0, "look": 0}
    with pytest.raises(ValueError, match="no column 'nothing': it has sound, key, vector, kind, look"):
        column("nothing")
    with pytest.raises(ValueError, match=r"hf:.*: the dataset cannot be read"):
        files.read(f"hf:{tmp_path}:vector", id_column=None)


def test_a_limit_below_the_data_maps_an_imported_folder_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert data_command(*videos_and_labels(tmp_path))[0] == 0
    monkeypatch.setenv("KDSWEEP_MEMORY", "0")
    values = format.read(Path("d")).select(np.arange(6)).modalities["clip"]
    assert isinstance(values, maps.OnDisk)
    assert values[np.array([5])].shape == (1, 2, 3, 8, 8)
