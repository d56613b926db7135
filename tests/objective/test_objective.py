"""Objectives and terms as such: sums, names, numbers, schedules, streams."""

import math
from contextlib import contextmanager
from functools import partial

import pytest
import torch
from torch.nn import functional

from kdsweep.methods import load
from kdsweep.objective import CrossEntropy, MutualInformation, Objective, SoftLogits
from kdsweep.objective.numerics import FEW, log_softmax, logsumexp, normalize
from kdsweep.objective.toy import SIZES, batch, stream
from tests.helpers.objective_fakes import Recipe, draws


def objective() -> Objective:
    return Objective(ce=CrossEntropy(), kd=SoftLogits(temperature=4.0, weight=0.5, start=0.2, ramp=0.4, decay=0.2))


def test_the_total_is_the_weighted_sum_of_the_parts():
    total, parts = objective()(batch(progress=0.4))
    assert total.item() == pytest.approx((parts["ce"] + 0.5 * 0.5 * parts["kd"]).item())


@pytest.mark.parametrize("shape", ["linear", "cosine"])
@pytest.mark.parametrize(("progress", "share"), [(0, 0), (0.19, 0), (0.4, 0.5), (0.6, 1), (0.8, 1), (0.9, 0.5), (1, 0)])
def test_a_weight_starts_rises_stays_and_falls(shape, progress, share):
    term = SoftLogits(start=0.2, ramp=0.4, decay=0.2, shape=shape)
    assert term.height(torch.tensor(progress)).item() == pytest.approx(share, abs=1e-5)


@pytest.mark.parametrize("classes", [2, FEW - 1, FEW, 40])
@pytest.mark.parametrize("size", [1.0, 1e4])
def test_log_softmax_is_torchs_over_few_classes_and_many(classes, size):
    scores = size * torch.randn(6, classes, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    (ours, slope), (theirs, expected) = (
        torch.func.vjp(f, scores) for f in (log_softmax, lambda x: torch.log_softmax(x, 1))
    )
    assert torch.allclose(ours, theirs, rtol=1e-12)
    assert torch.allclose(slope(theirs)[0], expected(theirs)[0], rtol=1e-9, atol=1e-9 * size)


@pytest.mark.parametrize(("mine", "theirs"), [(normalize, functional.normalize), (logsumexp, torch.logsumexp)])
def test_what_is_written_out_for_speed_is_torchs(mine, theirs):
    """Values and gradients, those of rows of zeros (which nothing reads) and of hidden columns included."""
    values = torch.randn(5, 7, dtype=torch.float64)
    values[0] = 0
    if theirs is torch.logsumexp:
        values[1, :3] = -math.inf
    for dim in (0, 1):
        (found, back), (expected, back_too) = (
            torch.func.vjp(f, values) for f in (partial(mine, dim=dim), partial(theirs, dim=dim))
        )
        torch.testing.assert_close(found, expected)
        weight = torch.randn_like(found)
        torch.testing.assert_close(back(weight), back_too(weight))


def test_a_sum_of_no_exponentials_is_minus_infinity():
    assert logsumexp(torch.full((2, 3), -math.inf), 1).tolist() == [-math.inf, -math.inf]


def test_a_cosine_ramp_rises_slowly_first():
    term = SoftLogits(ramp=1.0, shape="cosine")
    assert term.height(torch.tensor(0.25)).item() == pytest.approx((1 - math.cos(math.pi / 4)) / 2)


def test_a_schedule_without_ramp_or_decay_is_a_step():
    term = SoftLogits(start=0.5)
    assert [term.height(torch.tensor(progress)).item() for progress in (0.0, 0.49, 0.5, 1.0)] == [0, 0, 1, 1]


def test_an_ablation_is_the_sum_with_a_name_removed():
    whole = objective()
    less = whole.without("kd")
    assert list(less.terms) == ["ce"]
    assert list(whole.terms) == ["ce", "kd"]
    with pytest.raises(ValueError, match="no term 'mi': found ce, kd"):
        whole.without("mi")


def test_set_changes_a_copy_and_refuses_numbers_that_are_not_there():
    whole = objective()
    assert whole.set({"kd.temperature": 3.0}).numbers()["kd.temperature"] == 3
    assert whole.numbers()["kd.temperature"] == 4
    with pytest.raises(ValueError, match=r"no number 'kd.temprature': found ce.weight"):
        whole.set({"kd.temprature": 3.0})


def test_an_objective_has_a_term():
    with pytest.raises(ValueError, match="at least one term"):
        Objective()


def test_no_term_moves_the_initial_weights_or_draws_of_another():
    amid = Recipe("amid", {"mi_auxiliary_estimator": "crd"})
    whole = amid.build()
    less = amid.loaded.build(amid.full, dropped=("mi_teacher",))
    less.setup(SIZES, lambda name: stream(0, name))
    for name, values in less.double().state_dict().items():
        assert torch.equal(values, whole.state_dict()[name]), name
    left, right = (draws(made, 8)["mi_auxiliary"] for made in (whole, less))
    assert all(torch.equal(left[key], right[key]) for key in left)


def test_setup_enters_each_terms_own_stream():
    entered = []

    @contextmanager
    def noted(name):
        entered.append(name)
        yield

    objective().setup(SIZES, noted)
    assert entered == ["ce", "kd"]


def test_equal_draws_come_from_equal_seeds():
    made = Recipe("crd").build()
    first, second = draws(made, 8, seed=3), draws(made, 8, seed=3)
    assert torch.equal(first["crd"]["teacher"], second["crd"]["teacher"])


def test_a_term_says_what_it_trains():
    assert CrossEntropy("teacher").trains == "teacher"
    assert MutualInformation("teacher", "auxiliary").trains == "teacher"
    assert MutualInformation("teacher", "student").trains == "student"


def test_numbers_that_may_be_set_but_are_not_searched_are_known():
    dkd = load("dkd")
    assert "dkd.alpha" in dkd.numbers({})
    assert "dkd.alpha" not in dkd.space({})
    assert "dkd.alpha" not in dkd.numbers({}, dropped=("dkd",))


def test_what_exists_only_under_some_choices_is_absent_under_others():
    amid = load("amid")
    assert "kd" not in amid.terms(amid.defaults())
    assert "kd" in amid.terms({**amid.defaults(), "with_kd": True})
    assert "mi_teacher.temperature" not in amid.space({**amid.defaults(), "mi_teacher_estimator": "club"})
    assert amid.auxiliary({}) == "frozen"
    assert amid.auxiliary({"auxiliary": "joint"}) == "joint"
    assert amid.teacher({}) == "joint"


def test_conditional_entropy_has_the_forms_that_lower_it_and_no_other():
    assert load("amid").choices["entropy_form"] == ("pair", "joint", "gaussian")
