"""What the commands on data share: reading a dataset, progress on long work, and writing a text whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from kdsweep.atomic import write_text
from kdsweep.cli.options import where

if TYPE_CHECKING:
    from kdsweep.data.dataset import Dataset


def load(data: str, options: Mapping[str, str]) -> Dataset:
    """The dataset, checked.

    Raises:
        ValueError: there is none, or something is wrong with it.
    """
    from kdsweep.data import registry
    from kdsweep.data.checks import check
    from kdsweep.values.card import Reference

    if not Path(data).exists() and "/" in data and ":" not in data:
        raise ValueError(f"{data}: there is no such folder")
    reference = Reference(**{where(data): data}, options=dict(options))
    try:
        # Whoever wrote the files, and whoever wrote a loader: nothing is shown of what cannot be trained on.
        return check(registry.load(reference), where=data)
    except OSError as error:
        raise ValueError(str(error)) from error


def progress(numbers: Iterable[int], name: str) -> Iterable[int]:
    """The numbers, with a bar on a terminal that shows how many have passed."""
    from rich.console import Console
    from rich.progress import track

    console = Console(stderr=True)
    # A second is worth no bar, and a log holds none.
    return track(numbers, description=name, console=console, transient=True, disable=not console.is_terminal)


def write(path: Path, text: str) -> None:
    """In a folder that is made where there is none, as a report's is.

    Raises:
        ValueError: it cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    except OSError as error:
        raise ValueError(f"{path} cannot be written: {error.strerror or error}") from error
