"""How a structure computes, stacked or plain, settled once: by counted work and a dry run, never by timing.

The answer decides a trial's last bits, so it is part of its identity, lies in the store, and is read by the plan.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from kdsweep import methods
from kdsweep.data.dataset import Dataset
from kdsweep.data.tensors import Tensors
from kdsweep.study import Data
from kdsweep.training.epochs import Run
from kdsweep.training.models import Models, initial, models, parts
from kdsweep.training.outcome import INFRASTRUCTURE
from kdsweep.training.pack import Pack
from kdsweep.training.workers import Workers
from kdsweep.trial import Trial

# Operations of one member's step above which a second lane doubles the cost instead of hiding in it.
LARGE = 5e9
ROWS = 8


@dataclass(frozen=True)
class Arithmetic:
    """How trials of a structure compute ("stacked" or "plain"), and why."""

    name: str
    reason: str


def settle(trial: Trial, dataset: Dataset, data: Data) -> Arithmetic:
    """Decide for the structure of this trial: two members take one step together on a few rows."""
    device = torch.device("cpu")
    seen = {part: _first(tensors) for part, tensors in parts(trial, dataset, data, device).items()}
    size = min(ROWS, len(seen["train"]))
    # From the first step on, so that critics are tried as well.
    method = methods.load(trial.method)
    starts = {f"{name}.start": 0.0 for name in method.terms(trial.choices) if name not in trial.dropped}
    few = replace(trial, train={**trial.train, "epochs": 1, "batch_size": size}, thresholds=(), numbers=starts)

    members = [replace(few, seed=seed) for seed in (0, 1)]

    def make(member: Trial) -> Models:
        weights = initial(member, dataset.card)
        return models(member, dataset.card, seen["train"], weights, device=device, workers=Workers())

    try:
        with FlopCounterMode(display=False) as counter:
            next(Run(members[0], make(members[0]), seen).epochs(), None)
        work = counter.get_total_flops() * int(trial.train["batch_size"]) / size
    except INFRASTRUCTURE:
        # The machine's doing settles nothing: it would decide the names of all later trials.
        raise
    except Exception as error:
        return Arithmetic("plain", f"a step of it fails: {type(error).__name__}: {error}")
    if work > LARGE:
        return Arithmetic("plain", f"a step is {work:.1e} operations: stacked it would cost as much as apart")
    show_fallbacks: Any = getattr(torch._C, "_debug_only_display_vmap_fallback_warnings", lambda on: None)
    try:
        with warnings.catch_warnings():
            # A slow loop in a layer's place is announced by a warning, once per process unless asked always.
            warnings.filterwarnings("error", message=".*batching rule.*")
            show_fallbacks(True)
            next(Pack(members, [make(member) for member in members], seen).epochs(), None)
    except INFRASTRUCTURE:
        raise
    except Exception as error:
        return Arithmetic("plain", f"it does not stack: {_first_line(error)}{_where(error)}")
    finally:
        show_fallbacks(False)
    return Arithmetic("stacked", "")


def _first(part: Tensors) -> Tensors:
    """The first rows of a part: enough for one step."""
    few = slice(0, ROWS)
    return replace(
        part,
        inputs={name: values[few] for name, values in part.inputs.items()},
        present={name: there[few] for name, there in part.present.items()},
        labels=part.labels[few],
        ids=part.ids[few],
        groups=part.groups[few] if part.groups is not None else None,
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]


def _where(error: BaseException) -> str:
    """The line of a network or term that stands in the way."""
    at = error.__traceback__
    line = ""
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if "torch" not in file and "/training/" not in file:
            line = f" ({file}:{at.tb_lineno})"
        at = at.tb_next
    return line
