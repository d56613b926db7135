"""Trials, from their descriptions to their outcomes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from kdsweep.data.dataset import Dataset
from kdsweep.engine import scoring
from kdsweep.engine.build import Models, Weights, models, parts, recipe
from kdsweep.engine.faults import Fault, Suspected, ends_the_process, fault_of, of_memory, of_the_machine
from kdsweep.engine.frozen import FrozenModel, Recall
from kdsweep.engine.interface import Epoch, Training, WeightsByRole
from kdsweep.engine.probes import NetworkOutputs, probes
from kdsweep.engine.single import Run
from kdsweep.engine.stacked.pack import Pack
from kdsweep.engine.stopping import falls_behind
from kdsweep.engine.workers import Workers
from kdsweep.tasks import registry as tasks
from kdsweep.tasks.base import Judged, Predictions
from kdsweep.values.paper import Paper
from kdsweep.values.study import Data
from kdsweep.values.trial import Trial

State = Literal["complete", "pruned", "failed"]


class Point(NamedTuple):
    """One metric at one epoch; `seconds` is what the epoch took."""

    epoch: int
    metric: str
    value: float
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes:
        selected: the epoch whose weights count; 0 where nothing was trained.
        points: the curves, and the scores of the selected epoch on test where the trial reads it.
        weights: by role, where somebody will read them.
        numbers: every number of the objective and the recipe, set or default.
        papers: where each term comes from.
        error: why it failed.
    """

    trial: Trial
    state: State
    selected: int = 0
    points: list[Point] = field(default_factory=list)
    weights: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)
    predictions: Predictions | None = None
    numbers: Mapping[str, float] = field(default_factory=dict)
    papers: Mapping[str, tuple[Paper, ...]] = field(default_factory=dict)
    error: str = ""


def run(
    trials: Sequence[Trial],
    dataset: Dataset,
    data: Data,
    weights: Weights,
    *,
    device: torch.device | None = None,
    workers: Workers | None = None,
    recall: Recall = lambda model, part, compute: compute(),
    suspected: Suspected | None = None,
) -> Iterator[Outcome | Fault]:
    """Train one trial, or several of one structure as a pack, and yield each outcome as it is there.

    A trial that raises gives a Fault, or has failed where another process saw it raise the same (`faults`). Faults of
    the machine are raised, but for a pack that does not fit the memory: it is halved.

    Args:
        trials: one, or several that stack (`Trial.arithmetic`).
        weights: the stored weights of a trained model and role.
        recall: what a frozen model says of a part, where somebody has computed it before.
        suspected: what these trials raised before, by id.

    Raises:
        Exception: the machine's doing, not the trial's (`faults.of_the_machine`).
    """
    device, workers = device or torch.device("cpu"), workers or Workers()
    # What a pack's own loop yields are outcomes: it raises faults.
    ended: set[str] = set()
    try:
        for outcome in _run(trials, dataset, data, weights, device, workers, recall):
            ended.add(outcome.trial.id)
            yield outcome
        return
    except Exception as error:
        left = [trial for trial in trials if trial.id not in ended]
        if not left:
            # All have ended, and what they gave is there.
            return
        if ends_the_process(error) or (len(left) == 1 and of_the_machine(error)):
            raise
        if len(left) == 1:
            fault, before = fault_of(error, left[0].id), (suspected or {}).get(left[0].id, ())
            yield Outcome(left[0], "failed", error=fault.text) if fault.confirms(before) else fault
            return
        half = (len(left) + 1) // 2 if of_memory(error) else 1
    # Whose fault it was shows when they run apart; nobody's numbers depend on it.
    for at in range(0, len(left), half):
        some = left[at : at + half]
        yield from run(some, dataset, data, weights, device=device, workers=workers, recall=recall, suspected=suspected)


class Record:
    """One member's way through training: what it has reached, and whether it goes on."""

    def __init__(self, trial: Trial, *, total: int, full_height: float) -> None:
        self.trial, self.total, self.full_height = trial, total, full_height
        self.points: list[Point] = []
        self.state: State = "complete"
        self.error, self.selected, self._best = "", 0, -math.inf

    def add(self, epoch: Epoch) -> bool:
        """Take an epoch's numbers in. True where its weights are the best so far and have to be kept."""
        self.points += [Point(epoch.number, name, value, epoch.seconds) for name, value in epoch.metrics.items()]
        value = epoch.metrics[f"valid/{self.trial.metric}"]
        maximize = tasks.load(self.trial.task).metrics[self.trial.metric].maximize
        if not epoch.finite or not math.isfinite(value):
            what = "train/loss" if not epoch.finite else f"valid/{self.trial.metric}"
            self.state, self.error = "failed", f"diverged in epoch {epoch.number} of {self.total}: {what} is not finite"
            return False
        if falls_behind(
            epoch.number,
            value,
            thresholds=self.trial.thresholds,
            maximize=maximize,
            not_before=self.full_height * self.total,
        ):
            self.state = "pruned"
        signed = value if maximize else -value
        if self.trial.select == "best_valid" and signed <= self._best:
            return False
        self._best, self.selected = max(signed, self._best), epoch.number
        return self.trial.select == "best_valid"

    @property
    def goes_on(self) -> bool:
        return self.state == "complete"


def _run(
    trials: Sequence[Trial],
    dataset: Dataset,
    data: Data,
    weights: Weights,
    device: torch.device,
    workers: Workers,
    recall: Recall,
) -> Iterator[Outcome]:
    seen = parts(trials[0], dataset, data, device)
    frozen: dict[str, FrozenModel] = {}
    made = [
        models(
            trial,
            dataset.card,
            seen["train"],
            weights,
            device=device,
            workers=workers,
            test=seen.get("test"),
            frozen_before=frozen,
            recall=recall,
        )
        for trial in trials
    ]
    training: Training
    training = (
        Run(trials[0], made[0], seen, workers) if trials[0].arithmetic == "plain" else Pack(trials, made, seen, workers)
    )
    total = int(trials[0].train["epochs"])
    records = [Record(t, total=total, full_height=training.full_height(lane)) for lane, t in enumerate(trials)]
    kept: dict[str, WeightsByRole] = {}
    for epochs in training.epochs():
        for lane, (record, epoch) in enumerate(zip(records, epochs, strict=True)):
            if record.add(epoch):
                kept[record.trial.id] = training.weights(lane)
        for lane, record in enumerate(records):
            if not record.goes_on:
                yield _outcome(record, training, lane)
        staying = [lane for lane, record in enumerate(records) if record.goes_on]
        training.keep(staying)
        records = [records[lane] for lane in staying]
        if not records:
            return
    if total == 0:
        for record, own in zip(records, training.scores("valid"), strict=True):
            record.points += [Point(0, f"valid/{name}", value, 0.0) for name, value in own.items()]
    for lane, record in enumerate(records):
        if record.trial.id in kept:
            training.load(lane, kept[record.trial.id])
    if not trials[0].reads_test:
        yield from (_outcome(record, training, lane, weights=True) for lane, record in enumerate(records))
        return
    task = tasks.load(trials[0].task)
    tested = {role: scoring.judged(task, training, role, "test") for role in made[0].trained}
    by_id = {trial.id: own for trial, own in zip(trials, made, strict=True)}
    probe_metrics = _probes([by_id[record.trial.id] for record in records], training, tested)
    # Several workers see a slice each: nobody has the whole gradient.
    terms = training.gradients() if workers.size == 1 and total else [{} for _ in records]
    for lane, (record, own) in enumerate(zip(records, scoring.scores(task, tested), strict=True)):
        metrics = {**own, **probe_metrics[lane], **{f"gradient/{name}": share for name, share in terms[lane].items()}}
        if not math.isfinite(own[record.trial.metric]):
            record.state, record.error = "failed", f"diverged: test/{record.trial.metric} is not finite"
            yield _outcome(record, training, lane)
            continue
        record.points += [Point(record.selected, f"test/{name}", value, 0.0) for name, value in metrics.items()]
        kept_of_test = scoring.predictions(task, tested["network"][lane])
        yield _outcome(record, training, lane, weights=True, predictions=kept_of_test)


def _probes(
    made: Sequence[Models], training: Training, tested: Mapping[str, Sequence[Judged]]
) -> list[dict[str, float]]:
    """Each member's probes between the embeddings of its networks and of the models that it read."""
    trained = {
        role: [
            NetworkOutputs(of_train, of.outputs)
            for of_train, of in zip(training.outputs(role, "train"), of_test, strict=True)
        ]
        for role, of_test in tested.items()
    }
    metrics = []
    for lane, own in enumerate(made):
        mine = {role: outputs[lane] for role, outputs in trained.items()}
        read = {role: NetworkOutputs(own.frozen[role], of_test) for role, of_test in own.frozen_test.items()}
        teacher = mine.get("teacher", read.pop("teacher", None))
        trained_here = {name: mine[f"auxiliary {name}"] for name in own.auxiliaries}
        metrics.append(probes(mine["network"], teacher, {**read, **trained_here}))
    return metrics


def _outcome(
    record: Record,
    training: Training,
    lane: int,
    *,
    weights: bool = False,
    predictions: Predictions | None = None,
) -> Outcome:
    trial = record.trial
    # A student's weights are read by nobody until it is confirmed.
    keeps = weights and (trial.reads_test or trial.trains != "student")
    searched = {f"train.{name}": float(v) for name, v in recipe(trial).items() if isinstance(v, int | float)}
    return Outcome(
        trial,
        record.state,
        record.selected,
        record.points,
        _weights(trial, training.weights(lane)) if keeps else {},
        predictions,
        {**training.numbers(lane), **searched},
        training.objective.papers(),
        record.error,
    )


def _weights(trial: Trial, weights: WeightsByRole) -> dict[str, dict[str, Tensor]]:
    """By role: the trial's own network under what it trains, a teacher or auxiliary model trained with it beside."""
    roles = {"network": trial.trains, "teacher": "teacher"}
    return {
        roles.get(name, name.removeprefix("auxiliary ")): {key: value.cpu().contiguous() for key, value in own.items()}
        for name, own in weights.items()
    }
