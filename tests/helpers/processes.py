"""Several real processes that do something with one store at the same moment."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

MOST = 3
# In a worker: a gate for so many that begin together.
_gates: dict[int, Any] = {}

AtOnce = Callable[..., list[Any]]


@contextmanager
def at_once() -> Iterator[AtOnce]:
    """A function: what each of its (function, *arguments) answers, each in a process of its own, all begun together."""
    spawn = multiprocessing.get_context("spawn")
    gates = {count: spawn.Barrier(count) for count in range(2, MOST + 1)}
    with ProcessPoolExecutor(MOST, spawn, initializer=_keep, initargs=(gates,)) as pool:

        def call(*calls: Any, timeout: float = 60) -> list[Any]:
            begun = [pool.submit(_together, len(calls), *one) for one in calls]
            return [future.result(timeout=timeout) for future in begun]

        yield call


def _keep(gates: dict[int, Any]) -> None:
    _gates.update(gates)


def _together(count: int, function: Callable[..., Any], *arguments: Any) -> Any:
    _gates[count].wait(timeout=60)
    return function(*arguments)
