"""Run a study in this process, one pack after another. No Ray."""

from __future__ import annotations

from kdsweep.sweep.launch import Launch
from kdsweep.sweep.work import work
from kdsweep.training.outcome import INFRASTRUCTURE


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
