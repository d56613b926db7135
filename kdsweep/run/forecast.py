"""What a study will cost before it starts: the time of one epoch of each kind of trial that it will ask for."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace

import torch

from kdsweep.data import registry as source
from kdsweep.engine.build import initial, models, parts
from kdsweep.engine.single import Run
from kdsweep.engine.stacked.pack import Pack
from kdsweep.engine.threads import one_thread
from kdsweep.engine.workers import Workers
from kdsweep.protocol.plan import Known, Plan, plan
from kdsweep.run.machine import device_of
from kdsweep.values.arithmetic import compiled_width, settlement
from kdsweep.values.study import Study
from kdsweep.values.trial import Trial


@dataclass(frozen=True)
class Forecast:
    """One line of a forecast.

    Attributes:
        arm: "" for teachers and auxiliary models.
        trials: distinct trials still to run.
        seconds: of one worker, for all of them, at full length.
    """

    arm: str
    trials: int
    seconds: float


def probe(study: Study, known: Known, everything: Plan) -> list[Forecast]:
    """Time an epoch of a pack of each arm, and of teachers, and count what is still to run.

    Models that a trial reads stand in with their initial weights: their size costs the time, not what they learned.

    Args:
        everything: the whole study, unfolded.
    """
    first: dict[str, Trial] = {}
    for role in everything.roles:
        first.setdefault(role.arm, everything.trials[role.trial])
    asked = Counter(role.arm for role in everything.roles)
    done = Counter(role.arm for role in plan(study, known).roles if role.trial in known.trials)
    lines = []
    for arm, trial in first.items():
        left = max(0, asked[arm] - done[arm])
        name = known.arithmetic.get(settlement(trial, study.resources, known.device), trial.arithmetic)
        # Compiling takes longer than what is to be forecast: what it saves is left out.
        settled = replace(trial, arithmetic="stacked" if compiled_width(name) else name)
        lines.append(Forecast(arm, left, left * _epoch(settled, study) * study.train.epochs))
    return lines


def _epoch(trial: Trial, study: Study) -> float:
    """Seconds of one epoch of one member."""
    dataset, device = source.load(study.data.reference), device_of(study.resources.device)
    width = study.search.generation if trial.arithmetic != "plain" else 1
    with one_thread():
        seen = parts(trial, dataset, study.data, device)
        # The first epoch warms up, the second is timed: also of a study that trains for one.
        two = {**trial.train, "epochs": 2}
        members = [replace(trial, seed=seed, train=two) for seed in range(width)]
        weights = initial(trial, dataset.card)
        made = [models(t, dataset.card, seen["train"], weights, device=device, workers=Workers()) for t in members]
        training = Run(members[0], made[0], seen) if trial.arithmetic == "plain" else Pack(members, made, seen)
        epochs = training.epochs()
        next(epochs, None)
        began = clock(device)
        next(epochs, None)
        return (clock(device) - began) / width


def clock(device: torch.device) -> float:
    """Seconds of this process's work: of a processor its own time, so that what else runs there does not count."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()
