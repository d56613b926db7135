"""Convolutions in space and then in time with GroupNorm and ReLU, halving between stages, then the mean.

B rows, T frames, Ch channels, D embedding width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

READS = ("video",)


class Encoder(nn.Module):
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
