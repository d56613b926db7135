"""Values: metrics against their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr

from tests.helpers.measuring import measured


def test_values_have_the_metrics_of_their_definitions():
    from sklearn import metrics

    rng = torch.Generator().manual_seed(0)
    labels = torch.randn(60, 2, generator=rng)
    predicted = labels + torch.randn(60, 2, generator=rng)
    (found,), x, y = measured("regression", predicted[None], labels), predicted.numpy(), labels.numpy()
    assert found["mae"] == pytest.approx(metrics.mean_absolute_error(y, x))
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(y, x))
    assert found["pearson"] == pytest.approx(np.mean([pearsonr(x[:, c], y[:, c])[0] for c in range(2)]))
    whole = [
        2 * np.cov(x[:, c], y[:, c], ddof=0)[0, 1] / (x[:, c].var() + y[:, c].var() + (x - y)[:, c].mean() ** 2)
        for c in range(2)
    ]
    assert found["ccc"] == pytest.approx(np.mean(whole), rel=1e-5)


def test_a_constant_prediction_agrees_with_nothing():
    (found,) = measured("regression", torch.ones(1, 5, 1), torch.arange(5.0)[:, None])
    assert found["pearson"] == found["ccc"] == 0
