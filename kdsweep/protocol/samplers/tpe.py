"""Tree-structured Parzen estimator: draws where points that did well lie denser than the others. At random until it has
seen ten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdsweep.values.result import Tried
from kdsweep.values.space import Domain, Value


def propose(
    space: Mapping[str, Domain], history: Sequence[Tried], *, size: int, maximize: bool, seed: int
) -> list[dict[str, Value]]:
    from optuna.samplers import TPESampler

    from kdsweep.protocol.samplers._optuna import ask

    return ask(TPESampler, space, history, size=size, maximize=maximize, seed=seed)
