"""Parts of a network: brought weights, frozen parts, learning rates of their own, and whole networks of a user's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from kdsweep import networks
from kdsweep.data import registry as source
from kdsweep.data.tensors import to_tensors
from kdsweep.engine import evaluation
from kdsweep.engine.build import network
from kdsweep.engine.workers import Workers
from kdsweep.networks.network import build
from kdsweep.run.launch import with_facts
from kdsweep.values.card import Modality
from kdsweep.values.trial import Given, Trial
from kdsweep.values.user_code import ChangedSource
from tests.helpers.fakes import run, study
from tests.helpers.trials import DATA, Trainer, assert_equal, curve, distilled, stacked, teacher, train, trial

CARD = source.load(DATA.reference).card
NET = {"module": "tests.helpers.modules_of_a_user:Net", "embedding": "body", "head": "fc"}
BOTH = {**NET, "module": {"tests.helpers.modules_of_a_user:Net": {"modalities": 2}}}


@pytest.fixture
def weights(tmp_path) -> str:
    """Weights of the student's encoder, as somebody else trained them."""
    encoder = network(trial(seed=77), "student", CARD).encoders[0]
    path = str(tmp_path / "encoder.safetensors")
    safetensors.torch.save_file(encoder.state_dict(), path)
    return path


def student(**options) -> dict:
    written = {"mlp": {"hidden": [8], "embedding": 8}, **options}
    return {"student": {"plain": networks.complete(written, kind="vector")}}


def test_a_part_starts_from_the_weights_that_it_names(weights):
    made = network(trial(networks=student(weights=weights)), "student", CARD)
    brought = safetensors.torch.load_file(weights)
    assert all(torch.equal(made.encoders[0].state_dict()[name], value) for name, value in brought.items())


def test_weights_are_named_by_their_bytes_wherever_they_lie(weights, tmp_path):
    elsewhere = tmp_path / "copy.safetensors"
    elsewhere.write_bytes(Path(weights).read_bytes())
    one, other = (trial(networks=student(weights=str(path))) for path in (weights, elsewhere))
    assert one.id == other.id != trial(networks=student()).id
    assert Trial.from_json(one.to_json()) == one


def test_weights_that_changed_or_do_not_fit_are_refused(weights):
    asked = trial(networks=student(weights=weights))
    safetensors.torch.save_file({"other": torch.zeros(1)}, weights)
    with pytest.raises(ChangedSource, match="has changed since the study was read"):
        network(asked, "student", CARD)
    with pytest.raises(ValueError, match="does not fit"):
        network(trial(networks=student(weights=weights)), "student", CARD)


@pytest.mark.parametrize("arithmetic", ["plain", "stacked"])
def test_a_frozen_part_stays_as_it_is_and_the_rest_learns(arithmetic, trainer):
    asked = trial(networks=student(freeze=True), arithmetic=arithmetic, reads_test=True)
    before = network(asked, "student", CARD).state_dict()
    after = trainer(asked).weights["student"]
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert moved == {"head.weight", "head.bias"}


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_part_learns_at_its_own_rate_alone_and_in_a_pack(optimizer, trainer):
    recipe = {**trial().train, "optimizer": optimizer, "epochs": 1, "clip": 0.0, "weight_decay": 0.0}
    slow = trial(networks=student(lr_scale=1e-3), reads_test=True, train=recipe)
    plain, pack = trainer(slow), train([stacked(slow), stacked(slow, seed=2)], trainer)[stacked(slow).id]
    before = network(slow, "student", CARD).state_dict()
    for name, value in before.items():
        moved, also = ((o.weights["student"][name] - value).abs().max().item() for o in (plain, pack))
        assert (moved < 1e-3) == name.startswith("encoders."), name
        assert also == pytest.approx(moved, rel=0.02, abs=1e-6)


def test_a_frozen_part_is_in_evaluation_mode_while_the_others_train():
    written = {"plain": networks.complete({"mlp": {"dropout": 0.5}, "freeze": True}, kind="vector")}
    made = build(written, CARD, needs=("plain",), classes=3).train()
    assert made.training
    assert not made.encoders[0].training


def test_a_whole_network_of_the_users_trains_beside_a_teacher_of_theirs(trainer):
    asked = stacked(distilled("mfh", reads_test=True))
    asked = replace(
        asked, networks={"student": networks.complete_module(NET), "teacher": networks.complete_module(BOTH)}
    )
    alone = trainer(asked)
    assert alone.state == "complete", alone.error
    assert_equal(alone, train([replace(asked, seed=4), replace(asked, seed=5), asked], trainer)[asked.id])
    assert set(alone.weights["student"]) == {
        f"module.{name}"
        for name in ("body.0.weight", "body.0.bias", "body.1.weight", "body.1.bias", "fc.weight", "fc.bias")
    }


@pytest.mark.parametrize("arithmetic", ["plain", "stacked"])
def test_a_whole_network_can_be_the_frozen_teacher(arithmetic, trainer):
    own = replace(teacher(), networks={"teacher": networks.complete_module(BOTH)})
    outcome = trainer(replace(distilled("kd", arithmetic=arithmetic), teacher=own))
    assert outcome.state == "complete", outcome.error
    assert curve(outcome, "train/loss/kd")[-1] > 0


def test_a_submodule_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="no submodule 'layer4': it has body, "):
        build(networks.complete_module({**NET, "embedding": "layer4"}), CARD, needs=("plain",), classes=3)


def test_a_module_that_says_something_else_is_refused():
    with pytest.raises(ValueError, match=r"returns logits \[rows, 5\], got \[2, 3\]"):
        build(networks.complete_module(NET), CARD, needs=("plain",), classes=5)
    with pytest.raises(ValueError, match="`embedding` names the submodule"):
        build(networks.complete_module({"module": NET["module"]}), CARD, needs=("plain",), classes=3)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ({"mlp": {}, "freeze": 1}, "freeze is true or false"),
        ({"mlp": {}, "lr_scale": 0}, "lr_scale is a number above 0"),
        ({"mlp": {}, "weights": "x.pt"}, "weights are a safetensors file"),
        ({"mlp": {}, "weights": "nowhere.safetensors"}, "cannot read 'nowhere.safetensors'"),
    ],
)
def test_an_option_that_is_wrong_is_refused(written, rule):
    with pytest.raises(ValueError, match=rule):
        networks.complete(written, kind="vector")


def test_a_study_names_parts_and_whole_networks():
    found = study(networks={"student": {"top": {"freeze": True}}, "teacher": BOTH})
    assert found.networks["student"]["top"]["freeze"] is True
    assert next(iter(found.networks["teacher"]["module"])) == "tests.helpers.modules_of_a_user:Net"


def test_options_that_are_defaults_name_the_same_trial():
    written = {"mlp": {}, "freeze": False, "lr_scale": 1}
    assert networks.complete(written, kind="vector") == networks.complete("mlp", kind="vector")


@pytest.mark.parametrize("method", ["kd", "fitnet"])
def test_a_teachers_stored_outputs_teach_as_the_teacher_does(method, trainer):
    planted = trainer.dataset
    model = network(teacher(), "teacher", CARD)
    model.load_state_dict(trainer(teacher(reads_test=True)).weights["teacher"])
    every = to_tensors(planted, ("plain", "rich"), torch.device("cpu"))
    said = evaluation.outputs(model, every, Workers())
    with_columns = replace(
        planted,
        card=replace(
            planted.card, modalities={**CARD.modalities, "z": Modality("vector", (3,)), "t": Modality("vector", (8,))}
        ),
        modalities={**planted.modalities, "z": said.logits.numpy(), "t": said.embedding.numpy()},
        present={**planted.present, "z": said.present.numpy(), "t": said.present.numpy()},
    )
    asked = replace(distilled(method), teacher=teacher(reads_test=True))
    brought = replace(asked, teacher=Given("outputs", "", {"logits": "z", "embedding": "t"}))
    found = Trainer(with_columns)(brought)
    assert found.state == "complete", found.error
    # A batch of another size rounds otherwise.
    assert curve(found, "valid/log_loss") == pytest.approx(curve(trainer(asked), "valid/log_loss"), rel=1e-5)


def test_columns_that_hold_outputs_are_seen_by_nobody(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "brought.py").write_text(
        "from dataclasses import replace\n"
        "from kdsweep.data import registry as source\n"
        "from kdsweep.values.card import Modality\n"
        "from kdsweep.values.study import Data\n"
        "import numpy as np\n"
        "def load():\n"
        "    d = source.load(Data(name='digits', student=('top',)).reference)\n"
        "    z = np.eye(10, dtype=np.float32)[d.labels]\n"
        "    card = replace(d.card, modalities={**d.card.modalities, 'z': Modality('vector', (10,))})\n"
        "    present = {**d.present, 'z': d.present['top']}\n"
        "    return replace(d, card=card, modalities={**d.modalities, 'z': z}, present=present)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    data = {"python": "brought:load", "student": ["top"]}
    arms = {"student_only": {}, "kd": {}}
    found = study(data=data, teachers={"outputs": "z"}, arms=arms, ablate=None, controls=None, report=None)
    assert found.auxiliary == ("bottom",)
    trial_of_kd = next(t for t in run(found)[1].trials.values() if t.method == "kd")
    assert trial_of_kd.teacher == Given("outputs", "", {"logits": "z"})
    with pytest.raises(ValueError, match=r"fitnet of fitnet reads teacher\.embedding, and"):
        with_facts(
            study(data=data, teachers={"outputs": "z"}, arms={"fitnet": {}}, ablate=None, controls=None, report=None)
        )
