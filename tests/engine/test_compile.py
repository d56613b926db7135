"""What happens where torch's compiler cannot do its work."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kdsweep.data import registry as source
from kdsweep.engine.stacked.choose import compile_ahead, settle
from kdsweep.engine.stacked.compile import CompilerError, compiled, has_compiler
from kdsweep.engine.stacked.optimiser import Flat, StackedOptimiser
from kdsweep.engine.stacked.recorder import Unrecordable
from kdsweep.engine.stacked.trace import Traces
from kdsweep.run.launch import Launch, with_facts
from kdsweep.run.store import Results
from kdsweep.run.worker import compiled_code
from kdsweep.values.study import Train
from tests.helpers import fakes
from tests.helpers.trials import DATA, distilled

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler here: nothing can be compiled")


@pytest.fixture
def failing(monkeypatch):
    """torch's compiler fails with what it is told to."""
    # Imported here: it settles where compiled code lies, unless the results' folder has been named by then.
    from torch._inductor import config
    from torch._inductor.graph import GraphLowering

    def fail_with(error: Exception) -> None:
        def run(*_: object) -> None:
            raise error

        monkeypatch.setattr(GraphLowering, "run", run)

    torch._dynamo.reset()
    with config.patch(fx_graph_cache=False):
        yield fail_with


def test_a_failure_of_the_compiler_names_its_cause_and_the_way_without_it(failing):
    failing(KeyError("buf9"))
    with pytest.raises(CompilerError, match=r"KeyError: 'buf9' \(resources.compile: off"):
        compiled(lambda x: x * 11)(torch.ones(3))


@pytest.mark.parametrize("error", [OSError("read-only"), MemoryError(), torch.OutOfMemoryError()])
def test_what_the_machine_lacks_while_it_compiles_is_said_as_it_is(error, failing):
    failing(error)
    with pytest.raises(type(error)) as raised:
        compiled(lambda x: x * 13)(torch.ones(3))
    assert not isinstance(raised.value, CompilerError)


def test_a_compiler_that_was_killed_says_nothing_of_what_it_compiled(failing):
    failing(RuntimeError("g++: fatal error: Killed signal terminated program cc1plus"))
    with pytest.raises(OSError, match="Killed") as raised:
        compiled(lambda x: x * 15)(torch.ones(3))
    assert not isinstance(raised.value, CompilerError)


def test_a_compiler_that_is_there_and_does_not_work_is_a_failure_of_the_compiler(failing):
    from torch._inductor import config

    with config.patch({"cpp.cxx": ("false",)}), pytest.raises(CompilerError, match="compile: off"):
        compiled(lambda x: (x * 17).exp() + x.sum())(torch.ones(17))


def test_what_the_compiler_fails_on_is_said_before_the_first_trial_and_settles_nothing(failing):
    failing(KeyError("buf9"))
    # A structure of its own: what is compiled already is not compiled again.
    trial, dataset = distilled("kd"), source.load(DATA.reference)
    trial = replace(trial, train={**trial.train, "batch_size": 31})
    asked = settle(trial, dataset, DATA, compiling="on")
    assert asked.name == "compiled@8"
    with pytest.raises(ValueError, match=r"compile: on.*torch's compiler fails: KeyError: 'buf9'"):
        compile_ahead(trial, dataset, DATA, asked)


def test_who_does_not_train_does_not_compile_and_settles_nothing(tmp_path, failing):
    """A dry run and a report say what would be compiled; whether it can be shows in the launch."""
    failing(KeyError("buf9"))
    bare = {"arms": {"student_only": {}}, "ablate": None, "controls": None, "report": None}
    recipe = {"epochs": 8, "batch_size": 254}
    study = with_facts(fakes.study(facts=False, name="dry", train=recipe, resources={"compile": "on"}, **bare))
    looks_on = Launch(study, Results(tmp_path), trains=False)
    assert {trial.arithmetic for trial in looks_on.plan.ready} == {"compiled@8"}
    assert not Results(tmp_path).arithmetic()
    with pytest.raises(ValueError, match="torch's compiler fails"):
        Launch(study, Results(tmp_path))
    assert not Results(tmp_path).arithmetic()


@pytest.mark.parametrize(("folder", "there"), [("plain", True), ("with a space", False)])
def test_compiled_code_lies_in_the_store_where_a_compiler_can_read_its_path(folder, there, tmp_path, monkeypatch):
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)
    with compiled_code(Results(tmp_path / folder)):
        assert ("TORCHINDUCTOR_CACHE_DIR" in os.environ) == there
    assert "TORCHINDUCTOR_CACHE_DIR" not in os.environ


@pytest.mark.slow
def test_what_is_read_after_it_was_written_in_place_is_compiled(failing):
    """The least program that torch 2.13's compiler ends at with a KeyError (pytorch's issue 196570)."""

    def function(x: Tensor) -> Tensor:
        mask = torch.full((8, 8), -10000.0)
        mask[torch.arange(8).unsqueeze(0), torch.arange(8).unsqueeze(1)] = 0
        return torch.softmax(x + mask, dim=-1)

    x = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(compiled(function)(x), function(x))


def test_a_call_that_failed_is_not_the_first_of_the_two_that_are_compared(failing, monkeypatch):
    hidden = [2.0]

    def function(x: Tensor) -> Tensor:
        return x * hidden[0]

    traces = Traces("fails at first", compiled=True)
    failing(KeyError("buf9"))
    with pytest.raises(CompilerError):
        traces("function", function, torch.ones(3))
    monkeypatch.undo()
    assert torch.equal(traces("function", function, torch.ones(3)), torch.full((3,), 2.0))
    hidden[0] = 5.0
    with pytest.raises(Unrecordable):
        traces("function", function, torch.ones(3))


@pytest.mark.slow
def test_a_compiled_update_does_not_know_who_has_joined_or_how_often():
    """A member's bits beside others that join at other steps, in the first lane and in the last."""

    def trained(lanes: list[int]) -> dict[int, list[Tensor]]:
        """Member m joins at step m; all eight are there, in this order."""
        rng = torch.Generator().manual_seed(0)
        values, gradients = torch.randn(8, 37, generator=rng), torch.randn(12, 8, 37, generator=rng)
        recipe = Train(optimizer="adamw", weight_decay=0.01, clip=1.0).model_dump()
        flat = Flat({name: {"w": values[lanes][:, cut]} for name, cut in (("a", slice(20)), ("b", slice(20, 37)))})
        optimiser = StackedOptimiser(flat, [{**recipe, "lr": 0.01 * (m + 1)} for m in lanes], compiled=True)
        traces = Traces("an update", compiled=True)
        for step, gradient in enumerate(gradients):
            joined = torch.tensor([[m <= step] for m in lanes])
            traces("update", optimiser.apply, optimiser.state, gradient[lanes], optimiser.rates(0.5), joined)
        return {m: [own[lane] for own in optimiser.state] for lane, m in enumerate(lanes)}

    one, other = trained(list(range(8))), trained([3, 7, 0, 1, 6, 2, 5, 4])
    assert [int(one[m][3]) for m in range(8)] == [12 - m for m in range(8)], "steps that each has taken"
    for m in range(8):
        assert all(torch.equal(mine, its) for mine, its in zip(one[m], other[m], strict=True)), m
    alone = trained([5] * 8)[5]
    assert all(torch.equal(mine, its) for mine, its in zip(one[5], alone, strict=True))
