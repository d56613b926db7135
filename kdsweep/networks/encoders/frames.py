"""The cnn's stages on every frame, kept to 4 x 4 places; the mean over time, and the mean change.

B rows, T frames, Ch channels, D embedding width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdsweep.networks.encoders import cnn

READS = ("video",)


class Encoder(nn.Module):
    """The image CNN's stages on every frame, then over time the mean and the mean change, through a layer. -> [B, D].

    A frame's map is averaged to at most 4 x 4 places: where something moves tells actions apart. The change is the mean
    absolute difference of neighbouring frames' features: a mean alone knows no motion.

    Args:
        shape: [T, Ch, H, W].
        channels: width of each stage of the CNN.
        embedding: D.
    """

    def __init__(self, shape: tuple[int, ...], *, channels: Sequence[int] = (16, 32), embedding: int = 64) -> None:
        super().__init__()
        stages = cnn.Encoder(shape[1:], channels=channels, embedding=embedding)
        depth, height, width = stages.shape
        places = (min(4, height), min(4, width))
        self.frame = nn.Sequential(
            stages.map,
            nn.AdaptiveAvgPool2d(places),
            nn.Flatten(),
            nn.Linear(depth * math.prod(places), embedding),
            nn.LayerNorm(embedding),
            nn.ReLU(),
        )
        self.out = nn.Linear(2 * embedding, embedding)
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        rows, frames = x.shape[:2]
        features = self.frame(x.flatten(0, 1)).view(rows, frames, -1)
        # A single frame changes by nothing.
        changes = (features[:, 1:] - features[:, :-1]).abs().sum(1) / max(1, frames - 1)
        embedding: Tensor = self.out(torch.cat([features.mean(1), changes], dim=1))
        return embedding
