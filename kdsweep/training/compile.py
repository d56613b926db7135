"""Recordings as machine code, by torch's compiler."""

from __future__ import annotations

import functools
import shutil
import warnings
from collections.abc import Callable
from typing import Any

import torch


def compiled(graph: Callable[..., Any], replay: Callable[..., Any]) -> Callable[..., Any]:
    """The graph as machine code: written when it is first called, or read from the cache.

    Args:
        replay: the same operations as they are, for a graph that the compiler cannot write. It fails on a graph
            wherever it meets it, so that all who train this structure do the same.

    Raises:
        OSError: there is nothing here to compile with; when called: compiling fails by the machine's doing.
    """
    if not has_compiler():
        raise OSError("these trials are compiled, and this machine has no C++ compiler")
    # Importing the compiler takes seconds: only those who compile pay them.
    from torch._inductor.exc import CppCompileError, InductorError, InvalidCxxCompiler

    _mend_torch()
    way: Callable[..., Any] = torch.compile(graph, fullgraph=True, dynamic=False)

    def run(*given: Any) -> Any:
        nonlocal way
        try:
            return way(*given)
        except InductorError as error:
            reason = error.inner_exception
            if isinstance(reason, OSError | MemoryError):
                raise reason from None
            if isinstance(reason, CppCompileError | InvalidCxxCompiler):
                # Killed, out of disk, or no compiler at all; if it is none of these, trying again shows it.
                raise OSError(f"the C++ compiler fails (resources.compile: off does without it): {reason}") from None
            # Nothing has been changed yet: code is written before it runs.
            said = f"{type(reason).__name__}: {reason}".partition("\n")[0]
            warnings.warn(f"replayed, not compiled: torch's compiler fails with {said}", stacklevel=2)
            way = replay
            return replay(*given)

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
