"""What one embedding tells of another, by a linear map that is judged on rows it has not seen."""

from __future__ import annotations

import math

import pytest
import torch

from kdsweep.engine.probes import NetworkOutputs, explained, nats, probes
from kdsweep.objective import Outputs


def said(embedding: torch.Tensor, present: torch.Tensor | None = None) -> NetworkOutputs:
    there = torch.ones(len(embedding), dtype=torch.bool) if present is None else present
    train, test = (
        Outputs(torch.zeros(1000, 2), embedding[rows], there[rows]) for rows in (slice(0, 1000), slice(1000, 2000))
    )
    return NetworkOutputs(train, test)


def noise(width: int, seed: int) -> torch.Tensor:
    return torch.randn(2000, width, generator=torch.Generator().manual_seed(seed))


def test_a_linear_function_is_explained_whole():
    seen = noise(3, 0)
    assert explained(said(seen), said(seen @ noise(4, 1)[:3] + 2.0)) == pytest.approx(1.0, abs=1e-5)


def test_unrelated_noise_explains_nothing():
    assert explained(said(noise(3, 0)), said(noise(4, 1))) < 0.05


def test_half_of_the_variance_is_a_half():
    shared, hidden = noise(1, 0), noise(1, 1)
    assert explained(said(shared), said(shared + hidden)) == pytest.approx(0.5, abs=0.15)


def test_a_dead_unit_or_a_twin_harms_nothing():
    seen = noise(2, 0)
    doubled = torch.cat([seen, seen, torch.zeros(2000, 1)], dim=1)
    assert explained(said(doubled), said(seen)) == pytest.approx(1.0, abs=1e-5)


def test_rows_that_one_of_them_lacks_do_not_count():
    seen = noise(2, 0)
    spoiled, there = seen.clone(), torch.ones(2000, dtype=torch.bool)
    spoiled[::3], there[::3] = 1e6, False
    assert explained(said(spoiled, there), said(seen)) == pytest.approx(1.0, abs=1e-5)


def test_without_a_teacher_there_is_nothing_to_tell_of():
    assert probes(said(noise(2, 0)), None, {}) == {}
    assert set(probes(said(noise(2, 0)), said(noise(2, 1)), {"a": said(noise(2, 2))})) == {
        "explained/teacher_from_student",
        "explained/auxiliary_from_student",
        "explained/auxiliary_from_teacher",
        "nats/teacher_student",
        "nats/teacher_auxiliary",
        "nats/teacher_given_student",
    }


def test_nats_are_the_information_between_gaussians():
    """Of correlation rho in each of three units: -3/2 log(1 - rho^2), but for the 1 % that keep a variance from 0."""
    x, rho = noise(3, 0), 0.8
    y = rho * x + (1 - rho**2) ** 0.5 * noise(3, 1)
    found = nats(said(x), said(5 * y - 2))
    assert found.information == pytest.approx(-1.5 * math.log(1 - rho**2), abs=0.2)
    assert found.entropy == pytest.approx(1.5 * math.log(2 * math.pi * math.e * (1 - rho**2)), abs=0.3)
    assert abs(nats(said(noise(3, 2)), said(y)).information) < 0.1


def test_a_dead_target_has_nothing_to_tell():
    assert nats(said(noise(3, 0)), said(torch.zeros_like(noise(3, 0)))).information == 0


def test_a_unit_that_is_all_but_dead_on_training_adds_no_surprise():
    seen = noise(3, 0)
    teacher = seen @ noise(3, 1)[:3] + 0.3 * noise(3, 2)
    faint = 1e-4 * noise(1, 3)
    faint[1500:] += 1.0
    alone, beside = nats(said(seen), said(teacher)), nats(said(seen), said(torch.cat([teacher, faint], dim=1)))
    assert beside == pytest.approx(alone)
