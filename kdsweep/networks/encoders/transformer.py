"""Self-attention over real steps, then their mean.

What it says of a sequence does not depend on how far it was padded: the last feature is 1 on real steps, 0 on padding.
B rows, L steps, F features, W width, D embedding width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from kdsweep.networks.masking import attend, mean_over_steps, steps_of

READS = ("sequence",)


class Encoder(nn.Module):
    """Self-attention over real steps: layers of LayerNorm-attention and LayerNorm-MLP; then the mean over real steps.

    Vaswani et al. Attention Is All You Need. arXiv:1706.03762; with the norm first and sinusoidal positions.

    Args:
        shape: [L, F + 1].
        width: W.
        layers, heads: how many.
        embedding: D.
        dropout: share of each sublayer's outputs set to 0 in training.

    Raises:
        ValueError: the width is no multiple of twice the heads.
    """

    positions: Tensor

    def __init__(
        self,
        shape: tuple[int, ...],
        *,
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        embedding: int = 64,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if width % (2 * heads):
            raise ValueError(f"width must be a multiple of twice the heads, got {width=}, {heads=}")
        self.inward = nn.Linear(shape[1] - 1, width)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.out = nn.Linear(width, embedding)
        self.register_buffer("positions", sinusoids(shape[0], width), persistent=False)
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        features, real = steps_of(x)
        h = self.inward(features) + self.positions
        for block in self.blocks:
            h = block(h, real)
        embedding: Tensor = self.out(mean_over_steps(self.norm(h), real))
        return embedding


class Block(nn.Module):
    """One layer of a transformer: every step looks at the real steps, then an MLP. [B, L, W] -> [B, L, W]."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = nn.Dropout(dropout) if dropout else nn.Identity()

    def forward(self, h: Tensor, real: Tensor) -> Tensor:
        rows, steps, width = h.shape
        three = self.queries_keys_values(self.before_attention(h)).view(rows, steps, 3, self.heads, width // self.heads)
        q, k, v = (three[:, :, i].transpose(1, 2) for i in range(3))
        h = h + self.dropout(self.joined(attend(q, k, v, real[:, None, None, :, 0]).transpose(1, 2).flatten(2)))
        out: Tensor = h + self.dropout(self.mlp(self.before_mlp(h)))
        return out


def sinusoids(steps: int, width: int) -> Tensor:
    """Positions [steps, width]: sines, then cosines, of wavelengths from 2π to 20000π steps."""
    rates = torch.exp(-math.log(10000.0) * torch.arange(width // 2) / max(1, width // 2 - 1))
    angles = torch.arange(steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
