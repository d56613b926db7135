"""Traced and compiled packs: the same bits where a trace is replayed, and bits of their own that no company moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from kdsweep import methods
from kdsweep.data.augment import complete
from kdsweep.engine.stacked.choose import compile_ahead, member_steps, settle
from kdsweep.engine.stacked.compile import has_compiler
from kdsweep.engine.stacked.pack import Pack
from kdsweep.engine.stacked.recorder import Unrecordable, record
from kdsweep.engine.stacked.trace import Traces
from kdsweep.run import local
from kdsweep.run.launch import Launch, with_facts
from kdsweep.run.packing import pack as cut
from kdsweep.run.store import Results
from kdsweep.run.worker import work
from kdsweep.values.arithmetic import settlement
from kdsweep.values.study import Resources
from kdsweep.values.trial import Trial, structure
from tests.helpers import fakes
from tests.helpers.stores import rows
from tests.helpers.trials import (
    DATA,
    WITHOUT_MAPS,
    Trainer,
    assert_equal,
    build,
    distilled,
    numbers,
    stacked,
    train,
    trial,
)

needs_compiler = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler here: nothing can be compiled")

# No machine's memory holds so many members.
TOO_WIDE = 10**9


@pytest.fixture
def no_compiler():
    from torch._inductor import config

    with config.patch({"cpp.cxx": ("no-such-compiler",)}):
        yield


def compiled(asked: Trial, **changes) -> Trial:
    return replace(asked, arithmetic="compiled@8", **changes)


def both_ways(asked: list[Trial], trainer: Trainer) -> list[tuple[object, list[list[torch.Tensor]]]]:
    """Metrics and optimiser states of the step replayed from a trace, and of the step as it is."""
    found = []
    for traced in (True, False):
        made, seen = zip(*[build(one, trainer) for one in asked], strict=True)
        pack = Pack(asked, made, seen[0])
        pack.step.traces.on = pack.step.traces.strict = traced
        metrics = [[epoch.metrics for epoch in epochs] for epochs in pack.epochs()]
        found.append((metrics, [list(own.state) for own in (pack.step.main, *pack.step.critics.values())]))
    return found


def assert_same_bits(asked: list[Trial], trainer: Trainer) -> None:
    (metrics, states), (as_it_is, as_they_are) = both_ways(asked, trainer)
    assert metrics == as_it_is
    for mine, its in zip(states, as_they_are, strict=True):
        assert all(torch.equal(one, other) for one, other in zip(mine, its, strict=True))


@pytest.mark.parametrize("method", WITHOUT_MAPS)
def test_a_replayed_trace_has_the_bits_of_the_step(method, trainer):
    """With one member whose adversary joins later than the others'."""
    asked = [stacked(distilled(method), seed=seed) for seed in (1, 2)]
    last = list(methods.load(method).terms(asked[0].choices))[-1]
    asked.append(stacked(distilled(method), seed=3, numbers={f"{last}.start": 0.6}))
    assert_same_bits(asked, trainer)


@pytest.mark.parametrize(
    "change",
    [
        {"augment": {"plain": complete(["noise"], kind="vector"), "mixup": {"alpha": 0.5}}},
        {"train": {**trial().train, "precision": "bfloat16"}},
        {"train": {**trial().train, "class_weights": "balanced", "label_smoothing": 0.1}},
    ],
    ids=["augmented and mixed", "bfloat16", "balanced and smoothed"],
)
def test_a_replayed_trace_has_the_bits_of_the_step_under_any_recipe(change, trainer):
    asked = [replace(stacked(distilled("kd"), seed=seed), **change) for seed in (1, 2)]
    assert_same_bits(asked, trainer)


def test_a_trace_does_not_know_whether_its_first_pack_clipped(trainer):
    still = [stacked(distilled("kd"), seed=seed, numbers={"train.clip": 0.0}) for seed in (1, 2)]
    both_ways(still, trainer)
    assert_same_bits([replace(one, numbers={"train.clip": 1e-3}) for one in still], trainer)


@needs_compiler
@pytest.mark.slow
def test_no_company_and_no_lane_moves_a_compiled_member(trainer):
    """Alone, first and last, beside one that diverges and one that is pruned. But for rounding it is the plain loop."""
    mine = compiled(distilled("kd", reads_test=True))
    diverging = replace(mine, seed=2, numbers={"train.lr": 1e30, "train.clip": 0.0})
    pruned = replace(mine, seed=3, thresholds=((2, 2.0),))
    others = [replace(mine, seed=seed, numbers={"train.lr": 0.001 * seed}) for seed in range(4, 9)]
    alone = trainer(mine)
    assert alone.state == "complete", alone.error
    for company in ([mine, diverging, pruned, *others], [*others, pruned, mine], [diverging, mine]):
        found = train(company, trainer)
        assert_equal(alone, found[mine.id])
    assert found[diverging.id].state == "failed"
    plain = [(e, m, v) for e, m, v in numbers(trainer(replace(mine, arithmetic="plain"))) if m.startswith("train/")]
    there = {(epoch, metric): value for epoch, metric, value in numbers(alone)}
    assert len(plain) >= 6
    for epoch, metric, value in plain:
        assert there[epoch, metric] == pytest.approx(value, rel=1e-3), (epoch, metric)


@needs_compiler
@pytest.mark.slow
def test_a_compiled_study_that_was_cut_short_goes_on_to_the_same_table(tmp_path):
    bare = {"arms": {"student_only": {}}, "ablate": None, "controls": None, "report": None}
    few = {"search": {"trials": 4, "generation": 2}, "finalists": {"points": 1}, "resources": {"compile": "on"}}
    found = with_facts(fakes.study(facts=False, name="compiled", train={"epochs": 4, "batch_size": 512}, **bare, **few))
    whole, cut_short = Results(tmp_path / "whole"), Results(tmp_path / "cut")
    local.run(Launch(found, whole))
    assert {trial["trial"]["arithmetic"] for trial in whole.metadata().values()} == {"compiled@8"}
    assert list((tmp_path / "whole" / "compiled").iterdir()), "what is compiled lies in the store"
    first = Launch(found, cut_short)
    first.begin(places=1)
    work(first.next()[:1], found.data, cut_short, staged=first.commit)
    local.run(Launch(found, cut_short))
    assert rows(cut_short) == rows(whole)


def test_compiling_is_settled_by_what_the_study_says_whatever_the_machine_has(dataset, no_compiler):
    asked = distilled("kd")
    assert settle(asked, dataset, DATA, compiling="on", width=TOO_WIDE).name == f"compiled@{TOO_WIDE}"
    assert settle(asked, dataset, DATA, compiling="off", member_steps=10**9).name == "stacked"


def test_what_compiling_would_save_is_said_where_it_pays(dataset):
    few, many = (settle(distilled("kd"), dataset, DATA, member_steps=steps) for steps in (1_000, 1_000_000))
    assert (few.notable, many.notable) == (False, True)
    assert "compile: on" in many.reason
    assert "1,000,000 member-steps" in many.reason


def test_a_launch_that_cannot_compile_what_it_is_to_compile_does_not_begin(dataset, no_compiler):
    asked = settle(distilled("kd"), dataset, DATA, compiling="on")
    with pytest.raises(ValueError, match=r"compiler.*expected compile: off"):
        compile_ahead(distilled("kd"), dataset, DATA, asked)


def test_a_machine_without_a_compiler_leaves_a_compiled_trial_to_others(trainer, no_compiler):
    with pytest.raises(OSError, match="no C\\+\\+ compiler"):
        # A structure of its own: what is compiled already needs no compiler.
        train([compiled(distilled("kd", train={**trial().train, "batch_size": 33}), seed=77)], trainer)


def test_steps_are_counted_from_the_study_file():
    found = fakes.study(search={"trials": 10}, finalists={"points": 2, "seeds": 3}, confirm={"seeds": 4})
    asked = trial(train={**trial().train, "epochs": 5, "batch_size": 256})
    assert member_steps(found, asked) == (10 + 2 * 3 + 4) * 5 * (600 // 256)
    assert member_steps(found, replace(asked, dropped=("kd",))) == 4 * 5 * (600 // 256)


def test_a_compiled_pack_has_its_own_width_and_is_not_divided():
    ready = [compiled(distilled("kd"), seed=seed) for seed in range(12)]
    assert [len(some) for some in cut(ready, most=lambda trial: 32, places=4)] == [8, 4]


def test_what_memory_does_not_hold_at_the_compiled_width_is_refused(dataset):
    asked = settle(distilled("kd"), dataset, DATA, compiling="on", width=TOO_WIDE)
    with pytest.raises(ValueError, match=r"memory holds \d+: expected compile: off, or pack"):
        compile_ahead(distilled("kd"), dataset, DATA, asked)


def test_what_a_study_asks_for_and_each_kind_of_device_are_settled_apart():
    asked = distilled("kd")
    names = {settlement(asked, Resources(compile=on), kind) for on in ("off", "on") for kind in ("cpu", "cuda")}
    assert len(names) == 4
    same = replace(asked, reads_test=True, seed=5)
    assert settlement(same, Resources(), "cpu") == settlement(asked, Resources(), "cpu") == structure(asked)


def test_who_looks_on_sees_the_trials_of_the_device_that_the_launch_trained_on(tmp_path):
    """A report on a machine without a GPU reads what a GPU has trained, and settles nothing there."""
    bare = {"arms": {"student_only": {}}, "ablate": None, "controls": None, "report": None}
    study, results = with_facts(fakes.study(facts=False, name="seen", **bare)), Results(tmp_path)
    on_gpu = replace(study, resources=Resources(device="cuda"))
    trained = Launch(on_gpu, results)
    trained.close()
    before = results.arithmetic()
    looks_on = Launch(replace(study, resources=Resources()), results, trains=False)
    assert looks_on.known.device == "cuda"
    assert {t.id for t in looks_on.plan.ready} == {t.id for t in trained.plan.ready}
    assert results.arithmetic() == before
    unseen = Results(tmp_path / "unseen")
    assert Launch(replace(study, resources=Resources(device="cpu")), unseen, trains=False).plan.ready
    assert not unseen.arithmetic()


def test_a_recording_runs_the_same_operations_on_other_values():
    def step(x: torch.Tensor, state: torch.Tensor) -> dict[str, torch.Tensor]:
        leaf = x.detach().requires_grad_()
        loss = torch.func.vmap(lambda row: torch.where(row > 0, row.exp(), 0.0).sum())(leaf)
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        state.add_(gradient)
        return {"loss": loss.detach(), "largest": gradient.max(dim=1).values}

    first, second = (torch.randn(3, 4, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    states = [torch.ones(3, 4), torch.ones(3, 4)]
    graph = record(step, [first, torch.zeros(3, 4)])
    expected, found = step(second, states[0]), graph(second, states[1])
    assert torch.equal(states[0], states[1])
    assert all(torch.equal(expected[name], found[name]) for name in expected)


def of_a_number_changed_in_place(x: torch.Tensor) -> torch.Tensor:
    number = torch.tensor(1.0)
    number.mul_(x[0])
    return x * number


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 2 if x.sum() > 0 else x,
        lambda x: x + torch.Tensor.__add__(OTHER, 1),
        lambda x: x * 2 if torch.equal(x, x + 1) else x,
        of_a_number_changed_in_place,
    ],
)
def test_what_depends_on_values_or_on_tensors_from_elsewhere_is_not_recorded(function):
    with pytest.raises(Unrecordable):
        record(function, [torch.ones(3)])


OTHER = torch.arange(3.0)


def traces(name: str, *, strict: bool = False) -> Traces:
    made = Traces(name, compiled=False)
    made.on, made.strict = True, strict
    return made


@pytest.mark.parametrize(
    "read",
    [lambda at: float(at.numpy()), lambda at: float(np.asarray(at)), lambda at: at.tolist(), lambda at: at.item()],
    ids=["numpy", "asarray", "tolist", "item"],
)
def test_a_step_that_reads_a_number_runs_as_it_is(read):
    """A threshold: the second call says nothing of it."""

    def step(x: torch.Tensor, at: torch.Tensor) -> torch.Tensor:
        return x * 2 if read(at) >= 0.5 else x

    replayed = traces(f"of {read}")
    for at in (0.0, 0.1, 0.5, 0.9):
        found = replayed("step", step, torch.ones(3), torch.tensor(at))
        assert torch.equal(found, torch.full((3,), 2.0 if at >= 0.5 else 1.0))
    with pytest.raises(Unrecordable):
        traces(f"of {read}", strict=True)("step", step, torch.ones(3), torch.tensor(0.0))


def test_what_hides_from_the_recording_is_found_at_the_second_call():
    calls = []

    def step(x: torch.Tensor) -> torch.Tensor:
        calls.append(x)
        return x * len(calls)

    replayed = traces("of a counter")
    for _ in range(3):
        calls_before = len(calls)
        found = replayed("step", step, torch.ones(3))
    assert torch.equal(found, torch.full((3,), float(calls_before + 1)))
    with pytest.raises(Unrecordable, match="another call does other things"):
        traces("of a counter", strict=True)("step", step, torch.ones(3))
