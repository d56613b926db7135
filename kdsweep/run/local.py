"""Run a study in this process, one pack after another. No Ray."""

from __future__ import annotations

from kdsweep.engine.loop import INFRASTRUCTURE
from kdsweep.run.launch import Launch
from kdsweep.run.worker import work


def run(launch: Launch) -> None:
    """Until nothing more can start."""
    study = launch.study
    launch.begin(places=1)
    while pack := launch.next():
        try:
            work(pack, study.data, launch.results, device=study.resources.device, staged=launch.commit)
        except INFRASTRUCTURE as error:
            left = [trial for trial in pack if trial.id in launch.in_flight]
            launch.take_back(left, f"{type(error).__name__}: {error}")
