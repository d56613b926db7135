"""How rows of a batch lie to each other, as a matrix; embeddings may differ in width. B rows, D width."""

from __future__ import annotations

from torch import Tensor

from kdsweep.objective.numerics import blank, normalize


def normalized_gram(values_BD: Tensor, rows: Tensor) -> Tensor:
    """x x^T with rows of length 1; blank for pairs that do not count."""
    values_BD = blank(values_BD, rows)
    return normalize(values_BD @ values_BD.T, dim=1)
