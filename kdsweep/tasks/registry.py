"""Finding a task: one file each, in this folder. Whatever defines TASK is one."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping

from kdsweep import tasks
from kdsweep.tasks.base import Metric, Task


@functools.cache
def _found() -> Mapping[str, Task]:
    modules = [importlib.import_module(f"{tasks.__name__}.{one.name}") for one in pkgutil.iter_modules(tasks.__path__)]
    return {module.TASK.name: module.TASK for module in modules if hasattr(module, "TASK")}


def names() -> list[str]:
    """The tasks that there are."""
    return list(_found())


def load(name: str) -> Task:
    """The task of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in _found():
        raise ValueError(f"no task {name!r} in kdsweep/tasks: found {', '.join(names())}")
    return _found()[name]


def having(metric: str) -> Task:
    """The first task that has a metric, for tables that name no task.

    Raises:
        ValueError: there is none.
    """
    for task in _found().values():
        if metric in task.metrics:
            return task
    raise ValueError(f"a metric is one of {', '.join(METRICS)}, got {metric!r}")


TASKS = tuple(names())
# Whose labels are classes and whose scores a softmax over them.
CLASSES = tuple(name for name in TASKS if load(name).scores.softmax)
# Whose scores have a temperature.
TEMPERED = tuple(name for name in TASKS if load(name).scores.tempered)
# By name, of all tasks; the words for one name are the same in all of them.
METRICS: Mapping[str, Metric] = {
    name: metric for task in reversed(list(_found().values())) for name, metric in task.metrics.items()
}
