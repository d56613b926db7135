"""Run a study in this process, one pack after another. No Ray."""

from __future__ import annotations

from kdsweep.engine.faults import of_the_machine
from kdsweep.run.launch import Launch
from kdsweep.run.worker import work


def run(launch: Launch) -> None:
    """Until nothing more can start."""
    study = launch.study
    launch.begin(places=1)
    while pack := launch.next():
        reason = "they have raised what may be an accident"
        try:
            work(
                pack,
                study.data,
                launch.results,
                device=study.resources.device,
                staged=launch.commit,
                faulted=launch.suspect,
                suspected=launch.suspected(pack),
            )
        except Exception as error:
            if not of_the_machine(error):
                raise
            reason = f"{type(error).__name__}: {error}"
        launch.take_back([trial for trial in pack if trial.id in launch.in_flight], reason)
