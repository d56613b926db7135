"""ActivityNet's trimmed activities: one feature vector of the video and one of the audio for each.

Download and unpack what kdsweep/data/datasets/_avgzsl.py describes; `root` is the folder that holds
ActivityNet/. The features come without ActivityNet's own parts: a fifth of the YouTube videos tests, chosen by a digest
of their names, so that it is the same fifth everywhere. Heilbron, Escorcia, Ghanem, Niebles. ActivityNet.
CVPR 2015 (annotations: MIT).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from kdsweep.values.card import Card

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset


def card(root: str = ".", features: str = "main_features") -> Card:
    from kdsweep.data.datasets import _avgzsl as avgzsl

    return avgzsl.card(root, "ActivityNet", features, "annotations: MIT; the videos are their owners'")


def load(root: str = ".", features: str = "main_features") -> Dataset:
    from kdsweep.data.datasets import _avgzsl as avgzsl

    return avgzsl.load(
        card(root, features),
        root,
        "ActivityNet",
        features,
        # wQbVxdVTN-I_2 is the third activity of the video wQbVxdVTN-I.
        group=lambda clip: clip.rpartition("_")[0],
        tests=lambda group: hashlib.blake2b(group.encode()).digest()[0] < 256 // 5,
    )
