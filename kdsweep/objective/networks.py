"""The small networks that terms own."""

from __future__ import annotations

from torch import nn

HIDDEN = 256
SLOPE = 0.2


def generator(inputs: int, outputs: int, hidden: int = HIDDEN) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, outputs))


def discriminator(inputs: int, hidden: int = HIDDEN) -> nn.Module:
    """Two hidden layers to one logit; no batch normalisation, which would let rows of a batch know each other."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, 1),
    )
