"""Other processes: forked from one that has read our libraries already, so that each is there at once."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

MOST = 3
# In a worker: a gate for so many that begin together.
_gates: dict[int, Any] = {}
_server = multiprocessing.get_context("forkserver")
_server.set_forkserver_preload(["kdsweep.cli.main", "kdsweep.cli.report", "kdsweep.run.local", "kdsweep.run.launch"])

AtOnce = Callable[..., list[Any]]


def start(function: Callable[..., Any], *arguments: Any) -> BaseProcess:
    """A process that does this, and then ends."""
    process = _server.Process(target=function, args=arguments)
    process.start()
    return process


def pipe() -> Any:
    """Two ends, the first to read from and the second to write to in another process."""
    return _server.Pipe(duplex=False)


@contextmanager
def at_once() -> Iterator[AtOnce]:
    """A function: what each of its (function, *arguments) answers, each in a process of its own, all begun together."""
    gates = {count: _server.Barrier(count) for count in range(2, MOST + 1)}
    with ProcessPoolExecutor(MOST, _server, initializer=_keep, initargs=(gates,)) as pool:

        def call(*calls: Any, timeout: float = 60) -> list[Any]:
            begun = [pool.submit(_together, len(calls), *one) for one in calls]
            return [future.result(timeout=timeout) for future in begun]

        yield call


def _keep(gates: dict[int, Any]) -> None:
    _gates.update(gates)


def _together(count: int, function: Callable[..., Any], *arguments: Any) -> Any:
    _gates[count].wait(timeout=60)
    return function(*arguments)
