"""3x3 convolutions with GroupNorm and ReLU, halving between stages, then the mean over positions.

B rows, D embedding width, Ch channels, H by W positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

READS = (
    "image",
    "spectrogram",
)


class Encoder(nn.Module):
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
        feature_map = self.map(x if x.dim() == 4 else x[:, None])
        return self.out(feature_map.mean((2, 3))), {"map": feature_map}
