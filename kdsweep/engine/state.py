"""All that a training is, between two epochs, as one value.

A training that is built of the same trials and restored from it ends bit for bit like one that never stopped. Weights,
optimisers' moments, gradients that wait for an update, what terms remember (buffers) and random streams are all
tensors by name, so that a file of tensors holds them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class State:
    """Attributes:
    trials: ids, by lane.
    epoch: how many are done.
    tensors: everything else, copies, by names with slashes.
    """

    trials: tuple[str, ...]
    epoch: int
    tensors: Mapping[str, Tensor]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix/`, by the rest of their names."""
        return {name[len(prefix) + 1 :]: value for name, value in self.tensors.items() if name.startswith(f"{prefix}/")}


def check(state: State, trials: Sequence[str]) -> None:
    """Raises:
    ValueError: the state is of other trials than these.
    """
    if state.trials != tuple(trials):
        raise ValueError(f"a state is restored into the trials that it was taken from, {state.trials}, got {trials}")


def of_module(module: nn.Module) -> dict[str, Tensor]:
    """Copies of all parameters and buffers, those too that `state_dict` leaves out."""
    own = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: value.detach().clone() for name, value in own.items()}


def into_module(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put what `of_module` gave back in place."""
    with torch.no_grad():
        for name, value in {**dict(module.named_parameters()), **dict(module.named_buffers())}.items():
            value.copy_(tensors[name])


def of_streams(streams: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    return {name: stream.get_state() for name, stream in streams.items()}


def into_streams(streams: Mapping[str, torch.Generator], tensors: Mapping[str, Tensor]) -> None:
    for name, stream in streams.items():
        stream.set_state(tensors[name].cpu())


def of_optimiser(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Copies of its moments, by the number of the parameter and their name."""
    moments: dict[int, dict[str, Any]] = optimiser.state_dict()["state"]
    return {
        f"{number}/{name}": value.detach().clone()
        for number, own in moments.items()
        for name, value in own.items()
        # SGD without momentum has a buffer of None.
        if isinstance(value, Tensor)
    }


def into_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, _, name = key.partition("/")
        moments.setdefault(int(number), {})[name] = value.clone()
    # Rates are set anew at each step: only the moments are taken.
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})


def flat(**parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Mappings of tensors under their own names, joined by a slash."""
    return {f"{prefix}/{name}": value for prefix, own in parts.items() for name, value in own.items()}
