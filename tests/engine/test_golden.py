"""A change that should not move numbers does not move them: toy curves against committed files.

The files are written again by `python -m tests.engine.test_golden`, and the commit says why a curve had to change.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.engine.build import initial
from kdsweep.engine.loop import run
from kdsweep.engine.stacked.compile import has_compiler
from kdsweep.run.machine import equal_products
from kdsweep.values.study import Data, Train
from kdsweep.values.trial import Trial

GOLDEN = Path(__file__).parent.parent / "golden"
PLANTED = Data(name="planted", options={"samples": 300, "classes": 3}, student=("plain",), auxiliary=("rich",))
DIGITS = Data(name="digits", options={}, student=("top",), auxiliary=("bottom",))
MLP = {"mlp": {"hidden": [8], "embedding": 8, "dropout": 0.0}}
CNN = {"cnn": {"channels": [4, 8], "embedding": 8}}
# With noise in the networks, which only plain trials have.
NOISY = {"mlp": {"hidden": [8], "embedding": 8, "dropout": 0.1}}

# One method of each family, and AMID with all of its terms.
CHOICES: dict[str, Mapping[str, object]] = {
    "amid": {"auxiliary": "joint", "with_kd": True},
    "kd": {},
    "fitnet": {},
    "rkd": {},
    "crd": {},
    "infonce": {},
    "at": {},
    "mfh": {},
    "adv": {},
}
COMPILED = ("kd",)
CURVES = [
    *((method, "plain") for method in CHOICES),
    *((method, "stacked") for method in CHOICES),
    *((method, "compiled@2") for method in COMPILED),
]


def file(method: str, arithmetic: str) -> Path:
    kind = arithmetic.partition("@")[0]
    return GOLDEN / (f"{method}.json" if kind == "plain" else f"{method}.{kind}.json")


def asked(method: str, arithmetic: str) -> tuple[Trial, Data]:
    """A toy trial of a method. What its teachers say is that of their initial weights."""
    data = DIGITS if method == "at" else PLANTED
    (student,), (auxiliary,) = data.student, data.auxiliary
    part = CNN if method == "at" else NOISY if (method, arithmetic) == ("amid", "plain") else MLP
    networks = {
        "student": {student: part},
        "teacher": {student: part, auxiliary: part, "fusion": {"concat": {"width": 8}}},
        auxiliary: {auxiliary: part},
    }
    recipe = methods.load(method)
    choices = recipe.defaults() | CHOICES[method]
    starts = {f"{name}.start": 0.0 for name in recipe.terms(choices) if f"{name}.start" in recipe.numbers(choices, ())}
    trial = Trial(
        trains="student",
        method=method,
        code="golden",
        fingerprint=data.name or "",
        rows={"train": "a", "valid": "b", "test": "c"},
        student=data.student,
        auxiliary=data.auxiliary,
        task="classification",
        select="last",
        metric="accuracy",
        train=Train(epochs=3, batch_size=64, lr=0.01).model_dump(),
        networks=networks,
        seed=1,
        choices=choices,
        numbers={"entropy.start": 0.0, "entropy.ramp": 0.3} if method == "amid" else starts,
        reads_test=True,
        arithmetic=arithmetic,
    )
    frozen, reads = recipe.teacher(choices) == "frozen", recipe.auxiliary(choices) == "frozen"
    teacher = replace(trial, trains="teacher", method="teacher", choices={}, numbers={}, arithmetic="plain")
    model = replace(teacher, trains=auxiliary, method="auxiliary_only", student=())
    # Only a model of one modality shows a map.
    maps = method == "at"
    trial = replace(
        trial,
        teacher=(model if maps else teacher) if frozen else None,
        distils_from=(auxiliary if maps else "multimodal") if frozen else "",
        auxiliaries={auxiliary: model} if reads else {},
    )
    return trial, data


def curve(method: str, arithmetic: str) -> dict[str, list[float]]:
    """Losses of three epochs of a method, by name: in float32, on one thread, in a pack of two where it is stacked.

    Not what counts samples: one on the edge between two classes would fall elsewhere on other hardware.
    """
    trial, data = asked(method, arithmetic)
    dataset = source.load(data.reference)
    company = [] if arithmetic == "plain" else [replace(trial, seed=2, numbers={**trial.numbers, "train.lr": 0.003})]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        outcomes = {o.trial.id: o for o in run([trial, *company], dataset, data, initial(trial, dataset.card))}
    finally:
        torch.set_num_threads(threads)
    outcome = outcomes[trial.id]
    assert outcome.state == "complete", outcome.error
    curves: dict[str, list[float]] = {}
    for point in outcome.points:
        if not point.metric.startswith("train/") and not point.metric.endswith("log_loss"):
            continue
        curves.setdefault(point.metric, []).append(point.value)
    return curves


def test_amids_curve_holds_every_term():
    golden = json.loads(file("amid", "plain").read_text())
    losses = {name.removeprefix("train/loss/") for name in golden if name.startswith("train/loss/")}
    assert losses == {"ce", "ce_teacher", "ce_auxiliary", "mi_teacher", "mi_auxiliary", "entropy", "kd"}


def marks(arithmetic: str) -> list[pytest.MarkDecorator]:
    no_compiler = pytest.mark.skipif(not has_compiler(), reason="no C++ compiler here: nothing can be compiled")
    return [no_compiler, pytest.mark.slow] if arithmetic.startswith("compiled") else []


@pytest.mark.parametrize(
    ("method", "arithmetic"),
    [pytest.param(method, arithmetic, marks=marks(arithmetic)) for method, arithmetic in CURVES],
)
def test_a_curve_is_the_committed_one(method, arithmetic):
    golden, now = json.loads(file(method, arithmetic).read_text()), curve(method, arithmetic)
    assert now.keys() == golden.keys()
    for name, values in golden.items():
        assert now[name] == pytest.approx(values, rel=1e-4), (
            f"{name} was {values} and is {now[name]}: the training of trials has changed. If it has to, raise "
            "`REVISION` in kdsweep/engine or the method's `revision`, so that no stored result is taken for a new "
            "one, run `python -m tests.engine.test_golden`, and say why in the commit and in CHANGELOG.md"
        )


if __name__ == "__main__":
    equal_products()
    for method, arithmetic in CURVES:
        file(method, arithmetic).write_text(json.dumps(curve(method, arithmetic), indent=1) + "\n")
