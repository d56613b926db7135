"""Which conditions of deployment a study asks for."""

from __future__ import annotations

from kdsweep.values.condition import conditions
from kdsweep.values.study import Evaluate


def words(student, augment=(), **asked):
    return [one.words for one in conditions(Evaluate(**asked), student, {name: [{"flip": {}}] for name in augment})]


def test_every_choice_of_modalities_is_away_but_never_all():
    away = words(("a", "b", "c"), missing=True)
    assert away == ["without a", "without b", "without c", "without a and b", "without a and c", "without b and c"]
    assert words(("a",), missing=True) == []


def test_noise_and_shifts_are_of_each_modality_on_its_own():
    assert words(("a", "b"), noise=(0.5,)) == ["a: 50 % noise", "b: 50 % noise"]
    assert words(("a",), shift=(1.0, -2.0)) == ["a: shifted by 1 SD", "a: shifted by -2 SD"]


def test_a_study_asks_for_none_unless_it_says_so():
    assert words(("a", "b"), augment=["a"]) == []
    assert words(("a", "b"), augment=["a"], views=(8,)) == ["8 views averaged"]
