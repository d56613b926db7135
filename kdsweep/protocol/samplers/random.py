"""Independent draws, whatever came before: what every other sampler has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdsweep.values.result import Tried
from kdsweep.values.space import Domain, Value


def propose(
    space: Mapping[str, Domain], history: Sequence[Tried], *, size: int, maximize: bool, seed: int
) -> list[dict[str, Value]]:
    from optuna.samplers import RandomSampler

    from kdsweep.protocol.samplers._optuna import ask

    return ask(RandomSampler, space, history, size=size, maximize=maximize, seed=seed)
