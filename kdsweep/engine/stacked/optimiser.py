"""The optimisers of one trial, for K members at once: every number of theirs a column.

Letters: K members, P parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from kdsweep.engine.optimiser import rate


class Flat:
    """The parameters of K members in one [K, P] buffer, so that an update is a handful of operations.

    Args:
        groups: parameters [K, *shape] by name, in groups (networks) that are clipped on their own.
    """

    def __init__(self, groups: Mapping[str, Mapping[str, Tensor]]) -> None:
        self.shapes = {group: {name: v.shape[1:] for name, v in state.items()} for group, state in groups.items()}
        self.spans: dict[str, slice] = {}
        at = 0
        for group, shapes in self.shapes.items():
            self.spans[group] = slice(at, at + sum(shape.numel() for shape in shapes.values()))
            at = self.spans[group].stop
        pieces = [value.reshape(len(value), -1) for state in groups.values() for value in state.values()]
        self.value = torch.cat(pieces, dim=1)

    def leaf(self) -> Tensor:
        """The buffer as something to differentiate by."""
        return self.value.detach().requires_grad_()

    def views(self, flat: Tensor) -> dict[str, dict[str, Tensor]]:
        """The parameters as they were given, cut out of a buffer of this layout."""
        sizes = [shape.numel() for shapes in self.shapes.values() for shape in shapes.values()]
        # One split: of as many slices, each would bring a gradient as large as the whole buffer.
        pieces = iter(torch.split(flat, sizes, dim=1))
        return {
            group: {name: next(pieces).reshape(len(flat), *shape) for name, shape in shapes.items()}
            for group, shapes in self.shapes.items()
        }


class Rates(NamedTuple):
    """What the members' updates are done with, [K, 1] each: lr (of this step), decay, momentum, clip (0: none).

    size and root correct Adam's first steps: lr / (1 - beta1^t), and sqrt(1 - beta2^t), by which the root of the second
    moment is divided; SGD has neither, and size is lr. They are computed before the update, not in it: compiled code
    would take the powers anew for every few parameters. lr and size are [K, P] where parts of a network have rates of
    their own.
    """

    lr: Tensor
    decay: Tensor
    momentum: Tensor
    clip: Tensor
    size: Tensor
    root: Tensor


class OptimiserState(NamedTuple):
    """What an update changes: parameters, first and second moments [K, P], and the count of steps [K, 1] float64."""

    value: Tensor
    first: Tensor
    second: Tensor
    steps: Tensor


class StackedOptimiser:
    """SGD, Adam or AdamW over K members at once, every number of theirs a column. The same updates as `Optimiser`.

    Args:
        flat: the parameters.
        recipes: each member's; `optimizer` and `schedule` are the same for all.
        scale: [1, P] factors of the learning rate; None where all are 1.
        compiled: updates are compiled, not run as they are: the same ones, in the form that is fastest there.
    """

    def __init__(
        self,
        flat: Flat,
        recipes: Sequence[Mapping[str, Any]],
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        scale: Tensor | None = None,
        compiled: bool = False,
    ) -> None:
        self.flat, self.betas, self.eps, self.scale, self.compiled = flat, betas, eps, scale, compiled
        self.kind = recipes[0]["optimizer"]
        self.first, self.second = torch.zeros_like(flat.value), torch.zeros_like(flat.value)
        self.steps = torch.zeros(len(recipes), 1, dtype=torch.float64, device=flat.value.device)
        self._of_recipes(recipes)

    def _of_recipes(self, recipes: Sequence[Mapping[str, Any]]) -> None:
        self.recipes = list(recipes)
        # What does not change from step to step is not made again in each.
        self._decay, self._momentum, self._clip = (
            self._column([float(recipe[name]) for recipe in recipes]) for name in ("weight_decay", "momentum", "clip")
        )

    @property
    def state(self) -> OptimiserState:
        return OptimiserState(self.flat.value, self.first, self.second, self.steps)

    def rates(self, progress: float) -> Rates:
        """The columns of the next step, which is at `progress`."""
        kinds = {(r["schedule"], float(r["warmup"])) for r in self.recipes}
        factor = {kind: rate(progress, schedule=kind[0], warmup=kind[1]) for kind in kinds}
        lr = [float(r["lr"]) * factor[r["schedule"], float(r["warmup"])] for r in self.recipes]
        column = self._column(lr)
        scaled = column if self.scale is None else column * self.scale
        size, root = scaled, column
        if self.kind != "sgd":
            # Not by powers: in the last bits of float64 they know whether a lane is in a vector of others.
            first_bias, second_bias = (-torch.expm1((self.steps + 1) * math.log(beta)) for beta in self.betas)
            size, root = (scaled / first_bias).to(column.dtype), second_bias.sqrt().to(column.dtype)
        return Rates(scaled, self._decay, self._momentum, self._clip, size, root)

    def apply(self, state: OptimiserState, gradient: Tensor, rates: Rates, joined: Tensor | None = None) -> None:
        """One step, in place, from the gradient [K, P], which is used up. Reads tensors alone: it is traced.

        Args:
            joined: [K, 1] bool, the members that take it; None: all.
        """
        # Also where nobody clips: a factor of 1 changes no bit, and a trace must not know who is in the pack.
        self._hold(gradient, rates.clip)
        if joined is None:
            self._step(state, gradient, rates)
            return
        moved = OptimiserState(*(values.clone() for values in state))
        self._step(moved, gradient, rates)
        for values, new in zip(state, moved, strict=True):
            values.copy_(torch.where(joined, new, values))

    def _step(self, state: OptimiserState, gradient: Tensor, rates: Rates) -> None:
        """In place throughout: buffers of all members are large, and memory is what the updates wait for."""
        value, first, second, steps = state
        steps += 1
        if self.kind == "adamw":
            value.mul_(1 - rates.lr * rates.decay)
        else:
            gradient.addcmul_(rates.decay, value)
        if self.kind == "sgd":
            # The first step's buffer is the gradient itself: the buffer was 0.
            first.mul_(rates.momentum).add_(gradient)
            value.addcmul_(rates.lr, first, value=-1)
            return
        first_beta, second_beta = self.betas
        first.mul_(first_beta).add_(gradient, alpha=1 - first_beta)
        second.mul_(second_beta).addcmul_(gradient, gradient, value=1 - second_beta)
        # The gradient's memory has done its work: it holds the step now.
        torch.sqrt(second, out=gradient)
        gradient.div_(rates.root).add_(self.eps)
        torch.div(first, gradient, out=gradient)
        value.addcmul_(rates.size, gradient, value=-1)

    def keep(self, where: Tensor) -> None:
        """Go on with these lanes."""
        self.flat.value, self.first, self.second, self.steps = (state[where] for state in self.state)
        self._of_recipes([self.recipes[lane] for lane in where.tolist()])

    def _hold(self, gradient: Tensor, clip: Tensor) -> None:
        """Hold each group's gradient to its member's largest norm; 0 clips nothing."""
        pieces = [gradient[:, span] for span in self.flat.spans.values()]
        norm = torch.cat([torch.linalg.vector_norm(piece, dim=1, keepdim=True) for piece in pieces], dim=1)
        factor = torch.where(clip > 0, (clip / (norm + 1e-6)).clamp(max=1.0), torch.ones_like(norm))
        factors = [factor[:, at : at + 1] for at in range(len(pieces))]
        if self.compiled:
            # One product: compiled, one for each group would ask of every parameter which groups it is in.
            gradient.mul_(torch.cat([f.expand_as(piece) for f, piece in zip(factors, pieces, strict=True)], dim=1))
            return
        for own, piece in zip(factors, pieces, strict=True):
            piece.mul_(own)

    def _column(self, numbers: Sequence[float]) -> Tensor:
        return torch.tensor(numbers, dtype=self.flat.value.dtype, device=self.flat.value.device)[:, None]
