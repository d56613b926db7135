"""The audio and video features that the audio-visual zero-shot benchmarks ship for UCF101 and ActivityNet.

github.com/ExplainableML/AVCA-GZSL, "Downloading our features" (avgzsl_benchmark_datasets.zip), unpacked:

    ROOT/UCF/features/main_features/{audio,video}/{stage_2_train,stage_2_test_seen,stage_2_test_unseen}/CLASS.h5

and the same under ActivityNet and under cls_features. A file holds `data` [n, F] and `video_urls` [n], names of clips.
main_features are SeLaVi's (audio 512, video 512), cls_features VGGish's and C3D's (audio 128, video 4096). All classes
and all clips are read, each once: these are for recognition, where the benchmark's division by class is of no use.
Mercea, Riesch, Koepke, Akata. arXiv:2203.03598. Needs h5py: pip install 'kdsweep[hdf5]'.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kdsweep.data.dataset import Dataset
from kdsweep.data.datasets import _downloaded as downloaded
from kdsweep.values.card import Card, Modality

Array = NDArray[Any]
WIDTHS = {"main_features": {"video": 512, "audio": 512}, "cls_features": {"video": 4096, "audio": 128}}
# The stages of the other parts of the benchmark are parts of these.
STAGES = ("stage_2_train", "stage_2_test_seen", "stage_2_test_unseen")
ABOUT = "avgzsl_benchmark_datasets.zip of github.com/ExplainableML/AVCA-GZSL, unpacked"


def card(root: str, name: str, features: str, licence: str) -> Card:
    """The classes are those that have files."""
    classes = sorted({file.stem for file in _files(root, name, features, "video")})
    modalities = {modality: Modality("vector", (width,)) for modality, width in WIDTHS[features].items()}
    return Card(modalities, tuple(classes), grouped=True, licence=licence, source="github.com/ExplainableML/AVCA-GZSL")


def load(
    described: Card,
    root: str,
    name: str,
    features: str,
    *,
    group: Callable[[str], str],
    tests: Callable[[str], bool],
) -> Dataset:
    """Every clip that has a video feature; one without a sound lacks the audio.

    Args:
        group: of a clip's name, what is never split.
        tests: whether a group is in the test part.
    """
    found = {modality: _read(root, name, features, modality) for modality in WIDTHS[features]}
    ids = sorted(found["video"])
    groups = np.array([group(id_) for id_ in ids])
    split = np.where([tests(one) for one in groups], "test", "train")
    modalities, present = {}, {}
    for modality, width in WIDTHS[features].items():
        rows = found[modality]
        there = np.array([id_ in rows for id_ in ids])
        values = np.stack([rows[id_][1] if id_ in rows else np.zeros(width) for id_ in ids])
        modalities[modality] = downloaded.standardise(values, np.flatnonzero(there & (split == "train")))
        modalities[modality][~there] = 0
        present[modality] = there
    known = {label: number for number, label in enumerate(described.classes)}
    return Dataset(
        card=described,
        modalities=modalities,
        present=present,
        labels=np.array([known[found["video"][id_][0]] for id_ in ids], dtype=np.int64),
        ids=np.array(ids),
        split=split,
        groups=groups,
    )


def _files(root: str, name: str, features: str, modality: str) -> list[Path]:
    if features not in WIDTHS:
        raise ValueError(f"features is one of {', '.join(WIDTHS)}, got {features!r}")
    home = Path(root) / name / "features" / features / modality
    files = sorted(file for stage in STAGES for file in (home / stage).glob("*.h5"))
    if not files:
        raise ValueError(f"{home}/{STAGES[0]}/CLASS.h5 is not there: {ABOUT}; set options: {{root: its folder}}")
    return files


def _read(root: str, name: str, features: str, modality: str) -> Mapping[str, tuple[str, Array]]:
    """The class and the features of each clip."""
    try:
        import h5py
    except ImportError as error:
        raise ValueError(f"{name} is read with h5py: pip install 'kdsweep[hdf5]'") from error
    width = WIDTHS[features][modality]
    found: dict[str, tuple[str, Array]] = {}
    for file in _files(root, name, features, modality):
        try:
            with h5py.File(file) as opened:
                values, names = np.asarray(opened["data"], np.float32), opened["video_urls"][:]
        except (OSError, KeyError) as error:
            raise ValueError(f"{file}: the file is damaged, or holds no data and video_urls: {error}") from error
        if values.shape != (len(names), width):
            got = f"{values.shape} and {len(names)} names"
            raise ValueError(f"{file}: data is [clips, {width}] for {features}, a name a clip, got {got}")
        for clip, value in zip(names, values, strict=True):
            # Some lists name files, some clips.
            told = clip.decode() if isinstance(clip, bytes) else str(clip)
            found[told.rpartition("/")[2].removesuffix(".avi").removesuffix(".mp4")] = file.stem, value
    return found
