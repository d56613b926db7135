"""Encoders of images and spectrograms. B rows, D embedding width, Ch channels, H by W positions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn


class CNN(nn.Module):
    """Conv3x3-GroupNorm-ReLU for each stage, halved in between where it can be; then the mean. [B, Ch, H, W] -> [B, D].

    The last stage's map is shown to terms as the inner feature "map".

    Args:
        shape: of one sample, [H, W] or [Ch, H, W].
        channels: width of each stage.
        embedding: D.
    """

    inner = ("map",)

    def __init__(self, shape: tuple[int, ...], *, channels: Sequence[int] = (16, 32), embedding: int = 64) -> None:
        super().__init__()
        depth, height, width = (1, *shape) if len(shape) == 2 else shape
        stages: list[nn.Module] = []
        for number, size in enumerate(channels):
            if number and min(height, width) >= 2:
                stages.append(nn.MaxPool2d(2))
                height, width = height // 2, width // 2
            # At most eight channels a group, by whole groups.
            groups = math.gcd(size, max(1, size // 8))
            stages += [nn.Conv2d(depth, size, 3, padding=1), nn.GroupNorm(groups, size), nn.ReLU()]
            depth = size
        self.map = nn.Sequential(*stages)
        self.out = nn.Linear(depth, embedding)
        self.embedding = embedding
        self.shape = (depth, height, width)

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        found = self.map(x if x.dim() == 4 else x[:, None])
        return self.out(found.mean((2, 3))), {"map": found}


class SpectrogramCNN(nn.Module):
    """The stages of `CNN`, averaged over time alone, then a layer on what each bin holds. [B, Ch, F, T] -> [B, D].

    Args:
        shape: of one sample, [bins, frames] or [channels, bins, frames].
        channels: width of each stage.
        embedding: D.
    """

    inner = ("map",)

    def __init__(self, shape: tuple[int, ...], *, channels: Sequence[int] = (16, 32), embedding: int = 64) -> None:
        super().__init__()
        stages = CNN(shape, channels=channels, embedding=embedding)
        self.map, self.shape = stages.map, stages.shape
        self.out = nn.Linear(self.shape[0] * self.shape[1], embedding)
        self.embedding = embedding

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        found = self.map(x if x.dim() == 4 else x[:, None])
        return self.out(found.mean(3).flatten(1)), {"map": found}
