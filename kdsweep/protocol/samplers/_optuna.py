"""What Optuna's samplers share: ranges and earlier points, as it keeps them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna import distributions
from optuna.trial import TrialState, create_trial

from kdsweep.values.result import Tried
from kdsweep.values.space import Choice, Domain, Float, Int, Value

STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}


def ask(
    sampler: type[optuna.samplers.BaseSampler],
    space: Mapping[str, Domain],
    history: Sequence[Tried],
    *,
    size: int,
    maximize: bool,
    seed: int,
    **options: Any,
) -> list[dict[str, Value]]:
    """`size` points, one after another and none of them finished: a generation is asked whole.

    Args:
        options: of the sampler.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ranges = {name: _distribution(domain) for name, domain in space.items()}
    seeded: Any = sampler
    study = optuna.create_study(
        direction="maximize" if maximize else "minimize", sampler=seeded(seed=seed % 2**32, **options)
    )
    study.add_trials([_frozen(tried, ranges) for tried in history])
    return [dict(study.ask(fixed_distributions=ranges).params) for _ in range(size)]


def _distribution(domain: Domain) -> Any:
    match domain:
        case Choice(values):
            return distributions.CategoricalDistribution(values)
        case Float(low, high, log):
            return distributions.FloatDistribution(low, high, log=log)
        case Int(low, high, log):
            return distributions.IntDistribution(low, high, log=log)


def _frozen(tried: Tried, ranges: Mapping[str, Any]) -> Any:
    """A finished point as Optuna keeps it: a pruned one with what it reached and where, a failed one as failed."""
    return create_trial(
        state=STATES[tried.state],
        value=tried.value if tried.state == "complete" else None,
        params=dict(tried.numbers),
        distributions=dict(ranges),
        intermediate_values=dict(enumerate(tried.curve, start=1)) if tried.state == "pruned" else {},
    )
