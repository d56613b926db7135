"""The statistics, against plain arithmetic, scikit-learn and simulation."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats
from sklearn import metrics

from kdsweep.report.statistics import exact, intervals, multiplicity, planning, scores, summaries
from kdsweep.report.statistics.crossed import Crossed
from kdsweep.report.statistics.intervals import Interval
from kdsweep.tasks.registry import METRICS


def table(rng, *, seeds, samples, mean=0.0, seed_sd=0.0, sample_sd=0.0, noise_sd=1.0):
    return (
        mean
        + seed_sd * rng.normal(size=(seeds, 1))
        + sample_sd * rng.normal(size=(1, samples))
        + noise_sd * rng.normal(size=(seeds, samples))
    )


def test_crossed_matches_the_formulas_written_out():
    D = [[1.0, 0.0, 2.0], [3.0, 1.0, 2.0]]
    m, rows, columns = 1.5, [1.0, 2.0], [2.0, 0.5, 2.0]
    ms_s = 3 * sum((r - m) ** 2 for r in rows) / 1
    ms_i = 2 * sum((c - m) ** 2 for c in columns) / 2
    ms_e = sum((D[s][i] - rows[s] - columns[i] + m) ** 2 for s in range(2) for i in range(3)) / 2
    v = (ms_s + ms_i - ms_e) / 6
    df = v**2 / ((ms_s / 6) ** 2 / 1 + (ms_i / 6) ** 2 / 2 + (ms_e / 6) ** 2 / 2)
    found = Crossed.of(D)
    assert found.interval.mean == pytest.approx(m)
    assert found.interval.error == pytest.approx(math.sqrt(v))
    assert found.interval.df == pytest.approx(max(df, 1))
    assert found.seed == pytest.approx((ms_s - ms_e) / 3)
    assert found.sample == pytest.approx((ms_i - ms_e) / 2)


def test_no_interval_is_narrower_than_its_parts_or_than_one_of_twice_the_seeds():
    rng = np.random.default_rng(3)
    for seeds, samples in itertools.product((3, 10), (2, 4, 60)):
        for _ in range(40):
            D = table(rng, seeds=seeds, samples=samples, sample_sd=0.2)
            found = Crossed.of(D)
            for level in (0.9, 0.95, 0.99):
                alone = [intervals.over(D.mean(axis)).half(level) for axis in (0, 1)]
                assert found.interval.half(level) >= max(alone) * (1 - 1e-9)
            assert found.planned(seeds) == found.interval
            assert found.planned(2 * seeds).half() <= found.interval.half()


def test_the_bounds_of_an_interval_say_what_its_p_says():
    found = Crossed.of(table(np.random.default_rng(1), seeds=3, samples=30, mean=0.4, seed_sd=0.1)).interval
    assert found.bounds(1 - found.p).low == pytest.approx(0, abs=1e-9)
    margin = found.bounds(0.9).high
    assert found.equivalence(margin) == pytest.approx(0.05)


def test_a_variance_that_is_not_positive_becomes_the_largest_mean_square():
    D = np.array([[1.0, -1.0], [-1.0, 1.0]])  # all of it is interaction
    assert Crossed.of(D).interval.error == pytest.approx(math.sqrt(4 / 4))


def test_equal_arms_differ_by_nothing_with_p_one():
    found = Crossed.of(np.zeros((3, 5))).interval
    assert (found.bounds(), found.p) == ((0.0, 0.0), 1.0)


def test_the_seeds_said_to_decide_are_the_fewest_that_do():
    found = Crossed.of(table(np.random.default_rng(1), seeds=5, samples=400, mean=0.3, seed_sd=0.5))
    seeds = found.seeds_to_differ(0.05)
    assert found.interval.p > 0.05
    assert seeds is not None
    assert found.planned(seeds).p <= 0.05 < found.planned(seeds - 1).p


def test_no_number_of_seeds_decides_what_the_test_set_cannot_show():
    D = table(np.random.default_rng(2), seeds=10, samples=20, mean=0.1, sample_sd=2.0)
    found = Crossed.of(D)
    assert found.seeds_to_differ(0.05) is None
    assert found.smallest(0.05) > abs(found.interval.mean)


def test_seeds_only_is_the_paired_t_test():
    d = [0.3, 0.1, 0.5, 0.2]
    assert intervals.over(d).p == pytest.approx(scipy_stats.ttest_1samp(d, 0).pvalue)


def test_folds_widen_the_variance_by_test_over_train():
    d = [1.0, 2.0, 4.0]
    found = intervals.over_folds(d, test=10, train=20)
    assert found.error == pytest.approx(np.std(d, ddof=1) * math.sqrt(1 / 3 + 0.5))
    assert found.df == 2


def test_folds_that_agree_to_the_last_sample_are_no_certainty():
    # Three folds of 20 samples, each won by one sample.
    assert intervals.over_folds([0.05] * 3, test=20, train=40).p > 0.3


def test_runs_that_never_differ_may_still_differ_on_three_samples_that_were_not_seen():
    found = Crossed.of(np.zeros((10, 200)), step=1 / 200).interval
    assert found.p == 1
    assert found.bounds(0.9).high == pytest.approx(3 / 200, rel=0.06)


def test_equivalence_is_the_larger_of_two_one_sided_tests():
    found = Interval(mean=0.5, error=0.4, df=9)
    low = scipy_stats.t.sf((0.5 + 2) / 0.4, 9)
    high = scipy_stats.t.cdf((0.5 - 2) / 0.4, 9)
    assert found.equivalence(2) == pytest.approx(max(low, high))


def test_holm_matches_its_definition():
    # Sorted: 0.01 x 3, 0.03 x 2, 0.04 x 1, each at least the one before.
    assert multiplicity.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert multiplicity.holm([]) == []


def test_an_interval_at_the_adjusted_level_agrees_with_holm():
    found = [Interval(mean, 0.4, 9) for mean in (1.3, 0.9, 1.0, 0.2)]
    for interval, test in zip(found, multiplicity.holm_tests([one.p for one in found]), strict=True):
        assert (interval.bounds(1 - 0.05 / test.times).low > 0) == (test.p <= 0.05)


def test_looks_after_the_first_are_tested_more_strictly():
    assert [multiplicity.level(k, 0.05) for k in (1, 2, 3)] == [0.05, 0.0125, 0.00625]


@pytest.mark.parametrize("n", [3, 5, 8])
def test_sign_flip_matches_listing_every_flip(n):
    d = np.random.default_rng(n).normal(0.5, size=n)
    flips = [abs(sum(s * x for s, x in zip(signs, d, strict=True))) for signs in itertools.product([1, -1], repeat=n)]
    assert exact.sign_flip(d) == pytest.approx(np.mean([total >= abs(d.sum()) - 1e-12 for total in flips]))


def test_five_seeds_cannot_reach_a_twentieth_by_flipping_signs():
    assert exact.sign_flip([1, 2, 3, 4, 5]) == 0.0625
    assert not exact.reaches(5, 0.05)
    assert exact.reaches(8, 0.05, family=5)
    assert not exact.reaches(7, 0.05, family=5)


def test_expected_best_matches_drawing_every_pair():
    values = [0.2, 0.9, 0.5]
    pairs = [max(pair) for pair in itertools.product(values, repeat=2)]
    worst = [min(pair) for pair in itertools.product(values, repeat=2)]
    assert summaries.expected_best(values)[1] == pytest.approx(np.mean(pairs))
    assert summaries.expected_best(values, maximize=False)[1] == pytest.approx(np.mean(worst))
    assert list(summaries.expected_best(values, draws=[1, 3])) == [summaries.expected_best(values)[n] for n in (0, 2)]


def test_probability_of_improvement_counts_ties_as_half():
    assert summaries.probability_of_improvement([1, 2], [1, 0]) == pytest.approx((0.5 + 1 + 1 + 1) / 4)


def test_interquartile_mean_ignores_a_collapsed_run():
    assert summaries.interquartile_mean([0.0, 0.9, 0.9, 0.9]) == pytest.approx(0.9)


def test_planning_matches_what_a_simulated_study_shows():
    """With the assumed variances, the interval's half-width is what the plan says, and its power near 80%."""
    rng, seeds, samples = np.random.default_rng(3), 10, 400
    least = planning.detectable(seeds, samples, disagreement=0.1, shared=0.5, seed_sd=0.005)
    sd = {"seed_sd": 0.005, "sample_sd": math.sqrt(0.05), "noise_sd": math.sqrt(0.05)}
    found = [
        Crossed.of(table(rng, seeds=seeds, samples=samples, mean=least, **sd)).interval.p <= 0.05 for _ in range(300)
    ]
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


def test_more_samples_more_seeds_and_fewer_groups_move_what_can_be_shown():
    assert planning.detectable(10, 2000) < planning.detectable(10, 500) < planning.detectable(3, 500)
    assert planning.detectable(10, 540, groups=27) > planning.detectable(10, 540)
    assert 0.02 < planning.equivalent_within(10, 539) < 0.035
    assert math.isinf(planning.detectable(2, 500))
    # One group says nothing of a new one.
    assert math.isinf(planning.detectable(10, 500, groups=1))
    assert math.isinf(planning.equivalent_within(10, 500, groups=1))


def test_what_a_study_detects_it_detects_in_four_of_five():
    rng, sd = np.random.default_rng(6), {"seed_sd": 0.05, "sample_sd": 0.3, "noise_sd": 0.4}
    least = Crossed.of(table(rng, seeds=10, samples=2000, **sd)).detectable(0.05)
    found = [Crossed.of(table(rng, seeds=10, samples=2000, mean=least, **sd)).interval.p <= 0.05 for _ in range(200)]
    assert 0.55 <= np.mean(found) <= 0.97  # the variances behind `least` are themselves estimates


def predictions(rng, *, samples, classes, groups):
    label = rng.integers(classes, size=samples)
    guess = np.where(rng.random(samples) < 0.6, label, rng.integers(classes, size=samples))
    group = [f"g{i}" for i in rng.integers(groups, size=samples)]
    logits = rng.normal(size=(samples, classes)).astype(np.float16)
    return pd.DataFrame(
        {
            "sample": [f"s{i}" for i in range(samples)],
            "group": group,
            "label": label,
            "prediction": guess,
            "rank": np.where(guess == label, 0, 7),
            "logits": list(logits),
        }
    )


SKLEARN = {
    "macro_f1": lambda p: metrics.f1_score(p["label"], p["prediction"], average="macro"),
    "uar": lambda p: metrics.balanced_accuracy_score(p["label"], p["prediction"]),
}


@pytest.mark.filterwarnings("ignore:y_pred contains classes")
@pytest.mark.parametrize("metric", sorted(SKLEARN))
@pytest.mark.parametrize("grouped", [False, True])
def test_pseudo_values_match_leaving_each_unit_out_in_turn(metric, grouped):
    p = predictions(np.random.default_rng(4), samples=30, classes=4, groups=9)
    theta, column = SKLEARN[metric], p["group" if grouped else "sample"]
    n = column.nunique()
    without = {name: theta(p[column != name]) for name in column.unique()}
    for name, value in scores.units(p, METRICS[metric], grouped=grouped).items():
        # Pseudo-values, moved so that their mean is the score.
        assert value == pytest.approx(theta(p) + (n - 1) * (np.mean(list(without.values())) - without[name]))


RARE = np.array([*np.repeat(np.arange(4), 50), 4])  # a class of one test sample


@pytest.mark.parametrize("metric", ["uar", "macro_f1"])
def test_the_mean_of_a_run_s_units_is_its_score_whatever_rests_on_one(metric):
    guess = np.where(np.random.default_rng(0).random(201) < 0.7, RARE, (RARE + 1) % 4)
    right, wrong = (
        pd.DataFrame({"sample": np.arange(201), "group": "", "label": RARE, "prediction": [*guess[:-1], last]})
        for last in (4, 0)
    )
    for run in (right, wrong):
        assert scores.units(run, METRICS[metric]).mean() == pytest.approx(SKLEARN[metric](run))
    assert scores.resting(right, METRICS[metric]) == (4,)
    assert scores.resting(right, METRICS["accuracy"]) == ()


def test_a_class_of_several_samples_rests_on_one_group_where_one_speaker_says_it():
    run = pd.DataFrame({"sample": range(6), "group": list("aabbcc"), "label": [0, 1, 0, 0, 2, 2]})
    assert scores.resting(run, METRICS["uar"], grouped=True) == (1, 2)


def test_a_label_of_one_positive_row_rests_on_it():
    flags = [np.array(row, dtype=float) for row in ([1, 0, 1], [1, 0, 0], [1, 1, 1])]
    run = pd.DataFrame({"sample": range(3), "label": flags})
    assert scores.resting(run, METRICS["macro_ap"]) == (1,)


@pytest.mark.parametrize("metric", ["accuracy", "top5", "log_loss"])
def test_the_mean_over_unequal_groups_is_the_mean_over_samples(metric):
    p = predictions(np.random.default_rng(5), samples=50, classes=6, groups=7)
    assert scores.units(p, METRICS[metric], grouped=True).mean() == pytest.approx(
        scores.units(p, METRICS[metric]).mean()
    )


def test_log_loss_matches_scikit_learn():
    p = predictions(np.random.default_rng(6), samples=50, classes=6, groups=7)
    logits = np.stack(p["logits"]).astype(float)
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = metrics.log_loss(p["label"], probability, labels=range(6))
    assert scores.units(p, METRICS["log_loss"]).mean() == pytest.approx(expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("seeds", "samples", "sd"),
    [
        (5, 100, {"seed_sd": 0.02, "sample_sd": 0.3, "noise_sd": 0.3}),
        (10, 500, {"seed_sd": 0.05, "sample_sd": 0.3, "noise_sd": 0.3}),
        (10, 27, {"seed_sd": 0.01, "sample_sd": 0.2, "noise_sd": 0.1}),
    ],
)
def test_the_crossed_interval_covers_where_one_sided_ones_do_not(seeds, samples, sd):
    rng, repetitions = np.random.default_rng(8), 400
    held = {"crossed": 0, "seeds": 0, "samples": 0}
    for _ in range(repetitions):
        D = table(rng, seeds=seeds, samples=samples, **sd)
        for name, interval in [
            ("crossed", Crossed.of(D).interval),
            ("seeds", intervals.over(D.mean(1))),
            ("samples", intervals.over(D.mean(0))),
        ]:
            low, high = interval.bounds()
            held[name] += low <= 0 <= high
    share = {name: count / repetitions for name, count in held.items()}
    # Three standard errors of 400 studies on either side of 95 %, and a little above: it is conservative.
    assert 0.915 <= share["crossed"] <= 0.99
    assert min(share["seeds"], share["samples"]) < 0.9


@pytest.mark.slow
def test_the_crossed_interval_covers_for_macro_f1():
    """Two equal models of a world of endless samples: the interval on each drawn test set holds zero."""
    rng, seeds, samples, held, repetitions = np.random.default_rng(9), 8, 60, 0, 80
    for _ in range(repetitions):
        label, ease = rng.integers(3, size=samples), rng.normal(size=samples)

        def run(label=label, ease=ease):
            skill = 1 / (1 + np.exp(-(0.5 + ease + 0.6 * rng.normal())))
            guess = np.where(rng.random(samples) < skill, label, rng.integers(3, size=samples))
            return pd.DataFrame({"sample": np.arange(samples).astype(str), "label": label, "prediction": guess})

        D = [
            scores.units(run(), METRICS["macro_f1"]).to_numpy() - scores.units(run(), METRICS["macro_f1"]).to_numpy()
            for _ in range(seeds)
        ]
        low, high = Crossed.of(D).interval.bounds()
        held += low <= 0 <= high
    # Three standard errors of 80 studies below 95 %: an interval over the samples alone holds it in 78 % of them.
    assert held / repetitions >= 0.877
