"""Dilated convolutions over time with LayerNorm and ReLU; mean and maximum over real steps.

What it says of a sequence does not depend on how far it was padded: the last feature is 1 on real steps, 0 on padding.
B rows, L steps, F features, W width, D embedding width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from kdsweep.networks.masking import mean_over_steps, steps_of

READS = ("sequence",)


class Encoder(nn.Module):
    """Residual layers of dilated convolutions over time, each LayerNorm-ReLU; mean and maximum over real steps.

    Layer i looks 2^i steps to each side. Bai, Kolter, Koltun. An Empirical Evaluation of Generic Convolutional and
    Recurrent Networks for Sequence Modeling. arXiv:1803.01271; here not causal: the whole sequence is seen.

    Args:
        shape: [L, F + 1].
        channels: width of each layer.
        embedding: D.
        dropout: share of each layer's outputs set to 0 in training.
    """

    def __init__(
        self, shape: tuple[int, ...], *, channels: Sequence[int] = (64, 64), embedding: int = 64, dropout: float = 0.0
    ) -> None:
        super().__init__()
        widths = [shape[1] - 1, *channels]
        pairs = list(zip(widths, channels, strict=False))
        self.convolutions = nn.ModuleList(
            nn.Conv1d(before, after, 3, padding=2**i, dilation=2**i) for i, (before, after) in enumerate(pairs)
        )
        self.shortcuts = nn.ModuleList(nn.Linear(before, after) for before, after in pairs)
        self.norms = nn.ModuleList(nn.LayerNorm(after) for after in channels)
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()
        self.out = nn.Linear(2 * widths[-1], embedding)
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        h, real = steps_of(x)
        for convolve, shortcut, norm in zip(self.convolutions, self.shortcuts, self.norms, strict=True):
            # What a layer made of the padding must not come back through the next one's window.
            convolved = convolve((h * real).transpose(1, 2)).transpose(1, 2)
            h = shortcut(h) + self.dropout(torch.relu(norm(convolved)))
        highest = (h + (real - 1) * 1e9).amax(1) * real.amax(1)
        embedding: Tensor = self.out(torch.cat([mean_over_steps(h, real), highest], dim=1))
        return embedding
