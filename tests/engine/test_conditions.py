"""A student read again under the conditions of deployment: what is away, or all noise, is not looked at."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kdsweep.data import registry as source
from kdsweep.engine import conditions
from kdsweep.values.condition import Condition
from tests.helpers.trials import DATA, DEVICE, NETWORKS, Trainer, numbers, trial

ASKED = trial(
    student=("plain", "rich"),
    networks={"student": NETWORKS["teacher"]},
    reads_test=True,
    augment={"plain": [{"noise": {"deviation": 0.5}}]},
)


@pytest.fixture(scope="module")
def trainer():
    return Trainer(source.load(DATA.reference))


def read(trainer, condition, dataset=None):
    weights = trainer(ASKED).weights["student"]
    ((_, _, reading),) = conditions.read(
        [ASKED], dataset or trainer.dataset, DATA, lambda _: weights, [condition], DEVICE
    )
    return reading


def with_other_tests(trainer, name):
    """The dataset with other values of a modality in its test rows."""
    values = np.array(trainer.dataset.modalities[name])
    tested = np.isin(trainer.dataset.ids, trainer(ASKED).predictions["sample"])
    values[tested] = values[tested][::-1] + 3
    return replace(trainer.dataset, modalities={**trainer.dataset.modalities, name: values})


def test_a_change_of_nothing_is_what_training_ended_with(trainer):
    reading = read(trainer, Condition("shift", ("plain",), 0.0))
    then = {name.removeprefix("test/"): value for _, name, value in numbers(trainer(ASKED)) if name.startswith("test/")}
    assert reading.scores == pytest.approx({name: then[name] for name in reading.scores})
    assert (reading.predictions["prediction"] == trainer(ASKED).predictions["prediction"]).all()


@pytest.mark.parametrize("condition", [Condition("missing", ("rich",)), Condition("noise", ("rich",), 1.0)])
def test_what_is_away_or_all_noise_is_not_looked_at(trainer, condition):
    one, other = (read(trainer, condition, data) for data in (None, with_other_tests(trainer, "rich")))
    assert len(one.predictions["sample"]) == len(trainer(ASKED).predictions["sample"])
    assert np.array_equal(one.predictions["logits"], other.predictions["logits"])
    assert not np.array_equal(one.predictions["logits"], trainer(ASKED).predictions["logits"])
    # The other modality is.
    moved = read(trainer, condition, with_other_tests(trainer, "plain"))
    assert not np.array_equal(one.predictions["logits"], moved.predictions["logits"])


def test_averaged_views_are_the_same_each_time(trainer):
    one, other = (read(trainer, Condition("views", ("plain",), 4.0)) for _ in range(2))
    assert np.array_equal(one.predictions["logits"], other.predictions["logits"])
    assert not np.array_equal(one.predictions["logits"], trainer(ASKED).predictions["logits"])


def test_moments_are_of_the_training_rows_that_have_the_modality(trainer):
    seen = conditions.parts(ASKED, trainer.dataset, DATA, DEVICE)
    mean, deviation = conditions.moments(seen["train"], "plain", "vector")
    there = seen["train"].inputs["plain"][seen["train"].present["plain"]]
    assert torch.allclose(mean, there.mean(0), atol=1e-5)
    assert torch.allclose(deviation, there.std(0, correction=0), atol=1e-5)
