"""Which trials train together: those of one structure, cut into packs. No result depends on the cut."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from kdsweep.study import Resources
from kdsweep.trial import Trial, compiled_width, digest, step_structure, structure

# Members of a pack where the study does not say: beyond this, one more costs as much as it would alone.
WIDTH = 32
# Lanes of a compiled pack where the study does not say: from here on a lane costs what it computes, and a generation
# of a search fills it.
COMPILED = 8


def settlement(trial: Trial, resources: Resources) -> str:
    """Under what name it is settled how the trial computes: of its step, and of what the study asks for expressly."""
    if resources.compile == "off":
        asked: dict[str, Any] = {"compile": "off"}
    else:
        explicit = {"compile": resources.compile, "pack": resources.pack}
        asked = {key: value for key, value in explicit.items() if value != "auto"}
    return digest({"step": step_structure(trial), **asked}) if asked else step_structure(trial)


def pack(
    trials: Sequence[Trial], *, width: int, places: int, held_to: Mapping[str, int] | None = None
) -> list[list[Trial]]:
    """Ready trials as packs, in the order of each pack's first trial.

    Args:
        width: the largest pack of those that are not compiled, which have a width of their own.
        held_to: the largest pack of a structure that did not fit the memory in a larger one.
        places: how many packs can run at once: with fewer structures than places, large packs are divided among them.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        alone = trial.arithmetic == "plain"
        groups.setdefault(trial.id if alone else structure(trial), []).append(trial)
    share = math.ceil(len(trials) / places) if len(groups) < places else width
    size = max(1, min(width, share))
    packs = []
    for name, group in groups.items():
        # A compiled step costs the same however many of its lanes are filled: dividing it gains nothing.
        most = compiled_width(group[0].arithmetic) or size
        most = min(most, (held_to or {}).get(name, most))
        packs += [group[at : at + most] for at in range(0, len(group), most)]
    return packs
