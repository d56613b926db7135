"""Fusions: several embeddings into one. B rows, D embedding width."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


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
        pieces = []
        for name in self.names:
            there = present[name][:, None]
            pieces += [
                torch.where(there, embeddings[name], torch.zeros_like(embeddings[name])),
                there.to(torch.float32),
            ]
        fused: Tensor = self.layers(torch.cat([piece.to(pieces[0].dtype) for piece in pieces], dim=1))
        return fused
