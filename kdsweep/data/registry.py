"""Finding a dataset: shipped ones by name, a user's own by folder or by `package.module:callable`."""

from __future__ import annotations

import functools
import importlib
import json
import pkgutil
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from kdsweep.data import datasets
from kdsweep.values import user_code as sources
from kdsweep.values.card import Card, Reference

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset


def names() -> list[str]:
    """The datasets that are shipped."""
    # What several datasets share has a leading underscore.
    return sorted(module.name for module in pkgutil.iter_modules(datasets.__path__) if not module.name.startswith("_"))


def module(name: str) -> ModuleType:
    """A shipped dataset's module: `card(**options)`, `load(**options)` and a docstring.

    Raises:
        ValueError: there is none of this name.
    """
    if name not in names():
        raise ValueError(f"no dataset {name!r} in kdsweep/data/datasets: found {', '.join(names())}")
    return importlib.import_module(f"{datasets.__name__}.{name}")


def card(reference: Reference) -> Card:
    """The description of a dataset; shipped ones and folders are described without being read.

    Raises:
        ValueError: there is no such dataset, or it takes no such options.
    """
    if reference.path is not None:
        from kdsweep.data.disk import format

        return format.describe(_folder(reference)).card
    if reference.name is None:
        return load(reference).card
    try:
        found: Card = module(reference.name).card(**reference.options)
    except TypeError as error:
        raise ValueError(f"options of dataset {reference.name!r}: {error}") from error
    return found


def load(reference: Reference) -> Dataset:
    """A dataset. One copy a process; of a folder, modalities are read when they are asked for.

    Raises:
        ValueError: there is no such dataset, or something is wrong with it.
    """
    return _load(*_named(reference))


def fingerprint(reference: Reference) -> str:
    """Of the content that the dataset has here, read once a process.

    Raises:
        ValueError: as `load`.
    """
    return _fingerprint(*_named(reference))


def _named(reference: Reference) -> tuple[str | None, str | None, str | None, str]:
    folder = str(_folder(reference)) if reference.path else None
    return reference.name, folder, reference.python, json.dumps(reference.options, sort_keys=True)


@functools.lru_cache(maxsize=2)
def _fingerprint(name: str | None, path: str | None, python: str | None, options: str) -> str:
    dataset = _load(name, path, python, options)
    return dataset.fingerprint or dataset.digest()


@functools.lru_cache(maxsize=2)
def _load(name: str | None, path: str | None, python: str | None, options: str) -> Dataset:
    if path is not None:
        from kdsweep.data.disk import format

        return format.read(Path(path))
    # A name is a shipped one's and never code: what a file of others says under `name` runs nothing.
    if name is not None:
        shipped: Dataset = module(name).load(**json.loads(options))
        return shipped
    from kdsweep.data.checks import check

    return check(sources.load(str(python))(**json.loads(options)), where=str(python))


def _folder(reference: Reference) -> Path:
    if reference.options:
        raise ValueError(f"data.options are for name and python, a path takes none, got {', '.join(reference.options)}")
    # Workers may run elsewhere than the driver.
    return Path(str(reference.path)).resolve()
