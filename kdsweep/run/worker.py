"""What a worker does with a pack: read its models, train it, and leave everything but the commit in the store."""

from __future__ import annotations

import contextlib
import functools
import os
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdsweep.data import registry as source
from kdsweep.engine.faults import Fault, Suspected, this_process
from kdsweep.engine.loop import Outcome, run
from kdsweep.engine.threads import one_thread
from kdsweep.engine.workers import Workers
from kdsweep.protocol.code import check_code, check_data
from kdsweep.run.apart import work_apart
from kdsweep.run.frozen import shared
from kdsweep.run.machine import accelerator, device_of, equal_products, keep_freed_memory, now, provenance
from kdsweep.run.store import Results
from kdsweep.tasks.base import Predictions
from kdsweep.values.study import Data
from kdsweep.values.trial import Given, Trial

# torch writes its defaults into the environment when it first compiles: what a user has set is there before.
_GIVEN = frozenset(os.environ)


def work(
    trials: Sequence[Trial],
    data: Data,
    results: Results,
    *,
    device: str = "auto",
    workers: Workers | None = None,
    staged: Callable[[str], None] = lambda id_: None,
    faulted: Callable[[Fault], None] = lambda fault: None,
    suspected: Suspected | None = None,
) -> None:
    """Train a pack and stage each result as it is there. With several workers the first one alone writes.

    Args:
        staged: is told the id of each trial that may be committed.
        faulted: is told what a trial raised that is no result yet: it has to be handed out again.
        suspected: what trials have raised before, by id. Those that raised in this process train in another.

    Raises:
        Exception: the machine's doing (`faults.of_the_machine`), other code or data than the trials were named by
            included; what was not staged has no result.
    """
    check_code(*trials)
    for trial in trials:
        check_data(trial, data)
    workers, suspected, here = workers or Workers(), suspected or {}, this_process()
    apart = [trial for trial in trials if any(fault.process == here for fault in suspected.get(trial.id, ()))]
    trials = [trial for trial in trials if trial not in apart]
    if apart:
        work_apart(apart, data, results, device=device, suspected=suspected, staged=staged, faulted=faulted)
    if not trials:
        return
    run_on = {
        "start": now(),
        "device": str(device_of(device)),
        **accelerator(device_of(device)),
        "process": os.getpid(),
        "workers": workers.size,
        "width": len(trials),
    }
    keep_freed_memory()
    with one_thread():
        trained = train(trials, data, results, device=device_of(device), workers=workers, suspected=suspected)
        for outcome in trained:
            if workers.rank:
                continue
            if isinstance(outcome, Fault):
                faulted(outcome)
                continue
            id_ = outcome.trial.id
            for role, weights in outcome.weights.items():
                results.write_model(id_, role, safetensors.torch.save(dict(weights)))
            if outcome.predictions is not None:
                results.write_predictions(id_, predictions_table(outcome.predictions))
            results.stage(id_, outcome.points, {**_meta(outcome, data), **run_on, "end": now()})
            staged(id_)


def train(
    trials: Sequence[Trial],
    data: Data,
    results: Results,
    *,
    device: torch.device,
    workers: Workers | None = None,
    suspected: Suspected | None = None,
) -> Iterator[Outcome | Fault]:
    """The trials' outcomes, nothing written."""
    equal_products()

    @functools.cache
    def stored(model: str, role: str) -> dict[str, Tensor]:
        found: dict[str, Tensor] = safetensors.torch.load(results.read_model(model, role))
        return found

    def weights(model: Trial | Given, role: str) -> Mapping[str, Tensor]:
        if isinstance(model, Given):
            brought: dict[str, Tensor] = safetensors.torch.load(Path(model.path).read_bytes())
            return brought
        return stored(model.id, role)

    recall = shared(trials[0], results, device=device, workers=workers or Workers())
    with compiled_code(results):
        yield from run(
            trials,
            source.load(data.reference),
            data,
            weights,
            device=device,
            workers=workers,
            recall=recall,
            suspected=suspected,
        )


@contextlib.contextmanager
def compiled_code(results: Results) -> Iterator[None]:
    """What is compiled lies in the store where that is a folder: all workers, and all later launches, read it there.

    A user's own settings stay.
    """
    folder = f"{results.root}/compiled"
    # torch gives paths to the C++ compiler as they are: with a space in them it finds nothing.
    own = {"TORCHINDUCTOR_CACHE_DIR": folder} if "://" not in folder and shlex.quote(folder) == folder else {}
    # A pool of compiling processes beside every worker would take the cores from the others.
    own |= {"TORCHINDUCTOR_COMPILE_THREADS": "1"}
    new = {key: value for key, value in own.items() if key not in _GIVEN}
    before = {key: os.environ.get(key) for key in new}
    os.environ.update(new)
    try:
        yield
    finally:
        for key, value in before.items():
            os.environ.pop(key)
            if value is not None:
                os.environ[key] = value


def _meta(outcome: Outcome, data: Data) -> dict[str, Any]:
    valid: dict[str, list[float]] = {}
    for point in outcome.points:
        part, _, metric = point.metric.partition("/")
        if part == "valid":
            valid.setdefault(metric, []).append(point.value)
    by_epoch: dict[int, float] = {}
    for point in outcome.points:
        # The scores of the selected epoch on test took no time of training.
        by_epoch[point.epoch] = max(point.seconds, by_epoch.get(point.epoch, 0.0))
    return {
        "trial": outcome.trial.to_json(),
        "data": data.model_dump(),
        "teacher": [model.id for model in outcome.trial.teachers],
        "state": outcome.state,
        "selected": outcome.selected,
        "epochs": max(by_epoch, default=0),
        "seconds": sum(by_epoch.values()),
        "pace": min(by_epoch.values(), default=0.0),
        "valid": valid,
        "numbers": dict(outcome.numbers),
        "papers": {term: [paper.to_json() for paper in papers] for term, papers in outcome.papers.items()},
        "error": outcome.error,
        **provenance(),
    }


def predictions_table(said: Predictions) -> pa.Table:
    return pa.table({name: _column(values) for name, values in said.items()})


def _column(values: NDArray[Any]) -> pa.Array:
    """[N] as it is, [N, width] as lists of one length."""
    if values.dtype.kind in "US":
        return pa.array(values.tolist(), pa.string())
    narrow = values.astype(np.int32) if values.dtype.kind == "i" else values
    if narrow.ndim == 1:
        return pa.array(narrow)
    return pa.FixedSizeListArray.from_arrays(pa.array(narrow.reshape(-1)), narrow.shape[1])
