"""A training that is built anew and restored from a state ends like one that never stopped, bit for bit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from kdsweep.data.augment import complete
from kdsweep.engine.interface import Epoch, Training
from kdsweep.engine.single import Run
from kdsweep.engine.stacked.pack import Pack
from kdsweep.values.trial import Trial
from tests.helpers.trials import Trainer, build, distilled, trial

NOISY = {"plain": {"mlp": {"hidden": [8], "embedding": 8, "dropout": 0.2}}}
RECIPE = trial().train
VIEWS = {"plain": complete(["noise"], kind="vector"), "mixup": {"alpha": 0.5}}


def training(trials: Sequence[Trial], trainer: Trainer) -> Training:
    made, seen = zip(*[build(asked, trainer) for asked in trials], strict=True)
    if trials[0].arithmetic == "plain":
        return Run(trials[0], made[0], seen[0])
    return Pack(trials, made, seen[0])


def numbers(epochs: Sequence[Epoch]) -> list[tuple[int, dict[str, float]]]:
    return [(epoch.number, epoch.metrics) for epoch in epochs]


# What a training may hold beside weights and moments.
ASKED = {
    "critics": distilled("amid"),
    "banks": distilled("crd"),
    "waiting gradients": distilled("kd", train={**RECIPE, "batch_size": 60, "accumulate": 2}),
    "views and mixup": distilled("kd", augment=VIEWS),
    "sgd": distilled("kd", train={**RECIPE, "optimizer": "sgd"}),
}


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("arithmetic", ["plain", "stacked"])
def test_a_restored_training_ends_as_if_it_had_never_stopped(name, arithmetic, trainer):
    trials = [replace(ASKED[name], arithmetic=arithmetic)]
    if arithmetic == "stacked":
        trials += [replace(trials[0], seed=2), replace(trials[0], seed=3)]
    whole = training(trials, trainer)
    steps = whole.epochs()
    next(steps)
    if arithmetic == "stacked":
        whole.keep([2, 0])
        trials = [trials[2], trials[0]]
    taken = whole.state()
    rest = [numbers(epochs) for epochs in steps]
    assert [epochs[0][0] for epochs in rest] == [2, 3]

    restored = training(trials, trainer)
    restored.restore(taken)
    assert [numbers(epochs) for epochs in restored.epochs()] == rest
    end, other = whole.state(), restored.state()
    assert end.epoch == other.epoch == 3
    assert end.tensors.keys() == other.tensors.keys()
    for key, value in end.tensors.items():
        assert torch.equal(value, other.tensors[key]), key


def test_dropout_goes_on_where_it_was(trainer):
    whole = training([trial(networks={"student": NOISY})], trainer)
    steps = whole.epochs()
    next(steps)
    taken = whole.state()
    rest = [numbers(epochs) for epochs in steps]
    restored = training([trial(networks={"student": NOISY})], trainer)
    restored.restore(taken)
    assert [numbers(epochs) for epochs in restored.epochs()] == rest


def test_a_state_does_not_change_as_training_goes_on(trainer):
    whole = training([trial()], trainer)
    taken = whole.state()
    before = {name: value.clone() for name, value in taken.tensors.items()}
    next(whole.epochs())
    assert all(torch.equal(value, before[name]) for name, value in taken.tensors.items())


def test_a_state_of_other_trials_is_refused(trainer):
    taken = training([trial()], trainer).state()
    with pytest.raises(ValueError, match="restored into the trials that it was taken from"):
        training([trial(seed=7)], trainer).restore(taken)
