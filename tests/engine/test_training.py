"""One trial: what decides its numbers, and what does not."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch

from kdsweep import methods
from kdsweep.data.dataset import Dataset
from kdsweep.engine import build as models
from kdsweep.engine.faults import Fault
from kdsweep.engine.stopping import falls_behind
from kdsweep.engine.streams import seed_of, stream
from kdsweep.values.trial import Given, Trial
from tests.helpers.trials import DATA, NETWORKS, Trainer, auxiliary, curve, distilled, one, same, teacher, trial


def test_equal_trials_have_equal_numbers(dataset):
    first, second = (Trainer(dataset)(distilled("amid", reads_test=True)) for _ in range(2))
    assert [(p.epoch, p.metric, p.value) for p in first.points] == [(p.epoch, p.metric, p.value) for p in second.points]
    for role, weights in first.weights.items():
        assert all(torch.equal(value, second.weights[role][name]) for name, value in weights.items())


def test_another_seed_has_other_numbers(trainer):
    assert not same(trainer(trial()), trainer(trial(seed=2)))


TRAINABLE = [name for name in methods.names() if name not in ("teacher", "auxiliary_only", "student_only")]


@pytest.mark.parametrize("method", TRAINABLE)
def test_weight_0_is_the_student_alone_bit_for_bit(method, trainer):
    """Catches terms that consume randomness or optimiser state that is not theirs."""
    found = methods.load(method)
    choices = found.defaults()
    try:
        asked = distilled(method)
        weights = {f"{name}.weight": 0.0 for name in found.terms(choices) if name not in found.required}
        outcome = trainer(replace(asked, numbers=weights, reads_test=True))
    except ValueError as error:
        pytest.skip(str(error))
    if isinstance(outcome, Fault) and "map" in outcome.message:
        pytest.skip("reads feature maps, which these networks have none of")
    assert outcome.state == "complete", outcome.error
    alone = trainer(trial(reads_test=True))
    for name, value in alone.weights["student"].items():
        assert torch.equal(value, outcome.weights["student"][name]), name


@pytest.mark.parametrize("term", ["mi_teacher", "mi_auxiliary", "entropy"])
def test_dropping_a_term_is_giving_it_no_weight(term, trainer):
    dropped = trainer(distilled("amid", dropped=(term,), reads_test=True))
    weightless = trainer(distilled("amid", numbers={f"{term}.weight": 0.0}, reads_test=True))
    for role in ("student", "teacher"):
        for name, value in dropped.weights[role].items():
            assert torch.equal(value, weightless.weights[role][name]), (role, name)


def test_a_trial_that_does_not_read_test_never_has_it(dataset):
    seen = set()

    class Watched(Dataset):
        def select(self, rows):
            seen.update(self.ids[rows])
            return super().select(rows)

    watched = Watched(**{field.name: getattr(dataset, field.name) for field in fields(Dataset)})
    outcome = Trainer(watched)(trial())
    parts = dataset.parts(DATA.split)
    assert seen == set(dataset.ids[parts["train"]]) | set(dataset.ids[parts["valid"]])
    assert outcome.predictions is None
    assert not [point for point in outcome.points if point.metric.startswith("test/")]


def test_test_is_scored_once_at_the_selected_epoch(trainer, dataset):
    outcome = trainer(trial(reads_test=True, select="best_valid"))
    tested = {point.epoch for point in outcome.points if point.metric.startswith("test/")}
    valid = curve(outcome, "valid/accuracy")
    assert tested == {outcome.selected}
    assert outcome.selected == valid.index(max(valid)) + 1
    predicted = outcome.predictions
    assert (predicted["label"] == predicted["prediction"]).mean() == pytest.approx(curve(outcome, "test/accuracy")[0])
    assert ((predicted["rank"] == 0) == (predicted["label"] == predicted["prediction"])).all()
    assert set(predicted["sample"]) == set(dataset.ids[dataset.parts(DATA.split)["test"]])


def test_a_trial_behind_its_threshold_stops_there(trainer):
    outcome = trainer(trial(thresholds=((2, 2.0),)))
    assert outcome.state == "pruned"
    assert len(curve(outcome, "valid/accuracy")) == 2


def test_a_trial_that_reaches_its_threshold_is_the_trial_without_one(trainer):
    outcome = trainer(trial(thresholds=((1, 0.0), (2, 0.0))))
    assert outcome.state == "complete"
    assert same(outcome, trainer(trial()))


def test_nobody_is_judged_before_the_slowest_schedule_is_at_its_height(trainer):
    late = {"kd.start": 0.5, "kd.ramp": 0.4}
    outcome = trainer(distilled("kd", numbers=late, thresholds=((1, 2.0), (2, 2.0))))
    assert outcome.state == "complete"


def test_a_diverged_trial_is_a_result(trainer):
    outcome = trainer(trial(numbers={"train.lr": 1e30, "train.clip": 0.0}))
    assert outcome.state == "failed"
    assert "diverged" in outcome.error


def test_a_model_that_blew_up_in_its_last_step_has_failed(trainer):
    """The loss before the update is finite, and no class scores above NaN: it would be right everywhere."""
    recipe = {**trial().train, "epochs": 1, "batch_size": 180, "lr": 1e15, "clip": 0.0, "warmup": 0.0}
    outcome = trainer(trial(train=recipe, reads_test=True))
    assert outcome.state == "failed"
    assert "valid/accuracy is not finite" in outcome.error


@pytest.mark.parametrize("source_", ["multimodal", "unimodal", "rich"])
def test_a_student_distils_from_whom_its_arm_names(source_, trainer):
    models_ = {
        "multimodal": {"teacher": teacher()},
        "unimodal": {"auxiliaries": {"rich": auxiliary()}},
        "rich": {"teacher": auxiliary()},
    }[source_]
    outcome = trainer(trial("kd", distils_from=source_, **models_))
    assert outcome.state == "complete", outcome.error
    assert not same(outcome, trainer(trial()))


def test_one_auxiliary_model_is_the_same_teacher_by_either_name(trainer):
    one = trainer(trial("kd", distils_from="unimodal", auxiliaries={"rich": auxiliary()}))
    other = trainer(trial("kd", distils_from="rich", teacher=auxiliary()))
    assert same(one, other)


def test_a_given_teacher_is_named_by_its_bytes(tmp_path, trainer, dataset):
    import safetensors.torch

    path = tmp_path / "teacher.safetensors"
    weights = trainer(teacher()).weights["teacher"]
    safetensors.torch.save_file(dict(weights), path)
    brought = Given("weights", "digest", NETWORKS["teacher"], str(path))
    assert brought.id == replace(brought, path="elsewhere").id
    found = one(
        trial("kd", teacher=brought, distils_from="multimodal"),
        dataset,
        lambda model, role: safetensors.torch.load_file(model.path),
    )
    assert same(found, trainer(distilled("kd")))


def test_an_untrained_teacher_is_at_its_initial_weights(trainer, dataset):
    untrained = trainer(teacher(control="untrained_teacher", train={**teacher().train, "epochs": 0}))
    assert untrained.state == "complete"
    fresh = models.network(teacher(), "teacher", dataset.card).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in untrained.weights["teacher"].items())


def test_a_control_of_a_joint_teacher_leaves_the_teacher_untrained(trainer):
    asked = distilled("amid", control="untrained_teacher", dropped=("ce_teacher", "mi_auxiliary"), reads_test=True)
    outcome = trainer(asked)
    assert outcome.state == "complete", outcome.error
    assert set(outcome.weights) == {"student"}


def test_smoothed_labels_take_the_teachers_place(trainer):
    outcome = trainer(trial("kd", control="label_smoothing"))
    assert outcome.state == "complete", outcome.error
    assert not same(outcome, trainer(trial()))


def test_streams_do_not_move_one_another():
    torch.manual_seed(3)
    before = torch.rand(2)
    torch.manual_seed(3)
    with stream(1, "student"):
        torch.rand(100)
    assert torch.equal(torch.rand(2), before)
    assert seed_of(1, "student") != seed_of(1, "teacher") != seed_of(2, "teacher")


def test_arms_start_from_the_same_weights_where_shapes_agree(dataset):
    one = models.network(distilled("kd"), "student", dataset.card).state_dict()
    other = models.network(distilled("amid"), "student", dataset.card).state_dict()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_only_what_is_worse_falls_behind():
    common = {"thresholds": ((2, 0.5),), "not_before": 0.0}
    assert falls_behind(2, 0.49, maximize=True, **common)
    assert not falls_behind(2, 0.5, maximize=True, **common)
    assert falls_behind(2, 0.51, maximize=False, **common)
    assert not falls_behind(1, 0.0, maximize=True, **common)


def test_a_trial_survives_json(dataset):
    asked = distilled("amid", thresholds=((1, 1 / 3),), dropped=("entropy",), numbers={"mi_teacher.weight": 0.1})
    import json

    assert Trial.from_json(json.loads(json.dumps(asked.to_json()))).id == asked.id
    brought = trial("kd", teacher=Given("weights", "d", NETWORKS["teacher"], "x"), distils_from="multimodal")
    assert Trial.from_json(json.loads(json.dumps(brought.to_json()))).id == brought.id


@pytest.mark.parametrize("arithmetic", ["plain", "stacked"])
def test_a_terms_share_of_the_gradient_is_what_its_own_backward_pass_gives(trainer, arithmetic):
    outcome = trainer(distilled("amid", arithmetic=arithmetic, reads_test=True))
    shares = {p.metric.removeprefix("test/gradient/"): p.value for p in outcome.points if "gradient/" in p.metric}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["ce_teacher"] == shares["mi_auxiliary"] == 0
    assert min(shares[name] for name in ("ce", "mi_teacher", "entropy")) > 0
    other = trainer(distilled("amid", arithmetic="plain", reads_test=True))
    again = {p.metric.removeprefix("test/gradient/"): p.value for p in other.points if "gradient/" in p.metric}
    assert shares == pytest.approx(again, abs=1e-3)
