"""Synthetic: classes from latents of which some are shared by both modalities and some are seen by the auxiliary alone.

    shared z_s in R^4, private z_p in R^4        y: which of `classes` random directions of [z_s, z_p] is largest
    plain (student)  A_s z_s + noise             rich (auxiliary)  A_a [z_s, z_p] + noise

A student can know z_s at most; what a teacher knows of z_p is what there is to distil, and what a weak teacher loses.
The latents are kept beside the dataset (`latents`), so that a test can ask how much of them an embedding holds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kdsweep.values.card import Card, Modality

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset

WIDTH, SHARED, PRIVATE = 16, 4, 4


class Latents(NamedTuple):
    """Shared and private latents [N, 4] each, and labels [N]."""

    shared: NDArray[np.float64]
    private: NDArray[np.float64]
    labels: NDArray[np.int64]


def card(samples: int = 2000, classes: int = 8, noise: float = 0.3, seed: int = 0) -> Card:
    vector = Modality("vector", (WIDTH,))
    return Card({"plain": vector, "rich": vector}, tuple(f"class {number}" for number in range(classes)))


def latents(samples: int = 2000, classes: int = 8, seed: int = 0) -> Latents:
    """What the dataset of these options was made from, row by row."""
    rng = np.random.default_rng([seed, 1])
    both = rng.standard_normal((samples, SHARED + PRIVATE))
    directions = rng.standard_normal((SHARED + PRIVATE, classes))
    return Latents(both[:, :SHARED], both[:, SHARED:], np.argmax(both @ directions, axis=1).astype(np.int64))


def load(samples: int = 2000, classes: int = 8, noise: float = 0.3, seed: int = 0) -> Dataset:
    from kdsweep.data.dataset import Dataset

    rng = np.random.default_rng([seed, 2])
    made = latents(samples, classes, seed)
    both = np.concatenate([made.shared, made.private], axis=1)

    def view(latent: NDArray[np.float64]) -> NDArray[np.float32]:
        mixing = rng.standard_normal((latent.shape[1], WIDTH)) / np.sqrt(latent.shape[1])
        seen: NDArray[np.float32] = (latent @ mixing + noise * rng.standard_normal((samples, WIDTH))).astype(np.float32)
        return seen

    present = np.ones(samples, dtype=bool)
    return Dataset(
        card=card(samples, classes, noise, seed),
        modalities={"plain": view(made.shared), "rich": view(both)},
        present={"plain": present, "rich": present},
        labels=made.labels,
        ids=np.array([f"{number:06d}" for number in range(samples)]),
    )
