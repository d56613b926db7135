"""Encoders of video [frames, channels, H, W]. B rows, T frames, Ch channels, D embedding width."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdsweep.networks.image import CNN


class Frames(nn.Module):
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
        stages = CNN(shape[1:], channels=channels, embedding=embedding)
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
        found = self.frame(x.flatten(0, 1)).view(rows, frames, -1)
        # A single frame changes by nothing.
        changes = (found[:, 1:] - found[:, :-1]).abs().sum(1) / max(1, frames - 1)
        embedding: Tensor = self.out(torch.cat([found.mean(1), changes], dim=1))
        return embedding


class FactorisedCNN(nn.Module):
    """Stages of a 1x3x3 convolution in space and a 3x1x1 one in time, each GroupNorm-ReLU, halved between stages.

    Tran, Wang, Torresani, Ray, LeCun, Paluri. A Closer Look at Spatiotemporal Convolutions. arXiv:1711.11248.

    Args:
        shape: [T, Ch, H, W].
        channels: width of each stage.
        embedding: D.
    """

    def __init__(self, shape: tuple[int, ...], *, channels: Sequence[int] = (16, 32), embedding: int = 64) -> None:
        super().__init__()
        frames, depth, height, width = shape
        stages: list[nn.Module] = []
        for number, size in enumerate(channels):
            if number:
                halved = [2 if length >= 2 else 1 for length in (frames, height, width)]
                stages.append(nn.MaxPool3d((halved[0], halved[1], halved[2])))
                frames, height, width = (
                    length // by for length, by in zip((frames, height, width), halved, strict=True)
                )
            groups = math.gcd(size, max(1, size // 8))
            stages += [nn.Conv3d(depth, size, (1, 3, 3), padding=(0, 1, 1)), nn.GroupNorm(groups, size), nn.ReLU()]
            stages += [nn.Conv3d(size, size, (3, 1, 1), padding=(1, 0, 0)), nn.GroupNorm(groups, size), nn.ReLU()]
            depth = size
        self.stages = nn.Sequential(*stages)
        self.out = nn.Linear(depth, embedding)
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        embedding: Tensor = self.out(self.stages(x.transpose(1, 2)).mean((2, 3, 4)))
        return embedding
