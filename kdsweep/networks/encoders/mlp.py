"""Flattens what it reads; linear layers with LayerNorm and ReLU.

B rows, D embedding width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

READS = (
    "vector",
    "image",
    "spectrogram",
    "sequence",
    "video",
)


class Encoder(nn.Module):
    """Flatten, Linear-LayerNorm-ReLU-dropout for each hidden width, then a linear embedding: [B, *shape] to [B, D].

    Args:
        shape: of one sample.
        hidden: widths of the hidden layers.
        embedding: D.
        dropout: share of hidden units set to 0 in training.
    """

    def __init__(
        self, shape: tuple[int, ...], *, hidden: Sequence[int] = (64,), embedding: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        width = math.prod(shape)
        for size in hidden:
            layers += [nn.Linear(width, size), nn.LayerNorm(size), nn.ReLU()]
            if dropout:
                layers.append(nn.Dropout(dropout))
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, embedding))
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.layers(x)
        return embedding
