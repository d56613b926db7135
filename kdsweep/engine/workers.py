"""Several processes train one trial: each takes a slice of the batch, all see the whole of it in the objective.

Networks run on the slice; their Outputs are gathered along the batch axis; every worker computes the objective on the
global batch, so that contrastive terms have all their negatives; network gradients are summed. Nothing here knows who
started the processes.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor

from kdsweep.objective.batch import Outputs


class Workers:
    """This process among those that train one trial. `Workers()` is a process alone.

    Args:
        rank, size: which one it is, and how many there are. With more than one, torch.distributed is initialised.
    """

    def __init__(self, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size

    def mine(self, rows: Tensor) -> Tensor:
        """This worker's slice of a batch of rows."""
        return rows.tensor_split(self.size)[self.rank]

    def gather(self, outputs: Outputs, total: int) -> Outputs:
        """The global batch's Outputs, `total` rows; gradient flows into this worker's slice alone."""
        if self.size == 1:
            return outputs
        return Outputs(
            self._gather(outputs.logits, total),
            self._gather(outputs.embedding, total),
            self._gather(outputs.present, total),
            {name: self._gather(feature, total) for name, feature in outputs.features.items()},
        )

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Add up the workers' gradients, each of which saw its own slice, in one flat message."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = self.sum(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, piece in zip(
            gradients, torch.split(flat, [gradient.numel() for gradient in gradients]), strict=True
        ):
            gradient.copy_(piece.view_as(gradient))

    def sum(self, values: Tensor) -> Tensor:
        """The sum of every worker's values, in place."""
        dist.all_reduce(values)
        return values

    def _gather(self, mine: Tensor, total: int) -> Tensor:
        sizes = [len(piece) for piece in torch.arange(total).tensor_split(self.size)]
        # Collectives want equal shapes: slices differ by a row at most.
        as_bytes = mine.detach().to(torch.uint8) if mine.dtype == torch.bool else mine.detach()
        padded = as_bytes.new_zeros((max(sizes), *mine.shape[1:]))
        padded[: len(mine)] = as_bytes
        pieces = [torch.empty_like(padded) for _ in sizes]
        dist.all_gather(pieces, padded)
        whole = [piece[:size].to(mine.dtype) for piece, size in zip(pieces, sizes, strict=True)]
        whole[self.rank] = mine
        return torch.cat(whole)
