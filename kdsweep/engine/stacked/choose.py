"""How a structure computes, plain, stacked or compiled, settled once: by counted work and dry runs, never by timing.

The answer decides a trial's last bits, so it is part of its identity, lies in the store, and is read by the plan. It
follows from the structure, from what the study asks for and from the kind of device, and from nothing else: not from
this machine's memory, and not from whether it has a compiler.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from kdsweep import methods
from kdsweep.data.dataset import Dataset
from kdsweep.data.tensors import Tensors
from kdsweep.engine.build import Models, initial, models, parts
from kdsweep.engine.faults import of_the_machine
from kdsweep.engine.single import Run
from kdsweep.engine.stacked.compile import CompilerError, has_compiler
from kdsweep.engine.stacked.pack import Pack
from kdsweep.engine.stacked.width import holds
from kdsweep.engine.threads import one_thread
from kdsweep.engine.workers import Workers
from kdsweep.values.arithmetic import compiled_width
from kdsweep.values.control import control
from kdsweep.values.study import Data, Study
from kdsweep.values.trial import Trial

# Operations of one member's step above which a second lane doubles the cost instead of hiding in it. On a CPU wider
# layers, which leave its caches, are slower than one after another: measured from 5e8 on, a gain up to 3e8.
LARGE = {"cpu": 4e8, "cuda": 5e9}
ROWS = 8
# Lanes of a compiled pack where the study does not say: from here on a lane costs what it computes, and a generation
# of a search fills it.
COMPILED = 8
# Seconds that compiling saves a member's step, and that it costs, for each operation that a dry run calls, and what it
# costs once; measured in packs of eight, on one core. Said where it would save twice its cost.
SAVED, COST, COST_ONCE = 2.2e-7, 0.02, 8.0


@dataclass(frozen=True)
class Arithmetic:
    """How trials of a structure compute ("plain", "stacked" or "compiled@W"), and why.

    Attributes:
        notable: whether the reason is news to whoever launched the study.
        memory: bytes that a member of a pack takes, counted; 0 where it trains alone.
    """

    name: str
    reason: str
    notable: bool = True
    memory: int = 0


def settle(
    trial: Trial,
    dataset: Dataset,
    data: Data,
    *,
    device: str = "cpu",
    compiling: Literal["on", "off"] = "off",
    width: int = COMPILED,
    member_steps: int = 0,
) -> Arithmetic:
    """Decide for the structure of this trial: two members take one step together on a few rows.

    Args:
        device: that its trials will train on, "cpu" or "cuda"; what is decided here is decided on a CPU.
        compiling: what the study asks for.
        width: of a compiled pack.
        member_steps: steps that the study asks for, of all trials of this structure together.
    """
    few, seen, rows = _small(trial, dataset, data)
    members = [replace(few, seed=seed) for seed in (0, 1)]

    def make(member: Trial) -> Models:
        return _untrained(member, dataset, seen)

    try:
        with Operations() as counted, _saved() as saved_bytes, _fallbacks_are_errors():
            pack = Pack(members, [make(member) for member in members], seen)
            next(pack.epochs(), None)
    except Exception as stacking:
        # The machine's doing settles nothing: it would decide the names of all later trials.
        if of_the_machine(stacking):
            raise
        try:
            next(Run(members[0], make(members[0]), seen).epochs(), None)
        except Exception as error:
            return Arithmetic("plain", f"a step of it fails: {type(error).__name__}: {error}")
        return Arithmetic("plain", f"it does not stack: {_first_line(stacking)}{_where(stacking)}")
    scale = int(trial.train["batch_size"]) / len(seen["train"]) / len(members)
    work = counted.total * scale
    # What the backward pass makes is as large as what it reads; an optimiser keeps four times its parameters.
    parameters = [optimiser.flat.value for optimiser in (pack.step.main, *pack.step.critics.values())]
    for own in parameters:
        saved_bytes.pop(own.untyped_storage().data_ptr(), None)
    held = 5 * sum(own.nbytes for own in parameters) + _of_samples(pack, len(seen["train"]), rows)
    memory = int(2 * sum(saved_bytes.values()) * scale + held / len(members))
    if work > LARGE[device]:
        return Arithmetic("plain", f"a step is {work:.1e} operations: stacked it would cost as much as apart")
    if not int(trial.train["epochs"]):
        return Arithmetic("stacked", "", notable=False, memory=memory)
    saved, cost = member_steps * SAVED * counted.calls, COST_ONCE + COST * counted.calls
    account = f"of {member_steps:,} member-steps compiling saves some {saved:.0f} s and costs {cost:.0f}"
    if compiling == "off":
        pays = saved > 2 * cost and device == "cpu" and not pack.step.obstacle
        advice = f"resources: {{compile: on}} would pay: {account}" if pays else account
        return Arithmetic("stacked", advice, notable=pays, memory=memory)
    obstacle = pack.step.obstacle or _untraceable(members, make, seen)
    if obstacle:
        return Arithmetic("stacked", f"not compiled: {obstacle}", memory=memory)
    return Arithmetic(f"compiled@{width}", f"compiled at {width} lanes: {account}", memory=memory)


def compile_ahead(trial: Trial, dataset: Dataset, data: Data, asked: Arithmetic) -> None:
    """Compile the first step of these trials: whoever is to train them reads it from torch's cache.

    Raises:
        ValueError: it cannot be compiled here. Then nothing is settled: the study says how it computes, and no machine
            answers otherwise by what it has.
        OSError, MemoryError: the machine's doing.
    """
    member = replace(trial, reads_test=False, thresholds=(), numbers=_starts(trial), arithmetic=asked.name)
    width, rule = compiled_width(asked.name) or 1, "resources: {compile: on}"
    if width > (fits := holds(asked.memory, places=os.cpu_count() or 1, device="cpu")):
        raise ValueError(f"{rule} trains {width} members at once, memory holds {fits}: expected compile: off, or pack")
    if not has_compiler():
        raise ValueError(f"{rule} needs a C++ compiler (CXX, or g++), there is none here: expected compile: off")
    seen = parts(member, dataset, data, torch.device("cpu"))
    try:
        Pack([member], [_untrained(member, dataset, seen)], seen).first_update()
    except CompilerError as error:
        raise ValueError(f"{rule}: {error}") from error


class Operations(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the operations of matrix products and convolutions, and the calls of torch's functions.

    torch's FlopCounterMode counts the same and loads torch.compile for it, which takes seconds before the first trial.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total, self.calls = 0, 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += 1
        out = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func._overloadpacket)
        if formula is not None:
            self.total += formula(*args, **(kwargs or {}), out_val=out)
        return out


def member_steps(study: Study, trial: Trial) -> int:
    """Steps that the study asks for, of all trials of this one's structure together: counted from the file."""
    assert study.facts is not None, "counting steps needs the facts of the data"
    rows = study.facts.folds[trial.fold].counts["train"]
    steps = max(1, rows // int(trial.train["batch_size"])) * int(trial.train["epochs"])
    fresh = study.finalists.points * study.finalists.seeds if study.finalists.points > 1 else 0
    trials = study.confirm.seeds
    if trial.trains != "student":
        trials += study.teachers.trials + study.finalists.seeds + 1
    elif control(trial.control).searched or not (trial.control or trial.dropped) or (trial.dropped and study.retune):
        trials += study.search.trials + fresh
    return trials * study.search.repeats * steps


def _untrained(member: Trial, dataset: Dataset, seen: dict[Any, Tensors]) -> Models:
    """The networks of a trial as they are initialised, whatever is to be loaded into them."""
    weights = initial(member, dataset.card)
    return models(member, dataset.card, seen["train"], weights, device=torch.device("cpu"), workers=Workers())


def _small(trial: Trial, dataset: Dataset, data: Data) -> tuple[Trial, dict[Any, Tensors], int]:
    """The trial for one step of a few rows, these, and how many there are: from the first step on, so that critics are
    tried as well."""
    trial = replace(trial, reads_test=False)
    whole = parts(trial, dataset, data, torch.device("cpu"))
    seen = {part: _first(tensors) for part, tensors in whole.items()}
    train = {**trial.train, "epochs": 1, "batch_size": min(ROWS, len(seen["train"]))}
    return replace(trial, train=train, thresholds=(), numbers=_starts(trial)), seen, len(whole["train"])


def _starts(trial: Trial) -> dict[str, float]:
    """Every term from the first step on."""
    terms = methods.load(trial.method).terms(trial.choices)
    return {f"{name}.start": 0.0 for name in terms if name not in trial.dropped}


def _of_samples(pack: Pack, few: int, rows: int) -> float:
    """Bytes that terms keep of every training row (memory banks), where there are so many more than tried."""
    buffers = pack.step.buffers["objective"].values()
    return rows / few * sum(values.nbytes for values in buffers if values.dim() > 1 and values.shape[1] == few)


@contextlib.contextmanager
def _saved() -> Iterator[dict[int, int]]:
    """Bytes that are kept for the backward pass, by storage: each once, however often it is read."""
    sizes: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        yield sizes


@contextlib.contextmanager
def _fallbacks_are_errors() -> Iterator[None]:
    """A slow loop in a layer's place is announced by a warning, once per process unless asked always."""
    show: Any = getattr(torch._C, "_debug_only_display_vmap_fallback_warnings", lambda on: None)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*batching rule.*")
        show(True)
        try:
            yield
        finally:
            show(False)


def _untraceable(members: list[Trial], make: Any, seen: dict[Any, Tensors]) -> str:
    """Why a step cannot be traced; "" where it can: it takes two, for the second is compared with the step as it is."""
    members = [replace(member, train={**member.train, "epochs": 2}) for member in members]
    pack = Pack(members, [make(member) for member in members], seen)
    pack.step.traces.on = pack.step.traces.strict = True
    try:
        # The second step is compared to the last bit: sums are added in one order.
        with one_thread():
            for _ in pack.epochs():
                pass
    except Exception as error:
        if of_the_machine(error):
            raise
        return f"it cannot be traced: {_first_line(error)}{_where(error)}"
    return ""


def _first(part: Tensors) -> Tensors:
    """A few rows of a part, enough for one step; from all over it: data sorted by class would show one class."""
    few = torch.linspace(0, len(part) - 1, min(ROWS, len(part)), device=part.labels.device).long()
    return replace(
        part,
        inputs={name: values[few] for name, values in part.inputs.items()},
        present={name: there[few] for name, there in part.present.items()},
        labels=part.labels[few],
        ids=part.ids[few.cpu().numpy()],
        labelled=part.labelled[few] if part.labelled is not None else None,
    )


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]


def _where(error: BaseException) -> str:
    """The line of a network or term that stands in the way."""
    at = error.__traceback__
    line = ""
    while at is not None:
        file = at.tb_frame.f_code.co_filename
        if "torch" not in file and "/engine/" not in file:
            line = f" ({file}:{at.tb_lineno})"
        at = at.tb_next
    return line
