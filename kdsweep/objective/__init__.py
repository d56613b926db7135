"""Terms and the objectives they add up to. Names load on first use: reading a method's SPACE must not import torch."""

from __future__ import annotations

import importlib
from typing import Any

# Name -> module of this package. One line a term.
_HOMES = {
    "Batch": "outputs",
    "CrossEntropy": "logits",
    "Objective": "term",
    "Outputs": "outputs",
    "Parts": "term",
    "Sizes": "outputs",
    "SoftLogits": "logits",
    "Term": "term",
    "masked_mean": "outputs",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kdsweep.objective' has no attribute {name!r}")
    return getattr(importlib.import_module(f"kdsweep.objective.{_HOMES[name]}"), name)
