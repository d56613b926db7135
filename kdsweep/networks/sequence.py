"""Encoders of sequences [steps, F + 1], whose last feature is 1 on real steps and 0 on padding.

What an encoder says of a sequence does not depend on how far it was padded. B rows, L steps, F features, W width,
D embedding width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def steps_of(x: Tensor) -> tuple[Tensor, Tensor]:
    """A padded sequence [B, L, F + 1] as its features [B, L, F] and its flag [B, L, 1]."""
    return x[..., :-1], x[..., -1:]


def mean_over_steps(values: Tensor, real: Tensor) -> Tensor:
    """Mean of values [B, L, W] over the real steps [B, L, 1]; 0 where there is none. -> [B, W]."""
    return (values * real).sum(1) / real.sum(1).clamp(min=1)


class TemporalCNN(nn.Module):
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
            found = convolve((h * real).transpose(1, 2)).transpose(1, 2)
            h = shortcut(h) + self.dropout(torch.relu(norm(found)))
        highest = (h + (real - 1) * 1e9).amax(1) * real.amax(1)
        embedding: Tensor = self.out(torch.cat([mean_over_steps(h, real), highest], dim=1))
        return embedding


class Transformer(nn.Module):
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


class GRU(nn.Module):
    """A gated recurrent unit over the sequence; the mean of its states over real steps, through a layer. -> [B, D].

    Cho et al. Learning Phrase Representations using RNN Encoder-Decoder. arXiv:1406.1078. Trials with it do not stack.

    Args:
        shape: [L, F + 1].
        width: W.
        layers: how many, one on top of the other.
        embedding: D.
    """

    def __init__(self, shape: tuple[int, ...], *, width: int = 64, layers: int = 1, embedding: int = 64) -> None:
        super().__init__()
        self.recurrent = nn.GRU(shape[1] - 1, width, layers, batch_first=True)
        self.out = nn.Linear(width, embedding)
        self.embedding = embedding

    def forward(self, x: Tensor) -> Tensor:
        features, real = steps_of(x)
        states, _ = self.recurrent(features)
        embedding: Tensor = self.out(mean_over_steps(states, real))
        return embedding


def attend(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    """softmax(q kᵀ / √width) v over the keys where `real`, which broadcasts to the scores, is not 0.

    Written out: a row without any real key gets the plain mean, and no NaN.
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return F.softmax(scores + (real - 1) * 1e9, dim=-1) @ v


def sinusoids(steps: int, width: int) -> Tensor:
    """Positions [steps, width]: sines, then cosines, of wavelengths from 2π to 20000π steps."""
    rates = torch.exp(-math.log(10000.0) * torch.arange(width // 2) / max(1, width // 2 - 1))
    angles = torch.arange(steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], dim=1)
