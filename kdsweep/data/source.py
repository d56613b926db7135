"""Finding a dataset: shipped ones by name, a user's own by `package.module:callable`."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kdsweep.data import datasets
from kdsweep.data.card import Card

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset
    from kdsweep.study import Data


def names() -> list[str]:
    """The datasets that are shipped."""
    return sorted(module.name for module in pkgutil.iter_modules(datasets.__path__))


def module(name: str) -> ModuleType:
    """A shipped dataset's module: `card(**options)`, `load(**options)` and a docstring.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in names():
        raise ValueError(f"no dataset {name!r} in kdsweep/data/datasets: found {', '.join(names())}")
    return importlib.import_module(f"{datasets.__name__}.{name}")


def card(data: Data) -> Card:
    """The description of the dataset that a study names; a shipped one is described without being read.

    Raises:
        ValueError: there is no such dataset, or it takes no such options.
    """
    if data.name is None:
        return load(data).card
    try:
        found: Card = module(data.name).card(**data.options)
    except TypeError as error:
        raise ValueError(f"options of dataset {data.name!r}: {error}") from error
    return found


def load(data: Data) -> Dataset:
    """All rows of the dataset that a study names. One copy a process.

    Raises:
        ValueError: there is no such dataset.
    """
    return _load(data.name, data.path, data.python, json.dumps(data.options, sort_keys=True))


@functools.lru_cache(maxsize=2)
def _load(name: str | None, path: str | None, python: str | None, options: str) -> Dataset:
    loader: Any
    if name is not None:
        loader = module(name).load
    elif python is not None:
        loader = _callable(python)
    else:
        raise ValueError(f"data has a name, or python: package.module:callable; reading {path=} is not there yet")
    found: Dataset = loader(**json.loads(options))
    return found


def _callable(dotted: str) -> Any:
    home, _, name = dotted.partition(":")
    try:
        return getattr(importlib.import_module(home), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"python: package.module:callable, cannot import {dotted!r}: {error}") from error
