"""Packs: a member's numbers do not depend on its company, bit for bit, and they are those of the plain loop."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kdsweep import methods
from kdsweep.data import registry as source
from kdsweep.data.dataset import Dataset
from kdsweep.engine.build import initial, models, parts
from kdsweep.engine.loop import run
from kdsweep.engine.single import Run
from kdsweep.engine.stacked.choose import settle
from kdsweep.engine.stacked.pack import Pack
from kdsweep.engine.stacked.width import SHARE, WIDEST, WIDTH, Widths, available, holds
from kdsweep.engine.workers import Workers
from kdsweep.objective.critics import PROJECTED_WIDTH
from kdsweep.run.packing import pack as cut
from kdsweep.values.study import Resources
from kdsweep.values.trial import structure
from tests.helpers.trials import (
    DATA,
    DEVICE,
    NETWORKS,
    WITHOUT_MAPS,
    Trainer,
    assert_equal,
    auxiliary,
    build,
    distilled,
    numbers,
    stacked,
    teacher,
    train,
    trial,
)

CNN = {"cnn": {"channels": [4, 8], "embedding": 8}}
DIGITS = DATA.model_copy(update={"name": "digits", "options": {}, "student": ("top",), "auxiliary": ("bottom",)})


@pytest.mark.slow
@pytest.mark.parametrize("method", WITHOUT_MAPS)
def test_nor_where_rows_and_layers_are_of_odd_sizes(method, trainer, monkeypatch):
    """Lanes begin anywhere in memory then, and vectors end in the midst of a member."""
    odd = {"mlp": {"hidden": [9], "embedding": 7, "dropout": 0.0}}
    for role, parts_ in NETWORKS.items():
        for name in parts_:
            monkeypatch.setitem(NETWORKS[role], name, {"concat": {"width": 7}} if name == "fusion" else odd)
    asked = distilled(method)
    mine = stacked(replace(asked, train={**asked.train, "batch_size": 61, "epochs": 2}))
    others = [replace(mine, seed=seed, numbers={"train.lr": 0.001 * seed}) for seed in range(2, 9)]
    alone = trainer(mine)
    assert_equal(alone, train([*others[:4], mine, *others[4:]], trainer)[mine.id])


@pytest.mark.parametrize("method", WITHOUT_MAPS)
def test_a_members_numbers_do_not_depend_on_its_company(method, trainer):
    """Alone (two lanes), first of three and last of eight, with other numbers beside it."""
    mine = stacked(distilled(method, reads_test=True))
    weights = [name for name in methods.load(method).terms(mine.choices) if name != "ce"]
    others = [
        replace(
            mine, seed=seed, numbers={f"{name}.weight": 0.1 * seed for name in weights} | {"train.lr": 0.001 * seed}
        )
        for seed in range(2, 9)
    ]
    alone = trainer(mine)
    assert alone.state == "complete", alone.error
    for company in ([mine, *others[:2]], [*others, mine]):
        assert_equal(alone, train(company, trainer)[mine.id])


@pytest.mark.slow
@pytest.mark.parametrize("width", [2, 32])
def test_four_epochs_agree_to_the_last_bit_at_any_width_and_with_two_threads(width, trainer):
    mine = stacked(distilled("amid", reads_test=True))
    mine = replace(mine, train={**mine.train, "epochs": 4})
    company = [replace(mine, seed=seed) for seed in range(100, 99 + width)]
    alone = trainer(mine)
    torch.set_num_threads(2)
    try:
        assert_equal(alone, train([*company, mine], trainer)[mine.id])
    finally:
        torch.set_num_threads(1)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_neighbours_that_leave_move_nobody(place, trainer):
    """One diverges, one is pruned after the first epoch; what is left goes on as if alone."""
    mine = stacked(distilled("amid", reads_test=True))
    diverging = replace(mine, seed=2, numbers={"train.lr": 1e30, "train.clip": 0.0})
    pruned = replace(mine, seed=3, thresholds=((2, 2.0),))
    company = [diverging, pruned]
    company.insert(place, mine)
    found = train(company, trainer)
    assert found[diverging.id].state == "failed"
    assert found[pruned.id].state == "pruned"
    assert_equal(found[mine.id], trainer(mine))


def test_a_pruned_member_has_the_numbers_that_it_would_have_alone(trainer):
    pruned = stacked(distilled("kd"), thresholds=((2, 2.0),))
    found = train([stacked(distilled("kd"), seed=2), pruned], trainer)
    assert_equal(found[pruned.id], trainer(pruned))


def test_the_best_epochs_weights_are_each_members_own(trainer):
    mine = stacked(distilled("kd", reads_test=True), select="best_valid")
    found = train([stacked(distilled("kd", reads_test=True), select="best_valid", seed=5), mine], trainer)
    assert_equal(found[mine.id], trainer(mine))


@pytest.mark.parametrize("made", [teacher, auxiliary])
def test_models_that_others_read_train_in_packs_too(made, trainer):
    mine = stacked(made(reads_test=True))
    found = train([replace(mine, seed=4), mine], trainer)
    assert_equal(found[mine.id], trainer(mine))


def in_float64(dataset: Dataset) -> Dataset:
    return replace(dataset, modalities={name: values.astype("float64") for name, values in dataset.modalities.items()})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "optimizer"),
    [*((name, "adamw") for name in WITHOUT_MAPS), ("kd", "adam"), ("kd", "sgd"), ("amid", "sgd")],
)
def test_a_pack_is_the_plain_loop_in_other_arithmetic(method, optimizer, dataset):
    """In float64 within 1e-9 after three epochs; in float32 rounding would part them at the first ReLU that flips."""
    torch.set_default_dtype(torch.float64)
    try:
        exact = Trainer(in_float64(dataset))
        mine = distilled(method)
        recipe = {**mine.train, "optimizer": optimizer, "lr": 0.003}
        mine = replace(mine, train=recipe)
        plain = exact(mine)
        packed = train([stacked(mine, seed=9), stacked(mine)], exact)[stacked(mine).id]
    finally:
        torch.set_default_dtype(torch.float32)
    assert plain.state == packed.state == "complete", packed.error
    there = {(epoch, metric): value for epoch, metric, value in numbers(packed)}
    for epoch, metric, value in numbers(plain):
        assert there[epoch, metric] == pytest.approx(value, rel=1e-9, abs=1e-12), (epoch, metric)


def test_networks_with_maps_stack_too(monkeypatch):
    digits = source.load(DIGITS.reference)
    trainer = Trainer(digits)
    base = replace(
        trial("student_only"),
        student=("top",),
        networks={"student": {"top": CNN}},
        train={**trial().train, "epochs": 1, "batch_size": 256},
    )
    mine = stacked(base)
    found = {o.trial.id: o for o in run([stacked(base, seed=2), mine], digits, DIGITS, trainer)}
    (alone,) = run([mine], digits, DIGITS, trainer)
    assert_equal(found[mine.id], alone)


@pytest.mark.parametrize("method", ["kd", "amid"])
def test_a_step_reads_the_modalities_of_its_own_networks_alone(method, dataset):
    asked = distilled(method)
    seen = parts(asked, dataset, DATA, DEVICE)
    weights = initial(asked, dataset.card)
    made = models(asked, dataset.card, seen["train"], weights, device=DEVICE, workers=Workers())
    assert set(made.read) == {*asked.student, *(asked.auxiliary if method == "amid" else ())}


def test_a_structure_that_stacks_is_settled_as_stacked(dataset):
    assert settle(distilled("amid"), dataset, DATA).name == "stacked"


def test_a_structure_that_does_not_stack_says_what_stands_in_the_way(dataset):
    dropout = {"mlp": {"hidden": [8], "embedding": 8, "dropout": 0.5}}
    found = settle(trial(networks={"student": {"plain": dropout}}), dataset, DATA)
    assert found.name == "plain"
    assert "does not stack" in found.reason


def test_a_large_structure_computes_plainly_whatever_the_machine(dataset):
    large = {"mlp": {"hidden": [4096, 4096], "embedding": 8, "dropout": 0.0}}
    found = settle(trial(networks={"student": {"plain": large}}), dataset, DATA)
    assert found.name == "plain"
    assert "operations" in found.reason


def test_what_a_gpu_would_hide_a_cpu_does_not(dataset):
    wide = {"plain": {"mlp": {"hidden": [1024, 1024], "embedding": 8, "dropout": 0.0}}}
    asked = trial(networks={"student": wide})
    assert settle(asked, dataset, DATA).name == "plain"
    assert settle(asked, dataset, DATA, device="cuda").name == "stacked"


def test_a_structure_leaves_out_numbers_and_nothing_else():
    base = distilled("kd")
    for change in ({"seed": 7}, {"numbers": {"kd.weight": 2.0}}, {"thresholds": ((1, 0.5),)}, {"reads_test": True}):
        assert structure(replace(base, **change)) == structure(base), change
    for change in (
        {"dropped": ("kd",)},
        {"control": "shuffled_within_class"},
        {"fold": 1},
        {"train": {**base.train, "batch_size": 32}},
        {"networks": {"student": {"plain": CNN}}},
        {
            "teacher": replace(
                teacher(), networks={"teacher": {**NETWORKS["teacher"], "fusion": {"concat": {"width": 9}}}}
            )
        },
    ):
        assert structure(replace(base, **change)) != structure(base), change


def test_every_ready_trial_is_in_one_pack_and_no_pack_is_wider_than_asked():
    ready = [stacked(distilled("kd"), seed=seed) for seed in range(7)]
    ready += [replace(lone, reads_test=True) for lone in ready[:3]]
    ready += [stacked(distilled("fitnet"), seed=seed) for seed in range(3)] + [trial(seed=seed) for seed in range(2)]
    for width, places in ((2, 1), (4, 2), (32, 1), (32, 8)):
        packs = cut(ready, most=lambda trial, width=width: width, places=places)
        assert sorted(t.id for some in packs for t in some) == sorted(t.id for t in ready)
        assert max(map(len, packs)) <= width
        assert all(len(some) == 1 for some in packs if some[0].arithmetic == "plain")
        assert all(len({(structure(t), t.reads_test) for t in some}) == 1 for some in packs)


def test_a_lone_structure_is_divided_among_the_places():
    ready = [stacked(distilled("kd"), seed=seed) for seed in range(8)]
    assert [len(some) for some in cut(ready, most=lambda trial: 32, places=2)] == [4, 4]


def test_a_pack_that_does_not_fit_is_halved_and_loses_nothing(trainer):
    trials = [stacked(replace(distilled("kd"), seed=seed, teacher=teacher(seed=seed))) for seed in range(1, 6)]
    there: list[str] = []
    refused = 0

    def weights(model, role):
        """Of two members at once: there is no room for a third."""
        nonlocal refused
        if len(there) == 2:
            there.clear()
            refused += 1
            raise torch.OutOfMemoryError("no room for more than two")
        there.append(model.id)
        return trainer(model).weights[role]

    found = {}
    for outcome in run(trials, trainer.dataset, DATA, weights):
        there.clear()
        found[outcome.trial.id] = outcome
    assert refused == 2, "of five, and of three"
    for asked in trials:
        assert_equal(found[asked.id], trainer(asked))


def test_one_members_fault_fails_that_member_alone(trainer):
    good, bad = stacked(distilled("kd"), seed=1), stacked(distilled("kd"), seed=2)

    def weights(model, role):
        if weights.calls == 1:
            weights.calls += 1
            raise KeyError("a weight is missing")
        weights.calls += 1
        return trainer(model).weights[role]

    weights.calls = 0
    found = {o.trial.seed: o for o in run([good, bad], trainer.dataset, DATA, weights)}
    assert {outcome.state for outcome in found.values()} == {"complete"}


def test_each_epoch_tells_every_metric_of_the_plain_loop(trainer):
    asked = distilled("amid")
    assert {m for _, m, _ in numbers(train([stacked(asked)], trainer)[stacked(asked).id])} == {
        metric for _, metric, _ in numbers(trainer(asked))
    }


def test_a_first_step_in_float32_agrees_with_the_plain_loop(trainer):
    asked = distilled("amid", train={**distilled("amid").train, "batch_size": 180, "epochs": 1})
    made, seen = build(asked, trainer)
    plain = next(Run(asked, made, seen).epochs())[0]
    packed = next(
        Pack(
            [asked, replace(asked, seed=2)], [build(asked, trainer)[0], build(replace(asked, seed=2), trainer)[0]], seen
        ).epochs()
    )[0]
    assert packed.metrics["train/loss"] == pytest.approx(plain.metrics["train/loss"], rel=1e-5)


def test_a_pack_is_as_wide_as_the_memory_holds(dataset):
    small = settle(distilled("kd"), dataset, DATA).memory
    large = settle(distilled("kd", train={**distilled("kd").train, "batch_size": 6400}), dataset, DATA).memory
    assert 0 < small < large <= 100 * small
    share = SHARE * available("cpu")
    assert holds(int(share / 8), places=1, device="cpu") == 8
    widths = Widths(Resources(device="cpu"))
    for memory, widest in ((1000, WIDTH), (int(share / 8), 8), (int(share), 1), (10 * int(share), 1)):
        widths.memory["small"] = memory
        assert widths.most("a structure", "small") == widest
    widths.memory.clear()
    widths.did_not_fit("a structure", 8)
    assert widths.most("a structure", "small") == 4


def test_what_a_term_keeps_of_every_row_counts_as_memory(dataset):
    rows = len(parts(distilled("crd"), dataset, DATA, DEVICE)["train"])
    banks = 2 * rows * PROJECTED_WIDTH * 4
    assert settle(distilled("crd"), dataset, DATA).memory > banks > settle(distilled("kd"), dataset, DATA).memory


def test_packs_grow_as_long_as_a_wider_one_is_faster():
    widths = Widths(Resources(device="cpu"))
    assert widths.most("fast", "") == WIDTH
    for width, pace, widest in ((8, 1.0, 32), (32, 0.5, 64), (64, 0.3, 128), (128, 0.29, 128), (32, 0.6, 128)):
        widths.took("fast", width, pace)
        assert widths.most("fast", "") == widest
    widths.took("fast", 200, 0.1)
    assert widths.most("fast", "") == WIDEST


def test_packs_go_back_to_the_width_that_was_fastest():
    widths = Widths(Resources(device="cpu"))
    for width, pace in ((4, 1.0), (8, 0.8), (16, 0.95)):
        widths.took("large", width, pace)
    assert widths.most("large", "") == 8
    assert widths.most("another", "") == WIDTH
    assert Widths(Resources(device="cpu", pack=100)).most("large", "") == 100


def test_packs_of_a_structure_are_about_as_wide():
    ready = [trial(seed=seed) for seed in range(10)]
    stacks = [replace(one, arithmetic="stacked") for one in ready]
    assert [len(some) for some in cut(stacks, most=lambda trial: 8, places=1)] == [5, 5]
