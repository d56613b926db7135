"""How wide a pack is: as wide as the memory holds, and as makes its members faster. No result depends on it."""

from __future__ import annotations

import functools
import os
from collections import defaultdict

from kdsweep.values.study import Resources

# Members of a pack before it is known how fast they are, and the most of all.
WIDTH, WIDEST = 32, 256
NARROW = 8
# A pack twice as wide is worth it where a member's epoch takes a tenth less time; one that takes a tenth more is not.
TENTH = 0.1
# Of all memory: what is counted leaves out what a step makes and frees at once. What does not fit after all is halved.
SHARE = 0.25


class Widths:
    """The widest pack of each structure, by what a launch has seen of it.

    Attributes:
        places: how many packs run at once.
        memory: bytes that a member takes, counted, by the name under which its arithmetic is settled.
    """

    def __init__(self, resources: Resources) -> None:
        self.resources, self.places = resources, 1
        self.memory: dict[str, int] = {}
        self._paces: defaultdict[str, dict[int, float]] = defaultdict(dict)
        self._held_to: dict[str, int] = {}

    def took(self, structure: str, width: int, seconds: float) -> None:
        """A member's share of an epoch in a pack of this width."""
        before = self._paces[structure].get(width, seconds)
        self._paces[structure][width] = min(before, seconds)

    def did_not_fit(self, structure: str, width: int) -> None:
        """Nothing of a pack came back, as where memory gives out: its structure goes on in packs of half the size."""
        half = (width + 1) // 2
        self._held_to[structure] = min(half, self._held_to.get(structure, half))

    def most(self, structure: str, settlement: str) -> int:
        """The widest pack of a structure."""
        asked = self.resources.pack
        wide = min(self._worth(structure), self._fitting(settlement)) if asked == "auto" else asked
        return max(1, min(wide, self._held_to.get(structure, wide)))

    def _worth(self, structure: str) -> int:
        """The width up to which wider has been faster so far; one that nobody has tried is taken to be."""
        # A few that were left over say nothing of whole packs.
        paces = {width: pace for width, pace in self._paces.get(structure, {}).items() if width >= NARROW}
        if not paces:
            return WIDTH
        fastest = min(paces, key=lambda width: paces[width])
        if any(width > fastest and pace > (1 + TENTH) * paces[fastest] for width, pace in paces.items()):
            return fastest
        widest = max(paces)
        gained = all(paces[widest] <= (1 - TENTH) * pace for width, pace in paces.items() if width <= widest // 2)
        return min(WIDEST, max(WIDTH, 2 * widest if gained else widest))

    def _fitting(self, settlement: str) -> int:
        memory = self.memory.get(settlement, 0)
        return holds(memory, places=self.places, device=self.resources.device) if memory else WIDEST


def holds(memory: int, *, places: int, device: str) -> int:
    """How many members of so many bytes each the share of memory holds that each of several packs has."""
    return int(SHARE * available(device) / max(1, min(places, os.cpu_count() or 1)) / memory)


@functools.cache
def available(device: str) -> int:
    """Bytes of this machine's GPU where trials train on one, of its memory otherwise; other nodes count as like it."""
    import torch

    if device != "cpu" and torch.cuda.is_available():
        return int(torch.cuda.get_device_properties(0).total_memory)
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
