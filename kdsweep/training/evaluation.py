"""What a network says about a part of the data."""

from __future__ import annotations

import torch

from kdsweep.data.tensors import Tensors
from kdsweep.networks.network import Network
from kdsweep.objective.outputs import Outputs
from kdsweep.training.workers import Workers

# Rows at a time; large enough that small sets go in one piece.
CHUNK = 2048


@torch.no_grad()
def outputs(network: Network, part: Tensors, workers: Workers) -> Outputs:
    """The network's Outputs for every row of a part, in evaluation mode."""
    was_training = network.training
    network.eval()
    pieces = []
    for rows in torch.split(torch.arange(len(part), device=part.labels.device), CHUNK):
        pieces.append(workers.gather(network(*part.batch(workers.mine(rows))), len(rows)))
    network.train(was_training)
    if len(pieces) == 1:
        return pieces[0]
    return Outputs(
        torch.cat([piece.logits for piece in pieces]),
        torch.cat([piece.embedding for piece in pieces]),
        torch.cat([piece.present for piece in pieces]),
        {name: torch.cat([piece.features[name] for piece in pieces]) for name in pieces[0].features},
    )
