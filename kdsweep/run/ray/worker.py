"""The worker of a slot: it takes one pack after another, and trains it here or on several workers of Ray Train."""

from __future__ import annotations

import contextlib
import json
import tempfile
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import ray
from ray import tune

from kdsweep.engine.faults import Fault
from kdsweep.run.machine import equal_products
from kdsweep.values.study import Data
from kdsweep.values.trial import Trial

if TYPE_CHECKING:
    # What needs torch is imported where it is used: Ray starts while the driver still imports it.
    from kdsweep.engine.workers import Workers


class Worker(tune.Trainable):  # type: ignore[misc]
    """A worker: trains one pack a step, in the same process, until it is sent home."""

    study = ""

    def setup(self, config: dict[str, Any]) -> None:
        # On another host the command line has not done it.
        equal_products()
        self.slot, self.job, self.here = config["slot"], json.loads(config["job"]), False
        self.mailbox, self.mailbox_name = ray.get_actor(config["mailbox"]), config["mailbox"]

    def step(self) -> dict[str, Any]:
        if not self.here:
            self.here = True
            self._get_ready()
            return {"trials": 0}
        pack: Any = ray.get(self.mailbox.take.remote(self.slot))
        if not pack:
            return {tune.result.DONE: True}
        job = {**self.job, **pack, "mailbox": self.mailbox_name, "slot": self.slot}
        faults = _together(job) if self.job["workers"] > 1 else _alone(job)
        # One string: Tune flattens every list of a result.
        return {"trials": len(pack["trials"]), "faults": json.dumps(faults)}

    def _get_ready(self) -> None:
        """Read the data, so that a pack's times are those of training."""
        from kdsweep.data import registry as source

        # What can not be read is for packs to fail by: a worker that never came would be sent for again and again.
        with contextlib.suppress(Exception):
            if self.job["workers"] == 1:
                source.load(Data(**self.job["data"]).reference)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """A trial is short and starts again whole."""

    def __repr__(self) -> str:
        # The dashboard's name of the actor.
        return f"kdsweep worker of {self.study}"


def named(study: str) -> type[Worker]:
    return type("kdsweep_worker", (Worker,), {"study": study})


def _alone(job: dict[str, Any], workers: Workers | None = None) -> list[dict[str, Any]]:
    """Train a pack; what its trials have raised that is no result yet."""
    from kdsweep.run.store import Results
    from kdsweep.run.worker import work

    trials, data = [Trial.from_json(trial) for trial in job["trials"]], Data(**job["data"])
    before = {id_: [Fault(**fault) for fault in faults] for id_, faults in job["suspected"].items()}
    faults: list[Fault] = []
    work(
        trials,
        data,
        Results(job["root"]),
        device=job["device"],
        workers=workers,
        faulted=faults.append,
        suspected=before,
    )
    return [asdict(fault) for fault in faults]


def _together(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The same loop on several workers of Ray Train; the first one writes."""
    from ray.train import RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer

    per_pack = job["per_pack"]
    gpus = float(per_pack.get("gpus", 0.0))
    with tempfile.TemporaryDirectory() as scratch:
        TorchTrainer(
            _loop,
            train_loop_config=job,
            torch_config=TorchConfig(backend="nccl" if gpus else "gloo"),
            scaling_config=ScalingConfig(
                num_workers=job["workers"],
                use_gpu=gpus > 0,
                resources_per_worker={"CPU": per_pack.get("cpus", 1.0)} | ({"GPU": gpus} if gpus else {}),
            ),
            run_config=RunConfig(name="kdsweep", storage_path=scratch),
        ).fit()
    faults: list[dict[str, Any]] = ray.get(ray.get_actor(job["mailbox"]).raised.remote(job["slot"]))
    return faults


def _loop(job: dict[str, Any]) -> None:
    from ray import train

    from kdsweep.engine.workers import Workers

    context = train.get_context()
    faults = _alone(job, Workers(context.get_world_rank(), context.get_world_size()))
    if faults:
        ray.get(ray.get_actor(job["mailbox"]).note.remote(job["slot"], faults))
