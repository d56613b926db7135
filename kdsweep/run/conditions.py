"""Reads the students of a finished study again, under the conditions of deployment that it names."""

from __future__ import annotations

import safetensors.torch

from kdsweep.data import registry as source
from kdsweep.engine import conditions
from kdsweep.engine.threads import one_thread
from kdsweep.protocol.plan import Plan
from kdsweep.run.machine import device_of
from kdsweep.run.store import Results
from kdsweep.run.worker import predictions_table
from kdsweep.values.study import Study


def read_again(study: Study, plan: Plan, results: Results) -> int:
    """Every finished student of confirm under every condition, those that are there already left out. Returns how many
    were read: a condition that a finished study gets later costs its reading alone."""
    if not study.conditions:
        return 0
    known, there, read = results.known(), results.readings(), 0
    asked = {
        role.trial: plan.trials[role.trial]
        for role in plan.roles
        if role.stage == "confirm" and role.trains == "student" and role.trial in known
    }
    dataset, device = source.load(study.data.reference), device_of(study.resources.device)
    with one_thread():
        for id_, trial in asked.items():
            left = [condition for condition in study.conditions if (id_, condition.id) not in there]
            if not left or known[id_].state != "complete":
                continue
            for _, condition, reading in conditions.read(
                [trial],
                dataset,
                study.data,
                lambda of: safetensors.torch.load(results.read_model(of.id, "student")),
                left,
                device,
            ):
                table = predictions_table(reading.predictions)
                results.write_reading(id_, condition.id, table, reading.scores)
                read += 1
    return read
