"""What kdsweep promises of each kind of thing, as checks that a user's own can pass in two lines.

    from kdsweep.testing import check_term
    def test_mine(): check_term(my_package.Mine())

Each raises AssertionError, or what the thing itself raises, and says in words what was promised. Our own contract tests
call the very same functions.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kdsweep.values.space import Choice, Domain, Float, Int, Value

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset
    from kdsweep.methods import Method
    from kdsweep.objective.base import Objective, Term
    from kdsweep.tasks.base import Task
    from kdsweep.values.result import Tried

_SPACE: Mapping[str, Domain] = {
    "kd.weight": Float(0.1, 10.0, log=True),
    "train.lr": Float(0.0, 1.0),
    "steps": Int(2, 5),
    "form": Choice(("pair", "joint", 4)),
}


def check_sampler(sampler: str | Callable[..., Sequence[Mapping[str, Value]]]) -> None:
    """A sampler (`kdsweep.protocol.samplers`) by its name, by `package.module:callable`, or itself.

    It stays inside the ranges, gives as many points as it is asked for, and answers equal questions alike: after few
    points and many, of which some were pruned or failed, whether more or less is better, and of one range alone.
    """
    from kdsweep.protocol.samplers import registry
    from kdsweep.protocol.start import start
    from kdsweep.values.result import Tried

    name = sampler if isinstance(sampler, str) else getattr(sampler, "__name__", repr(sampler))
    propose = registry.load(sampler) if isinstance(sampler, str) else sampler
    for space in (_SPACE, {"form": _SPACE["form"]}):
        points = start(space, size=24, seed=1)
        for earlier in (1, 24):
            history = [_tried(Tried, number, point) for number, point in enumerate(points[:earlier])]
            for maximize in (True, False):
                asked = [
                    [dict(p) for p in propose(space, tuple(history), size=3, maximize=maximize, seed=seed)]
                    for seed in (2**40 + 7, 2**40 + 7, 0)
                ]
                for answer in asked:
                    registry.check(answer, space, size=3, name=name)
                assert asked[0] == asked[1], f"equal questions have equal answers: {name} gave {asked[0]}, {asked[1]}"


def _tried(of: Callable[..., Tried], number: int, point: Mapping[str, Value]) -> Tried:
    """Every third point was pruned, and every seventh failed."""
    value = math.sin(number)
    if number % 7 == 6:
        return of(point, "failed", math.nan)
    return of(point, "pruned" if number % 3 == 2 else "complete", value, (value / 2, value))


def check_pruner(pruner: str | Callable[..., Sequence[tuple[int, float]]], **numbers: Any) -> None:
    """A pruner (`kdsweep.protocol.pruners`) by its name or itself, with the numbers that a study gives it.

    It stops nobody at the last epoch or behind it, names each epoch once and in order with a finite value, and knows
    which way is better: of curves turned around, the values turned around.
    """
    from kdsweep.protocol.pruners import registry

    thresholds = registry.load(pruner) if isinstance(pruner, str) else pruner
    for epochs in (1, 2, 3, 8, 30):
        whole = [[math.sin(number) * epoch for epoch in range(1, epochs + 1)] for number in range(9)]
        curves = [*whole, [], whole[0][:1], [math.nan] * epochs]
        up = tuple(thresholds(curves, epochs=epochs, maximize=True, **numbers))
        down = tuple(thresholds([[-v for v in curve] for curve in curves], epochs=epochs, maximize=False, **numbers))
        at = [epoch for epoch, _ in up]
        assert at == sorted(set(at)), f"each rung is named once, in order: {at}"
        assert all(1 <= epoch < epochs for epoch in at), f"rungs lie inside training, of {epochs} epochs: {at}"
        assert all(math.isfinite(value) for _, value in up), f"thresholds are numbers: {up}"
        assert [(epoch, -value) for epoch, value in down] == list(up), f"better is the other way: {up}, {down}"
    assert not thresholds([[]], epochs=8, maximize=True, **numbers), "where nobody came, nobody stops"


def check_dataset(dataset: str | Dataset, **options: Any) -> None:
    """A dataset itself, or a loader of it by a shipped name or `package.module:callable`, called with the options.

    It is what `kdsweep.data.checks` asks of data of a user's own; loading it twice gives the same content; a shipped
    one is described, without being read, as it is.
    """
    from kdsweep.data import checks, registry
    from kdsweep.data.dataset import Dataset
    from kdsweep.values import user_code

    if isinstance(dataset, Dataset):
        checks.check(dataset, where="the dataset")
        return
    shipped = dataset in registry.names()
    load = registry.module(dataset).load if shipped else user_code.load(dataset)
    first, second = load(**options), load(**options)
    checks.check(first, where=dataset)
    assert first.digest() == second.digest(), f"a loader gives the same rows whenever it is called: {dataset}"
    if shipped:
        described = registry.module(dataset).card(**options)
        assert described == first.card, f"card() and load() describe one dataset: {described}, {first.card}"


def check_term(term: Term, *, task: str | None = None, in_any_order: bool = True) -> None:
    """A term (`kdsweep.objective.Term`), not set up: `check_term(my_terms.Mine(temperature=2.0))`.

    Value and gradients with masked rows are those with the rows removed, and exactly 0 of fewer than two rows; they are
    finite whatever a batch holds, the same in any order of the batch, and in single precision under autocast. It trains
    what it says, its critic learns from its own loss alone, its state is all that it is, and a stack of three with
    other numbers gives what each gives alone, without a loop.

    Args:
        task: whose labels it sees; by default classes, where it understands them.
        in_any_order: False for a term that is meant to depend on the order of the batch.
    """
    from kdsweep.objective import contract

    if task is not None:
        assert task in term.tasks, f"it is a term for {', '.join(term.tasks)}, got {task}"
        term = copy.deepcopy(term)
        term.tasks = (task,)
    for check in contract.CHECKS:
        if not in_any_order and check is contract.does_not_depend_on_the_order_of_the_batch:
            continue
        try:
            check(term)
        except Exception as error:
            error.add_note(f"{type(term).__name__} does not keep its contract: {check.__doc__}")
            raise


def check_method(name: str) -> None:
    """A method (`kdsweep.methods`) by its name or by `package.module`, with each value of each of its choices.

    Its module names the very terms and numbers that `build` makes; published values lie in the ranges; every term but
    labels names its paper; no gradient reaches a frozen teacher or auxiliary model; and with weights of 0 the student
    learns as if it were alone. Its terms are for `check_term`.
    """
    from kdsweep import methods

    method = methods.load(name)
    assert method.summary.endswith("."), f"the first line says what it is, and is a sentence: {method.summary!r}"
    others = [{choice: value} for choice, values in method.choices.items() for value in values[1:]]
    for other in ({}, *others):
        choices = {**method.defaults(), **other}
        try:
            _check_built(method, choices)
        except AssertionError as error:
            error.add_note(f"{name} with {choices}")
            raise


def _check_built(method: Method, choices: Mapping[str, Value]) -> None:
    import torch

    from kdsweep.objective import CrossEntropy, Objective, toy

    made = method.build(choices)
    numbers, space = made.numbers(), method.space(choices)
    assert tuple(made.terms) == method.terms(choices), (tuple(made.terms), method.terms(choices))
    assert set(numbers) == method.numbers(choices), set(numbers) ^ method.numbers(choices)
    # Numbers are float32.
    outside = {name: numbers[name] for name, domain in space.items() if not _inside(numbers[name], domain)}
    assert not outside, f"published values lie in the ranges: {outside}"
    unnamed = [name for name, term in made.items() if not term.papers and not isinstance(term, CrossEntropy)]
    assert not unnamed, f"a term names its paper: {unnamed}"

    def summed(objective: Objective) -> dict[str, Any]:
        """The total's gradients of every output."""
        objective.setup(toy.SIZES, lambda name: toy.stream(0, name))
        draws = objective.draw(8, {name: torch.Generator().manual_seed(0) for name, _ in objective.items()})
        return toy.gradients(objective.double()(seen, draws).total, toy.leaves(seen))

    seen = toy.batch()
    frozen = {"teacher": ("teacher",), "auxiliary": tuple(seen.auxiliary)}
    joint = {"teacher": method.teacher(choices) == "joint", "auxiliary": method.auxiliary(choices) == "joint"}
    still = tuple(source for kind, sources in frozen.items() if not joint[kind] for source in sources)
    reached = [name for name, gradient in summed(made).items() if gradient.any()]
    assert not [name for name in reached if name.split(".")[0] in still], f"these are frozen: {still}, got {reached}"
    if {"ce"} < set(made.terms):
        silent = method.build(choices).set({f"{name}.weight": 0.0 for name in made.terms if name != "ce"})
        ours, alone = summed(silent), summed(Objective(ce=CrossEntropy()))
        moved = [name for name in ours if name.startswith("student") and not torch.equal(ours[name], alone[name])]
        assert not moved, f"a weight of 0 leaves the student as it would be alone: {moved}"


def _inside(value: float, domain: Domain) -> bool:
    if isinstance(domain, Choice):
        return any(math.isclose(value, float(choice), rel_tol=1e-6) for choice in domain.values)
    return domain.low * (1 - 1e-6) <= value <= domain.high * (1 + 1e-6)


def check_task(task: Task) -> None:
    """A task (`kdsweep.tasks.base.Task`): `check_task(my_package.tasks.TASK)`.

    Its labels come back from a file, its losses are of each row alone and 0 for a student that says what its teacher
    says, its metrics are finite and know no other network, and what is kept of test gives them back, without any unit.
    """
    from kdsweep.tasks import contract

    for check in contract.CHECKS:
        try:
            check(task)
        except Exception as error:
            error.add_note(f"{task.name} does not keep its contract: {check.__doc__}")
            raise
