"""UCI Multiple Features: 2,000 handwritten digits, each described in six ways.

`mfeat.npz`: mod_fou [2000, 76] Fourier coefficients, mod_fac 216 profile correlations, mod_kar 64 Karhunen-Loève
coefficients, mod_pix 240 pixel averages, mod_zer 47 Zernike moments, mod_mor 6 morphological features; y and split.
archive.ics.uci.edu/dataset/72 (CC BY 4.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kdsweep.values.card import Card, Modality

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset

WIDTHS = {"fou": 76, "fac": 216, "kar": 64, "pix": 240, "zer": 47, "mor": 6}


def card(root: str = ".") -> Card:
    modalities = {name: Modality("vector", (width,)) for name, width in WIDTHS.items()}
    return Card(modalities, tuple("0123456789"), licence="CC BY 4.0")


def load(root: str = ".") -> Dataset:
    from kdsweep.data.dataset import Dataset
    from kdsweep.data.datasets import _downloaded as downloaded

    keys = (*(f"mod_{name}" for name in WIDTHS), "y", "split")
    found = downloaded.arrays(root, "mfeat.npz", keys, about="the UCI repository's Multiple Features as one archive")
    # A validation part, where the files have none, is drawn by the study's split_seed.
    split = np.where(found["split"] == "val", "valid", found["split"])
    train = np.flatnonzero(split == "train")
    modalities = {name: downloaded.standardise(found[f"mod_{name}"], train) for name in WIDTHS}
    return Dataset(
        card=card(),
        modalities=modalities,
        present=downloaded.all_present(modalities),
        labels=found["y"].astype(np.int64),
        ids=np.array([f"{number:04d}" for number in range(len(split))]),
        split=split,
    )
