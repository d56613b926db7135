"""Run a study as one run of Tune, whose trials are slots: each has a worker to which packs are handed."""

from __future__ import annotations

import logging
import tempfile
import uuid
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from kdsweep.run.ray.cluster import slots_of
from kdsweep.run.ray.mailbox import Mailbox
from kdsweep.run.ray.slots import Slots
from kdsweep.run.ray.worker import named
from kdsweep.values.study import Study

if TYPE_CHECKING:
    from kdsweep.run.launch import Launch


def run(launch: Launch) -> None:
    """Until nothing more can start. Ray has been started."""
    study = launch.study
    slots = slots_of(study)
    launch.begin(slots)
    logging.getLogger("ray").setLevel(logging.ERROR)
    name = f"kdsweep mailbox {uuid.uuid4()}"
    mailbox: Any = ray.remote(Mailbox).options(name=name, num_cpus=0).remote()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            tune.Tuner(
                tune.with_resources(named(study.name), _resources(study)),
                tune_config=tune.TuneConfig(
                    search_alg=Slots(launch, mailbox, name),
                    num_samples=-1,
                    max_concurrent_trials=slots,
                    trial_dirname_creator=lambda trial: trial.trial_id,
                ),
                run_config=tune.RunConfig(name="kdsweep", storage_path=scratch, verbose=0),
            ).fit()
    finally:
        ray.kill(mailbox)


def _resources(study: Study) -> Any:
    if study.resources.workers > 1:
        # Only starts and awaits the workers, which ask for their own CPUs and GPUs: holding any here would starve
        # them. A group has to hold something.
        return tune.PlacementGroupFactory([{"memory": 2.0**20}])
    per_pack = study.resources.per_pack
    return tune.PlacementGroupFactory([{"CPU": per_pack.get("cpus", 1.0), "GPU": per_pack.get("gpus", 0.0)}])
