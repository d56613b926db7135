"""Functions of tensors as graphs: traced once, then replayed without Python in between, or compiled."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

# A trace costs a second or two, and saves some milliseconds a step: this many steps have to follow.
WORTH_TRACING = 1500


class Traces:
    """The traces of one pack's functions.

    A replayed trace runs the very operations that were traced, so that it gives the same bits. A compiled one fuses
    them: its last bits are its own.

    Args:
        compiled: whether traces are compiled.

    Attributes:
        on: whether to trace at all; always where compiled.
    """

    def __init__(self, *, compiled: bool) -> None:
        self.compiled = self.on = compiled
        self._made: dict[Hashable, Callable[..., Any]] = {}

    def forget(self) -> None:
        """Shapes have changed."""
        self._made.clear()

    def __call__(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)`; arguments are nested tensors, of the same shapes for each key.

        Raises:
            OSError: there is nothing here to compile with.
        """
        leaves, layout = tree_flatten(arguments)
        if key not in self._made:
            self._made[key] = self._make(function, leaves, layout)
        return self._made[key](*leaves)

    def _make(self, function: Callable[..., Any], leaves: list[Tensor], layout: Any) -> Callable[..., Any]:
        from torch.fx.experimental.proxy_tensor import make_fx

        def flat(*given: Tensor) -> Any:
            return function(*tree_unflatten(list(given), layout))

        # What runs in place does so while it is traced: on copies.
        copies = [leaf.detach().clone() for leaf in leaves]
        try:
            graph = make_fx(flat)(*copies)
        except Exception:
            if self.compiled:
                raise
            return flat
        return _without_gradient(compiled(graph) if self.compiled else graph)


def compiled(graph: Any) -> Callable[..., Any]:
    """The graph as machine code; compiled when it is first called, or read from the cache."""
    if not has_compiler():
        raise OSError("these trials are compiled, and this machine has no C++ compiler")
    return torch.compile(graph, fullgraph=True, dynamic=False)


def has_compiler() -> bool:
    """Whether this machine can compile for its CPU."""
    from torch._inductor import config

    names = config.cpp.cxx
    return any(name and shutil.which(name) for name in (names if isinstance(names, list | tuple) else [names]))


def _without_gradient(graph: Callable[..., Any]) -> Callable[..., Any]:
    def run(*leaves: Tensor) -> Any:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=FutureWarning, module="torch")
            return graph(*leaves)

    return run
