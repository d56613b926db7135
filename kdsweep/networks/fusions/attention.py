"""Modalities look at one another; the mean over what is there.

B rows, M modalities, D embedding width. Nothing depends on what a missing modality holds.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kdsweep.networks.masking import attend, what_is_there


class Fusion(nn.Module):
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
        there, seen = what_is_there(self.names, embeddings, present)
        t = torch.stack([token(one) for token, one in zip(self.tokens, seen, strict=True)], dim=1)
        three = self.queries_keys_values(self.before_attention(t)).unflatten(2, (3, self.heads, -1))
        q, k, v = (three[:, :, i].transpose(1, 2) for i in range(3))
        t = t + self.joined(attend(q, k, v, there[:, None, None, :]).transpose(1, 2).flatten(2))
        t = t + self.mlp(self.before_mlp(t))
        fused: Tensor = (t * there[..., None]).sum(1) / there.sum(1, keepdim=True).clamp(min=1)
        return fused
