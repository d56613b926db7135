"""Which trials train together: those of one structure, cut into packs. No result depends on the cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from kdsweep.values.study import Resources
from kdsweep.values.trial import Trial, compiled_width, digest, step_structure, structure


def settlement(trial: Trial, resources: Resources, device: str) -> str:
    """Under what name it is settled how the trial computes: of its step, of the kind of device, "cpu" or "cuda", and of
    what the study asks for expressly. Nothing else may decide it: not who asks first, and not what that machine has.
    """
    asked: dict[str, Any] = {"device": device} if device != "cpu" else {}
    if resources.compile == "on":
        asked |= {"compile": "on"} | ({"pack": resources.pack} if resources.pack != "auto" else {})
    return digest({"step": step_structure(trial), **asked}) if asked else step_structure(trial)


def pack(trials: Sequence[Trial], *, most: Callable[[Trial], int], places: int) -> list[list[Trial]]:
    """Ready trials as packs, in the order of each pack's first trial; the packs of a structure are about as wide.

    Args:
        most: the widest pack of a trial's structure.
        places: how many packs can run at once: with fewer structures than places, large packs are divided among them.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        alone = trial.arithmetic == "plain"
        groups.setdefault(trial.id if alone else structure(trial), []).append(trial)
    share = math.ceil(len(trials) / places) if len(groups) < places else len(trials)
    packs = []
    for group in groups.values():
        # A compiled step costs the same however many of its lanes are filled: dividing it gains nothing.
        fixed = compiled_width(group[0].arithmetic)
        wide = min(most(group[0]), fixed or max(1, share))
        size = fixed or math.ceil(len(group) / math.ceil(len(group) / wide))
        packs += [group[at : at + min(size, wide)] for at in range(0, len(group), min(size, wide))]
    return packs
