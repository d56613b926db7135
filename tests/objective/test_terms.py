"""What single terms promise beyond the common contract: invariances, bounds of information, and traps."""

import math
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F
from scipy.stats import kendalltau
from torch import Tensor

from kdsweep import objective
from kdsweep.methods import load
from kdsweep.objective.base import Objective, Term
from kdsweep.objective.batch import Batch, Outputs, Sizes
from kdsweep.objective.numerics import soft_cross_entropy
from kdsweep.objective.terms._bounds import club_bound, dv_bound, infonce_bound, js_bound, nwj_bound, smile_bound
from kdsweep.objective.terms._memory import MemoryBank, cosine_scores
from kdsweep.objective.terms.customized_logits import kendall
from kdsweep.objective.terms.decoupled_logits import target_divergence
from kdsweep.objective.terms.mean_discrepancy import mean_discrepancy
from kdsweep.objective.terms.modality_focus import permuted_rows, saliency
from kdsweep.objective.terms.relational_distances import angle_difference, relative_distances
from kdsweep.objective.toy import SIZES, batch, missing
from tests.helpers.objective_fakes import draws

ROWS = torch.ones(8, dtype=torch.bool)


def normal(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * scale


def on(term: Term, student: Tensor, teacher: Tensor, *, of: str) -> Tensor:
    """The term's value where only logits or only embeddings matter."""

    def outputs(values: Tensor) -> Outputs:
        other = torch.ones(len(values), 3, dtype=values.dtype)
        both = (values, other) if of == "logits" else (other, values)
        return Outputs(*both, torch.ones(len(values), dtype=torch.bool))

    labels = torch.arange(len(student)) % 3
    seen = Batch(outputs(student), labels, torch.arange(len(student)), torch.tensor(0.5), outputs(teacher))
    return term.double()(seen)


IDENTITIES = {
    "kd": (objective.SoftLogits(), "logits", 1e-12),
    "dkd": (objective.DecoupledLogits(), "logits", 1e-12),
    "dist": (objective.CorrelatedLogits(), "logits", 1e-6),
    "sp": (objective.SimilarityPreserving(), "embedding", 1e-12),
    "pkt": (objective.ProbabilisticTransfer(), "embedding", 1e-12),
    "rkd": (objective.RelationalDistances(), "embedding", 1e-12),
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_a_student_equal_to_its_teacher_costs_nothing(name):
    term, of, tolerance = IDENTITIES[name]
    values = normal(8, 5)
    assert on(term, values, values, of=of).item() == pytest.approx(0, abs=tolerance)


def test_equal_distributions_have_no_discrepancy():
    assert mean_discrepancy(normal(8, 5), normal(8, 5), ROWS).item() == pytest.approx(0, abs=1e-12)


def rotation() -> Tensor:
    return torch.linalg.qr(normal(5, 5, seed=3)).Q


INVARIANCES = {
    "rkd under scaling, turning and moving": (
        objective.RelationalDistances(),
        "embedding",
        lambda s: 3 * s @ rotation() + 2,
    ),
    "sp under scaling": (objective.SimilarityPreserving(), "embedding", lambda s: 3 * s),
    "pkt under a scale for each row": (
        objective.ProbabilisticTransfer(),
        "embedding",
        lambda s: s * torch.arange(1.0, 9.0)[:, None],
    ),
    "lskd under scaling and moving": (objective.SoftLogits(standardize=True), "logits", lambda z: 3 * z + 2),
    "kd under moving": (objective.SoftLogits(), "logits", lambda z: z + 2),
    "dist under moving": (objective.CorrelatedLogits(), "logits", lambda z: z + 2),
}


@pytest.mark.parametrize("name", INVARIANCES)
def test_is_invariant(name):
    term, of, change = INVARIANCES[name]
    student, teacher = normal(8, 5, seed=1), normal(8, 5, seed=2)
    # 1e-7 is added to lengths and deviations.
    assert on(term, change(student), teacher, of=of).item() == pytest.approx(
        on(term, student, teacher, of=of).item(), rel=1e-5
    )


def test_the_two_parts_of_dkd_add_up():
    student, teacher = normal(8, 5, seed=1), normal(8, 5, seed=2)
    parts = [
        on(objective.DecoupledLogits(alpha=alpha, beta=beta), student, teacher, of="logits").item()
        for alpha, beta in ((1.0, 0.0), (0.0, 8.0), (1.0, 8.0))
    ]
    assert parts[0] + parts[1] == pytest.approx(parts[2])


def test_dkd_of_a_student_that_is_wrong_for_sure_is_large_and_finite():
    student, teacher = torch.tensor([[0.0, 1e4], [0.0, 1e4]]), torch.tensor([[5.0, 0.0], [5.0, 0.0]])
    value = target_divergence(student, teacher, torch.tensor([0, 0]), torch.tensor(1.0))
    # KL of (p, 1 - p) to (e^-1e4, 1), with p the teacher's .9933.
    assert value.tolist() == pytest.approx([1e4 * torch.sigmoid(torch.tensor(5.0)).item()] * 2, rel=1e-3)


def test_soft_cross_entropy_matches_the_sum_written_out():
    student, teacher = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    p = [math.exp(z) / (math.exp(0.5) + 1) for z in (0.5, 0.0)]
    expected = 4 * sum(q * math.log(q / own) for q, own in zip(reversed(p), p, strict=True))
    assert soft_cross_entropy(student, teacher, torch.tensor(2.0)).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("task", "truth", "expected"),
    [
        ("classification", torch.arange(8) % 3, lambda z, y: F.cross_entropy(z, y)),
        ("multilabel", normal(8, 3, seed=4).gt(0).double(), lambda z, y: F.binary_cross_entropy_with_logits(z, y)),
        ("regression", normal(8, 3, seed=4), lambda z, y: F.mse_loss(z, y)),
    ],
)
def test_labels_are_what_the_task_says(task, truth, expected):
    scores, term = normal(8, 3), objective.CrossEntropy()
    term.task = task
    seen = Batch(Outputs(scores, scores, ROWS), truth, torch.arange(8), torch.tensor(0.0))
    assert term(seen).item() == pytest.approx(expected(scores, truth).item())


# d, rho, the true information; means that 60 batches of 256 should give, and how far off they may be.
GAUSSIANS = [
    (4, 0.5, {"infonce": (0.564, 0.06), "nwj": (0.569, 0.06), "dv": (0.569, 0.06), "smile": (0.569, 0.06)}),
    (4, 0.8, {"infonce": (1.996, 0.10), "nwj": (2.050, 0.10), "dv": (2.050, 0.10), "smile": (2.065, 0.10)}),
    (10, 0.8, {"infonce": (4.287, 0.10), "nwj": (5.10, 0.37), "dv": (5.13, 0.25), "smile": (5.56, 0.19)}),
]
ESTIMATES = {
    "infonce": infonce_bound,
    "nwj": nwj_bound,
    "dv": dv_bound,
    "smile": smile_bound,
    "js": js_bound,
}


@pytest.mark.slow
@pytest.mark.parametrize(("width", "rho", "expected"), GAUSSIANS)
def test_estimates_of_information_between_gaussians_lie_where_they_should(width, rho, expected):
    """With the optimal critic: log p(y|x) / p(y), plus 1 for NWJ, whose optimum is there."""
    rows, totals = torch.ones(256, dtype=torch.bool), dict.fromkeys(ESTIMATES, 0.0)
    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        x, noise = (torch.randn(256, width, generator=rng) for _ in range(2))
        y = rho * x + math.sqrt(1 - rho**2) * noise
        square = -((y[None, :, :] - rho * x[:, None, :]) ** 2).sum(2) / (2 * (1 - rho**2))
        f = square + (y**2).sum(1) / 2 - width / 2 * math.log(1 - rho**2)
        for name, estimate in ESTIMATES.items():
            totals[name] += estimate(f + 1 if name in ("nwj", "js") else f, rows).item() / 20
    for name, (mean, off) in {**expected, "js": expected["nwj"]}.items():
        assert totals[name] == pytest.approx(mean, abs=off), name


def test_club_is_above_the_information_and_no_estimate_of_it():
    rng = torch.Generator().manual_seed(0)
    x, noise = (torch.randn(20_000, 4, generator=rng) for _ in range(2))
    y = 0.8 * x + 0.6 * noise
    rows = torch.ones(len(x), dtype=torch.bool)
    found = club_bound(0.8 * x, torch.full_like(x, math.log(0.36)), y, rows)
    assert found.item() == pytest.approx(4 * 0.64 / 0.36, rel=0.02)


def test_infonce_never_claims_more_than_the_batch_can_show():
    f = 100 * torch.eye(8)
    assert infonce_bound(f, ROWS).item() == pytest.approx(math.log(8))


def test_js_has_the_value_of_nwj_and_a_gradient_that_stays_bounded():
    f = (normal(8, 8) * 20).requires_grad_()
    value = js_bound(f, ROWS)
    (gradient,) = torch.autograd.grad(value, f)
    assert value.item() == pytest.approx(nwj_bound(f, ROWS).item())
    assert gradient.abs().max() <= 1 / 8


def test_an_unknown_estimator_is_refused():
    with pytest.raises(ValueError, match="estimator is one of infonce, crd, nwj, js, smile, club, got 'mine'"):
        objective.MutualInformation("student", "teacher", estimator="mine")


def test_a_modality_that_no_row_has_leaves_the_mean():
    term = objective.MutualInformation("teacher", "auxiliary", detached=("auxiliary",))
    term.setup(SIZES)
    term.double()
    seen = missing(batch(), sound=list(range(8)))
    only = objective.MutualInformation("teacher", "auxiliary", detached=("auxiliary",))
    only.setup(SIZES._replace(auxiliary={"depth": 5}))
    only.double().load_state_dict({k: v for k, v in term.state_dict().items() if not k.startswith("projections.1")})
    alone = seen._replace(auxiliary={"depth": seen.auxiliary["depth"]})
    assert term(seen).item() == pytest.approx(only(alone).item())


def bank(**changed) -> MemoryBank:
    return MemoryBank(SIZES._replace(**changed), width=3, negatives=16)


def test_negatives_come_from_other_classes_and_can_be_any_of_them():
    made, labels = bank(), SIZES.labels
    samples = torch.arange(40)
    picked = made.pick(samples, torch.rand(40, 2000, generator=torch.Generator().manual_seed(0)))
    assert (labels[picked] != labels[samples][:, None]).all()
    assert set(picked[0].tolist()) == set((labels != labels[0]).nonzero()[:, 0].tolist())
    edges = made.pick(samples, torch.tensor([[0.0, 1.0]]).expand(40, 2))
    assert (labels[edges] != labels[samples][:, None]).all()


def test_without_classes_negatives_are_all_other_rows():
    made = bank(labels=torch.rand(40))
    picked = made.pick(torch.tensor([5]), torch.linspace(0, 1, 5000)[None])
    assert set(picked[0].tolist()) == set(range(40)) - {5}


def test_negatives_shrink_to_the_data():
    assert MemoryBank(SIZES, width=3, negatives=4096).negatives == 30


def test_negatives_of_one_class_alone_are_refused():
    with pytest.raises(ValueError, match="negatives come from other classes, but all 40 rows are of one class"):
        bank(labels=torch.zeros(40, dtype=torch.long))


def test_the_constants_of_the_first_batch_stay():
    made, rows = bank(), torch.ones(8, dtype=torch.bool)
    left, right = (F.normalize(torch.randn(8, 3, generator=torch.Generator().manual_seed(k))) for k in (1, 2))
    told = {"samples": torch.arange(8), "negatives": made.pick(torch.arange(8), torch.rand(8, 16)), "rows": rows}
    made.remember(left, right, torch.tensor(0.1), **told)
    first, memory = made.left_z.clone(), made.left.clone()
    made.remember(right, left, torch.tensor(0.1), **told)
    assert first > 0
    assert made.left_z == first
    assert torch.equal(made.left[8:], memory[8:])
    torch.testing.assert_close(made.left[:8], F.normalize((memory[:8] + right) / 2))


def test_scores_are_the_same_whichever_table_is_the_smaller():
    anchors, memory = normal(4, 3), normal(50, 3, seed=1)
    index = torch.randint(50, (4, 60), generator=torch.Generator().manual_seed(0))
    by_product = cosine_scores(anchors, memory, index, torch.tensor(0.5))
    by_choice = cosine_scores(anchors, memory, index[:, :2], torch.tensor(0.5))
    torch.testing.assert_close(by_product[:, :2], by_choice)


def test_kendall_is_tau_b_and_0_for_a_row_that_orders_nothing():
    left, right = normal(6, 9).round(decimals=1), normal(6, 9, seed=1).round(decimals=0)
    expected = [kendalltau(a, b).statistic for a, b in zip(left.numpy(), right.numpy(), strict=True)]
    assert kendall(left, right).tolist() == pytest.approx(expected)
    assert kendall(torch.ones(2, 9), right[:2].float()).tolist() == [0, 0]


def test_saliency_matches_a_loop_over_channels():
    head = torch.nn.Linear(5, 3).double()
    student, teacher = normal(8, 3), normal(8, 5, seed=1)
    rows = torch.tensor([True] * 6 + [False] * 2)
    order = permuted_rows(torch.rand(8, generator=torch.Generator().manual_seed(0)), rows)
    found = saliency(head, student, teacher, order, rows)
    for channel in range(5):
        mixed = teacher.clone()
        mixed[:, channel] = teacher[order, channel]
        assert found[channel].item() == pytest.approx(F.mse_loss(head(mixed)[:6], student[:6]).item())


def test_a_permutation_of_the_rows_that_count_leaves_the_others_out():
    rows = torch.tensor([True, False, True, True, False, True])
    order = permuted_rows(torch.rand(6, generator=torch.Generator().manual_seed(0)), rows)
    assert sorted(order[rows].tolist()) == [0, 2, 3, 5]
    assert order[~rows].tolist() == [1, 4]


def test_modality_focus_removes_nothing_before_it_has_measured_and_the_least_salient_after():
    term = objective.ModalityFocus(removed=0.5)
    term.setup(SIZES)
    term.double()
    seen = batch()
    teacher = seen.of("teacher").embedding
    plain = soft_cross_entropy(seen.student.logits, seen.teacher_head(teacher), 1.0).mean()
    assert term(seen).item() == pytest.approx(plain.item())

    drawn = draws(Objective(mfh=term), 8)["mfh"]
    with torch.no_grad():
        term.remember(seen._replace(draws=drawn), ROWS)
    least = term.saliency.argsort()[:3]
    focused = teacher.clone()
    focused[:, least] = teacher.mean(0)[least]
    expected = soft_cross_entropy(seen.student.logits, seen.teacher_head(focused), 1.0).mean()
    assert term(seen).item() == pytest.approx(expected.item())


@pytest.mark.parametrize(
    "term", [objective.Attention(), objective.NeuronSelectivity(), objective.ChannelCorrelation()], ids=repr
)
@pytest.mark.parametrize("shape", [None, (16,), (16, 1, 1)])
def test_terms_on_maps_refuse_pooled_vectors(term, shape):
    shapes = {"student.map": (3, 4, 4)} | ({} if shape is None else {"teacher.map": shape})
    with pytest.raises(ValueError, match=r"compares maps .* of two positions or more, got teacher.map="):
        term.setup(Sizes(student=4, teacher=4, classes=3, samples=8, features=shapes))


def test_duplicate_rows_move_nothing_in_rkd():
    rows = torch.ones(6, dtype=torch.bool)
    student = normal(6, 5).float()
    student[1] = student[0]
    student.requires_grad_()
    (gradient,) = torch.autograd.grad(relative_distances(student, rows).square().sum(), student)
    assert gradient.abs().max() < 100


def test_angles_have_the_gradient_that_autograd_would_give():
    student, teacher = normal(7, 4).requires_grad_(), normal(7, 3, seed=1)
    rows = torch.tensor([True, True, False, True, True, True, True])

    def written_out(values: Tensor) -> Tensor:
        e = F.normalize(values[rows][None, :, :] - values[rows][:, None, :], dim=2)
        return e @ e.mT

    expected = F.smooth_l1_loss(written_out(student), written_out(teacher))
    found = angle_difference(student, teacher, rows)
    assert found.item() == pytest.approx(expected.item())
    torch.testing.assert_close(*(torch.autograd.grad(value, student)[0] for value in (found, expected)))


@pytest.mark.slow
def test_angles_of_512_rows_fit_in_a_gibibyte():
    code = """
import resource, torch
from kdsweep.objective.terms.relational_distances import angle_difference
student, teacher = torch.randn(512, 128, requires_grad=True), torch.randn(512, 128)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
angle_difference(student, teacher, torch.ones(512, dtype=torch.bool)).backward()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)
"""
    told = subprocess.run([sys.executable, "-c", code], check=True, timeout=120, capture_output=True, text=True)
    assert float(told.stdout) < 1.0


def test_the_hint_stage_ends_where_distillation_starts():
    made = load("fitnet").build({"stage": "hint"})
    heights = {
        name: [made[name].height(torch.tensor(progress)).item() for progress in (0.0, 0.29, 0.31, 1.0)]
        for name in ("ce", "fitnet", "kd")
    }
    assert heights == {"ce": [1, 1, 1, 1], "fitnet": [1, 1, 0, 0], "kd": [0, 0, 1, 1]}


def test_a_batch_of_one_class_gives_ccl_nothing_to_do():
    term = objective.CompositionalContrast()
    term.setup(SIZES)
    seen = batch()._replace(labels=torch.zeros(8, dtype=torch.long))
    assert term.double()(seen).item() == 0


def test_the_student_gets_its_own_line_of_ccl_alone():
    term = objective.CompositionalContrast()
    term.setup(SIZES._replace(student=7))
    term.double()
    student, teacher = normal(8, 7).requires_grad_(), normal(8, 7, seed=1)
    scores, labels = normal(8, 4, seed=2), torch.arange(8) % 4
    seen = Batch(Outputs(scores, student, ROWS), labels, labels, torch.tensor(0.5), Outputs(scores, teacher, ROWS))
    own, _ = term.lines(scores, student, teacher, labels, ROWS)
    whole = torch.autograd.grad(term(seen), student)[0]
    torch.testing.assert_close(whole, torch.autograd.grad(own, student)[0])


def test_vid_starts_from_a_variance_of_five_and_learns_it():
    term = objective.VariationalInformation()
    term.setup(SIZES)
    assert (F.softplus(term.spread) + 1e-5).tolist() == pytest.approx([5.0] * SIZES.teacher)
    assert "spread" in dict(term.named_parameters())


def test_the_entropy_reads_the_shape_of_the_teacher_and_not_its_scale():
    for form in ("pair", "joint", "gaussian"):
        term = load("amid").build({**load("amid").defaults(), "entropy_form": form})["entropy"]
        term.setup(SIZES)
        term.double()
        seen = batch()
        teacher = seen.of("teacher")
        larger = seen._replace(teacher=teacher._replace(embedding=teacher.embedding * 10 + 3))
        assert term(seen).item() == pytest.approx(term(larger).item(), rel=1e-3), form
