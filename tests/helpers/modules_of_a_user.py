"""Networks and data of a user's own, for tests."""

import os
import sys

import torch
from torch import Tensor, nn


class Net(nn.Module):
    """Reads one modality or two, by their names."""

    def __init__(self, *, width: int = 8, classes: int = 3, modalities: int = 1, features: int = 16) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(features * modalities, width), nn.LayerNorm(width), nn.ReLU())
        self.fc = nn.Linear(width, classes)

    def forward(self, **modalities: Tensor) -> Tensor:
        seen = torch.cat([modalities[name].flatten(1) for name in sorted(modalities)], dim=1)
        return self.fc(self.body(seen))


def for_the_driver_alone():
    """Data whose reading ends a worker of Ray's, as the machine does where memory gives out."""
    if "default_worker" in sys.argv[0]:
        os._exit(1)
    from kdsweep.data.datasets import digits

    return digits.load()


def what_a_teacher_said():
    """Data of two vectors, with columns that hold what teachers said of each row."""
    import numpy as np

    from kdsweep.data.dataset import Dataset
    from kdsweep.values.card import Card, Modality

    widths = {"a": 3, "b": 2, "said": 2, "unsaid": 2, "width": 4, "breadth": 4}
    return Dataset(
        card=Card({name: Modality("vector", (width,)) for name, width in widths.items()}, ("x", "y")),
        modalities={name: np.ones((8, width), np.float32) for name, width in widths.items()},
        present={name: np.ones(8, bool) for name in widths},
        labels=np.arange(8) % 2,
        ids=np.array([f"row {number}" for number in range(8)]),
    )


def others_each_time():
    """Data that no name stands for: another draw in every process and call."""
    import numpy as np

    again = what_a_teacher_said()
    again.modalities["a"][:] = np.random.default_rng().normal(size=(8, 3))
    return again
