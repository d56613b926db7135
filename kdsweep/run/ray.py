"""Run a study on Ray: one Tune run whose trials are places of work, to which packs are handed.

The only module that knows Ray. Tune gives placement, GPUs, another worker for one that dies, and the dashboard. It
decides nothing: what runs next comes from the plan, what has finished is what lies in the store, and Tune's own state
is never read back.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import tempfile
import threading
import uuid
from concurrent.futures import Future
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

# Read by Ray when it is imported: no result files and no console reporter of its own, no snapshots of a state that
# nobody restores, and Ctrl-C comes to us.
os.environ |= {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "100000",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    # Workers stay where the launch was made: a user's modules and data may be named relative to it.
    "RAY_CHDIR_TO_TRIAL_DIR": "0",
}

import ray
from ray import tune
from ray.tune.search import Searcher

from kdsweep.engine.faults import Fault
from kdsweep.run.desk import Desk
from kdsweep.run.machine import equal_products
from kdsweep.values.study import Data, Study
from kdsweep.values.trial import Trial

if TYPE_CHECKING:
    # What needs torch is imported where it is used: Ray starts while the driver still imports it.
    from kdsweep.engine.workers import Workers
    from kdsweep.run.launch import Launch

# Enough for what Tune itself passes around: data and weights go through the store.
OBJECT_STORE = 200 * 2**20


def start(address: str | None) -> str:
    """Join the cluster at `address`, or start Ray on this machine; returns the dashboard's address, "" without one."""
    if ray.is_initialized():
        return ""
    local: dict[str, Any] = {}
    if not address:
        local = {"include_dashboard": True, "dashboard_host": "127.0.0.1", "object_store_memory": OBJECT_STORE}
    context = ray.init(address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **local)
    return f"http://{context.dashboard_url}" if context.dashboard_url else ""


class Starting:
    """`start` on this machine, in the background: it waits for processes as long as the driver reads its libraries."""

    def __init__(self) -> None:
        self._address: Future[str] = Future()
        self._over = threading.Event()
        threading.Thread(target=self._start, name="starts Ray", daemon=True).start()

    def _start(self) -> None:
        try:
            self._address.set_result(start(None))
        except BaseException as error:
            self._address.set_exception(error)
        # The kernel ends Ray's processes with the thread that they are children of.
        self._over.wait()

    def result(self) -> str:
        """What `start` returns, or raises."""
        return self._address.result()

    def stop(self) -> None:
        """Whatever has become of it."""
        self._address.exception()
        stop()
        self._over.set()


def stop() -> None:
    ray.shutdown()


def run(launch: Launch) -> None:
    """Until nothing more can start. Ray has been started."""
    study = launch.study
    places = concurrency(study)
    launch.begin(places)
    logging.getLogger("ray").setLevel(logging.ERROR)
    name = f"kdsweep desk {uuid.uuid4()}"
    desk: Any = ray.remote(Desk).options(name=name, num_cpus=0).remote()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            tune.Tuner(
                tune.with_resources(_named(study.name), _resources(study)),
                tune_config=tune.TuneConfig(
                    search_alg=_Places(launch, desk, name),
                    num_samples=-1,
                    max_concurrent_trials=places,
                    trial_dirname_creator=lambda trial: trial.trial_id,
                ),
                run_config=tune.RunConfig(name="kdsweep", storage_path=scratch, verbose=0),
            ).fit()
    finally:
        ray.kill(desk)


def concurrency(study: Study) -> int:
    """How many packs run at once: as many as the cluster's CPUs and GPUs hold."""
    if study.resources.concurrency != "auto":
        return study.resources.concurrency
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    names = {"cpus": "CPU", "gpus": "GPU"}
    held = [
        there.get(names[key], 0.0) / (each * study.resources.workers)
        for key, each in study.resources.per_pack.items()
        if each
    ]
    return max(1, int(min(held, default=1)))


class _Places(Searcher):  # type: ignore[misc]
    """Opens a place, which is a trial of Tune's, when a pack is ready and no worker free; hands packs to workers that
    have come until nothing more can start.

    A worker stays for the whole launch: Tune would give a short pack's worker the pack of one that is still starting,
    and take that one back, until a single worker is left.
    """

    def __init__(self, launch: Launch, desk: Any, name: str) -> None:
        super().__init__()
        self.launch, self.desk, self.desk_name = launch, desk, name
        # What each worker that is here is at work on, nothing while it waits; and places whose worker is still to come,
        # which may be never: no pack waits for one.
        self.at_work: dict[str, list[Trial]] = {}
        self.to_come: set[str] = set()

    def suggest(self, trial_id: str) -> Any:
        self._serve()
        if self.launch.ready <= len(self.to_come):
            return Searcher.FINISHED if self.launch.done else None
        self.to_come.add(trial_id)
        study = self.launch.study
        job = {
            "data": study.data.model_dump(),
            "root": self.launch.results.root,
            "device": study.resources.device,
            "workers": study.resources.workers,
            "per_pack": study.resources.per_pack,
        }
        # One string: Tune walks through every mapping and list of a config.
        return {"place": trial_id, "desk": self.desk_name, "job": json.dumps(job)}

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A worker has come, or a pack has ended."""
        self.to_come.discard(trial_id)
        pack, self.at_work[trial_id] = self.at_work.get(trial_id, []), []
        for fault in json.loads(result.get("faults", "[]")):
            self.launch.suspect(Fault(**fault))
        self.launch.take_back(pack, f"their worker ended well, but its results are not in {self.launch.results.root}")
        self._serve()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """A place has closed: its worker was sent home, or died."""
        never_came = trial_id in self.to_come
        self.to_come.discard(trial_id)
        pack = self.at_work.pop(trial_id, [])
        if error and never_came:
            # It was opened for this one. Were nothing lost by it, places would be opened without end.
            pack = self.launch.next()
        reason = "their worker died, or its machine failed it (Ray's logs say more: /tmp/ray/session_latest/logs)"
        self.launch.take_back(pack, reason)
        self._serve()

    def _serve(self) -> None:
        """Give every worker that waits a pack, or send all home at the end."""
        for place, busy in self.at_work.items():
            if not busy and (pack := self.launch.next()):
                self._hand(place, pack)
        if self.launch.done:
            for place in (*self.at_work, *self.to_come):
                self.desk.put.remote(place, {})

    def _hand(self, place: str, pack: list[Trial]) -> None:
        self.at_work[place] = pack
        before = {id_: list(map(asdict, faults)) for id_, faults in self.launch.suspected(pack).items()}
        self.desk.put.remote(place, {"trials": [trial.to_json() for trial in pack], "suspected": before})

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles its searcher into a state that nobody restores; a launch holds a terminal and files.
        return {}

    def save(self, checkpoint_path: str) -> None:
        """Tune saves its searcher; ours is derived from the store."""

    def restore(self, checkpoint_path: str) -> None:
        raise NotImplementedError("a study is resumed from its store")


class _Work(tune.Trainable):  # type: ignore[misc]
    """A worker: trains one pack a step, in the same process, until it is sent home."""

    study = ""

    def setup(self, config: dict[str, Any]) -> None:
        # On another host the command line has not done it.
        equal_products()
        self.place, self.job, self.here = config["place"], json.loads(config["job"]), False
        self.desk, self.desk_name = ray.get_actor(config["desk"]), config["desk"]

    def step(self) -> dict[str, Any]:
        if not self.here:
            self.here = True
            self._get_ready()
            return {"trials": 0}
        pack: Any = ray.get(self.desk.take.remote(self.place))
        if not pack:
            return {tune.result.DONE: True}
        job = {**self.job, **pack, "desk": self.desk_name, "place": self.place}
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


def _named(study: str) -> type[_Work]:
    return type("kdsweep_worker", (_Work,), {"study": study})


def _resources(study: Study) -> Any:
    if study.resources.workers > 1:
        # Only starts and awaits the workers, which ask for their own CPUs and GPUs: holding any here would starve
        # them. A group has to hold something.
        return tune.PlacementGroupFactory([{"memory": 2.0**20}])
    per_pack = study.resources.per_pack
    return tune.PlacementGroupFactory([{"CPU": per_pack.get("cpus", 1.0), "GPU": per_pack.get("gpus", 0.0)}])


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
    faults: list[dict[str, Any]] = ray.get(ray.get_actor(job["desk"]).raised.remote(job["place"]))
    return faults


def _loop(job: dict[str, Any]) -> None:
    from ray import train

    from kdsweep.engine.workers import Workers

    context = train.get_context()
    faults = _alone(job, Workers(context.get_world_rank(), context.get_world_size()))
    if faults:
        ray.get(ray.get_actor(job["desk"]).note.remote(job["place"], faults))
