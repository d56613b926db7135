"""Finding a pruner by the name of its file."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any, Protocol

from kdsweep.protocol import pruners

Thresholds = tuple[tuple[int, float], ...]


class Pruner(Protocol):
    """See `kdsweep.protocol.pruners`."""

    def __call__(
        self, curves: Sequence[Sequence[float]], *, epochs: int, maximize: bool, **numbers: Any
    ) -> Thresholds: ...


def names() -> list[str]:
    """The pruners that there are."""
    return sorted(module.name for module in pkgutil.iter_modules(pruners.__path__) if module.name != "registry")


def load(name: str) -> Pruner:
    """The pruner of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in names():
        raise ValueError(f"no pruner {name!r} in kdsweep/protocol/pruners: found {', '.join(names())}")
    pruner: Pruner = importlib.import_module(f"{pruners.__name__}.{name}").thresholds
    return pruner
