"""Augmentation: what each view does, who sees it, and that nobody's draws depend on company."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from kdsweep.data.augment import AUGMENTATIONS, complete
from kdsweep.data.views import Views, crop, flip, mask, noise, patterns
from kdsweep.engine.streams import generator
from kdsweep.objective import CrossEntropy
from kdsweep.objective.batch import Batch, Mixed, Outputs
from kdsweep.protocol.plan import Known, plan
from kdsweep.run.launch import with_facts
from kdsweep.values.card import Modality
from tests.helpers.fakes import run, study
from tests.helpers.trials import assert_equal, curve, distilled, stacked, train

NOISE = {name: complete([{"noise": {"deviation": 0.5}}], kind="vector") for name in ("plain", "rich")}


def test_a_crop_moves_an_image_and_moves_zeros_in():
    image = torch.arange(1.0, 17.0).view(1, 4, 4)
    still, moved = (
        crop(image, torch.tensor([[0.5, 0.5]]), share=0.25),
        crop(image, torch.tensor([[0.0, 0.99]]), share=0.25),
    )
    assert torch.equal(still, image)
    assert torch.equal(moved[0, 1:, :3], image[0, :3, 1:])
    assert moved[0, 0].abs().sum() + moved[0, :, 3].abs().sum() == 0


def test_a_flip_mirrors_half_of_the_rows():
    images = torch.arange(6.0).view(2, 1, 3)
    assert flip(images, torch.tensor([[0.4], [0.6]])).tolist() == [[[2, 1, 0]], [[3, 4, 5]]]


def test_a_mask_is_one_run_of_an_axis():
    bins = mask(torch.ones(1, 4, 8), torch.tensor([[0.99, 0.0]]), share=0.5, axis=-2)
    assert bins[0, :, 0].tolist() == [0, 0, 1, 1]
    steps = mask(torch.ones(1, 8, 2), torch.tensor([[0.99, 0.99]]), share=0.25, axis=-2, keeps_flag=True)
    assert steps[0].T.tolist() == [[1, 1, 1, 1, 1, 1, 0, 0], [1] * 8]


def test_noise_leaves_the_padding_of_a_sequence_alone():
    sequence = torch.zeros(1, 3, 2)
    sequence[0, :2, 1] = 1
    seen = noise(sequence, torch.ones(1, 3, 2), deviation=0.5, kind="sequence")
    assert seen[0].tolist() == [[0.5, 1], [0.5, 1], [0, 0]]


@pytest.mark.parametrize("kind", ["image", "spectrogram", "sequence", "video"])
def test_what_a_member_sees_does_not_depend_on_its_company(kind):
    shape = {"image": (3, 8, 8), "spectrogram": (8, 8), "sequence": (8, 4), "video": (4, 1, 8, 8)}[kind]
    names = [name for name, known in AUGMENTATIONS.items() if kind in known.kinds]
    views = Views({"m": complete(names, kind=kind)}, {"m": Modality(kind, shape)})
    x, there = torch.rand(3, 5, *shape), torch.ones(3, 5, dtype=torch.bool)
    rngs = [views.streams(generator, seed) for seed in (1, 2, 3)]
    together = views.of({"m": x}, {"m": there}, rngs, lambda drawn: drawn, 5)["m"]
    rngs = [views.streams(generator, 2)]
    alone = views.of({"m": x[1:2]}, {"m": there[1:2]}, rngs, lambda drawn: drawn, 5)["m"]
    assert torch.equal(together[1], alone[0])
    assert not torch.equal(together, x)


@pytest.mark.parametrize("method", ["kd", "amid", "infonce"])
def test_an_augmented_pack_does_not_depend_on_company_either(method, trainer):
    mine = stacked(distilled(method, augment=NOISE, reads_test=True))
    others = [replace(mine, seed=seed) for seed in (2, 3)]
    alone = trainer(mine)
    assert alone.state == "complete", alone.error
    assert_equal(alone, train([*others, mine], trainer)[mine.id])
    as_it_is = replace(mine, augment={})
    assert curve(alone, "train/loss") != curve(trainer(as_it_is), "train/loss")


@pytest.mark.parametrize("method", ["kd", "amid"])
def test_a_pack_sees_the_views_that_the_plain_loop_sees(method, trainer):
    plain = distilled(method, augment=NOISE)
    first, other = trainer(plain), train([stacked(plain)], trainer)[stacked(plain).id]
    assert curve(other, "train/loss")[0] == pytest.approx(curve(first, "train/loss")[0], rel=1e-4)


@pytest.mark.parametrize("arithmetic", ["plain", "stacked"])
def test_a_frozen_teacher_that_is_asked_at_every_step_says_what_it_said_at_once(arithmetic, trainer):
    quiet = {name: complete([{"noise": {"deviation": 1e-9}}], kind="vector") for name in ("plain", "rich")}
    asked = distilled("kd", arithmetic=arithmetic)
    kept, live = trainer(asked), trainer(replace(asked, augment=quiet))
    assert curve(live, "train/loss/kd") == pytest.approx(curve(kept, "train/loss/kd"), rel=1e-4)


@pytest.mark.parametrize("arithmetic", ["plain", "stacked"])
def test_the_teacher_sees_the_view_that_the_student_sees(arithmetic, trainer):
    """Of inputs that are all 0 both say one thing of every row: their similarities are those of equal rows."""
    nothing = {name: complete(["tests.helpers.augmenting:nothing"], kind="vector") for name in ("plain", "rich")}
    asked = distilled("sp", arithmetic=arithmetic, augment=nothing)
    assert curve(trainer(asked), "train/loss/sp") == pytest.approx([0, 0, 0], abs=1e-6)


def test_an_augmentation_of_a_modality_that_a_trial_does_not_read_decides_nothing():
    plainly, seen = study(), study(augment={"bottom": ["noise"]})
    names = [
        {trial.id for trial in run(one)[1].trials.values() if trial.method == "student_only"} for one in (plainly, seen)
    ]
    assert names[0] == names[1]
    assert plan(plainly, Known()).unsettled.keys() != plan(seen, Known()).unsettled.keys()


def test_a_study_says_which_models_are_asked_at_every_step():
    assert any(
        "frozen models that read top are asked at every step" in w for w in study(augment={"top": ["flip"]}).warnings
    )


MIXED = {"mixup": {"alpha": 0.5}}


@pytest.mark.parametrize("method", ["student_only", "kd", "amid"])
def test_blended_rows_do_not_depend_on_company_and_are_those_of_the_plain_loop(method, trainer):
    plain = distilled(method, augment=MIXED, reads_test=True)
    mine = stacked(plain)
    alone = trainer(mine)
    assert alone.state == "complete", alone.error
    assert_equal(alone, train([replace(mine, seed=2), replace(mine, seed=3), mine], trainer)[mine.id])
    assert curve(alone, "train/loss")[0] == pytest.approx(curve(trainer(plain), "train/loss")[0], rel=1e-4)


def test_a_blend_holds_the_share_of_each_row_and_the_longer_of_two_sequences():
    views = Views(MIXED, {"v": Modality("vector", (2,)), "s": Modality("sequence", (2, 2))})
    short, long = torch.tensor([[[[1.0, 1], [0, 0]]]]), torch.tensor([[[[3.0, 1], [5, 1]]]])
    one, other = {"v": torch.zeros(1, 1, 2), "s": short}, {"v": torch.ones(1, 1, 2), "s": long}
    found = views.blend(one, other, torch.tensor([0.75]))
    assert found["v"].tolist() == [[[0.25, 0.25]]]
    assert found["s"].tolist() == [[[[1.5, 1], [1.25, 1]]]]


def test_labels_of_a_blend_count_by_their_share():
    scores, labels, others = torch.randn(6, 3), torch.arange(6) % 3, torch.arange(6).flip(0) % 3
    batch = Batch(Outputs(scores, scores, torch.ones(6, dtype=torch.bool)), labels, labels, torch.tensor(0.0))
    blended = batch._replace(mixed=Mixed(others, torch.tensor(0.3)))
    soft = 0.3 * F.one_hot(labels, 3) + 0.7 * F.one_hot(others, 3)
    assert CrossEntropy()(blended).item() == pytest.approx(F.cross_entropy(scores, soft).item(), rel=1e-5)


@pytest.mark.parametrize("method", ["dkd", "supcon", "crd"])
def test_a_method_that_takes_rows_as_they_are_is_refused_beside_mixup(method, trainer):
    assert "mixup blends them" in trainer(distilled(method, augment=MIXED)).text
    with pytest.raises(ValueError, match="no mixup beside it"):
        with_facts(study(augment=MIXED, arms={method: {}}, ablate=None, controls=None, report=None))


def test_a_choice_that_a_row_or_a_search_makes_is_refused_beside_mixup_as_well():
    bare = {"augment": MIXED, "controls": None, "report": None}
    ablate = {"arm": "amid", "rows": [{"set": {"mi_teacher.estimator": "crd"}}]}
    searched = {"amid": {"mi_teacher.estimator": {"choice": ["infonce", "crd"]}}}
    for asked in (study(arms={"amid": {}}, ablate=ablate, **bare), study(arms=searched, ablate=None, **bare)):
        with pytest.raises(ValueError, match="mi_teacher of amid takes labels or samples as they are"):
            with_facts(asked)


def test_reading_one_more_modality_moves_nobodys_view():
    """Paired seeds: the student sees the same views in every arm."""
    kinds = {"a": Modality("vector", (2,)), "z": Modality("vector", (2,))}
    steps, x = complete(["noise"], kind="vector"), torch.zeros(1, 4, 2)
    there = torch.ones(1, 4, dtype=torch.bool)
    seen = []
    for names in (("z",), ("a", "z")):
        views = Views({**dict.fromkeys(names, steps), **MIXED}, kinds)
        rngs = [views.streams(generator, 1)]
        inputs = views.of(dict.fromkeys(names, x), dict.fromkeys(names, there), rngs, lambda drawn: drawn, 4)
        seen.append((inputs["z"], *views.partners(torch.arange(4)[None], rngs, torch.zeros(4, dtype=torch.long))))
    assert all(torch.equal(one, other) for one, other in zip(*seen, strict=True))


def test_a_teacher_that_sees_the_students_modality_sees_the_students_view():
    views = Views({"z": complete(["noise"], kind="vector")}, dict.fromkeys("az", Modality("vector", (2,))), {"a": "z"})
    x, there = dict.fromkeys("az", torch.zeros(1, 4, 2)), dict.fromkeys("az", torch.ones(1, 4, dtype=torch.bool))
    seen = views.of(x, there, [views.streams(generator, 1)], lambda drawn: drawn, 4)
    assert torch.equal(seen["a"], seen["z"])
    assert seen["z"].abs().sum() > 0
    assert views.change(("a",))


def test_what_is_missing_stays_0_and_blends_with_what_misses_the_same():
    views = Views({"m": complete(["noise"], kind="vector"), **MIXED}, {"m": Modality("vector", (2,))})
    there = torch.tensor([[True, False, True, False, True, False]])
    rngs = [views.streams(generator, 1)]
    seen = views.of({"m": torch.ones(1, 6, 2) * there[..., None]}, {"m": there}, rngs, lambda drawn: drawn, 6)["m"]
    assert not seen[~there].any()
    partners, _ = views.partners(torch.arange(6)[None], rngs, patterns({"m": there[0]}, None))
    assert torch.equal(there[0, partners[0]], there[0])
    assert sorted(partners[0].tolist()) == list(range(6))
