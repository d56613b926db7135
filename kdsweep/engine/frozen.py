"""What frozen models say of the data: asked once, for whoever reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch

from kdsweep.data.tensors import Tensors
from kdsweep.engine import evaluation
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.objective.batch import Outputs
from kdsweep.tasks.base import Task
from kdsweep.values.card import Part
from kdsweep.values.trial import Given, Trial

# What a frozen model says of a part: remembered, or computed by the function and remembered then.
Recall = Callable[[Trial | Given, Part, Callable[[], Outputs]], Outputs]


class FrozenModel(NamedTuple):
    """A frozen model, where there is one, and what it says of the training part and, where it is read, of test."""

    train: Outputs
    test: Outputs | None
    network: Network | None


def ask(
    model: Network,
    train: Tensors,
    test: Tensors | None,
    workers: Workers,
    recall: Callable[[Part, Callable[[], Outputs]], Outputs] = lambda part, compute: compute(),
) -> FrozenModel:
    """All that others will ever read of a frozen model, asked once."""

    def of(part: Part, rows: Tensors) -> Outputs:
        return recall(part, lambda: evaluation.outputs(model, rows, workers))

    return FrozenModel(of("train", train), of("test", test) if test is not None else None, model)


def columns(trial: Trial) -> Mapping[str, str]:
    """The columns of the data that hold what a brought teacher said, by "logits" and "embedding"."""
    model = trial.teacher
    return model.network if isinstance(model, Given) and model.kind == "outputs" else {}


def stored(model: Given, part: Tensors) -> Outputs:
    """What a brought teacher said of a part's rows; without an embedding, one of width 0."""
    every = torch.arange(len(part), device=part.labels.device)
    logits, there = part.inputs[model.network["logits"]][every], part.present[model.network["logits"]]
    if "embedding" not in model.network:
        return Outputs(logits, logits[:, :0], there)
    embedding = model.network["embedding"]
    return Outputs(logits, part.inputs[embedding][every], there & part.present[embedding])


def together(several: Sequence[Outputs]) -> Outputs:
    """Auxiliary models as one teacher: the mean of their logits over those present, embeddings side by side."""
    present = torch.stack([outputs.present for outputs in several])
    share = present / present.sum(0).clamp(min=1)
    logits = (torch.stack([outputs.logits for outputs in several]) * share[..., None]).sum(0)
    return Outputs(logits, torch.cat([outputs.embedding for outputs in several], dim=-1), present.any(0))


def smoothed_labels(part: Tensors, classes: int, width: int, task: Task, *, smoothing: float = 0.1) -> Outputs:
    """Labels as a teacher (Szegedy et al. 2016, arXiv:1512.00567; .1 as there), whose embedding says nothing.

    Of a row without a label it says nothing either.
    """
    nothing = torch.zeros(len(part), width, device=part.labels.device)
    every = torch.ones(len(part), dtype=torch.bool, device=part.labels.device)
    present = every if part.labelled is None else part.labelled
    return Outputs(task.scores.smoothed(part.labels, classes, smoothing), nothing, present)
