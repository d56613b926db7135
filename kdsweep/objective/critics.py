"""The small networks that terms own: critics and generators, and maps that bring embeddings to one width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.objective.numerics import normalize

HIDDEN = 256
SLOPE = 0.2
# Of the projections in which embeddings are compared.
PROJECTED_WIDTH = 128


def frozen(module: nn.Module, *inputs: Tensor) -> Any:
    """`module(*inputs)`, through which a gradient reaches the inputs and not the module's parameters."""
    held = {name: parameter.detach() for name, parameter in module.named_parameters()}
    return torch.func.functional_call(module, held, inputs)


def generator(inputs: int, outputs: int, hidden: int = HIDDEN) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, hidden), nn.LeakyReLU(SLOPE), nn.Linear(hidden, outputs))


def discriminator(inputs: int, hidden: int = HIDDEN) -> nn.Module:
    """Two hidden layers to one logit; no batch normalisation, which would let rows of a batch know each other."""
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, hidden),
        nn.LeakyReLU(SLOPE),
        nn.Linear(hidden, 1),
    )


class Projections(nn.Module):
    """A linear map for each side, to unit vectors of one width."""

    def __init__(self, left: int, right: int, width: int) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(left, width), nn.Linear(right, width)

    def forward(self, left_BD: Tensor, right_BD: Tensor) -> tuple[Tensor, Tensor]:
        return normalize(self.left(left_BD), dim=1), normalize(self.right(right_BD), dim=1)


def matched(inputs: int, outputs: int) -> nn.Module:
    """A linear map where the widths differ, and nothing where they agree."""
    return nn.Identity() if inputs == outputs else nn.Linear(inputs, outputs)


class ConditionalGaussian(nn.Module):
    """q(y|x) of CLUB: a mean, and a log variance held to (-1, 1)."""

    def __init__(self, inputs: int, outputs: int, hidden: int) -> None:
        super().__init__()
        self.mean = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
        self.log_variance = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs), nn.Tanh())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean(x), self.log_variance(x)
