"""How many members of a pack the memory holds. No result depends on it."""

from __future__ import annotations

import functools
import os

from kdsweep.sweep.packing import WIDTH

# Of all memory: what is counted leaves out what a step makes and frees at once. What does not fit after all is halved.
SHARE = 0.25


def fitting(memory: int, *, places: int, device: str) -> int:
    """The largest pack of members of so many bytes each, with as many packs at once as places; at least 1."""
    return max(1, min(WIDTH, holds(memory, places=places, device=device))) if memory else WIDTH


def holds(memory: int, *, places: int, device: str) -> int:
    """How many members of so many bytes each the share of memory holds that a pack has."""
    return int(SHARE * available(device) / max(1, min(places, os.cpu_count() or 1)) / memory)


@functools.cache
def available(device: str) -> int:
    """Bytes of this machine's GPU where trials train on one, of its memory otherwise; other nodes count as like it."""
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
