"""A sum weighted by gates over what is there.

B rows, M modalities, D embedding width. Nothing depends on what a missing modality holds.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from kdsweep.networks.masking import what_is_there


class Fusion(nn.Module):
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
        there, seen = what_is_there(self.names, embeddings, present)
        gates = torch.softmax(self.gates(torch.cat([*seen, there], dim=1)) + (there - 1) * 1e9, dim=1)
        states = [torch.tanh(state(one)) for state, one in zip(self.states, seen, strict=True)]
        return (gates[..., None] * torch.stack(states, dim=1)).sum(1)
