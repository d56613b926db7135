"""Putting a modality on one scale by the mean and deviation of the training part, and of nothing else.

S is the shape of one sample.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kdsweep.data.dataset import Dataset
from kdsweep.values.card import Modality


class Scaling(NamedTuple):
    """(x − mean) / deviation; both broadcast to *S."""

    mean: NDArray[np.float32]
    deviation: NDArray[np.float32]

    def apply(self, values: Tensor, present: Tensor, *, padded: bool) -> Tensor:
        """Values [n, *S] on that scale; what is missing, and the padding of a sequence, stays 0."""
        mean, deviation = (values.new_tensor(part) for part in self)
        scaled = (values - mean) / deviation
        scaled = scaled * present.view(-1, *[1] * (values.dim() - 1))
        return scaled * values[..., -1:] if padded else scaled


def of_part(dataset: Dataset, name: str, modality: Modality) -> Scaling:
    """The scale of all rows of a part that have the modality.

    Of a vector each feature has its own, of a sequence each feature over its real steps, of a spectrogram each bin, of
    an image or a video each channel. A feature that is constant becomes 0; so does all where no row has the modality.
    """
    over = _axes(modality)
    kept = tuple(size for axis, size in enumerate(modality.shape) if axis not in over)
    sums, squares, count = np.zeros(kept), np.zeros(kept), 0.0
    axes = (0, *(axis + 1 for axis in over))
    for rows, values in dataset.chunks(name):
        there = values[dataset.present[name][rows]].astype(np.float64)
        sums, squares = sums + there.sum(axes), squares + np.square(there).sum(axes)
        real = there[..., -1].sum() if modality.kind == "sequence" else float(np.prod([there.shape[a] for a in axes]))
        count += float(real)
    mean = sums / max(count, 1.0)
    # Of what is nearly constant, rounding leaves a variance that may be below 0.
    deviation = np.sqrt(np.maximum(squares / max(count, 1.0) - np.square(mean), 0))
    deviation = np.where(deviation > 1e-6 * np.maximum(np.abs(mean), 1e-6), deviation, 1.0)
    if modality.kind == "sequence":
        mean[-1], deviation[-1] = 0.0, 1.0
    shape = tuple(1 if axis in over else size for axis, size in enumerate(modality.shape))
    return Scaling(mean.reshape(shape).astype(np.float32), deviation.reshape(shape).astype(np.float32))


def _axes(modality: Modality) -> tuple[int, ...]:
    """The axes of a sample that share a scale."""
    match modality.kind, len(modality.shape):
        case "sequence", _:
            return (0,)
        case "video", _:
            return (0, 2, 3)
        case "image", axes:
            return tuple(range(axes - 2, axes))
        case "spectrogram", axes:
            return (axes - 1,)
    return ()
