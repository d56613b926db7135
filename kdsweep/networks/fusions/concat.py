"""Embeddings side by side, then a layer.

B rows, M modalities, D embedding width. Nothing depends on what a missing modality holds.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kdsweep.networks.masking import what_is_there


class Fusion(nn.Module):
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
        there, seen = what_is_there(self.names, embeddings, present)
        pieces = [piece for number, one in enumerate(seen) for piece in (one, there[:, number : number + 1])]
        fused: Tensor = self.layers(torch.cat(pieces, dim=1))
        return fused
