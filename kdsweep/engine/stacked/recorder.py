"""The operations that a function of tensors runs, as a graph that runs the very same again.

torch's make_fx does as much and more, and takes long enough (a second to load, a quarter of one for a small step) that
a short search would do without; a recording costs little more than the step that is recorded.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, fx
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

aten = torch.ops.aten
LEAVING = frozenset({"numpy", "tolist", "__array__", "__dlpack__"})


class Unrecordable(Exception):
    """The function does something that depends on more than its arguments' shapes."""


class Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down each operation while it is active, below autograd and vmap: backward passes are operations, too.

    Args:
        arguments: the tensors that a recording is a function of.
    """

    def __init__(self, arguments: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph, self.root = fx.Graph(), torch.nn.Module()
        # Tensors are known by their identity, so every one of them is kept until the recording ends.
        self.nodes: dict[int, fx.Node] = {}
        self.kept: list[Tensor] = []
        self.numbers: set[int] = set()
        for number, argument in enumerate(arguments):
            self._know(argument, self.graph.placeholder(f"argument_{number}"))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        given = [value for value in tree_leaves([args, kwargs]) if isinstance(value, Tensor)]
        if given and not any(isinstance(leaf, Tensor) for leaf in tree_leaves(out)):
            raise Unrecordable("a value of a tensor is read as a number, on which what follows may depend")
        self._guard_numbers(func, given, out)
        if func.is_view and isinstance(out, Tensor) and _same(out, args[0]):
            # Another name of the same values, such as what is detached: below autograd there is nothing to detach from.
            self._know(out, self._node(args[0]))
            return out
        if func is aten.scalar_tensor.default:
            self._number(out)
            return out
        node = self.graph.call_function(func, tree_map(self._node, args), tree_map(self._node, kwargs or {}))
        if isinstance(out, Tensor):
            self._know(out, node)
        else:
            for number, element in enumerate(out if isinstance(out, tuple | list) else ()):
                if isinstance(element, Tensor):
                    self._know(element, self.graph.call_function(operator.getitem, (node, number)))
        return out

    def ended(self, outputs: Any) -> fx.GraphModule:
        """The graph of what was recorded, whose outputs are these: nested as they are."""
        self.graph.output(tree_map(self._node, outputs))
        # What changes something in place is not dead.
        self.graph.eliminate_dead_code()
        return fx.GraphModule(self.root, self.graph)

    def _know(self, tensor: Tensor, node: fx.Node) -> None:
        self.nodes[id(tensor)] = node
        self.kept.append(tensor)

    def _node(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return value
        if id(value) not in self.nodes:
            if value.dim():
                raise Unrecordable(f"a tensor of shape {tuple(value.shape)} is used that is no argument")
            self._number(value)
        return self.nodes[id(value)]

    def _guard_numbers(self, func: Any, given: Sequence[Tensor], out: Any) -> None:
        """A number that the function makes is the same at every call: it must not be what is written to in place."""
        if not any(id(value) in self.numbers for value in given):
            return
        if func.is_view and isinstance(out, Tensor):
            self.numbers.add(id(out))
            self.kept.append(out)
        if func._schema.is_mutable and id(given[0]) in self.numbers:
            raise Unrecordable("a number that the function makes is changed in place")

    def _number(self, value: Tensor) -> None:
        """A number that the function makes on its way, as in `where(rows, x, 0.0)`: the same at every call."""
        name = f"number_{len(self.kept)}"
        self.root.register_buffer(name, value.detach().clone())
        self._know(value, self.graph.get_attr(name))
        self.numbers.add(id(value))


class _NothingUnheard(TorchFunctionMode):  # type: ignore[no-untyped-call]
    """What takes a tensor's values out of torch is no operation: every replay would have the first call's."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in LEAVING:
            raise Unrecordable(f"a value of a tensor is read through {func.__name__}, on which what follows may depend")
        return func(*args, **(kwargs or {}))


def _same(view: Tensor, tensor: Tensor) -> bool:
    """Whether a view shows all of a tensor as it is."""
    laid_out = [(x.shape, x.stride(), x.storage_offset(), x.dtype) for x in (view, tensor)]
    return laid_out[0] == laid_out[1]


def record(function: Callable[..., Any], arguments: Sequence[Tensor]) -> fx.GraphModule:
    """The function's operations on tensors of these shapes: a graph of the same arguments and outputs.

    What the function changes in place, it changes on copies.

    Raises:
        Unrecordable: it reads values, or tensors that are no arguments.
    """
    # As they are laid out when it is replayed.
    copies = [argument.detach().clone(memory_format=torch.contiguous_format) for argument in arguments]
    with Recorder(copies) as recorder, _NothingUnheard():
        outputs = function(*copies)
    graph: fx.GraphModule = recorder.ended(outputs)
    return graph


def bound(recorded: fx.GraphModule) -> Callable[..., Any]:
    """A recording as a plain function that knows its operations: looking each of them up by its full name, as fx's own
    code does at every call, takes an eighth of a small step."""
    code = recorded.graph.python_code("self")
    names = dict(code.globals)

    def bind(operation: re.Match[str]) -> str:
        name = operation[0].replace(".", "_")
        # Of an overload, the function of C++ that its call does nothing but call.
        overload = operator.attrgetter(operation[0].removeprefix("torch."))(torch)
        names[name] = getattr(overload, "_op", overload)
        return name

    source = re.sub(r"\btorch\.ops\.\w+\.\w+\.\w+", bind, code.src)
    exec(compile(source, "<a recorded step>", "exec"), names)
    return partial(names["forward"], recorded)
