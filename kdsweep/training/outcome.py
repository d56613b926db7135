"""One trial, from its description to its outcome."""

from __future__ import annotations

import copy
import math
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdsweep.data.dataset import Dataset
from kdsweep.data.tensors import Tensors
from kdsweep.metrics import METRICS
from kdsweep.study import Data
from kdsweep.training import evaluation
from kdsweep.training.epochs import Epoch, Run
from kdsweep.training.models import Weights, models, parts
from kdsweep.training.stopping import falls_behind
from kdsweep.training.workers import Workers
from kdsweep.trial import Trial

State = Literal["complete", "pruned", "failed"]


class Point(NamedTuple):
    """One metric at one epoch; `seconds` is what the epoch took."""

    epoch: int
    metric: str
    value: float
    seconds: float


class Predictions(NamedTuple):
    """What a model said about every test sample: N rows, C classes.

    Attributes:
        sample, group: [N] str; `group` is None where the data names none.
        label, prediction, rank: [N]; rank 0 means that the true class scored highest.
        logits: [N, C] float16.
    """

    sample: NDArray[Any]
    group: NDArray[Any] | None
    label: NDArray[Any]
    prediction: NDArray[Any]
    rank: NDArray[Any]
    logits: NDArray[Any]


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        selected: the epoch whose weights count; 0 where nothing was trained.
        points: the curves, and the scores of the selected epoch on test where the trial reads it.
        weights: by role, where somebody will read them.
        numbers: every number of the objective and the recipe, set or default.
        papers: the citation of each term.
        error: why it failed.
    """

    trial: Trial
    state: State
    selected: int = 0
    points: list[Point] = field(default_factory=list)
    weights: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    predictions: Predictions | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    papers: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


# What is nobody's code's fault: such a trial leaves no result and is tried again.
INFRASTRUCTURE = (OSError, MemoryError, torch.OutOfMemoryError)


def run(
    trial: Trial,
    dataset: Dataset,
    data: Data,
    weights: Weights,
    *,
    device: torch.device | None = None,
    workers: Workers | None = None,
    watch: Callable[[Epoch], None] = lambda epoch: None,
) -> Outcome:
    """Train a trial and evaluate it. Its own faults are outcomes; faults of the machine are raised.

    Args:
        weights: the stored weights of a trained model and role.
        watch: is shown each epoch as it ends.

    Raises:
        OSError, MemoryError: the machine's doing, not the trial's.
    """
    try:
        return _run(trial, dataset, data, weights, device or torch.device("cpu"), workers or Workers(), watch)
    except INFRASTRUCTURE:
        raise
    except Exception as error:
        trace = traceback.format_exc(limit=-3)
        return Outcome(trial, "failed", error=f"{type(error).__name__}: {error}\n{trace}")


def _run(
    trial: Trial,
    dataset: Dataset,
    data: Data,
    weights: Weights,
    device: torch.device,
    workers: Workers,
    watch: Callable[[Epoch], None],
) -> Outcome:
    seen = parts(trial, dataset, data, device)
    training = Run(
        trial, models(trial, dataset.card, seen["train"], weights, device=device, workers=workers), seen, workers
    )
    total = int(training.recipe["epochs"])
    metric, maximize = f"valid/{trial.metric}", METRICS[trial.metric].maximize
    points: list[Point] = []
    state: State = "complete"
    error, selected, best, kept = "", 0, -math.inf, None
    for epoch in training.epochs():
        points += [Point(epoch.number, name, value, epoch.seconds) for name, value in epoch.metrics.items()]
        watch(epoch)
        value = epoch.metrics[metric]
        if not epoch.finite or not math.isfinite(value):
            state, error = "failed", f"diverged in epoch {epoch.number} of {total}: train/loss is not finite"
            break
        if trial.select == "last":
            selected = epoch.number
        elif (value if maximize else -value) > best:
            best, selected, kept = value if maximize else -value, epoch.number, _state(training)
        if falls_behind(
            epoch.number,
            value,
            thresholds=trial.thresholds,
            maximize=maximize,
            not_before=training.full_height() * total,
        ):
            state = "pruned"
            break
    if kept is not None:
        for name, network in training.networks.items():
            network.load_state_dict(kept[name])
    if total == 0:
        points += [Point(0, f"valid/{name}", value, 0.0) for name, value in training.scores("valid").items()]

    predictions = None
    if trial.reads_test and state == "complete":
        points += [Point(selected, f"test/{name}", value, 0.0) for name, value in training.scores("test").items()]
        predictions = _predictions(training, seen["test"])
    numbers = training.objective.numbers() | {
        f"train.{name}": float(value) for name, value in training.recipe.items() if isinstance(value, int | float)
    }
    return Outcome(
        trial,
        state,
        selected,
        points,
        _weights(training) if state == "complete" and (trial.reads_test or trial.trains != "student") else {},
        predictions,
        numbers,
        training.objective.papers(),
        error,
    )


def _state(training: Run) -> dict[str, Any]:
    return {name: copy.deepcopy(network.state_dict()) for name, network in training.networks.items()}


def _weights(training: Run) -> dict[str, dict[str, Tensor]]:
    """By role: the trial's own network under what it trains, a teacher or auxiliary model trained with it beside."""
    roles = {"network": training.trial.trains, "teacher": "teacher"}
    return {
        roles.get(name, name.removeprefix("auxiliary ")): {
            key: value.detach().cpu().contiguous() for key, value in network.state_dict().items()
        }
        for name, network in training.networks.items()
    }


def _predictions(training: Run, test: Tensors) -> Predictions:
    said = evaluation.outputs(training.models.network, test, training.workers)
    there = said.present.cpu().numpy()
    logits = said.logits.double().cpu().numpy()[there]
    labels = test.labels.cpu().numpy()[there]
    return Predictions(
        sample=test.ids[there],
        group=test.groups[there] if test.groups is not None else None,
        label=labels,
        prediction=np.argmax(logits, axis=1),
        rank=evaluation.label_ranks(logits, labels),
        logits=logits.astype(np.float16),
    )
