"""Gaussian process: draws where a model of all points promises the largest gain. Slow beyond a few hundred points."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kdsweep.values.result import Tried
from kdsweep.values.space import Domain, Value


def propose(
    space: Mapping[str, Domain], history: Sequence[Tried], *, size: int, maximize: bool, seed: int
) -> list[dict[str, Value]]:
    from optuna.samplers import GPSampler

    from kdsweep.protocol.samplers._optuna import ask

    # The search's first generation is its start: Optuna would draw at random until it has seen ten.
    return ask(GPSampler, space, history, size=size, maximize=maximize, seed=seed, n_startup_trials=1)
