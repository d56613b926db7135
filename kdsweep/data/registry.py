"""Finding a dataset: shipped ones by name, a user's own by folder or by `package.module:callable`."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from kdsweep.data import datasets
from kdsweep.values import user_code as sources
from kdsweep.values.card import Card

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset
    from kdsweep.values.study import Data


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
    """The description of the dataset that a study names; shipped ones and folders are described without being read.

    Raises:
        ValueError: there is no such dataset, or it takes no such options.
    """
    if data.path is not None:
        from kdsweep.data.disk import format

        return format.describe(_folder(data)).card
    if data.name is None:
        return load(data).card
    try:
        found: Card = module(data.name).card(**data.options)
    except TypeError as error:
        raise ValueError(f"options of dataset {data.name!r}: {error}") from error
    return found


def load(data: Data) -> Dataset:
    """The dataset that a study names. One copy a process; of a folder, modalities are read when they are asked for.

    Raises:
        ValueError: there is no such dataset, or something is wrong with it.
    """
    return _load(*_named(data))


def fingerprint(data: Data) -> str:
    """Of the content that the dataset has here, read once a process.

    Raises:
        ValueError: as `load`.
    """
    return _fingerprint(*_named(data))


def _named(data: Data) -> tuple[str | None, str | None, str | None, str]:
    folder = str(_folder(data)) if data.path else None
    return data.name, folder, data.python, json.dumps(data.options, sort_keys=True)


@functools.lru_cache(maxsize=2)
def _fingerprint(name: str | None, path: str | None, python: str | None, options: str) -> str:
    dataset = _load(name, path, python, options)
    return dataset.fingerprint or dataset.digest()


def loader(name: str) -> Callable[..., Dataset]:
    """What loads a dataset: a shipped one by its name, a user's own by `package.module:callable`.

    Raises:
        ValueError: there is none.
    """
    load: Callable[..., Dataset] = sources.load(name) if ":" in name else module(name).load
    return load


@functools.lru_cache(maxsize=2)
def _load(name: str | None, path: str | None, python: str | None, options: str) -> Dataset:
    if path is not None:
        from kdsweep.data.disk import format

        return format.read(Path(path))
    loaded: Dataset = loader(name if name is not None else str(python))(**json.loads(options))
    if python is None:
        return loaded
    from kdsweep.data.checks import check

    return check(loaded, where=python)


def _folder(data: Data) -> Path:
    if data.options:
        raise ValueError(f"data.options are for name and python, a path takes none, got {', '.join(data.options)}")
    # Workers may run elsewhere than the driver.
    return Path(str(data.path)).resolve()
