"""What happens where torch's compiler cannot do its work."""

from __future__ import annotations

import warnings

import pytest
import torch
import torch._inductor.config
from torch import Tensor

from kdsweep.training.compile import compiled, has_compiler

pytestmark = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler here: nothing can be compiled")


@pytest.fixture
def failing(monkeypatch):
    """torch's compiler fails with what it is told to."""
    from torch._inductor.graph import GraphLowering

    def fail_with(error: Exception) -> None:
        def run(*_: object) -> None:
            raise error

        torch._dynamo.reset()
        monkeypatch.setattr(GraphLowering, "run", run)

    return fail_with


def test_what_the_compiler_cannot_write_is_replayed_with_a_warning(failing):
    failing(KeyError("buf9"))
    replayed: list[Tensor] = []

    def replay(x: Tensor) -> Tensor:
        replayed.append(x)
        return x * 11

    way = compiled(lambda x: x * 11, replay)
    with pytest.warns(UserWarning, match="replayed, not compiled: .*KeyError: 'buf9'"):
        assert torch.equal(way(torch.arange(3.0)), torch.arange(3.0) * 11)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(way(torch.ones(3)), torch.ones(3) * 11)
    assert len(replayed) == 2, "the compiler is not asked again"


@pytest.mark.parametrize("error", [OSError("No space left on device"), MemoryError()])
def test_a_machine_that_cannot_compile_now_is_not_taken_for_a_graph_that_cannot_be_compiled(error, failing):
    failing(error)
    way = compiled(lambda x: x * 13, lambda x: x * 13)
    with pytest.raises(type(error)):
        way(torch.ones(3))


def test_a_broken_compiler_is_the_machines_doing():
    torch._dynamo.reset()
    way = compiled(lambda x: (x * 17).exp() + x.sum(), lambda x: x)
    # It is found and does nothing but fail.
    with torch._inductor.config.patch({"cpp.cxx": ("false",)}), pytest.raises(OSError, match="compile: off"):
        way(torch.ones(17))


def test_what_is_read_after_it_was_written_in_place_is_compiled():
    """The least program that torch 2.13's compiler ends at with a KeyError (pytorch's issue 196570)."""

    def function(x: Tensor) -> Tensor:
        mask = torch.full((8, 8), -10000.0)
        mask[torch.arange(8).unsqueeze(0), torch.arange(8).unsqueeze(1)] = 0
        return torch.softmax(x + mask, dim=-1)

    torch._dynamo.reset()
    x = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings(), torch._inductor.config.patch(fx_graph_cache=False):
        warnings.filterwarnings("error", message="replayed")
        found = compiled(function, function)(x)
    assert torch.allclose(found, function(x))
