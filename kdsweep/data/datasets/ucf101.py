"""UCF101's clips that have sound: one feature vector of the video and one of the audio for each.

Download and unpack what kdsweep/data/datasets/_avgzsl.py describes; `root` is the folder that holds UCF/. The
test part is that of the published split 1: the clips of the source videos g01 to g07. UCF101 (Soomro, Zamir, Shah.
arXiv:1212.0402) is for academic use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdsweep.values.card import Card

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset

LAST_TEST_GROUP = "g07"


def card(root: str = ".", features: str = "main_features") -> Card:
    from kdsweep.data.datasets import _avgzsl as avgzsl

    return avgzsl.card(root, "UCF", features, "UCF101: academic use")


def load(root: str = ".", features: str = "main_features") -> Dataset:
    from kdsweep.data.datasets import _avgzsl as avgzsl

    return avgzsl.load(
        card(root, features),
        root,
        "UCF",
        features,
        # v_Archery_g03_c02 is the second clip of the third video of archery.
        group=lambda clip: clip.rpartition("_c")[0],
        tests=lambda group: group.rpartition("_")[2] <= LAST_TEST_GROUP,
    )
