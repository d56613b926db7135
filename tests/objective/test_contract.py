"""What every term promises. Terms are found in their folder: a new one is tested by existing."""

from __future__ import annotations

import pytest
import torch

from kdsweep import objective
from kdsweep.objective import Batch, Term, toy
from kdsweep.tasks.registry import TASKS
from kdsweep.testing import check_term
from tests.helpers.objective_fakes import recipes

# The only one that is meant to.
DEPENDS_ON_ORDER = {"CorrelationCongruence"}


def structure(term: Term) -> str:
    """A term's class, and how its structure differs from the default's: widths and counts do not matter here."""
    default = vars(type(term)())
    changed = {name: value for name, value in vars(term).items() if isinstance(value, str | bool | tuple)}
    kept = [name for name, value in changed.items() if value != default.get(name)]
    words = [f"{name}={changed[name]}" for name in kept if name not in ("papers", "number_names", "reads", "tasks")]
    return " ".join([type(term).__name__, *words])


def every_term() -> dict[str, Term]:
    """Those of the folder with their defaults, and in each structure that a shipped method gives them."""
    alone = [getattr(objective, name)() for name in objective.TERMS]
    built = [term for recipe in recipes() for _, term in recipe.loaded.build(recipe.full).items()]
    return {structure(term): term for term in [*alone, *built]}


TERMS = every_term()


@pytest.mark.parametrize("name", TERMS)
def test_a_term_keeps_its_contract(name):
    term = TERMS[name]
    check_term(term, in_any_order=type(term).__name__ not in DEPENDS_ON_ORDER)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("name", ["CrossEntropy", "SoftLogits"])
def test_a_term_that_asks_the_task_keeps_its_contract_in_each(name, task):
    check_term(getattr(objective, name)(), task=task)


def test_a_term_names_its_paper_and_says_in_one_line_what_it_is():
    for name in objective.TERMS:
        term = getattr(objective, name)
        assert (term.__doc__ or "").split("\n")[0].endswith("."), name
        assert term().papers or term is objective.CrossEntropy, name


def test_names_load_on_first_use_from_the_file_that_is_named_for_them():
    assert objective.SoftLogits.__module__ == "kdsweep.objective.terms.soft_logits"
    assert objective.masked_mean.__module__ == "kdsweep.objective.numerics"
    with pytest.raises(AttributeError, match="no attribute 'SoftLogit'"):
        objective.SoftLogit  # noqa: B018


class OfValues(Term):
    """A term for values alone."""

    tasks = ("regression",)
    reads = ("student.logits", "labels")

    def loss(self, batch: Batch, rows: torch.Tensor) -> torch.Tensor:
        return objective.masked_mean((batch.student.logits - batch.labels).square().mean(1), rows)


def test_a_term_for_other_labels_than_classes_is_checked_on_such():
    check_term(OfValues())


class SeesMissingRows(Term):
    """Counts rows that are not there."""

    def loss(self, batch: Batch, rows: torch.Tensor) -> torch.Tensor:
        return batch.student.logits.square().mean()


class Draws(Term):
    """Draws from torch's own stream: a stack of it does not say what each says alone."""

    def loss(self, batch: Batch, rows: torch.Tensor) -> torch.Tensor:
        return objective.masked_mean(batch.student.logits.square().mean(1) * torch.rand(()), rows)


class Silent(Term):
    """Reads the student, and gives it no gradient."""

    def loss(self, batch: Batch, rows: torch.Tensor) -> torch.Tensor:
        return objective.masked_mean(batch.student.logits.detach().square().mean(1), rows)


class Peeks(Term):
    """Takes labels, and does not say so: rows without one would count."""

    tasks = ("regression",)

    def loss(self, batch: Batch, rows: torch.Tensor) -> torch.Tensor:
        return objective.masked_mean((batch.student.logits - batch.labels).square().mean(1), rows)


@pytest.mark.parametrize("wrong", [SeesMissingRows, Draws, Silent, Peeks])
def test_a_term_that_breaks_its_contract_is_told_which_part(wrong):
    with pytest.raises(Exception) as raised:  # noqa: PT011
        check_term(wrong())
    assert any("does not keep its contract" in note for note in raised.value.__notes__)


def test_checks_leave_the_global_stream_and_the_term_alone():
    term = objective.Adversary()
    before = torch.get_rng_state()
    check_term(term)
    assert torch.equal(torch.get_rng_state(), before)
    assert term.critic is None
    assert toy.batch().student.logits.is_leaf
