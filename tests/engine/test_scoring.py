"""Measuring several networks at once."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kdsweep.engine import scoring
from kdsweep.objective.batch import Outputs
from kdsweep.tasks.base import Judged
from kdsweep.tasks.registry import TASKS, load


def said(task: str, seed: int, *, broken: bool = False) -> Judged:
    """What a network says of forty rows, of which every seventh is missing."""
    labels, classes = load(task).labels.example(40, np.random.default_rng(0))
    rng = torch.Generator().manual_seed(seed)
    logits, embedding = (torch.randn(40, width, generator=rng) for width in (len(classes), 4))
    outputs = Outputs(logits + (torch.nan if broken else 0), embedding, torch.arange(40) % 7 > 0)
    part = SimpleNamespace(labels=torch.as_tensor(labels))
    return Judged(outputs, part, outputs, part.labels)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_not_finite_has_no_score_and_touches_nobody_elses(task):
    several = [said(task, 1), said(task, 2, broken=True), said(task, 3)]
    together, alone = (
        scoring.measure(load(task), several),
        [scoring.measure(load(task), [one])[0] for one in several],
    )
    assert list(together[1]) == list(load(task).metrics)
    assert all(np.isnan(value) for value in (*together[1].values(), *alone[1].values()))
    assert (together[0], together[2]) == (alone[0], alone[2])


def test_rows_that_are_missing_count_nowhere():
    judged = said("classification", 1)
    there = judged.outputs.present
    rows = Outputs(judged.outputs.logits[there], judged.outputs.embedding[there], there[there])
    only = Judged(rows, SimpleNamespace(labels=judged.part.labels[there]))
    task = load("classification")
    assert scoring.measure(task, [judged]) == scoring.measure(task, [only])
    assert all(np.isnan(value) for value in scoring.measure(task, [only_none(judged)])[0].values())


def only_none(judged: Judged) -> Judged:
    return judged._replace(outputs=judged.outputs._replace(present=torch.zeros(40, dtype=torch.bool)))
