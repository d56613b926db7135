"""The mailbox from which workers elsewhere take their packs. It knows no Ray, so that it starts at once."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any

# Trials, and what they have raised before; empty where there is nothing more to do.
Pack = dict[str, Any]


class Mailbox:
    """A tray for each slot: the driver, who alone knows what is ready, puts the next pack of its worker there."""

    def __init__(self) -> None:
        self.trays: defaultdict[str, asyncio.Queue[Pack]] = defaultdict(asyncio.Queue)
        self.faults: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    async def put(self, slot: str, pack: Pack) -> None:
        await self.trays[slot].put(pack)

    async def take(self, slot: str) -> Pack:
        """Waits until there is one; an empty one sends the worker home."""
        return await self.trays[slot].get()

    async def note(self, slot: str, faults: list[dict[str, Any]]) -> None:
        """What trials have raised under workers that cannot tell the one who has started them."""
        self.faults[slot] += faults

    async def raised(self, slot: str) -> list[dict[str, Any]]:
        """What was noted for this slot since it was last asked."""
        return self.faults.pop(slot, [])
