"""The 51 actions of UCF101 whose clips have sound: class scores of two video networks, and audio features.

`ucf51.npz`: mod_rgb and mod_flow [1944, 101], the scores that a spatial and a temporal network give a clip for all of
UCF101's classes; mod_audio [1944, 512]; y; ids, which name the source video, a group that is never split; and split,
after test split 1.
UCF101 (Soomro, Zamir, Shah. arXiv:1212.0402) is for academic use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kdsweep.values.card import Card, Modality

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset

WIDTHS = {"rgb": 101, "flow": 101, "audio": 512}
# fmt: off
CLASSES = (
    "ApplyEyeMakeup", "ApplyLipstick", "Archery", "BabyCrawling", "BalanceBeam", "BandMarching", "BasketballDunk",
    "BlowDryHair", "BlowingCandles", "BodyWeightSquats", "Bowling", "BoxingPunchingBag", "BoxingSpeedBag",
    "BrushingTeeth", "CliffDiving", "CricketBowling", "CricketShot", "CuttingInKitchen", "FieldHockeyPenalty",
    "FloorGymnastics", "FrisbeeCatch", "FrontCrawl", "Haircut", "HammerThrow", "Hammering", "HandStandPushups",
    "HandstandWalking", "HeadMassage", "IceDancing", "Knitting", "LongJump", "MoppingFloor", "ParallelBars",
    "PlayingCello", "PlayingDaf", "PlayingDhol", "PlayingFlute", "PlayingSitar", "Rafting", "ShavingBeard", "Shotput",
    "SkyDiving", "SoccerPenalty", "StillRings", "SumoWrestling", "Surfing", "TableTennisShot", "Typing", "UnevenBars",
    "WallPushups", "WritingOnBoard",
)
# fmt: on


def card(root: str = ".") -> Card:
    modalities = {name: Modality("vector", (width,)) for name, width in WIDTHS.items()}
    return Card(modalities, CLASSES, grouped=True, licence="UCF101: academic use")


def load(root: str = ".") -> Dataset:
    from kdsweep.data.dataset import Dataset
    from kdsweep.data.datasets import _downloaded as downloaded

    keys = (*(f"mod_{name}" for name in WIDTHS), "y", "split", "ids")
    found = downloaded.arrays(root, "ucf51.npz", keys, about="scores and features of UCF101's clips with sound")
    split = np.where(found["split"] == "val", "valid", found["split"])
    train = np.flatnonzero(split == "train")
    # One scale a modality: its features share a unit, and most of the audio's are 0 nearly always.
    modalities = {name: downloaded.standardise(found[f"mod_{name}"], train, axes=(0, 1)) for name in WIDTHS}
    return Dataset(
        card=card(),
        modalities=modalities,
        present=downloaded.all_present(modalities),
        labels=found["y"].astype(np.int64),
        ids=found["ids"],
        split=split,
        # v_Archery_g03_c02 is the second clip of the third video of archery.
        groups=np.array([name.rpartition("_c")[0] for name in found["ids"].tolist()]),
    )
