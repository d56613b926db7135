"""What a network says about a part of the data."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from kdsweep.data.tensors import Tensors
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.objective.batch import Outputs

# What is done to inputs and presence of some rows before a network sees them, by modality.
Change = Callable[
    [Mapping[str, Tensor], Mapping[str, Tensor], Tensor], tuple[Mapping[str, Tensor], Mapping[str, Tensor]]
]
# Rows at a time; large enough that small sets go in one piece.
CHUNK = 2048


def half(precision: str, device: torch.device) -> torch.autocast:
    """Where networks run: `train.precision` of "bfloat16" lets matrix products and convolutions use it."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")


@torch.no_grad()
def outputs(
    network: Network,
    part: Tensors,
    workers: Workers,
    precision: str = "float32",
    change: Change = lambda inputs, present, rows: (inputs, present),
) -> Outputs:
    """The network's Outputs for every row of a part, in evaluation mode."""
    was_training = network.training
    network.eval()
    pieces = []
    for rows in torch.split(torch.arange(len(part), device=part.labels.device), CHUNK):
        with half(precision, rows.device):
            mine = workers.mine(rows)
            chunk = network(*change(*part.batch(mine, network.names), mine))
        pieces.append(workers.gather(chunk.widen(), len(rows)))
    network.train(was_training)
    if len(pieces) == 1:
        return pieces[0]
    return Outputs(
        torch.cat([piece.logits for piece in pieces]),
        torch.cat([piece.embedding for piece in pieces]),
        torch.cat([piece.present for piece in pieces]),
        {name: torch.cat([piece.features[name] for piece in pieces]) for name in pieces[0].features},
    )
