"""What a study cost, and on what: each trial is counted once, whatever became of it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from kdsweep.report.facts import costs, machines
from kdsweep.report.facts.runs import Runs
from kdsweep.report.sections import provenance
from tests.helpers import report_fakes


@pytest.fixture(scope="module")
def runs() -> Runs:
    made = report_fakes.make(search=4, seeds=3, samples=30)
    # A search of an arm that an edit took out of the study.
    gone = made.index[(made.index["arm"] == "kd") & (made.index["stage"] == "search")]
    trials = made.trials[made.trials["trial"].isin(gone["trial"])]
    renamed = [table.assign(trial="gone-" + table["trial"]) for table in (gone, trials)]
    index = pd.concat([made.index, renamed[0].assign(arm="fitnet", wanted=False)], ignore_index=True)
    return replace(made, index=index, trials=pd.concat([made.trials, renamed[1]], ignore_index=True))


def test_every_trial_is_counted_once_with_what_failed_and_what_was_set_aside(runs):
    parts = {part.what: part for part in costs.whole(runs)}
    assert sum(part.trials for part in parts.values()) == len(runs.trials)
    assert sum(part.device_seconds for part in parts.values()) == pytest.approx(runs.trials["seconds"].sum())
    assert parts["set aside"].ended == {"complete": 3, "pruned": 0, "failed": 1}
    # Search, finalists, confirm, and its published settings.
    assert parts["KD"].ended == {"complete": 3 + 6 + 3 + 3, "pruned": 0, "failed": 1}
    assert set(parts) == {"Student only", "KD", "AMID", *(costs.MODELS, costs.ABLATION, costs.CONTROLS, costs.ASIDE)}


def test_the_last_row_is_the_sum(runs):
    *rows, total = next(table for table in provenance.table(runs) if table.name == "compute").rows
    assert total["trials"] == sum(row["trials"] for row in rows) == len(runs.trials)
    assert total["share"] == pytest.approx(sum(row["share"] for row in rows))


def test_a_machine_is_told_by_its_processor_its_memory_and_its_accelerator():
    trial = {"processor": "x86_64 EPYC", "cores": 16, "memory": 128 * 2**30, "device": "cuda:0"}
    assert machines.processor(trial) == "x86_64 EPYC, 16 cores, 128 GiB"
    assert machines.device(trial) == "cuda:0"
    accelerated = {**trial, "accelerator": "NVIDIA H100", "accelerator_memory": 80 * 2**30}
    assert machines.device(accelerated) == "cuda:0, NVIDIA H100, 80 GiB"
    assert machines.processor({"processor": None, "cores": float("nan")}) == ""


def test_trials_of_two_machines_are_two_rows(runs):
    memory = [24 * 2**30 if i % 2 else 48 * 2**30 for i in range(len(runs.trials))]
    table = provenance.table(replace(runs, trials=runs.trials.assign(memory=memory, processor="EPYC")))[0]
    assert [row["machine"] for row in table.rows] == ["EPYC, 24 GiB", "EPYC, 48 GiB"]
