"""The statistics beside the headline, each against an implementation that is not ours."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from kdsweep.report.statistics import bayesian, dominance, exact, summaries
from kdsweep.report.statistics.ranks import average_ranks


def rng() -> np.random.Generator:
    return np.random.default_rng(11)


@pytest.mark.parametrize("n", [6, 10, 15])
def test_wilcoxon_matches_scipy(n):
    d = rng().normal(0.4, size=n)
    assert exact.wilcoxon(d) == pytest.approx(scipy_stats.wilcoxon(d, method="exact").pvalue, abs=1e-12)


def test_wilcoxon_with_ties_and_zeros_matches_listing_every_flip():
    d = [1.0, 1.0, -1.0, 2.0, 3.0, 0.0, 2.0]
    flips = scipy_stats.PermutationMethod(n_resamples=math.inf)
    assert exact.wilcoxon(d) == pytest.approx(scipy_stats.wilcoxon(d, method=flips).pvalue, abs=1e-12)
    assert exact.wilcoxon([0.0, 0.0]) == 1.0


def test_the_interquartile_mean_matches_rliable():
    metrics = pytest.importorskip("rliable.metrics")
    for n in (4, 8, 10, 13):
        x = rng().normal(size=(n, 1))
        assert summaries.interquartile_mean(x[:, 0]) == pytest.approx(metrics.aggregate_iqm(x), abs=1e-12)


def test_the_probability_of_improvement_matches_rliable():
    metrics = pytest.importorskip("rliable.metrics")
    x, y = rng().integers(5, size=(2, 9, 1)).astype(float)
    assert summaries.probability_of_improvement(x[:, 0], y[:, 0]) == pytest.approx(
        metrics.probability_of_improvement(x, y)
    )


def test_the_effect_size_matches_autorank():
    autorank = pytest.importorskip("autorank._util")
    x, y = rng().normal(size=(2, 12))
    assert summaries.effect_size(x, y) == pytest.approx(autorank._cohen_d(x, y))
    assert summaries.effect_size([1, 1], [0, 0]) == math.inf


@pytest.mark.parametrize("margin", [0.0, 0.2, 0.6])
def test_the_bayesian_signed_rank_matches_baycomp(margin):
    baycomp = pytest.importorskip("baycomp")
    x, y = rng().normal(0.15, 0.5, size=10), np.zeros(10)
    found = bayesian.signed_rank(x - y, margin, rng())
    expected = baycomp.SignedRankTest.probs(y, x, rope=margin, nsamples=20_000, random_state=3)
    expected = (expected[1], 0.0, expected[0]) if margin == 0 else (expected[2], expected[1], expected[0])
    assert tuple(found) == pytest.approx(expected, abs=0.015)
    assert found == bayesian.signed_rank(x - y, margin, rng())


def test_the_violation_of_stochastic_order_matches_its_integral():
    x, y = rng().normal(0.3, size=7), rng().normal(0, 2, size=5)
    # Both quantile functions are steps: between the jumps of either, the integrand is constant.
    jumps = sorted({*np.arange(8) / 7, *np.arange(6) / 5})
    parts = []
    for low, high in itertools.pairwise(jumps):
        gap = np.quantile(x, (low + high) / 2, method="inverted_cdf") - np.quantile(
            y, (low + high) / 2, method="inverted_cdf"
        )
        parts.append((gap, (high - low) * gap**2))
    expected = sum(area for gap, area in parts if gap < 0) / sum(area for _, area in parts)
    assert dominance.violation(x, y) == pytest.approx(expected, abs=2e-3)
    assert dominance.violation(y, x) == pytest.approx(1 - expected, abs=2e-3)
    assert dominance.violation(x, x) == 0.5


def test_an_order_is_almost_stochastic_only_where_the_bound_says_so():
    x, y = rng().normal(2, size=10), rng().normal(0, size=10)
    assert dominance.almost_stochastic_order(x, y, rng()) < 0.2
    assert dominance.almost_stochastic_order(y, x, rng()) > 0.8
    assert dominance.almost_stochastic_order(x, rng().normal(2, size=10) + 0.01, rng()) <= 1.0


def test_average_ranks_match_autorank_and_nemenyi():
    pandas = pytest.importorskip("pandas")
    posthocs, autorank = pytest.importorskip("scikit_posthocs"), pytest.importorskip("autorank._util")
    scores = rng().normal([0.0, 0.5, 1.0, 3.0], size=(8, 4))
    ranks = average_ranks(scores)
    assert ranks.critical == pytest.approx(autorank._critical_distance(0.05, 4, 8), rel=1e-3)
    p = posthocs.posthoc_nemenyi_friedman(pandas.DataFrame(scores)).to_numpy()
    apart = np.abs(ranks.average[:, None] - ranks.average[None, :]) > ranks.critical
    assert (apart == (p < 0.05)).all()
