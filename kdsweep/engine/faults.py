"""What stops a trial: the machine's doing is never its result, and an exception of its own is one when it comes twice.

Divergence is a result at once: `loop` says so itself. Everything else that is raised goes one of two ways.

- The machine's (`of_the_machine`): memory, files, CUDA, the distributed back end, a module that this node cannot
  import, a source that is no longer what the trial was named by, a file saved half-way. It is raised on to whoever runs
  the pack, who hands the trials out again; `ends_the_process`: here nothing will ever work again.
- Any other: `loop.run` yields a `Fault` in the outcome's place. The driver keeps it, and hands the trial out again with
  all its faults so far (`loop.run(suspected=...)`). Where another process raises the same, the trial has failed: that
  is an outcome, and recorded as one. Two processes that raise different exceptions have shown nothing.

Reading this module needs no torch: drivers and stores know the value.
"""

from __future__ import annotations

import os
import re
import socket
import traceback
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

# What torch and the libraries under it say of the machine in a plain RuntimeError.
_MACHINES_WORDS = re.compile(
    r"CUDA (error|driver|out of memory)|device-side assert|CUBLAS_STATUS|CUDNN_STATUS|cuDNN error|CUSOLVER_STATUS"
    r"|HIP error|NCCL|\bgloo\b|out of memory|can't allocate memory|DataLoader worker .* killed",
    re.IGNORECASE,
)
# After one of these every later call of the same process fails alike.
_STICKY_WORDS = re.compile(
    r"CUDA error|device-side assert|HIP error|CUDNN_STATUS_(EXECUTION|INTERNAL)|CUBLAS_STATUS_(EXECUTION|INTERNAL)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Fault:
    """An exception that a trial raised in one process, which may be its own or an accident.

    Attributes:
        trial: its id.
        kind: the exception's class.
        message: what it says.
        where: "file:line in function" where it was raised.
        process: host and id of the process.
        trace: the last calls, for people.
    """

    trial: str
    kind: str
    message: str
    where: str
    process: str
    trace: str = ""

    @property
    def text(self) -> str:
        """As it is recorded, should it turn out to be the trial's own."""
        return f"{self.kind}: {self.message}\n{self.trace}"

    def confirms(self, earlier: Iterable[Fault]) -> bool:
        """Whether another process has raised the same: then it is no accident."""
        return any(self._key == other._key and self.process != other.process for other in earlier)

    @property
    def _key(self) -> tuple[str, ...]:
        # An object's address is another in each process.
        return self.trial, self.kind, _ADDRESS.sub("", self.message), self.where


# Of each trial that comes again, what it raised before.
Suspected = Mapping[str, Iterable[Fault]]


def fault_of(error: BaseException, trial: str) -> Fault:
    """The exception as a value, of this process."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{frames[-1].filename}:{frames[-1].lineno} in {frames[-1].name}" if frames else ""
    trace = "".join(traceback.format_exception(error, limit=-3))
    return Fault(trial, type(error).__name__, str(error), where, this_process(), trace)


def this_process() -> str:
    """Its host and number, as a fault names it."""
    return f"{socket.gethostname()} {os.getpid()}"


def of_the_machine(error: BaseException) -> bool:
    """Whether an exception, or one that it was raised from, says nothing of the trial: tried again, it may succeed."""
    import torch
    import torch.distributed as dist

    classes: list[type[BaseException]] = [OSError, MemoryError, ImportError, SyntaxError, torch.OutOfMemoryError]
    # The names that this build of torch has: without a distributed package it has none of the second kind.
    classes += [getattr(torch, name) for name in ("AcceleratorError",) if hasattr(torch, name)]
    classes += [getattr(dist, name) for name in ("DistError",) if hasattr(dist, name)]
    return any(
        isinstance(cause, tuple(classes)) or (isinstance(cause, RuntimeError) and _MACHINES_WORDS.search(str(cause)))
        for cause in _causes(error)
    )


def of_memory(error: BaseException) -> bool:
    """Whether a smaller pack may fit."""
    import torch

    return any(
        isinstance(cause, MemoryError | torch.OutOfMemoryError) or "out of memory" in str(cause).lower()
        for cause in _causes(error)
        if isinstance(cause, MemoryError | RuntimeError)
    )


def ends_the_process(error: BaseException) -> bool:
    """Whether nothing will work in this process any more, as after a CUDA error: its worker has to end."""
    import torch

    if of_memory(error):
        return False
    sticky = getattr(torch, "AcceleratorError", ())
    return any(
        isinstance(cause, sticky) or (isinstance(cause, RuntimeError) and _STICKY_WORDS.search(str(cause)))
        for cause in _causes(error)
    )


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and what it was raised from, on purpose (`from`)."""
    while error is not None:
        yield error
        error = error.__cause__
