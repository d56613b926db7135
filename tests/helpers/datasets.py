"""Small datasets: vectors in memory, and clips of images and sequences that also lie on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kdsweep.data.dataset import Dataset
from kdsweep.data.disk import format
from kdsweep.networks import complete
from kdsweep.values.card import Card, Modality
from kdsweep.values.study import Train
from kdsweep.values.trial import Trial

ROWS = 30
CLIPS_NETWORKS = {
    "look": complete({"mlp": {"hidden": [8]}}, kind="image"),
    "gait": complete({"tcn": {"channels": [8]}}, kind="sequence"),
    "fusion": complete("concat"),
}


def blobs(rows: int = 120, groups: int = 0) -> Dataset:
    rng = np.random.default_rng(0)
    there = np.ones(rows, dtype=bool)
    return Dataset(
        card=Card(
            {"seen": Modality("vector", (3,)), "hidden": Modality("vector", (2,))}, ("a", "b", "c"), grouped=groups > 0
        ),
        modalities={
            "seen": rng.normal(size=(rows, 3)).astype(np.float32),
            "hidden": rng.normal(size=(rows, 2)).astype(np.float32),
        },
        present={"seen": there, "hidden": there},
        labels=np.arange(rows) % 3,
        ids=np.array([f"row {number}" for number in range(rows)]),
        groups=np.array([f"group {number % groups}" for number in range(rows)]) if groups else None,
    )


def clips() -> Dataset:
    """A modality of each kind of column: images, and sequences of unequal length that are missing in places."""
    rng = np.random.default_rng(0)
    gait = np.zeros((ROWS, 5, 3), np.float32)
    for row, length in enumerate(rng.integers(1, 6, ROWS)):
        gait[row, :length, :2] = rng.normal(size=(length, 2))
        gait[row, :length, 2] = 1
    there = np.arange(ROWS) % 4 != 0
    gait[~there] = 0
    return Dataset(
        card=Card(
            {"look": Modality("image", (1, 2, 3)), "gait": Modality("sequence", (5, 3))},
            ("walk", "wander"),
            grouped=True,
            licence="CC0-1.0",
        ),
        modalities={"look": rng.normal(size=(ROWS, 1, 2, 3)).astype(np.float32), "gait": gait},
        present={"look": np.ones(ROWS, bool), "gait": there},
        labels=np.arange(ROWS) % 2,
        ids=np.array([f"clip é {row}" for row in range(ROWS)]),
        split=np.array(["train"] * 20 + ["valid"] * 5 + ["test"] * 5),
        groups=np.array([f"speaker {row // 5}" for row in range(ROWS)]),
    )


def read(folder: Path, monkeypatch, *, large: bool) -> Dataset:
    monkeypatch.setenv("KDSWEEP_MEMORY", "0" if large else "1000000000")
    return format.read(folder)


def clips_trial(**changes) -> Trial:
    whole = {
        "trains": "teacher",
        "method": "teacher",
        "code": "test",
        "fingerprint": "clips",
        "rows": {"train": "a", "valid": "b", "test": "c"},
        "student": ("look",),
        "auxiliary": ("gait",),
        "task": "classification",
        "select": "last",
        "metric": "accuracy",
        "train": Train(epochs=3, batch_size=8, lr=0.01).model_dump(),
        "networks": {"teacher": CLIPS_NETWORKS},
        "seed": 1,
        "choices": {},
        "reads_test": True,
    }
    return Trial(**{**whole, **changes})
