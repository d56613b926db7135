"""The desk from which workers elsewhere take their packs. It knows no Ray, so that it starts at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

# Trials, and what they have raised before; empty where there is nothing more to do.
Pack = dict[str, Any]


class Desk:
    """A tray for each place of work: the driver, who alone knows what is ready, puts a place's next pack there."""

    def __init__(self) -> None:
        self.trays: defaultdict[str, asyncio.Queue[Pack]] = defaultdict(asyncio.Queue)
        self.faults: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    async def put(self, place: str, pack: Pack) -> None:
        await self.trays[place].put(pack)

    async def take(self, place: str) -> Pack:
        """Waits until there is one; an empty one sends the worker home."""
        return await self.trays[place].get()

    async def note(self, place: str, faults: list[dict[str, Any]]) -> None:
        """What trials have raised under workers that cannot tell the one who has started them."""
        self.faults[place] += faults

    async def raised(self, place: str) -> list[dict[str, Any]]:
        """What was noted for this place since it was last asked."""
        return self.faults.pop(place, [])
