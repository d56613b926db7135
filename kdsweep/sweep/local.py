"""Run a study in this process, one trial after another. No Ray."""

from __future__ import annotations

from kdsweep.sweep.launch import Launch
from kdsweep.sweep.work import work
from kdsweep.training.outcome import INFRASTRUCTURE


def run(launch: Launch) -> None:
    """Until nothing more can start."""
    while (trial := launch.next()) is not None:
        try:
            work(trial, launch.study.data, launch.results, device=launch.study.resources.device)
        except INFRASTRUCTURE as error:
            launch.lose(trial.id, f"{type(error).__name__}: {error}")
        else:
            launch.commit(trial.id)
