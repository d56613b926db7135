"""AMID's short cut and its cure, end to end on data whose hidden part is known: three seeds, a pack of them."""

from __future__ import annotations

import statistics
from dataclasses import replace

import pytest

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.engine.loop import Outcome, run
from kdsweep.values.study import Data, Train
from kdsweep.values.trial import Trial

pytestmark = pytest.mark.slow

SEEDS = (1, 2, 3)
DATA = Data(name="planted", options={"samples": 1500}, student=("plain",), auxiliary=("rich",))
WIDE, NARROW = (
    {"mlp": {"hidden": [hidden], "embedding": width, "dropout": 0.0}} for hidden, width in ((64, 16), (16, 2))
)
LABELS_ALONE = ("mi_teacher", "mi_auxiliary", "entropy")


class Science:
    """Trains AMID with some of its terms at some numbers, and tells what became of each seed."""

    def __init__(self) -> None:
        self.dataset = source.load(DATA.reference)
        common = {
            "code": "test",
            "fingerprint": "planted",
            "rows": {"train": "a", "valid": "b", "test": "c"},
            "auxiliary": ("rich",),
            "task": "classification",
            "select": "last",
            "metric": "accuracy",
            "train": Train(epochs=20, batch_size=128, lr=0.003).model_dump(),
            "reads_test": True,
            "arithmetic": "stacked",
        }
        self.auxiliary = Trial(
            trains="rich", method="auxiliary_only", student=(), networks={"rich": {"rich": WIDE}}, **common
        )
        teacher = {"plain": WIDE, "rich": WIDE, "fusion": {"concat": {"width": 16}}}
        self.amid = Trial(
            trains="student",
            method="amid",
            student=("plain",),
            networks={"student": {"plain": WIDE}, "teacher": teacher},
            choices=methods.load("amid").defaults(),
            **common,
        )
        self.told: dict[str, list[dict]] = {}
        self.weights = {o.trial.id: o.weights for o in self._run([replace(self.auxiliary, seed=s) for s in SEEDS])}

    def __call__(self, dropped: tuple[str, ...], numbers: dict[str, float] | None = None, **changes) -> list[dict]:
        models = {seed: replace(self.auxiliary, seed=seed) for seed in SEEDS}
        asked = replace(self.amid, dropped=dropped, numbers=numbers or {}, **changes)
        if asked.id in self.told:
            return self.told[asked.id]
        outcomes = self._run([replace(asked, seed=s, auxiliaries={"rich": model}) for s, model in models.items()])
        assert [outcome.state for outcome in outcomes] == ["complete"] * len(SEEDS)
        self.told[asked.id] = [
            {p.metric.removeprefix("test/"): p.value for p in o.points if "test/" in p.metric} for o in outcomes
        ]
        return self.told[asked.id]

    def _run(self, trials: list[Trial]) -> list[Outcome]:
        return list(run(trials, self.dataset, DATA, lambda model, role: self.weights[model.id][role]))


@pytest.fixture(scope="module")
def science() -> Science:
    return Science()


def mean(found: list[dict], metric: str) -> float:
    return statistics.fmean(seed[metric] for seed in found)


def every_seed(found: list[dict], metric: str) -> list[float]:
    return [seed[metric] for seed in found]


def test_pulled_hard_the_teacher_becomes_weak_and_the_auxiliary_term_keeps_what_it_knew(science):
    strong = science(LABELS_ALONE)
    weak = science(("mi_auxiliary", "entropy"), {"mi_teacher.weight": 50.0})
    cured = science(("entropy",), {"mi_teacher.weight": 50.0, "mi_auxiliary.weight": 50.0})
    assert mean(weak, "teacher_accuracy") < mean(strong, "teacher_accuracy") - 0.15
    held = "explained/auxiliary_from_teacher"
    assert max(every_seed(weak, held)) < min(every_seed(strong, held)) - 0.2
    assert min(every_seed(cured, held)) > max(every_seed(weak, held)) + 0.3
    assert mean(cured, "teacher_accuracy") > mean(weak, "teacher_accuracy")


def test_without_its_labels_the_teacher_lets_go_of_the_auxiliary_modality_unless_a_term_holds_it(science):
    weak = science(("ce_teacher", "mi_auxiliary", "entropy"))
    cured = science(("ce_teacher", "entropy"))
    held = "explained/auxiliary_from_teacher"
    assert min(every_seed(cured, held)) > max(every_seed(weak, held)) + 0.3


ENTROPY_ALONE = {"ce.weight": 0.0, "entropy.weight": 1.0, "entropy.start": 0.0, "entropy.ramp": 0.0}
STEADY = Train(epochs=50, batch_size=128, lr=0.001, clip=0.0, schedule="constant", warmup=0.0).model_dump()


@pytest.mark.parametrize("form", ["pair", "joint", "gaussian"])
def test_the_entropy_alone_makes_a_narrow_student_tell_more_of_the_teacher(science, form):
    """Without labels of its own, for every seed."""
    common = {"networks": {**science.amid.networks, "student": {"plain": NARROW}}, "train": STEADY}
    untold = science(LABELS_ALONE, {"ce.weight": 0.0}, **common)
    told = science(
        ("mi_teacher", "mi_auxiliary"), ENTROPY_ALONE, choices={**science.amid.choices, "entropy_form": form}, **common
    )
    name = "explained/teacher_from_student"
    assert all(
        after > before + 0.03 for before, after in zip(*(every_seed(f, name) for f in (untold, told)), strict=True)
    )


@pytest.mark.parametrize("form", ["joint", "gaussian"])
def test_beside_labels_two_forms_of_the_entropy_still_make_the_student_tell_more(science, form):
    """`pair` does not: its discriminator's gradients cost the labels more than they tell."""
    networks = {**science.amid.networks, "student": {"plain": NARROW}}
    labels = science(LABELS_ALONE, networks=networks)
    numbers = {"entropy.weight": 10.0, "entropy.start": 0.0, "entropy.ramp": 0.0}
    choices = {**science.amid.choices, "entropy_form": form}
    told = science(("mi_teacher", "mi_auxiliary"), numbers, choices=choices, networks=networks)
    assert mean(told, "explained/teacher_from_student") > mean(labels, "explained/teacher_from_student") + 0.01
