"""Fusions: several embeddings into one, whatever the missing ones hold. B rows, M modalities, D embedding width."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kdsweep.networks.sequence import attend


class Concat(nn.Module):
    """Embeddings side by side, each with a flag of its presence, then Linear-LayerNorm-ReLU. -> [B, width].

    A missing modality enters as zeros with its flag at 0, so that the layer can tell "missing" from "all zeros".

    Args:
        widths: embedding widths, by modality.
        width: of the result.
    """

    def __init__(self, widths: Mapping[str, int], *, width: int = 64) -> None:
        super().__init__()
        self.names = tuple(sorted(widths))
        self.layers = nn.Sequential(
            nn.Linear(sum(widths.values()) + len(widths), width), nn.LayerNorm(width), nn.ReLU()
        )
        self.embedding = width

    def forward(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        there, seen = _what_is_there(self.names, embeddings, present)
        pieces = [piece for number, one in enumerate(seen) for piece in (one, there[:, number : number + 1])]
        fused: Tensor = self.layers(torch.cat(pieces, dim=1))
        return fused


class Gated(nn.Module):
    """A weighted sum of the modalities' hidden states, each with a gate that looks at all of them. -> [B, width].

    h_m = tanh(W_m e_m), gates softmax over the modalities that are there: a missing one has weight 0. Arevalo, Solorio,
    Montes-y-Gómez, González. Gated Multimodal Units for Information Fusion. arXiv:1702.01992; its sigmoids for two
    modalities are a softmax for any number.

    Args:
        widths: embedding widths, by modality.
        width: of the result.
    """

    def __init__(self, widths: Mapping[str, int], *, width: int = 64) -> None:
        super().__init__()
        self.names = tuple(sorted(widths))
        self.states = nn.ModuleList(nn.Linear(widths[name], width) for name in self.names)
        self.gates = nn.Linear(sum(widths.values()) + len(widths), len(widths))
        self.embedding = width

    def forward(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        there, seen = _what_is_there(self.names, embeddings, present)
        gates = torch.softmax(self.gates(torch.cat([*seen, there], dim=1)) + (there - 1) * 1e9, dim=1)
        states = [torch.tanh(state(one)) for state, one in zip(self.states, seen, strict=True)]
        return (gates[..., None] * torch.stack(states, dim=1)).sum(1)


class CrossAttention(nn.Module):
    """Modalities as tokens that look at one another, missing ones at by nobody; then their mean. -> [B, width].

    t_m = W_m e_m + b_m; t + attention(LayerNorm t), then t + MLP(LayerNorm t), averaged over the modalities that are
    there. Vaswani et al. Attention Is All You Need. arXiv:1706.03762.

    Args:
        widths: embedding widths, by modality.
        width: of tokens and result.
        heads: of the attention.

    Raises:
        ValueError: the width is no multiple of the heads.
    """

    def __init__(self, widths: Mapping[str, int], *, width: int = 64, heads: int = 4) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be a multiple of the heads, got {width=}, {heads=}")
        self.names, self.heads = tuple(sorted(widths)), heads
        # A layer's bias also says which modality a token is.
        self.tokens = nn.ModuleList(nn.Linear(widths[name], width) for name in self.names)
        self.before_attention, self.before_mlp = nn.LayerNorm(width), nn.LayerNorm(width)
        self.queries_keys_values = nn.Linear(width, 3 * width)
        self.joined = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 2 * width), nn.ReLU(), nn.Linear(2 * width, width))
        self.embedding = width

    def forward(self, embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Tensor:
        there, seen = _what_is_there(self.names, embeddings, present)
        t = torch.stack([token(one) for token, one in zip(self.tokens, seen, strict=True)], dim=1)
        three = self.queries_keys_values(self.before_attention(t)).unflatten(2, (3, self.heads, -1))
        q, k, v = (three[:, :, i].transpose(1, 2) for i in range(3))
        t = t + self.joined(attend(q, k, v, there[:, None, None, :]).transpose(1, 2).flatten(2))
        t = t + self.mlp(self.before_mlp(t))
        fused: Tensor = (t * there[..., None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        return fused


def _what_is_there(
    names: tuple[str, ...], embeddings: Mapping[str, Tensor], present: Mapping[str, Tensor]
) -> tuple[Tensor, list[Tensor]]:
    """Presence [B, M] as numbers, and the embeddings with zeros where they are missing."""
    there = torch.stack([present[name] for name in names], dim=1)
    seen = [torch.where(present[name][:, None], embeddings[name], torch.zeros_like(embeddings[name])) for name in names]
    return there.to(seen[0].dtype), seen
