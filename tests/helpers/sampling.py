"""A sampler of a user's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdsweep.protocol.samplers import random
from kdsweep.values.result import Tried
from kdsweep.values.space import Domain, Value
from kdsweep.values.trial import digest


def of_the_order(
    space: Mapping[str, Domain], history: Sequence[Tried], *, size: int, maximize: bool, seed: int
) -> list[dict[str, Value]]:
    """Draws that are others where the same history comes in another order."""
    own = int(digest([seed, [dict(tried.numbers) for tried in history]])[:15], 16)
    return random.propose(space, history, size=size, maximize=maximize, seed=own)
