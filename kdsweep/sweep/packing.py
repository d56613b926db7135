"""Which trials train together: those of one structure, cut into packs. No result depends on the cut."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kdsweep.trial import Given, Trial, digest

# Members of a pack where the study does not say: beyond this, one more costs as much as it would alone.
WIDTH = 32
# What members of a pack may differ in: numbers, seeds, and which trained models they read.
_NUMBERS = ("seed", "numbers", "thresholds", "metric", "teacher", "auxiliaries", "arithmetic")


def structure(trial: Trial) -> str:
    """A digest of all that trials must share to train together; the sizes of the models that they read included."""
    shared: dict[str, Any] = {key: value for key, value in trial.identity.items() if key not in _NUMBERS}
    models = {role: _network(model) for role, model in trial.models.items()}
    return digest({**shared, "fold": trial.fold, "models": models})


def pack(trials: Sequence[Trial], *, width: int, places: int) -> list[list[Trial]]:
    """Ready trials as packs, in the order of each pack's first trial.

    Args:
        width: the largest pack.
        places: how many packs can run at once: with fewer structures than places, large packs are divided among them.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        alone = trial.arithmetic == "plain"
        groups.setdefault(trial.id if alone else structure(trial), []).append(trial)
    share = math.ceil(len(trials) / places) if len(groups) < places else width
    size = max(1, min(width, share))
    return [group[at : at + size] for group in groups.values() for at in range(0, len(group), size)]


def _network(model: Trial | Given) -> Any:
    return {"network": model.network} if isinstance(model, Given) else {"networks": model.networks}
