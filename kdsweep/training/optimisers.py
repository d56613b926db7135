"""The main optimiser, the critics' optimisers, and the learning rate over training."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn


def rate(progress: float, *, schedule: str, warmup: float) -> float:
    """Factor of the learning rate in [0, 1] at `progress` in [0, 1]: a linear warm-up, then the schedule's fall."""
    if progress < warmup:
        return progress / warmup
    done = (progress - warmup) / (1 - warmup)
    match schedule:
        case "constant":
            return 1.0
        case "linear":
            return 1.0 - done
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * done))
    raise ValueError(f"schedule is cosine, linear or constant, got {schedule=}")


class Optimiser:
    """One optimiser over several networks, each clipped on its own: no network's step depends on another's gradient.

    Args:
        networks: their parameters, by name.
        recipe: optimizer, lr, weight_decay, clip, momentum, schedule, warmup.
    """

    def __init__(
        self,
        networks: Mapping[str, Sequence[nn.Parameter]],
        recipe: Mapping[str, Any],
        *,
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        self.networks = {name: list(parameters) for name, parameters in networks.items() if parameters}
        self.recipe = recipe
        self.parameters = [parameter for parameters in self.networks.values() for parameter in parameters]
        lr, decay = float(recipe["lr"]), float(recipe["weight_decay"])
        given: dict[str, Any] = {"lr": lr, "weight_decay": decay, "fused": True}
        self.torch: torch.optim.Optimizer
        match recipe["optimizer"]:
            case "adamw":
                self.torch = torch.optim.AdamW(self.parameters, betas=betas, **given)
            case "adam":
                self.torch = torch.optim.Adam(self.parameters, betas=betas, **given)
            case "sgd":
                self.torch = torch.optim.SGD(self.parameters, momentum=float(recipe["momentum"]), **given)
            case other:
                raise ValueError(f"optimizer is adamw, adam or sgd, got {other!r}")

    def step(self, loss: Tensor, progress: float) -> None:
        """One update from the gradient of a loss."""
        self.backward(loss)
        self.update(progress)

    def backward(self, loss: Tensor) -> None:
        """The loss's gradient for these networks and no others."""
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            # A parameter that nothing reads (a term before its start) has a gradient of 0, not none: weight decay and
            # Adam's moments must not depend on whether a term was dropped from the sum or weighs nothing.
            parameter.grad = gradient if gradient is not None else torch.zeros_like(parameter)

    def update(self, progress: float) -> None:
        clip = float(self.recipe["clip"])
        if clip > 0:
            for parameters in self.networks.values():
                torch.nn.utils.clip_grad_norm_(parameters, clip)
        factor = rate(progress, schedule=self.recipe["schedule"], warmup=float(self.recipe["warmup"]))
        for group in self.torch.param_groups:
            group["lr"] = float(self.recipe["lr"]) * factor
        self.torch.step()


def critic_optimiser(critic: nn.Module, recipe: Mapping[str, Any], ratio: float) -> Optimiser:
    """Adam with beta_1 = .5, as adversarial training uses it, at `ratio` times the main learning rate."""
    own = {**recipe, "optimizer": "adam", "weight_decay": 0.0, "lr": float(recipe["lr"]) * ratio}
    return Optimiser({"critic": list(critic.parameters())}, own, betas=(0.5, 0.999))
