"""Finding a sampler: one of this folder by name, a user's own by `package.module:callable`."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kdsweep.protocol import samplers
from kdsweep.values import user_code
from kdsweep.values.result import Tried
from kdsweep.values.space import Domain, Value

Points = list[dict[str, Value]]


class Sampler(Protocol):
    """See `kdsweep.protocol.samplers`."""

    def __call__(
        self, space: Mapping[str, Domain], history: Sequence[Tried], *, size: int, maximize: bool, seed: int
    ) -> Sequence[Mapping[str, Value]]: ...


def names() -> list[str]:
    """The samplers that are shipped."""
    modules = [module.name for module in pkgutil.iter_modules(samplers.__path__)]
    return sorted(name for name in modules if name != "registry" and not name.startswith("_"))


def load(name: str) -> Sampler:
    """The sampler of this name: one of ours, or `package.module:callable` of a user's own.

    Raises:
        ValueError: there is none.
    """
    if name in names():
        shipped: Sampler = importlib.import_module(f"{samplers.__name__}.{name}").propose
        return shipped
    if ":" not in name:
        raise ValueError(f"no sampler {name!r} in kdsweep/protocol/samplers: found {', '.join(names())}")
    own: Sampler = user_code.load(name)
    return own


@functools.cache
def identity(name: str) -> Any:
    """What names a sampler in the key of a search: its name, and the source of a user's own. Imports nothing.

    Raises:
        ValueError: there is none.
    """
    return name if name in names() else user_code.named(name, {}, what="a sampler")


def propose(
    name: str, space: Mapping[str, Domain], history: Sequence[Tried], *, size: int, maximize: bool, seed: int
) -> Points:
    """The next points of a sampler, a user's own checked.

    Raises:
        ValueError: they are not `size` points inside the ranges.
    """
    points = [dict(p) for p in load(name)(space, history, size=size, maximize=maximize, seed=seed)]
    if name not in names():
        check(points, space, size=size, name=name)
    return points


def check(points: Sequence[Mapping[str, Value]], space: Mapping[str, Domain], *, size: int, name: str) -> None:
    """Nothing, where these are what a sampler is to give.

    Raises:
        ValueError: they are not.
    """
    if len(points) != size:
        raise ValueError(f"a sampler gives as many points as it is asked for, {size}: got {len(points)} of {name}")
    for point in points:
        if point.keys() != space.keys():
            raise ValueError(f"a point has a value for each of {', '.join(space)}, got {dict(point)} of {name}")
        for key, value in point.items():
            if not space[key].contains(value):
                raise ValueError(f"a point lies inside its ranges, got {key}={value!r} for {space[key]} of {name}")
