"""What every term promises, as checks on a small world: `kdsweep.testing.check_term` runs them all.

Each takes a term that has not been set up, and leaves it as it is.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.objective.base import Objective, Term
from kdsweep.objective.batch import Batch
from kdsweep.objective.toy import (
    SIZES,
    batch,
    each,
    flat,
    gradients,
    leaves,
    missing,
    rebuilt,
    shown,
    stream,
)
from kdsweep.tasks.registry import CLASSES

# Of several auxiliary modalities, each row below has lost another one; row 5 has lost both. Rows 4 and 5 have no label.
HOLES = {"student": [1], "teacher": [0, 5], "depth": [2, 5], "sound": [3, 5], "labels": [4, 5]}


def trains_what_it_is_for(term: Term) -> None:
    """Its gradient reaches the student if and only if that is what it trains."""
    made = set_up(term)
    seen = with_draws(made, example(made))
    reached = {name: gradient.abs().sum().item() for name, gradient in gradients(made(seen), leaves(seen)).items()}
    student = sum(size for name, size in reached.items() if name.startswith("student"))
    assert (student > 0) == (made.trains == "student"), reached
    assert sum(reached.values()) > 0, reached


def critic_learns_from_its_own_loss_alone(term: Term) -> None:
    """The critic gets its gradient from `critic_loss` and no other; all else learns from `loss`."""
    made = set_up(term)
    if made.critic is None:
        return
    seen = with_draws(made, example(made))
    parameters = dict(made.critic.named_parameters())
    assert not any(gradient.any() for gradient in gradients(made(seen), parameters).values())
    assert any(gradient.any() for gradient in gradients(made.critic_value(seen.detach()), parameters).values())
    others = {key: value for key, value in made.named_parameters() if not key.startswith("critic.")}
    assert all(gradient.any() for gradient in gradients(made(seen), others).values())
    assert "critic_lr" in made.number_names, made.number_names
    assert made.steps >= 1, made.steps


def missing_rows_are_as_if_they_were_not_there(term: Term) -> None:
    """Value, gradients, critic and memory with masked rows equal those with the rows removed."""
    made = set_up(term)
    alone, seen = copy.deepcopy(made), with_draws(made, missing(example(made, 10), **HOLES))
    rows = made.rows(seen)
    assert 2 <= rows.sum() < 10, f"it reads nothing that can be missing: {made.reads}"
    short = each(seen, lambda values: values[rows])
    value, value_alone = made(seen), alone(short)
    close({"value": value}, {"value": value_alone})
    arrived = gradients(value, leaves(seen))
    close({key: gradient[rows] for key, gradient in arrived.items()}, gradients(value_alone, leaves(short)))
    assert not any(gradient[~rows].any() for gradient in arrived.values()), "a gradient reaches rows that are missing"
    close(
        gradients(value, dict(made.named_parameters())),
        gradients(value_alone, dict(alone.named_parameters())),
    )
    if made.critic is not None:
        torch.testing.assert_close(made.critic_value(seen.detach()), alone.critic_value(short.detach()))
    with torch.no_grad():
        made.remember(seen.detach(), rows)
        alone.remember(short.detach(), rows[rows])
    close(made.state_dict(), alone.state_dict())


def a_label_that_is_not_there_is_not_read(term: Term) -> None:
    """What stands in the place of a label that a row has not changes neither value nor memory nor critic."""
    first, second = set_up(term), set_up(term)
    seen = with_draws(first, missing(example(first, 10), labels=[4, 5, 7]))
    assert seen.labelled is not None
    turned = seen._replace(labels=torch.where(_along(~seen.labelled, seen.labels), seen.labels.flip(0), seen.labels))
    assert not torch.equal(turned.labels, seen.labels)
    rule = f"it takes labels, and does not say so: reads = {first.reads}"
    assert torch.equal(first(seen), second(turned)), rule
    if first.critic is not None:
        assert torch.equal(first.critic_value(seen.detach()), second.critic_value(turned.detach())), rule
    remember(first, seen)
    remember(second, turned)
    close(first.state_dict(), second.state_dict())


def fewer_than_two_rows_give_exactly_zero(term: Term) -> None:
    """With no row or one, value and gradients are exactly 0, and what it remembers stays finite."""
    for left in (0, 1):
        gone = list(range(left, 8))
        made = set_up(term)
        whose = dict.fromkeys(HOLES, gone)
        seen = with_draws(made, missing(example(made, scale=0.0), **whose))
        value = made(seen)
        assert value.item() == 0, value
        reached = gradients(value, {**leaves(seen), **dict(made.named_parameters())})
        assert not [name for name, gradient in reached.items() if gradient.any()]
        if made.critic is not None:
            assert made.critic_value(seen.detach()).item() == 0
        with torch.no_grad():
            made.remember(seen.detach(), made.rows(seen))
        assert all(torch.isfinite(values.float()).all() for values in made.state_dict().values())


TRAPS: Mapping[str, Callable[[Batch], Batch]] = {
    "scores and embeddings of 10,000": lambda seen: shown(seen, lambda x: x * 1e4),
    "duplicate rows": lambda seen: each(seen, lambda x: x[[0, 0, 0, 1, 1, 2, 3, 4]]),
    "all ones": lambda seen: shown(seen, torch.ones_like),
    "all zeros": lambda seen: shown(seen, torch.zeros_like),
    "a single class": lambda seen: seen._replace(labels=torch.zeros_like(seen.labels)),
    # Where shapes agree; embeddings differ in width.
    "a student that says what its teacher says": lambda seen: seen._replace(
        student=seen.student._replace(logits=seen.of("teacher").logits.detach().clone().requires_grad_())
    ),
}


def stays_finite(term: Term) -> None:
    """Value and gradients are finite in single precision, whatever stands in a batch."""
    for trap, change in TRAPS.items():
        made = set_up(term, dtype=torch.float32)
        seen = with_draws(made, shown(change(example(made)), lambda x: x.float()))
        value = made(seen)
        assert torch.isfinite(value), trap
        reached = gradients(value, {**leaves(seen), **dict(made.named_parameters())})
        assert not [name for name, gradient in reached.items() if not torch.isfinite(gradient).all()], trap
        if made.critic is not None:
            reached = gradients(made.critic_value(seen.detach()), dict(made.critic.named_parameters()))
            assert all(torch.isfinite(gradient).all() for gradient in reached.values()), trap


def does_not_depend_on_the_order_of_the_batch(term: Term) -> None:
    """Rows may stand in any order."""
    made = set_up(term)
    seen = with_draws(made, example(made))
    turned = each(seen, lambda values: values[[3, 1, 7, 0, 5, 2, 6, 4]])
    torch.testing.assert_close(made(seen), made(turned), rtol=1e-9, atol=1e-9)


def saved_state_is_all_that_it_is(term: Term) -> None:
    """Another of other initial weights, given the state saved in the middle, says the same next; so does a copy."""
    first, second = set_up(term), set_up(term, seed=7)
    for step in (1, 2):
        remember(first, with_draws(first, example(first, seed=step), seed=step))
    second.load_state_dict(first.state_dict())
    seen = with_draws(first, example(first, seed=3), seed=3)
    for other in (second, copy.deepcopy(first)):
        assert torch.equal(first(seen), other(seen))


def half_precision_is_computed_in_single(term: Term) -> None:
    """Under autocast and of half-precision outputs, the value is that of single precision."""
    made = set_up(term, dtype=torch.float32)
    seen = with_draws(made, shown(example(made), lambda x: x.to(torch.bfloat16)))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = made(seen)
    assert half.dtype == torch.float32, half.dtype
    torch.testing.assert_close(half, made(shown(seen, lambda x: x.float())), rtol=1e-6, atol=1e-6)


def a_stack_gives_what_each_gives_alone(term: Term) -> None:
    """Three terms with other numbers, as one: values, gradients, critics and memories, without a loop over members."""
    made = [set_up(moved(term, lane), seed=lane) for lane in range(3)]
    seen = [with_draws(one, missing(example(one, seed=lane), **HOLES), seed=lane) for lane, one in enumerate(made)]
    parameters, buffers = torch.func.stack_module_state(made)
    tensors = {key: torch.stack([flat(one)[key] for one in seen]) for key in flat(seen[0])}
    drawn = {key: torch.stack([one.draws[key] for one in seen]) for key in seen[0].draws}
    skeleton = copy.deepcopy(made[0])

    def ask(question: Callable[[Term, Batch], Tensor]) -> Tensor:
        def of_one(parameters: Any, buffers: Any, tensors: Any, drawn: Any) -> Tensor:
            own = rebuilt(seen[0], tensors)._replace(draws=drawn)
            state = {f"term.{name}": values for name, values in {**parameters, **buffers}.items()}
            answer: Tensor = torch.func.functional_call(_Asked(skeleton, question), state, (own,))
            return answer

        return torch.vmap(of_one)(parameters, buffers, tensors, drawn)

    with warnings.catch_warnings():
        # An operation without a batching rule warns, and runs member by member.
        warnings.simplefilter("error")
        values = ask(lambda one, own: one(own))
        learned = {"student.logits": tensors["student.logits"], **parameters}
        stacked = gradients(values.sum(), learned)
        critics = ask(lambda one, own: one.critic_value(own.detach())) if made[0].critic is not None else None
        ask(remember)

    for lane, (one, own) in enumerate(zip(made, seen, strict=True)):
        alone = one(own)
        close({"value": values[lane]}, {"value": alone})
        close(
            {name: gradient[lane] for name, gradient in stacked.items()},
            gradients(alone, {"student.logits": own.student.logits, **dict(one.named_parameters())}),
            tolerance=1e-8,
        )
        if critics is not None:
            torch.testing.assert_close(critics[lane], one.critic_value(own.detach()))
        remember(one, own)
        close({name: buffer[lane] for name, buffer in buffers.items()}, dict(one.named_buffers()))


CHECKS: tuple[Callable[[Term], None], ...] = (
    trains_what_it_is_for,
    critic_learns_from_its_own_loss_alone,
    missing_rows_are_as_if_they_were_not_there,
    a_label_that_is_not_there_is_not_read,
    fewer_than_two_rows_give_exactly_zero,
    stays_finite,
    does_not_depend_on_the_order_of_the_batch,
    saved_state_is_all_that_it_is,
    half_precision_is_computed_in_single,
    a_stack_gives_what_each_gives_alone,
)


class _Asked(nn.Module):
    """A term that is asked through `forward`, which is what can be called with other parameters."""

    def __init__(self, term: Term, question: Callable[[Term, Batch], Tensor]) -> None:
        super().__init__()
        self.term, self.question = term, question

    def forward(self, seen: Batch) -> Tensor:
        return self.question(self.term, seen)


def _along(rows: Tensor, values: Tensor) -> Tensor:
    return rows.view(-1, *[1] * (values.dim() - 1))


def set_up(term: Term, *, seed: int = 0, dtype: torch.dtype = torch.float64) -> Term:
    """A copy of the term with its modules, in the given precision."""
    made = copy.deepcopy(term)
    labels = labels_for(made, SIZES.labels)
    Objective(term=made).setup(SIZES._replace(task=task_of(made), labels=labels), lambda name: stream(seed, name))
    return made.to(dtype)


def task_of(term: Term) -> str:
    """One that the term understands: of classes where it can."""
    return next((task for task in CLASSES if task in term.tasks), term.tasks[0])


def labels_for(term: Term, labels: Tensor | None) -> Tensor | None:
    """Classes, or where the term does not know them numbers of 0 and 1 for each: several labels, and values as well."""
    if task_of(term) in CLASSES or labels is None:
        return labels
    return (labels[:, None] == torch.arange(SIZES.classes)).double()


def example(term: Term, n: int = 8, *, seed: int = 0, scale: float = 1.0) -> Batch:
    seen = batch(n, seed=seed, scale=scale)
    labels = labels_for(term, seen.labels)
    assert labels is not None
    return seen._replace(labels=labels)


def moved(term: Term, lane: int) -> Term:
    """The term with other numbers in each lane; its schedule stays."""
    other = copy.deepcopy(term)
    for name in set(term.number_names) - {"start", "ramp", "decay"}:
        getattr(other, name).mul_(1 + 0.1 * lane)
    return other


def with_draws(term: Term, seen: Batch, *, seed: int = 0) -> Batch:
    return seen._replace(draws=term.draw(len(seen.labels), torch.Generator().manual_seed(seed)))


@torch.no_grad()
def remember(term: Term, seen: Batch) -> Tensor:
    own = seen.detach()
    term.remember(own, term.rows(own))
    return torch.zeros(())


def close(left: Mapping[str, Tensor], right: Mapping[str, Tensor], *, tolerance: float = 1e-9) -> None:
    assert left.keys() == right.keys(), (set(left), set(right))
    for name, values in left.items():
        torch.testing.assert_close(
            values, right[name], rtol=tolerance, atol=tolerance, msg=partial("{}: {}".format, name)
        )
