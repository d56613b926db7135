"""Classes: metrics against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from kdsweep.engine import scoring
from kdsweep.objective.batch import Outputs
from kdsweep.tasks.base import Judged
from kdsweep.tasks.classification import METRICS, TASK
from tests.helpers.measuring import measured


@pytest.mark.parametrize("classes", [3, 12])
def test_metrics_are_scikit_learns(classes):
    from sklearn import metrics

    rng = torch.Generator().manual_seed(classes)
    logits, labels = torch.randn(200, classes, generator=rng), torch.randint(0, classes - 1, (200,), generator=rng)
    (found,) = measured("classification", logits[None], labels)
    guess, truth = logits.argmax(1).numpy(), labels.numpy()
    assert found["accuracy"] == pytest.approx(metrics.accuracy_score(truth, guess))
    assert found["macro_f1"] == pytest.approx(metrics.f1_score(truth, guess, average="macro"))
    present = sorted(set(truth))
    assert found["uar"] == pytest.approx(metrics.recall_score(truth, guess, average="macro", labels=present))
    p = torch.softmax(logits.double(), 1).numpy()
    assert found["log_loss"] == pytest.approx(metrics.log_loss(truth, p, labels=range(classes)))
    top = metrics.top_k_accuracy_score(truth, logits.double().numpy(), k=min(5, classes - 1), labels=range(classes))
    if classes > 5:
        assert found["top5"] == pytest.approx(top)
    others = torch.randn(3, *logits.shape, generator=rng)
    assert measured("classification", torch.cat([others, logits[None]]), labels)[3] == found, "measured beside others"


def test_a_logit_beyond_half_precision_keeps_its_sample():
    said = Outputs(torch.tensor([[-9e4, 0.0], [0.0, 1.0]]), torch.zeros(2, 2), torch.ones(2, dtype=torch.bool))
    part = type("Part", (), {"labels": torch.tensor([0, 1]), "ids": np.array(["a", "b"])})
    kept = scoring.predictions(TASK, Judged(said, part))
    frame = pd.DataFrame({name: list(values) for name, values in kept.items()})
    assert np.isfinite(METRICS["log_loss"].per_sample(frame)).all()
