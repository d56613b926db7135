"""Several labels: metrics against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from kdsweep.tasks.multilabel import METRICS
from tests.helpers.measuring import measured


def test_several_labels_have_scikit_learns_metrics():
    from sklearn import metrics

    rng = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(80, 4, generator=rng), (torch.rand(80, 4, generator=rng) < 0.3).float()
    labels[:, 3] = 0
    (found,), said = measured("multilabel", logits[None], labels), (torch.sigmoid(logits) > 0.5).numpy()
    assert found["macro_ap"] == pytest.approx(metrics.average_precision_score(labels[:, :3], logits[:, :3]))
    assert found["micro_f1"] == pytest.approx(metrics.f1_score(labels, said, average="micro"))
    p = torch.sigmoid(logits.double())
    losses = [metrics.log_loss(labels[:, c], p[:, c], labels=[0, 1]) for c in range(4)]
    assert found["log_loss"] == pytest.approx(np.mean(losses))


def macro_ap(predictions: pd.DataFrame) -> float:
    labels, said = (torch.tensor(np.stack(predictions[column])) for column in ("label", "logits"))
    return measured("multilabel", said[None], labels)[0]["macro_ap"]


def test_scores_that_tie_are_one_threshold_as_in_the_metric():
    """Wherever the rows lie in the file."""
    rng = np.random.default_rng(1)
    labels, scores = (rng.random((30, 2)) < 0.4).astype(float), rng.integers(0, 3, (30, 2)).astype(float)
    for order in (np.argsort(-labels[:, 0]), np.argsort(labels[:, 0])):
        predictions = pd.DataFrame({"label": list(labels[order]), "logits": list(scores[order])})
        whole, without = METRICS["macro_ap"].jackknife(predictions, np.arange(30), 30)
        assert whole == pytest.approx(macro_ap(predictions))
        assert without.tolist() == pytest.approx([macro_ap(predictions.drop(i)) for i in range(30)])
