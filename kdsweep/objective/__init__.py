"""Terms and the objectives they add up to. Names load on first use: reading a method's SPACE must not import torch.

A term is a file of `terms/`, named for its class: `objective.SoftLogits` is in `terms/soft_logits.py`. What terms are
made of is reached the same way: `objective.Term`, `objective.Batch`, `objective.masked_mean`.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

# Every term's class, and its file.
TERMS = {
    "".join(word.capitalize() for word in module.name.split("_")): module.name
    for module in pkgutil.iter_modules([f"{__path__[0]}/terms"])
    if not module.name.startswith("_")
}
_SHARED = ("base", "batch", "numerics", "critics")


def __getattr__(name: str) -> Any:
    if name in TERMS:
        return getattr(importlib.import_module(f"kdsweep.objective.terms.{TERMS[name]}"), name)
    if not name.startswith("_"):
        for shared in _SHARED:
            module = importlib.import_module(f"kdsweep.objective.{shared}")
            # Its own, not what it imports.
            if getattr(vars(module).get(name), "__module__", None) == module.__name__:
                return getattr(module, name)
    raise AttributeError(f"module 'kdsweep.objective' has no attribute {name!r}")
