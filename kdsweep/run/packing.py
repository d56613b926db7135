"""Which trials train together: those of one structure, cut into packs. No result depends on the cut."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from kdsweep.values.arithmetic import compiled_width
from kdsweep.values.trial import Trial, structure


def pack(trials: Sequence[Trial], *, most: Callable[[Trial], int], places: int) -> list[list[Trial]]:
    """Ready trials as packs, in the order of each pack's first trial; the packs of a structure are about as wide.

    Args:
        most: the widest pack of a trial's structure.
        places: how many packs can run at once: with fewer structures than places, large packs are divided among them.
    """
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        alone = trial.arithmetic == "plain"
        # Whoever reads test computes the same steps, and loads another part.
        together = f"{structure(trial)} {trial.arithmetic} {trial.reads_test}"
        groups.setdefault(trial.id if alone else together, []).append(trial)
    share = math.ceil(len(trials) / places) if len(groups) < places else len(trials)
    packs = []
    for group in groups.values():
        # A compiled step costs the same however many of its lanes are filled: dividing it gains nothing.
        fixed = compiled_width(group[0].arithmetic)
        wide = min(most(group[0]), fixed or max(1, share))
        size = fixed or math.ceil(len(group) / math.ceil(len(group) / wide))
        packs += [group[at : at + min(size, wide)] for at in range(0, len(group), min(size, wide))]
    return packs
