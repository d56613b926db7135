"""Handwritten digits cut in two: the upper half of each image is one modality, the lower half another.

1,797 images of 8 x 8 pixels (UCI Optical Recognition of Handwritten Digits, as scikit-learn ships it, CC BY 4.0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from kdsweep.values.card import Card, Modality

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset


def card() -> Card:
    half = Modality("image", (1, 4, 8))
    return Card({"top": half, "bottom": half}, tuple("0123456789"))


def load() -> Dataset:
    from sklearn.datasets import load_digits

    from kdsweep.data.dataset import Dataset

    images, labels = load_digits(return_X_y=True)
    # Pixels run from 0 to 16; a fixed scale needs no statistics of the training part.
    images = (images.reshape(-1, 1, 8, 8) / 8 - 1).astype(np.float32)
    present = np.ones(len(labels), dtype=bool)
    return Dataset(
        card=card(),
        modalities={"top": images[:, :, :4], "bottom": images[:, :, 4:]},
        present={"top": present, "bottom": present},
        labels=labels.astype(np.int64),
        ids=np.array([f"{number:04d}" for number in range(len(labels))]),
    )
