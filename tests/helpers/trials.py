"""Small trials of every method on planted data, and what trains them, alone and in packs."""

from __future__ import annotations

from dataclasses import replace

import torch

from kdsweep import methods
from kdsweep.data.dataset import Dataset
from kdsweep.engine.build import models, parts
from kdsweep.engine.faults import Fault
from kdsweep.engine.loop import Outcome, run
from kdsweep.engine.workers import Workers
from kdsweep.values.study import Data, Train
from kdsweep.values.trial import Trial

DEVICE = torch.device("cpu")
DATA = Data(name="planted", options={"samples": 300, "classes": 3}, student=("plain",), auxiliary=("rich",))
MLP = {"mlp": {"hidden": [8], "embedding": 8, "dropout": 0.0}}
FUSION = {"concat": {"width": 8}}
NETWORKS = {
    "student": {"plain": MLP},
    "teacher": {"plain": MLP, "rich": MLP, "fusion": FUSION},
    "rich": {"rich": MLP},
}
WITHOUT_MAPS = [name for name in methods.names() if name not in ("at", "nst", "ickd", "teacher", "auxiliary_only")]


def trial(method: str = "student_only", **changes) -> Trial:
    choices = methods.load(method).defaults()
    joint = methods.load(method).teacher(choices) == "joint"
    reads = method not in ("student_only",)
    whole = {
        "trains": "student",
        "method": method,
        "code": "test",
        "fingerprint": "planted",
        "rows": {"train": "a", "valid": "b", "test": "c"},
        "student": ("plain",),
        "auxiliary": ("rich",) if reads else (),
        "task": "classification",
        "select": "last",
        "metric": "accuracy",
        "train": Train(epochs=3, batch_size=64, lr=0.01).model_dump(),
        "networks": {name: NETWORKS[name] for name in (("student", "teacher") if joint else ("student",))},
        "seed": 1,
        "choices": choices,
    }
    return Trial(**{**whole, **changes})


def teacher(**changes) -> Trial:
    return trial("teacher", trains="teacher", networks={"teacher": NETWORKS["teacher"]}, **changes)


def auxiliary(**changes) -> Trial:
    return trial("auxiliary_only", trains="rich", student=(), networks={"rich": NETWORKS["rich"]}, **changes)


def distilled(method: str, **changes) -> Trial:
    """A trial of any method, with the models that it reads."""
    found = methods.load(method)
    choices = found.defaults()
    frozen = found.teacher(choices) == "frozen"
    return trial(
        method,
        teacher=teacher() if frozen else None,
        distils_from="multimodal" if frozen else "",
        auxiliaries={"rich": auxiliary()} if found.auxiliary(choices) == "frozen" else {},
        **changes,
    )


def stacked(asked: Trial, **changes) -> Trial:
    return replace(asked, arithmetic="stacked", **changes)


class Trainer:
    """Trains trials once each, with the models that they read."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset, self.done = dataset, {}

    def __call__(self, asked: Trial) -> Outcome:
        if asked.id not in self.done:
            self.done[asked.id] = one(asked, self.dataset, lambda model, role: self(model).weights[role])
        return self.done[asked.id]


def one(asked: Trial, dataset: Dataset, weights) -> Outcome | Fault:
    """What became of it; what it raises is a Fault."""
    (outcome,) = run([asked], dataset, DATA, weights)
    return outcome


def train(trials: list[Trial], trainer: Trainer) -> dict[str, Outcome]:
    found = run(trials, trainer.dataset, DATA, lambda model, role: trainer(model).weights[role])
    return {outcome.trial.id: outcome for outcome in found}


def build(asked: Trial, trainer: Trainer):
    seen = parts(asked, trainer.dataset, DATA, DEVICE)
    made = models(
        asked, trainer.dataset.card, seen["train"], lambda m, r: trainer(m).weights[r], device=DEVICE, workers=Workers()
    )
    return made, seen


def curve(outcome: Outcome, metric: str) -> list[float]:
    return [point.value for point in outcome.points if point.metric == metric]


def numbers(outcome: Outcome) -> list[tuple[int, str, float]]:
    return [(point.epoch, point.metric, point.value) for point in outcome.points]


def same(a: Outcome, b: Outcome) -> bool:
    points = [[(p.epoch, p.metric, p.value) for p in o.points if p.metric.startswith("valid/")] for o in (a, b)]
    return points[0] == points[1]


def assert_equal(one: Outcome, other: Outcome) -> None:
    assert one.state == other.state
    assert numbers(one) == numbers(other)
    for role, weights in one.weights.items():
        for name, value in weights.items():
            assert torch.equal(value, other.weights[role][name]), (role, name)
