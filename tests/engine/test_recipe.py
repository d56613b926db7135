"""The training recipe: what its keys do, alone and in a pack."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kdsweep.objective import CrossEntropy
from kdsweep.objective.batch import Batch, Outputs, Sizes
from kdsweep.tasks.classification import SOFTMAX
from tests.helpers.trials import assert_equal, curve, distilled, stacked, train, trial


def with_recipe(asked, **recipe):
    return replace(asked, train={**asked.train, **recipe})


@pytest.mark.parametrize("arithmetic", ["plain", "stacked"])
def test_two_halves_of_a_batch_update_as_the_whole_does(arithmetic, trainer):
    steady = with_recipe(trial(arithmetic=arithmetic), schedule="constant", warmup=0.0, batch_size=90)
    halves = with_recipe(steady, batch_size=45, accumulate=2)
    whole, halved = trainer(steady), trainer(halves)
    assert curve(halved, "valid/log_loss") == pytest.approx(curve(whole, "valid/log_loss"), rel=1e-4)


def test_what_is_left_of_an_accumulation_goes_over_into_the_next_epoch(trainer):
    """Three batches an epoch, two an update: in two epochs three updates, in any company."""
    mine = with_recipe(stacked(distilled("kd")), batch_size=60, accumulate=2)
    pruned = replace(mine, seed=5, thresholds=((1, 2.0),))
    assert_equal(trainer(mine), train([pruned, replace(mine, seed=3), mine], trainer)[mine.id])


def ce(labels: torch.Tensor, logits: torch.Tensor, **sizes) -> torch.Tensor:
    term, rows = CrossEntropy(), torch.ones(len(labels), dtype=torch.bool)
    term.task = sizes.get("task", "classification")
    term.setup(Sizes(student=2, classes=logits.shape[1], samples=len(labels), labels=labels, **sizes))
    said = Outputs(logits, torch.zeros(len(labels), 2), rows)
    return term(Batch(said, labels, torch.arange(len(labels)), torch.tensor(0.0)))


def test_smoothed_labels_are_torchs():
    rng = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(20, 4, generator=rng), torch.randint(0, 4, (20,), generator=rng)
    assert ce(labels, logits, smoothing=0.2) == pytest.approx(
        F.cross_entropy(logits, labels, label_smoothing=0.2).item()
    )


def test_balanced_weights_are_scikit_learns_and_torchs():
    from sklearn.utils.class_weight import compute_class_weight

    rng = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(20, 3, generator=rng), torch.tensor([0] * 12 + [1] * 5 + [2] * 3)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    assert SOFTMAX.balanced(labels, 3).tolist() == pytest.approx(expected.tolist())
    weight = torch.tensor(expected, dtype=torch.float32)
    assert ce(labels, logits, balanced=True) == pytest.approx(F.cross_entropy(logits, labels, weight=weight).item())


def test_balanced_labels_weigh_a_yes_as_all_noes_together():
    rng = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(20, 2, generator=rng), (torch.rand(20, 2, generator=rng) < 0.2).float()
    weight = (20 - labels.sum(0)) / labels.sum(0)
    expected = F.binary_cross_entropy_with_logits(logits, labels, pos_weight=weight)
    assert ce(labels, logits, balanced=True, task="multilabel") == pytest.approx(expected.item())


@pytest.mark.parametrize("method", ["kd", "amid"])
def test_half_precision_learns_nearly_the_same_in_any_company(method, trainer):
    mine = with_recipe(stacked(distilled(method, reads_test=True)), precision="bfloat16")
    alone = trainer(mine)
    assert_equal(alone, train([replace(mine, seed=2), replace(mine, seed=3), mine], trainer)[mine.id])
    full = train([with_recipe(mine, precision="float32")], trainer)
    (exact,) = full.values()
    assert curve(alone, "train/loss") != curve(exact, "train/loss")
    assert curve(alone, "train/loss") == pytest.approx(curve(exact, "train/loss"), rel=0.05)
