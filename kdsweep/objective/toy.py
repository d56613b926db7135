"""A small world for terms: sizes, and batches with missing rows. Every tensor is a leaf that may get a gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from kdsweep.objective.batch import Batch, Outputs, Sizes

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


@contextmanager
def stream(seed: int, name: str) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(seed * 1000 + sum(map(ord, name)))
        yield


def outputs(n: int, width: int, rng: torch.Generator, *, scale: float, map_shape: tuple[int, ...] = ()) -> Outputs:
    def draw(*shape: int) -> Tensor:
        return (torch.randn(n, *shape, generator=rng, dtype=torch.float64) * scale).requires_grad_()

    present = torch.ones(n, dtype=torch.bool)
    return Outputs(draw(CLASSES), draw(width), present, {"map": draw(*map_shape)} if map_shape else {})


def batch(n: int = 8, *, seed: int = 0, scale: float = 1.0, progress: float = 0.6) -> Batch:
    """A batch of classes; the teacher's and the auxiliary models' outputs are leaves as well."""
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
        auxiliary={name: outputs(n, width, rng, scale=scale) for name, width in SIZES.auxiliary.items()},
        teacher_head=lambda embedding: embedding @ head.T.to(embedding.dtype),
    )


def sources(seen: Batch) -> dict[str, Outputs]:
    return {"student": seen.student, "teacher": seen.of("teacher"), **seen.auxiliary}


def with_sources(seen: Batch, outputs: Mapping[str, Outputs]) -> Batch:
    return seen._replace(
        student=outputs["student"],
        teacher=outputs["teacher"],
        auxiliary={name: outputs[name] for name in seen.auxiliary},
    )


def missing(seen: Batch, **rows: list[int]) -> Batch:
    """The batch with rows missing, by source; what stands in them stays, to show that nobody reads it.

    Of "labels" rows that have none.
    """

    def without(outputs: Outputs, source: str) -> Outputs:
        present = outputs.present.clone()
        present[rows.get(source, [])] = False
        return outputs._replace(present=present)

    left = with_sources(seen, {source: without(outputs, source) for source, outputs in sources(seen).items()})
    if "labels" not in rows:
        return left
    labelled = torch.ones(len(seen.labels), dtype=torch.bool)
    labelled[rows["labels"]] = False
    return left._replace(labelled=labelled)


def each(seen: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The batch with every [B, ...] tensor changed, as a new leaf where it was one."""

    def of(outputs: Outputs) -> Outputs:
        leaves = {name: leaf(change(values)) for name, values in outputs.features.items()}
        return Outputs(leaf(change(outputs.logits)), leaf(change(outputs.embedding)), change(outputs.present), leaves)

    changed = with_sources(seen, {source: of(outputs) for source, outputs in sources(seen).items()})
    draws = {key: change(values) for key, values in seen.draws.items()}
    labelled = change(seen.labelled) if seen.labelled is not None else None
    return changed._replace(labels=change(seen.labels), samples=change(seen.samples), draws=draws, labelled=labelled)


def shown(seen: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The batch with every number that a network shows changed, as a new leaf; numbers as labels in its precision."""

    def of(outputs: Outputs) -> Outputs:
        features = {name: leaf(change(values)) for name, values in outputs.features.items()}
        return Outputs(leaf(change(outputs.logits)), leaf(change(outputs.embedding)), outputs.present, features)

    changed = with_sources(seen, {source: of(outputs) for source, outputs in sources(seen).items()})
    precision = changed.student.logits.dtype
    return changed._replace(labels=seen.labels.to(precision)) if seen.labels.is_floating_point() else changed


def leaf(values: Tensor) -> Tensor:
    return values.detach().clone().requires_grad_()


def leaves(seen: Batch) -> dict[str, Tensor]:
    """Every tensor of the batch that may get a gradient, by "source.kind"."""
    named: dict[str, Tensor] = {}
    for source, outputs in sources(seen).items():
        named |= {f"{source}.logits": outputs.logits, f"{source}.embedding": outputs.embedding}
        named |= {f"{source}.{name}": feature for name, feature in outputs.features.items()}
    return named


def gradients(value: Tensor, of: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Zeros where none arrives."""
    if not value.requires_grad or not of:
        return {name: torch.zeros_like(tensor) for name, tensor in of.items()}
    arrived = torch.autograd.grad(value, list(of.values()), allow_unused=True, retain_graph=True)
    return {
        name: torch.zeros_like(tensor) if gradient is None else gradient
        for (name, tensor), gradient in zip(of.items(), arrived, strict=True)
    }


def flat(seen: Batch) -> dict[str, Tensor]:
    """Every [B, ...] tensor of a batch, by name."""
    present = {f"{source}.present": outputs.present for source, outputs in sources(seen).items()}
    labelled = {"labelled": seen.labelled} if seen.labelled is not None else {}
    return {**leaves(seen), **present, "labels": seen.labels, "samples": seen.samples, **labelled}


def rebuilt(like: Batch, tensors: Mapping[str, Tensor]) -> Batch:
    """The batch of `flat`."""

    def outputs(source: str, of: Outputs) -> Outputs:
        return Outputs(
            logits=tensors[f"{source}.logits"],
            embedding=tensors[f"{source}.embedding"],
            present=tensors[f"{source}.present"],
            features={name: tensors[f"{source}.{name}"] for name in of.features},
        )

    changed = with_sources(like, {source: outputs(source, of) for source, of in sources(like).items()})
    return changed._replace(labels=tensors["labels"], samples=tensors["samples"], labelled=tensors.get("labelled"))
