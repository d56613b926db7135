"""The main optimiser, the critics' optimisers, and the learning rate over training: of one trial."""

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
        scales: factors of the learning rate of some parameters.
    """

    def __init__(
        self,
        networks: Mapping[str, Sequence[nn.Parameter]],
        recipe: Mapping[str, Any],
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        scales: Mapping[nn.Parameter, float] | None = None,
    ) -> None:
        self.networks = {name: list(parameters) for name, parameters in networks.items() if parameters}
        self.recipe = recipe
        self.parameters = [parameter for parameters in self.networks.values() for parameter in parameters]
        lr, decay = float(recipe["lr"]), float(recipe["weight_decay"])
        by_scale: dict[float, list[nn.Parameter]] = {}
        for parameter in self.parameters:
            by_scale.setdefault((scales or {}).get(parameter, 1.0), []).append(parameter)
        groups: list[dict[str, Any]] = [{"params": several, "scale": scale} for scale, several in by_scale.items()]
        given: dict[str, Any] = {"lr": lr, "weight_decay": decay, "fused": True}
        self.torch: torch.optim.Optimizer
        match recipe["optimizer"]:
            case "adamw":
                self.torch = torch.optim.AdamW(groups, betas=betas, **given)
            case "adam":
                self.torch = torch.optim.Adam(groups, betas=betas, **given)
            case "sgd":
                self.torch = torch.optim.SGD(groups, momentum=float(recipe["momentum"]), **given)
            case other:
                raise ValueError(f"optimizer is adamw, adam or sgd, got {other!r}")

    def step(self, loss: Tensor, progress: float) -> None:
        """One update from the gradient of a loss."""
        self.backward(loss)
        self.update(progress)

    def backward(self, loss: Tensor, *, adds: bool = False) -> None:
        """The loss's gradient for these networks and no others; `adds` it to the one that is there."""
        gradients = torch.autograd.grad(loss, self.parameters, allow_unused=True)
        for parameter, gradient in zip(self.parameters, gradients, strict=True):
            # A parameter that nothing reads (a term before its start) has a gradient of 0, not none: weight decay and
            # Adam's moments must not depend on whether a term was dropped from the sum or weighs nothing.
            gradient = gradient if gradient is not None else torch.zeros_like(parameter)
            parameter.grad = parameter.grad + gradient if adds and parameter.grad is not None else gradient

    def update(self, progress: float) -> None:
        clip = float(self.recipe["clip"])
        if clip > 0:
            for parameters in self.networks.values():
                torch.nn.utils.clip_grad_norm_(parameters, clip)
        factor = rate(progress, schedule=self.recipe["schedule"], warmup=float(self.recipe["warmup"]))
        for group in self.torch.param_groups:
            group["lr"] = float(self.recipe["lr"]) * factor * group["scale"]
        self.torch.step()


# A discriminator's Adam forgets faster, as adversarial training uses it.
CRITIC_BETAS = (0.5, 0.999)


def critic_recipe(recipe: Mapping[str, Any], ratio: float) -> dict[str, Any]:
    """A critic's own recipe: Adam at `ratio` times the main learning rate, on the main one's schedule."""
    return {**recipe, "optimizer": "adam", "weight_decay": 0.0, "lr": float(recipe["lr"]) * ratio}


def critic_optimiser(critic: nn.Module, recipe: Mapping[str, Any], ratio: float) -> Optimiser:
    return Optimiser({"critic": list(critic.parameters())}, critic_recipe(recipe, ratio), betas=CRITIC_BETAS)
