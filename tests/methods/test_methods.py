"""What every method promises. Methods are found in their folder: a new one is tested by existing."""

import sys
from types import ModuleType

import pytest

from kdsweep import Float, methods, objective
from kdsweep.testing import check_method


@pytest.mark.parametrize("name", methods.names())
def test_a_method_keeps_its_contract(name):
    check_method(name)


def test_the_registry_is_no_method():
    assert "registry" not in methods.names()
    assert {"amid", "kd", "student_only", "teacher", "auxiliary_only"} <= set(methods.names())


@pytest.fixture
def own(monkeypatch):
    """A method of a user's own, which is right."""
    module = ModuleType("my_methods.mine", "Labels, and the teacher's scores.")
    module.TERMS = ("ce", "kd")
    module.SPACE = {"kd.weight": Float(0.1, 10.0, log=True)}
    module.NUMBERS = ("kd.temperature",)
    module.build = lambda: objective.Objective(ce=objective.CrossEntropy(), kd=objective.SoftLogits())
    monkeypatch.setitem(sys.modules, "my_methods", ModuleType("my_methods"))
    monkeypatch.setitem(sys.modules, "my_methods.mine", module)
    methods.load.cache_clear()
    yield module
    methods.load.cache_clear()


def test_a_users_own_passes(own):
    check_method("my_methods.mine")


def test_terms_that_are_not_named_are_found(own):
    own.TERMS = ("ce", "other")
    with pytest.raises(AssertionError, match="other"):
        check_method("my_methods.mine")


def test_numbers_that_are_not_there_are_found(own):
    own.NUMBERS = ()
    with pytest.raises(AssertionError, match=r"kd\.temperature"):
        check_method("my_methods.mine")


def test_published_values_outside_of_the_ranges_are_found(own):
    own.SPACE = {"kd.weight": Float(2.0, 10.0)}
    with pytest.raises(AssertionError, match="published values lie in the ranges"):
        check_method("my_methods.mine")


def test_a_gradient_to_a_frozen_teacher_is_found(own):
    own.build = lambda: objective.Objective(ce=objective.CrossEntropy(), kd=objective.LogitAgreement())
    own.NUMBERS = ()
    with pytest.raises(AssertionError, match=r"these are frozen: .*teacher.logits"):
        check_method("my_methods.mine")
