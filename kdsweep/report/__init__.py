"""Reports: a study's tables in, one self-contained page and its tables as files out. Names load on first use."""

from __future__ import annotations

import importlib
from typing import Any

# Name -> module of this package. Planning reads the statistics alone and need not load plotly.
_HOMES = {"Headline": "render.page", "Runs": "facts.runs", "build": "render.page"}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'kdsweep.report' has no attribute {name!r}")
    return getattr(importlib.import_module(f"kdsweep.report.{_HOMES[name]}"), name)
