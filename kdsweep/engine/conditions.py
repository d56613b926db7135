"""A trained student under the conditions of deployment: its stored weights are read again, and nothing is trained.

B rows at a time, S the shape of one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kdsweep.data.dataset import Dataset
from kdsweep.data.tensors import Tensors, take
from kdsweep.data.views import Views
from kdsweep.engine import evaluation, scoring
from kdsweep.engine.build import card_of, network, parts
from kdsweep.engine.streams import generator
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.objective.batch import Outputs
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.base import Judged, Predictions
from kdsweep.values.card import Card, Kind, Part
from kdsweep.values.condition import Condition
from kdsweep.values.study import Data
from kdsweep.values.trial import Trial

Inputs = Mapping[str, Tensor]


class Reading(NamedTuple):
    """What a student came to under a condition: its metrics on test by name, and its predictions."""

    scores: dict[str, float]
    predictions: Predictions


def read(
    trials: Sequence[Trial],
    dataset: Dataset,
    data: Data,
    weights: Callable[[Trial], Mapping[str, Tensor]],
    conditions: Sequence[Condition],
    device: torch.device,
) -> Iterator[tuple[Trial, Condition, Reading]]:
    """Each student that reads test under each condition. All of them meet the same noise and the same views.

    Args:
        trials: students of one study and fold, on the same modalities.
    """
    for trial in trials:
        seen = parts(trial, dataset, data, device)
        student = network(trial, "student", dataset.card).to(device)
        student.load_state_dict(dict(weights(trial)))
        task, precision = tasks.load(trial.task), str(trial.train["precision"])
        train = evaluation.outputs(student, seen["train"], Workers(), precision) if task.searches else None
        for condition in conditions:
            said = outputs(student, seen, condition, trial, dataset.card)
            judged = Judged(said, seen["test"])
            if train is not None:
                judged = Judged(said, seen["test"], train, seen["train"].labels)
            (scores,) = scoring.measure(task, [judged])
            yield trial, condition, Reading(scores, scoring.predictions(task, judged))


def outputs(student: Network, seen: Mapping[Part, Tensors], condition: Condition, trial: Trial, card: Card) -> Outputs:
    """What a network says of the test part under a condition; of the rows that count without it, and no others."""
    test, precision = seen["test"], str(trial.train["precision"])
    every = torch.arange(len(test), device=test.labels.device)
    count = student.rows({name: take(test.present[name], every) for name in student.needs})
    if condition.kind == "views":
        several = [
            evaluation.outputs(student, test, Workers(), precision, _viewed(trial, card, view))
            for view in range(int(condition.strength))
        ]
        logits = torch.stack([one.logits for one in several]).mean(0)
        return Outputs(logits, torch.stack([one.embedding for one in several]).mean(0), count, {})
    if condition.kind == "missing":
        change = _without(condition.modalities)
    else:
        (name,) = condition.modalities
        change = _changed(name, condition, seen["train"], card.modalities[name].kind)
    return evaluation.outputs(student, test, Workers(), precision, change)._replace(present=count)


def _without(away: Sequence[str]) -> evaluation.Change:
    """Modalities away: absent, and 0 where somebody looks."""

    def change(inputs: Inputs, present: Inputs, rows: Tensor) -> tuple[Inputs, Inputs]:
        nothing = {name: torch.zeros_like(inputs[name]) for name in away}
        return {**inputs, **nothing}, {**present, **{name: torch.zeros_like(present[name]) for name in away}}

    return change


def _changed(name: str, condition: Condition, train: Tensors, kind: Kind) -> evaluation.Change:
    """x becomes m + sqrt(1 - s) (x - m) + sqrt(s) d e, with e normal, or x + s d; m and d are the mean and the
    deviation of the training part, S. Padded steps stay, and their flag."""
    mean, deviation = moments(train, name, kind)
    share = condition.strength

    def change(inputs: Inputs, present: Inputs, rows: Tensor) -> tuple[Inputs, Inputs]:
        x = inputs[name]
        if condition.kind == "shift":
            moved = x + share * deviation
        else:
            rng = generator(0, "condition", name, int(rows[0]))
            drawn = torch.randn(x.shape, generator=rng).to(x.device)
            moved = mean + (1 - share) ** 0.5 * (x - mean) + share**0.5 * deviation * drawn
        if kind == "sequence":
            flag = x[..., -1:]
            moved = torch.cat([moved[..., :-1] * flag, flag], dim=-1)
        there = present[name].view(-1, *[1] * (x.dim() - 1))
        return {**inputs, name: torch.where(there, moved, x)}, present

    return change


def _viewed(trial: Trial, card: Card, view: int) -> evaluation.Change:
    """Another view of each augmented modality, as training shows it."""
    augment = {name: steps for name, steps in trial.augment.items() if name in trial.student}
    views = Views(augment, card_of(trial, card).modalities)

    def change(inputs: Inputs, present: Inputs, rows: Tensor) -> tuple[Inputs, Inputs]:
        rngs = {name: generator(0, "condition", "view", view, name, int(rows[0])) for name in views.steps}
        one = {name: x[None] for name, x in inputs.items()}
        there = {name: own[None] for name, own in present.items()}
        other = views.of(one, there, [rngs], lambda drawn: drawn, len(rows))
        return {name: x[0] for name, x in other.items()}, present

    return change


def moments(train: Tensors, name: str, kind: Kind) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of a modality over the training rows that have it, one of each value of a sample.

    Of a sequence over its real steps, the same for all of them.
    """
    device = train.labels.device
    count = sums = squares = torch.zeros((), dtype=torch.float64, device=device)
    for rows in torch.split(torch.arange(len(train), device=device), evaluation.CHUNK):
        x = take(train.inputs[name], rows[train.present[name][rows]]).double()
        if kind == "sequence":
            # Its flag goes with it, and stays as it is.
            x = x[x[..., -1] != 0]
        count, sums, squares = count + len(x), sums + x.sum(0), squares + (x * x).sum(0)
    mean = sums / count.clamp(min=1)
    deviation = (squares / count.clamp(min=1) - mean**2).clamp(min=0).sqrt()
    return mean.float(), deviation.float()
