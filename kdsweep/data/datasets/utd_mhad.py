"""27 human actions, seen by a depth camera and a skeleton tracker, felt by an inertial sensor on the body.

`utd_mhad.npz`, 861 recordings of 8 subjects: depth_clip uint8 [861, 16, 32, 32], skeleton [861, 48, 60] (20 joints),
inertial [861, 128, 6] (acceleration, rotation), resampled in time; y and subject. As published, odd subjects train and
even subjects test; the validation subject is drawn by the study's split_seed. Chen, Jafari, Kehtarnavaz. UTD-MHAD: A
Multimodal Dataset for Human Action Recognition. ICIP 2015. Public for research.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kdsweep.values.card import Card, Modality

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset

# fmt: off
CLASSES = (
    "swipe left", "swipe right", "wave", "clap", "throw", "cross arms", "basketball shoot", "draw x",
    "draw circle clockwise", "draw circle counter-clockwise", "draw triangle", "bowling", "boxing", "baseball swing",
    "tennis swing", "arm curl", "tennis serve", "push", "knock", "catch", "pick up and throw", "jog", "walk",
    "sit to stand", "stand to sit", "lunge", "squat",
)
# fmt: on


def card(root: str = ".") -> Card:
    modalities = {
        "depth": Modality("video", (16, 1, 32, 32)),
        "skeleton": Modality("sequence", (48, 61)),
        "inertial": Modality("sequence", (128, 7)),
    }
    return Card(modalities, CLASSES, grouped=True, licence="public for research")


def load(root: str = ".") -> Dataset:
    from kdsweep.data.dataset import Dataset
    from kdsweep.data.datasets import _downloaded as downloaded

    keys = ("depth_clip", "skeleton", "inertial", "y", "subject", "trial")
    found = downloaded.arrays(root, "utd_mhad.npz", keys, about="UTD-MHAD resampled in time, as one archive")
    subject = found["subject"]
    split = np.where(subject % 2 == 1, "train", "test")
    train = np.flatnonzero(split == "train")
    modalities = {
        "depth": downloaded.standardise(found["depth_clip"][:, :, None], train, axes=(0, 1, 2, 3, 4)),
        "skeleton": downloaded.flagged(downloaded.standardise(_centred(found["skeleton"]), train, axes=(0, 1, 2))),
        "inertial": downloaded.flagged(downloaded.standardise(found["inertial"], train, axes=(0, 1))),
    }
    names = zip(found["y"] + 1, subject, found["trial"], strict=True)
    return Dataset(
        card=card(),
        modalities=modalities,
        present=downloaded.all_present(modalities),
        labels=found["y"].astype(np.int64),
        ids=np.array([f"a{action}_s{who}_t{trial}" for action, who, trial in names]),
        split=split,
        groups=np.array([f"subject {who}" for who in subject]),
    )


def _centred(skeleton: NDArray[Any]) -> NDArray[Any]:
    """Joints [N, 48, 20 · 3] as seen from where the first joint is on average: where a subject stood is no action."""
    joints = skeleton.astype(np.float64).reshape(len(skeleton), skeleton.shape[1], 20, 3)
    centred: NDArray[Any] = (joints - joints[:, :, :1].mean(1, keepdims=True)).reshape(skeleton.shape)
    return centred
