"""What every role's network is: what it reads, the width of what it shows, and which parts of it learn how."""

from __future__ import annotations

import functools
import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Self

from torch import Tensor, nn

from kdsweep.objective.batch import Outputs


class Network(nn.Module, ABC):
    """What one role says about a batch of its modalities.

    Attributes:
        names: of the modalities that it reads.
        needs, any_of: a row counts where all of the first, and at least one of the second, if any, are present.
        embedding: width D of its embedding.
        head_name: of the submodule that makes logits of an embedding; "" where there is none.
        frozen: names of the parts that are never trained, and are in evaluation mode always.
        lr_scales: factors of the learning rate, by the name of the part.
    """

    names: tuple[str, ...]
    needs: tuple[str, ...]
    any_of: tuple[str, ...] = ()
    embedding: int
    head_name: str = ""
    frozen: tuple[str, ...] = ()
    lr_scales: Mapping[str, float] = {}

    @property
    @abstractmethod
    def features(self) -> Mapping[str, tuple[int, ...]]:
        """Shapes of the inner features that the network shows, without the batch axis."""

    @abstractmethod
    def forward(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Outputs:
        """`inputs` [B, *shape] and `present` [B] bool, by modality."""

    @property
    def to_logits(self) -> nn.Module | None:
        """What makes logits of an embedding."""
        return self.get_submodule(self.head_name) if self.head_name else None

    def rows(self, present: Mapping[str, Tensor]) -> Tensor:
        """[B] bool: those that count."""
        there = functools.reduce(operator.and_, [present[name] for name in self.needs])
        return there & functools.reduce(operator.or_, [present[n] for n in self.any_of]) if self.any_of else there

    def train(self, mode: bool = True) -> Self:
        super().train(mode)
        for submodule in self.frozen:
            self.get_submodule(submodule).eval()
        return self

    def lr_scale(self, parameter: str) -> float:
        """The factor of a parameter's learning rate."""
        return next(
            (scale for submodule, scale in self.lr_scales.items() if parameter.startswith(f"{submodule}.")), 1.0
        )
