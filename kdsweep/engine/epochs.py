"""The loop over epochs, the same for a trial alone and for a pack: who sees which rows when, and what an epoch tells.

Letters: K lanes, B rows of a batch.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor

from kdsweep.engine.interface import Epoch, Training
from kdsweep.engine.streams import generator

# The progress at which terms are weighed at the end: a schedule that decays has not yet come to nothing.
LATE = 0.99


class Stepping(Training, Protocol):
    """A training, and how it takes one step.

    Attributes:
        total, batch_size: of the recipe, which all lanes share in them.
        labelled_share: of every batch; None where rows are drawn as they come.
    """

    total: int
    batch_size: int
    labelled_share: float | None

    def update(self, rows: Tensor, done: int, progress: float) -> Mapping[str, Tensor]:
        """One update of everything on rows [K, B], after `done` others: values before it by name, [K] each."""
        ...

    def tells(self, metric: str, lane: int, progress: float) -> bool:
        """Whether a member has this metric by then: a critic's begins when its adversary joins."""
        ...


def batches(training: Stepping) -> tuple[int, int]:
    """How many rows a batch of this training has, and how many batches an epoch: the whole ones alone."""
    rows = len(training.parts["train"])
    size = min(training.batch_size, rows)
    return size, rows // size


def epochs(training: Stepping) -> Iterator[list[Epoch]]:
    """Train on from where it stands. An epoch is the whole batches of a fresh order of each lane's own."""
    while training.done < training.total:
        began, number = time.perf_counter(), training.done + 1
        values = {name: column.tolist() for name, column in train_epoch(training, number).items()}
        training.done = number
        scores = training.scores("valid")
        # A member's share of the time: what it would have cost alone is not known here.
        seconds = (time.perf_counter() - began) / training.active
        several = []
        for lane in range(training.active):
            progress = number / training.total
            metrics = {name: column[lane] for name, column in values.items() if training.tells(name, lane, progress)}
            finite = math.isfinite(metrics["train/loss"])
            metrics |= {f"valid/{name}": value for name, value in scores[lane].items()}
            several.append(Epoch(number, metrics, finite, seconds))
        yield several


def train_epoch(training: Stepping, number: int) -> dict[str, Tensor]:
    """One epoch of steps and nothing else: means over its batches by name, [K] each."""
    size, steps = batches(training)
    order, sums = _order(training, number), dict[str, Tensor]()
    for step in range(steps):
        done = (number - 1) * steps + step
        rows = order[:, step * size : (step + 1) * size]
        for name, value in training.update(rows, done, done / (training.total * steps)).items():
            sums[name] = sums[name] + value / steps if name in sums else value / steps
    return sums


def _order(training: Stepping, number: int) -> Tensor:
    """[K, rows or more]: the rows of an epoch's batches, in their order."""
    labelled = training.parts["train"].labelled
    if training.labelled_share is None or labelled is None:
        return drawn(training, "order", number)
    size, steps = batches(training)
    # A term counts from two rows up.
    some = min(max(2, round(training.labelled_share * size)), size)
    orders = []
    for trial in training.trials:
        rng = generator(trial.seed, "order", number)
        own = [
            _again_and_again(torch.nonzero(rows)[:, 0].cpu(), steps * count, rng).view(steps, count)
            for rows, count in ((labelled, some), (~labelled, size - some))
        ]
        orders.append(torch.cat(own, dim=1).flatten())
    return torch.stack(orders).to(labelled.device)


def _again_and_again(rows: Tensor, count: int, rng: torch.Generator) -> Tensor:
    """So many of these rows: a permutation, and another one where that is spent."""
    several = range(-(-count // len(rows)))
    return torch.cat([rows[:0], *(rows[torch.randperm(len(rows), generator=rng)] for _ in several)])[:count]


def drawn(training: Training, *purpose: object) -> Tensor:
    """A permutation [K, rows] of the training part for each lane, drawn by its seed for one purpose."""
    train = training.parts["train"]
    orders = [torch.randperm(len(train), generator=generator(trial.seed, *purpose)) for trial in training.trials]
    return torch.stack(orders).to(train.labels.device)


def shares(norms: Mapping[str, float]) -> dict[str, float]:
    """Each one's part of their sum; NaN where that is 0 or not finite."""
    total = sum(norms.values())
    fine = math.isfinite(total) and total > 0
    return {name: norm / total if fine else math.nan for name, norm in norms.items()}
