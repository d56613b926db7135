"""Functions of tensors as graphs: traced once, then replayed without Python in between, or compiled."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from kdsweep.engine.stacked.compile import compiled
from kdsweep.engine.stacked.recorder import Unrecordable, bound, record

# A trace costs as much as some dozens of steps save by it: so many of a structure have to come.
WORTH_TRACING = 60
# Traces that a process keeps, for the packs to come.
KEPT = 64

_made: OrderedDict[Hashable, _Trace] = OrderedDict()
_steps: Counter[Hashable] = Counter()


class Traces:
    """The traces of one pack's functions, shared by all packs of a structure and width in this process.

    A replayed trace runs the very operations that were traced, so that it gives the same bits. A compiled one fuses
    them: its last bits are its own.

    Args:
        structure: a digest of all that decides the functions but the shapes of their arguments.
        compiled: whether traces are compiled.

    Attributes:
        on: whether to trace at all; always where compiled.
        strict: what cannot be traced is an error; otherwise it runs as it is.
    """

    def __init__(self, structure: str, *, compiled: bool) -> None:
        self.structure, self.compiled = structure, compiled
        self.on = self.strict = compiled
        self._ready: dict[Hashable, _Trace] = {}

    def forget(self) -> None:
        """The width changes: what the functions are given has other shapes from now on."""
        self._ready.clear()
        self.on = self.compiled

    def expect(self, steps: int, *, width: int) -> None:
        """So many steps are to come at this width: trace where that is worth it, earlier packs' steps included."""
        at = self.structure, width
        self.on = self.on or _steps[at] + steps >= WORTH_TRACING
        _steps[at] += steps

    def __call__(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function(*arguments)`; arguments are nested tensors, of the same shapes for each key until `forget`.

        Raises:
            OSError: there is nothing here to compile with.
        """
        if not self.on:
            return function(*arguments)
        if key not in self._ready:
            self._ready[key] = self._find(key, function, arguments)
        return self._ready[key](function, arguments, strict=self.strict)

    def _find(self, key: Hashable, function: Callable[..., Any], arguments: tuple[Any, ...]) -> _Trace:
        leaves, layout = tree_flatten(arguments)
        shapes = tuple((leaf.shape, leaf.dtype, leaf.device) for leaf in leaves)
        whole = (self.structure, self.compiled, key, layout, shapes)
        if whole in _made:
            _made.move_to_end(whole)
        else:
            _made[whole] = _Trace(function, leaves, layout, compiling=self.compiled)
            if len(_made) > KEPT:
                _made.popitem(last=False)
        return _made[whole]


class _Trace:
    """A function's recording, or the function itself where it cannot be recorded.

    Its second call is the first on other values: there it is compared with the function itself, whatever hides from a
    recording.

    Args:
        leaves, layout: the arguments of the first call.
        compiling: the recording is compiled.

    Attributes:
        replay: the recording as it is.
        run: what a call runs: that, or it compiled.
        obstacle: why there is none.
    """

    def __init__(self, function: Callable[..., Any], leaves: list[Tensor], layout: Any, *, compiling: bool) -> None:
        self.calls = 0
        self.replay: Callable[..., Any] | None = None
        self.run: Callable[..., Any] | None = None
        self.obstacle: Exception | None = None
        try:
            graph = record(lambda *given: function(*tree_unflatten(list(given), layout)), leaves)
        except Exception as error:
            # Without its frames, which hold every tensor of the step.
            self.obstacle = error.with_traceback(None)
            return
        self.replay = _without_gradient(bound(graph))
        self.run = _without_gradient(compiled(graph)) if compiling else self.replay

    def __call__(self, function: Callable[..., Any], arguments: tuple[Any, ...], *, strict: bool) -> Any:
        if self.calls == 1 and self.replay is not None and not self._agrees(function, arguments):
            self.obstacle = Unrecordable("another call does other things: a value is read behind torch's back")
            self.replay = self.run = None
        if self.run is not None:
            given = self.run(*arguments)
            # A call that fails, as compiling may, has shown nothing.
            self.calls += 1
            return given
        if strict and self.obstacle is not None:
            raise self.obstacle
        return function(*arguments)

    def _agrees(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
        """Whether the recording gives the function's values, and changes its arguments alike."""
        assert self.replay is not None
        leaves, layout = tree_flatten(arguments)
        results = []
        for way in (function, self.replay):
            copies = tree_unflatten([leaf.detach().clone() for leaf in leaves], layout)
            results.append([way(*copies), copies])
        # On a GPU some sums have no order: the same function differs from itself in the last bits.
        rtol, atol = (0.0, 0.0) if leaves[0].device.type == "cpu" else (1e-3, 1e-5)
        try:
            torch.testing.assert_close(*results, rtol=rtol, atol=atol, equal_nan=True)
        except AssertionError:
            return False
        return True


def _without_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(*arguments: Any) -> Any:
        leaves: list[Tensor] = []
        _flatten(arguments, leaves)
        with torch.no_grad():
            return function(*leaves)

    return run


def _flatten(nested: Any, leaves: list[Tensor]) -> None:
    """As `tree_flatten` does it, for what we pass: it runs every step."""
    if isinstance(nested, Tensor):
        # A compiled graph expects the strides that it was compiled for.
        leaves.append(nested.contiguous())
    else:
        for value in nested.values() if isinstance(nested, dict) else nested:
            _flatten(value, leaves)
