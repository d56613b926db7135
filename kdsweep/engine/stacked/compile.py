"""Recordings as machine code, by torch's compiler."""

from __future__ import annotations

import functools
import re
import shutil
from collections.abc import Callable
from typing import Any

import torch


class CompilerError(OSError):
    """torch's compiler fails on a function.

    Whether the function or the machine is to blame does not always show: where it is asked for the first time, before
    any trial, these trials are not compiled; later it is the machine.
    """


def compiled(graph: Callable[..., Any]) -> Callable[..., Any]:
    """The graph as machine code: written when it is first called, or read from the cache.

    Raises:
        OSError, MemoryError: there is nothing here to compile with; when called: torch's compiler fails.
    """
    if not has_compiler():
        raise OSError("these trials are compiled, and this machine has no C++ compiler")
    # Importing the compiler takes seconds: only those who compile pay them.
    from torch._dynamo.exc import TorchDynamoException

    _mend_torch()
    written: Callable[..., Any] = torch.compile(graph, fullgraph=True, dynamic=False)

    def run(*given: Any) -> Any:
        try:
            return written(*given)
        except TorchDynamoException as error:
            reason = getattr(error, "inner_exception", None) or error
            if isinstance(reason, OSError | MemoryError | torch.OutOfMemoryError):
                raise reason from None
            if lacks := re.search(r"Killed|No space left on device|Cannot allocate memory", str(reason)):
                raise OSError(f"compiling: {lacks[0]}") from error
            message = f"{type(reason).__name__}: {reason}".partition("\n")[0]
            raise CompilerError(
                f"torch's compiler fails: {message} (resources.compile: off does without it)"
            ) from error

    return run


def has_compiler() -> bool:
    """Whether this machine can compile for its CPU."""
    from torch._inductor import config

    asked = config.cpp.cxx
    names = asked if isinstance(asked, list | tuple) else (asked,)
    return any(name and shutil.which(name) for name in names)


@functools.cache
def _mend_torch() -> None:
    """Let torch's compiler pass over buffers that are written in place.

    To see whether an inner loop can keep a buffer to itself, it asks each reader where in the buffer it reads, and ends
    with a KeyError where the reader knows the buffer by an older name: pytorch's issue 196570. "Nowhere" is an answer
    with which it goes on, the buffer shared.
    """
    from torch._inductor.loop_body import LoopBody

    asked: Callable[..., Any] | None = getattr(LoopBody, "get_read_expr", None)
    if asked is None:
        return

    def get_read_expr(self: Any, buffer_name: str) -> Any:
        try:
            return asked(self, buffer_name)
        except KeyError:
            return None

    LoopBody.get_read_expr = get_read_expr  # type: ignore[method-assign]
