"""How long work tells how far it is, without knowing who listens."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Show(Protocol):
    """Passes numbers through, and shows how many have passed."""

    def __call__(self, numbers: Iterable[int], name: str) -> Iterable[int]: ...


def silent(numbers: Iterable[int], name: str) -> Iterable[int]:
    return numbers
