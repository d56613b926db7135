"""How far a study is, as one value for machines. Its JSON Schema lies in kdsweep/schemas."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from kdsweep.cli import live
from kdsweep.run.journal import State
from kdsweep.tasks.registry import METRICS
from kdsweep.values.study import Study

FORMAT = "kdsweep.status/1"


class ArmState(BaseModel):
    """Trials of an arm over all its stages ("teachers": of the models that others read).

    Attributes:
        best_valid: of the full method, in the metric's printed unit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    arm: str
    stage: str
    done: int
    expected: int
    running: int
    pruned: int
    failed: int
    best_valid: float | None


class Status(BaseModel):
    """What `kdsweep status --json` prints.

    Attributes:
        state: "stopped" is one that another launch would go on with.
        began: of the launch that runs or ran last, in UTC, and `beat` its last sign of life.
        seconds_to_go: of one that runs; null while too little has finished to tell.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    format: Literal["kdsweep.status/1"]
    kdsweep: str
    study: str
    file: str
    storage: str
    state: Literal["not launched", "running", "stopped", "complete"]
    began: str | None
    beat: str | None
    seconds_to_go: float | None
    metric: str
    unit: str
    arms: list[ArmState]


def status_of(study: Study, state: State | None, lines: Mapping[str, live.Progress]) -> Status:
    """What a launch says of itself, and what its store holds, by arm."""
    from kdsweep import __version__

    metric = METRICS[study.metric]
    to_go = None
    if state is not None and state.alive and not state.complete:
        left = sum(line.expected - line.done for line in lines.values())
        to_go = live.seconds_to_go(state.beat - state.began, state.finished_here, left)
    return Status(
        format=FORMAT,
        kdsweep=__version__,
        study=study.name,
        file=study.path,
        storage=study.storage,
        state="not launched"
        if state is None
        else "complete"
        if state.complete
        else "running"
        if state.alive
        else "stopped",
        began=_moment(state.began) if state else None,
        beat=_moment(state.beat) if state else None,
        seconds_to_go=to_go,
        metric=study.metric,
        unit=metric.unit,
        arms=[
            ArmState(
                arm=name,
                stage="complete" if line.done == line.expected else line.stage,
                done=line.done,
                expected=line.expected,
                running=line.running,
                pruned=line.pruned,
                failed=line.failed,
                best_valid=line.best * metric.scale if math.isfinite(line.best) else None,
            )
            for name, line in lines.items()
        ],
    )


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
