"""A small world for objectives: sizes, batches with missing rows, and every shipped method with its choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kdsweep import methods
from kdsweep.objective import Batch, Objective, Outputs, Sizes

CLASSES, SAMPLES = 4, 40
SIZES = Sizes(
    student=6,
    teacher=7,
    classes=CLASSES,
    samples=SAMPLES,
    auxiliary={"depth": 5, "sound": 3},
    features={"student.map": (3, 4, 4), "teacher.map": (5, 2, 4)},
    labels=torch.arange(SAMPLES) % CLASSES,
)


@dataclass(frozen=True)
class Recipe:
    """A method with choices, named for a test's id."""

    method: str
    choices: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return "-".join([self.method, *(f"{name}={value}" for name, value in self.choices.items())])

    @property
    def loaded(self) -> methods.Method:
        return methods.load(self.method)

    @property
    def full(self) -> dict[str, Any]:
        return {**self.loaded.defaults(), **self.choices}

    def build(self, *, seed: int = 0, dtype: torch.dtype = torch.float64, **numbers: float) -> Objective:
        """Set up, in the given precision."""
        made = self.loaded.build(self.full).set({name.replace("__", "."): value for name, value in numbers.items()})
        made.setup(SIZES, lambda name: stream(seed, name))
        return made.to(dtype)


def recipes() -> list[Recipe]:
    """Every shipped method with its defaults, and with each other value of each of its choices."""
    found = []
    for name in methods.names():
        found.append(Recipe(name))
        for choice, values in methods.load(name).choices.items():
            found += [Recipe(name, {choice: value}) for value in values[1:]]
    return found


@contextmanager
def stream(seed: int, name: str) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed * 1000 + sum(map(ord, name)))
        yield


def outputs(n: int, width: int, rng: torch.Generator, *, scale: float, map_shape: tuple[int, ...]) -> Outputs:
    def draw(*shape: int) -> Tensor:
        return (torch.randn(n, *shape, generator=rng, dtype=torch.float64) * scale).requires_grad_()

    present = torch.ones(n, dtype=torch.bool)
    return Outputs(draw(CLASSES), draw(width), present, {"map": draw(*map_shape)} if map_shape else {})


def batch(n: int = 8, *, seed: int = 0, scale: float = 1.0, progress: float = 0.6) -> Batch:
    """Every tensor is a leaf with a gradient, the teacher's and the auxiliary models' as well."""
    rng = torch.Generator().manual_seed(seed)
    head = torch.linspace(-1, 1, CLASSES * SIZES.teacher, dtype=torch.float64).sin().reshape(CLASSES, SIZES.teacher)
    samples = torch.randperm(SAMPLES, generator=rng)[:n]
    assert SIZES.labels is not None
    return Batch(
        student=outputs(n, SIZES.student, rng, scale=scale, map_shape=(3, 4, 4)),
        labels=SIZES.labels[samples],
        samples=samples,
        progress=torch.tensor(progress),
        teacher=outputs(n, SIZES.teacher, rng, scale=scale, map_shape=(5, 2, 4)),
        auxiliary={name: outputs(n, width, rng, scale=scale, map_shape=()) for name, width in SIZES.auxiliary.items()},
        teacher_head=lambda embedding: embedding @ head.T.to(embedding.dtype),
    )


def missing(seen: Batch, **rows: list[int]) -> Batch:
    """The batch with rows missing, by source; what stands in them stays, to show that nobody reads it."""

    def without(outputs: Outputs, source: str) -> Outputs:
        present = outputs.present.clone()
        present[rows.get(source, [])] = False
        return outputs._replace(present=present)

    return seen._replace(
        student=without(seen.student, "student"),
        teacher=without(seen.of("teacher"), "teacher"),
        auxiliary={name: without(outputs, name) for name, outputs in seen.auxiliary.items()},
    )


def each(seen: Batch, change: Any) -> Batch:
    """The batch with every [B, ...] tensor changed, as a new leaf where it was one."""

    def of(outputs: Outputs) -> Outputs:
        leaves = {name: leaf(change(values)) for name, values in outputs.features.items()}
        return Outputs(leaf(change(outputs.logits)), leaf(change(outputs.embedding)), change(outputs.present), leaves)

    return seen._replace(
        student=of(seen.student),
        labels=change(seen.labels),
        samples=change(seen.samples),
        teacher=of(seen.of("teacher")),
        auxiliary={name: of(outputs) for name, outputs in seen.auxiliary.items()},
    )


def leaf(values: Tensor) -> Tensor:
    return values.detach().clone().requires_grad_()


def leaves(seen: Batch) -> dict[str, Tensor]:
    """Every tensor of the batch that may get a gradient, by "source.kind"."""
    found = {}
    for source, outputs in {"student": seen.student, "teacher": seen.of("teacher"), **seen.auxiliary}.items():
        found |= {f"{source}.logits": outputs.logits, f"{source}.embedding": outputs.embedding}
        found |= {f"{source}.{name}": feature for name, feature in outputs.features.items()}
    return found


def gradients(value: Tensor, of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Zeros where none arrives."""
    if not value.requires_grad or not of:
        return {name: torch.zeros_like(tensor) for name, tensor in of.items()}
    found = torch.autograd.grad(value, list(of.values()), allow_unused=True, retain_graph=True)
    return {
        name: torch.zeros_like(tensor) if gradient is None else gradient
        for (name, tensor), gradient in zip(of.items(), found, strict=True)
    }


def draws(made: Objective, n: int, seed: int = 0) -> dict[str, dict[str, Tensor]]:
    return made.draw(n, {name: torch.Generator().manual_seed(seed) for name, _ in made.items()})


def with_draws(seen: Batch, drawn: Mapping[str, Mapping[str, Tensor]], name: str) -> Batch:
    return seen._replace(draws=drawn.get(name, {}))
