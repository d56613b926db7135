"""A change that should not move numbers does not move them: a toy curve against a committed file.

The file is written again by `python -m tests.engine.test_golden`, and the commit says why the curve had to change.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.engine.loop import run
from kdsweep.values.study import Data, Train
from kdsweep.values.trial import Trial

GOLDEN = Path(__file__).parent.parent / "golden" / "amid.json"
DATA = Data(name="planted", options={"samples": 300, "classes": 3}, student=("plain",), auxiliary=("rich",))
MLP = {"mlp": {"hidden": [8], "embedding": 8, "dropout": 0.1}}
NETWORKS = {
    "student": {"plain": MLP},
    "teacher": {"plain": MLP, "rich": MLP, "fusion": {"concat": {"width": 8}}},
    "rich": {"rich": MLP},
}


def curve() -> dict[str, list[float]]:
    """Losses of three epochs of AMID with all its terms, by name: in float32, plainly, on one thread.

    Not what counts samples: one on the edge between two classes would fall elsewhere on other hardware.
    """
    choices = methods.load("amid").defaults() | {"auxiliary": "joint", "with_kd": True}
    trial = Trial(
        trains="student",
        method="amid",
        code="golden",
        fingerprint="planted",
        rows={"train": "a", "valid": "b", "test": "c"},
        student=("plain",),
        auxiliary=("rich",),
        task="classification",
        select="last",
        metric="accuracy",
        train=Train(epochs=3, batch_size=64, lr=0.01).model_dump(),
        networks=NETWORKS,
        seed=1,
        choices=choices,
        numbers={"entropy.start": 0.0, "entropy.ramp": 0.3},
        reads_test=True,
    )
    torch.set_num_threads(1)
    (outcome,) = run([trial], source.load(DATA), DATA, _no_weights)
    assert outcome.state == "complete", outcome.error
    found: dict[str, list[float]] = {}
    for point in outcome.points:
        if not point.metric.startswith("train/") and not point.metric.endswith("log_loss"):
            continue
        found.setdefault(point.metric, []).append(point.value)
    return found


def _no_weights(*_: object) -> None:
    raise AssertionError("nothing here is trained beforehand")


@pytest.fixture(scope="module")
def found() -> dict[str, list[float]]:
    return curve()


def test_the_curve_holds_every_term(found):
    losses = {name.removeprefix("train/loss/") for name in found if name.startswith("train/loss/")}
    assert losses == {"ce", "ce_teacher", "ce_auxiliary", "mi_teacher", "mi_auxiliary", "entropy", "kd"}


def test_the_curve_is_the_committed_one(found):
    golden = json.loads(GOLDEN.read_text())
    assert found.keys() == golden.keys()
    for name, values in golden.items():
        assert found[name] == pytest.approx(values, rel=1e-4), (
            f"{name} was {values} and is {found[name]}: the training of trials has changed. If it has to, raise "
            "`REVISION` in kdsweep/engine or the method's `revision`, so that no stored result is taken for a new "
            "one, run `python -m tests.engine.test_golden`, and say why in the commit and in CHANGELOG.md"
        )


if __name__ == "__main__":
    GOLDEN.parent.mkdir(exist_ok=True)
    GOLDEN.write_text(json.dumps(curve(), indent=1) + "\n")
