"""Every loss gives the value and gradients that a public implementation gave on the same inputs."""

import copy
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from kdsweep import objective
from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Outputs, Sizes
from kdsweep.objective.critics import ConditionalGaussian
from kdsweep.objective.numerics import masked_mean, soft_cross_entropy
from kdsweep.objective.terms._bounds import (
    club_bound,
    cross_entropy_of_pairs,
    dv_bound,
    gaussian_log_likelihood,
    infonce_bound,
    js_bound,
    nwj_bound,
    smile_bound,
)
from kdsweep.objective.terms._memory import MemoryBank, noise_contrast
from kdsweep.objective.terms.adversary import critic_hinge, gradient_penalty
from kdsweep.objective.terms.class_contrast import class_contrast
from kdsweep.objective.terms.compositional_contrast import Composition, half_jeffreys, label_contrast
from kdsweep.objective.terms.customized_logits import others_kl
from kdsweep.objective.terms.modality_focus import without_channels
from kdsweep.objective.terms.projected_regression import log_quartic
from kdsweep.objective.terms.supervised_contrast import supervised_contrast

CASES = {
    case["id"]: case
    for case in json.loads((Path(__file__).parent.parent / "reference/objectives.json").read_text())["cases"]
}
Given = dict[str, Tensor]


def redraw(spec: dict, dtype: torch.dtype) -> Tensor:
    """An input again, from its seed; its checksum is asserted before anything is computed from it."""
    generator = torch.Generator().manual_seed(spec.get("seed", 0))
    match spec.get("dist"):
        case "randn":
            drawn = torch.randn(spec["shape"], generator=generator, dtype=torch.float64)
            drawn = drawn * spec["scale"] + spec["shift"]
        case "uniform":
            drawn = torch.rand(spec["shape"], generator=generator, dtype=torch.float64)
            drawn = drawn * (spec["hi"] - spec["lo"]) + spec["lo"]
        case "randint":
            drawn = torch.randint(spec["low"], spec["high"], spec["shape"], generator=generator)
        case "literal":
            drawn = torch.tensor(spec["values"])
        case None if "mean" in spec:
            drawn = torch.randn(spec["shape"], generator=generator, dtype=torch.float64)
            drawn = spec["mean"] + spec["std"] * drawn
        case None:
            drawn = torch.full(spec["shape"], spec["checksum"]["head"][0], dtype=torch.float64)
    if spec.get("post") == "l2norm":
        drawn = F.normalize(drawn, dim=-1)
    check_sum(drawn, spec["checksum"])
    return drawn.to(dtype) if drawn.is_floating_point() else drawn


def check_sum(values: Tensor, checksum: dict) -> None:
    values = values.double()
    assert values.sum().item() == pytest.approx(checksum["sum"], rel=1e-9, abs=1e-9)
    assert values.abs().sum().item() == pytest.approx(checksum["abs_sum"], rel=1e-9)
    assert values.flatten()[:3].tolist() == pytest.approx(checksum["head"], rel=1e-9)


def all_rows(values: Tensor) -> Tensor:
    return torch.ones(len(values), dtype=torch.bool)


def number(value: float, like: Tensor) -> Tensor:
    return torch.tensor(value, dtype=like.dtype)


def outputs(*, scores: Tensor | None = None, embedding: Tensor | None = None, map: Tensor | None = None) -> Outputs:
    some = next(x for x in (scores, embedding, map) if x is not None)
    blank = torch.zeros(len(some), 1, dtype=some.dtype)
    return Outputs(
        scores if scores is not None else blank,
        embedding if embedding is not None else blank,
        all_rows(some),
        {} if map is None else {"map": map},
    )


def batch(student: Outputs, teacher: Outputs, labels: Tensor | None = None) -> Batch:
    n = len(student.present)
    labels = torch.zeros(n, dtype=torch.long) if labels is None else labels
    return Batch(student, labels, torch.arange(n), torch.tensor(0.5), teacher)


def exact(term: Term, like: Tensor, numbers: dict[str, float]) -> Term:
    """The term in the inputs' precision; its numbers are made in float32."""
    term = copy.deepcopy(term).to(like.dtype)
    for name, value in numbers.items():
        getattr(term, name).fill_(value)
    return term


def on_logits(term: Term, **numbers: float) -> Callable[[Given, Given], Tensor]:
    return lambda x, w: exact(term, x["s"], numbers)(batch(outputs(scores=x["s"]), outputs(scores=x["t"]), x.get("y")))


def on_embeddings(
    term: Term, names: dict[str, str] | None = None, **numbers: float
) -> Callable[[Given, Given], Tensor]:
    """The term's value; `names` says which of its parameters a weight of the case is."""

    def compute(x: Given, w: Given) -> Tensor:
        student, teacher = x["s"].flatten(1), x["t"].flatten(1)
        made = copy.deepcopy(term)
        made.setup(Sizes(student=student.shape[1], teacher=teacher.shape[1], classes=10, samples=50))
        given = {ours: w[theirs].reshape(made.get_parameter(ours).shape) for theirs, ours in (names or {}).items()}
        seen = batch(outputs(embedding=student), outputs(embedding=teacher, scores=x.get("lt")), x.get("y"))
        return torch.func.functional_call(exact(made, student, numbers), given, (seen,))

    return compute


def on_maps(term: Term) -> Callable[[Given, Given], Tensor]:
    def compute(x: Given, w: Given) -> Tensor:
        shapes = {f"{name}.map": tuple(x[name[0]].shape[1:]) for name in ("student", "teacher")}
        term.setup(Sizes(student=1, teacher=1, classes=10, samples=50, features=shapes))
        return term(batch(outputs(map=x["s"]), outputs(map=x["t"])))

    return compute


def rkd(x: Given, w: Given) -> Tensor:
    return 25 * on_embeddings(objective.RelationalDistances(angle=2.0))(x, w)


def kd_with_labels(x: Given, w: Given) -> Tensor:
    both = batch(outputs(scores=x["s"]), outputs(scores=x["t"]), x["y"])
    return 0.5 * objective.CrossEntropy()(both) + 0.5 * objective.SoftLogits(4.0).to(x["s"].dtype)(both)


def correlation_in_16(x: Given, w: Given) -> Tensor:
    term = objective.CorrelationCongruence()
    term.width = 16
    maps = {f"embed_{side[0]}.linear.{part}": f"{side}_map.{part}" for side in ("student", "teacher") for part in PARTS}
    return on_embeddings(term, maps)(x, w)


def projected_regression(x: Given, w: Given) -> Tensor:
    match = masked_mean(soft_cross_entropy(x["ls"], x["lt"], 1.0), all_rows(x["ls"]))
    return log_quartic(x["s"], x["t"]) + match


def crd(x: Given, w: Given) -> Tensor:
    return sum(crd_steps(x, w)[1])


def crd_steps(x: Given, w: Given) -> tuple[MemoryBank, list[Tensor]]:
    """Two batches: the second sees the memories that the first left."""
    dtype = x["s"].dtype
    labels = torch.arange(50) % 5
    bank = MemoryBank(Sizes(student=12, teacher=20, classes=5, samples=50, labels=labels), width=16, negatives=12).to(
        dtype
    )
    bank.left.copy_(w["memory_v1"].detach())
    bank.right.copy_(w["memory_v2"].detach())
    # The published code keeps its temperature in float32 at any precision.
    temperature = torch.tensor(0.07).to(dtype)
    losses = []
    for student, teacher, samples, candidates in (
        (x["s"], x["t"], x["idx"], x["cidx"]),
        (x["s2"], x["t2"], x["idx"].flip(0), x["cidx"].flip(0)),
    ):
        left = F.normalize(F.linear(student, w["embed_s.linear.weight"], w["embed_s.linear.bias"]))
        right = F.normalize(F.linear(teacher, w["embed_t.linear.weight"], w["embed_t.linear.bias"]))
        told = {"samples": samples, "negatives": candidates[:, 1:], "rows": all_rows(student)}
        # A copy: backward comes later, and remember writes in place.
        losses.append(copy.deepcopy(bank).loss(left, right, temperature, **told))
        with torch.no_grad():
            bank.remember(left, right, temperature, **told)
    return bank, losses


def composed(student: Tensor, teacher: Tensor, w: Given) -> tuple[Tensor, Tensor]:
    module = Composition(16, 10).to(student.dtype)
    return torch.func.functional_call(
        module, {ours: w[theirs] for theirs, ours in COMPOSITION.items()}, (student, teacher)
    )


def ccl_step(x: Given, w: Given) -> Tensor:
    term = objective.CompositionalContrast(temperature=0.5, divergence=1.0).to(x["logits"].dtype)
    term.setup(Sizes(student=16, teacher=16, classes=10, samples=50))
    seen = batch(outputs(scores=x["logits"], embedding=x["feat"]), outputs(embedding=x["audio"]), x["y"])
    given = {f"composition.{ours}": w[theirs] for theirs, ours in COMPOSITION.items()}
    value = torch.func.functional_call(term.to(x["logits"].dtype), given, (seen,))
    return value + F.cross_entropy(x["logits"], x["y"])


def c2kd_step(x: Given, w: Given) -> Tensor:
    term = objective.CustomizedLogits(krc=0.0)
    term.setup(Sizes(student=12, teacher=20, classes=10, samples=50))
    names = {"fc1.weight": "inner.weight", "fc1.bias": "inner.bias", "bn.weight": "scale", "bn.bias": "shift"}
    names |= {"fc2.weight": "outer.weight", "fc2.bias": "outer.bias"}
    given = {
        f"{side}_proxy.{ours}": w[f"{side[:3]}.{theirs}"]
        for side in ("student", "teacher")
        for theirs, ours in names.items()
    }
    seen = batch(outputs(scores=x["ls"], embedding=x["fs"]), outputs(scores=x["lt"], embedding=x["ft"]), x["y"])
    value = torch.func.functional_call(term.to(x["ls"].dtype), given, (seen,))
    return value + F.cross_entropy(x["ls"], x["y"]) + F.cross_entropy(x["lt"], x["y"])


def club(x: Given, w: Given, value: Callable[..., Tensor]) -> Tensor:
    module = ConditionalGaussian(6, 6, 6).to(x["x"].dtype)
    given = {}
    for theirs, values in w.items():
        ours = theirs.replace("p_mu", "mean").replace("p_logvar", "log_variance")
        given[ours] = values
    mean, log_variance = torch.func.functional_call(module, given, (x["x"],))
    return value(mean, log_variance, x["y"], all_rows(mean))


def adversary_critic(x: Given, w: Given) -> Callable[[Tensor], Tensor]:
    """The small critic of the reference cases, which is none of ours."""
    return lambda z: F.linear(
        F.leaky_relu(F.linear(z, w["l1.weight"], w["l1.bias"]), 0.1), w["l2.weight"], w["l2.bias"]
    )


def adversary_penalty(x: Given, w: Given) -> Tensor:
    share = x["alpha"].to(x["s"].dtype)
    real, fake = x["t"].flatten(1), x["s"].flatten(1)
    return 10 * gradient_penalty(adversary_critic(x, w), real, fake, share, all_rows(real))


def bound(of: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Given, Given], Tensor]:
    return lambda x, w: of(x["f"], all_rows(x["f"]))


PARTS = ("weight", "bias")
COMPOSITION = {
    "mlp.weight": "residual.weight",
    "mlp.bias": "residual.bias",
    "fc.weight": "head.weight",
    "fc.bias": "head.bias",
}
VID = {"log_scale": "spread", **{f"regressor.{layer}.weight": f"regressor.{layer}.weight" for layer in (0, 2, 4)}}
COMPUTE: dict[str, Callable[[Given, Given], Tensor]] = {
    "kd_T4/repdistiller": on_logits(objective.SoftLogits(4.0)),
    "kd_full_T4/torchdistill": kd_with_labels,
    "dkd_a1_b8_T4/mdistiller": on_logits(objective.DecoupledLogits(alpha=1.0, beta=8.0, temperature=4.0)),
    "dkd_tckd_T4/mdistiller": on_logits(objective.DecoupledLogits(alpha=1.0, beta=0.0, temperature=4.0)),
    "dist_b1_g1_t1/hunto": on_logits(objective.CorrelatedLogits(temperature=1.0)),
    "lskd_T2/lskd": on_logits(objective.SoftLogits(2.0, standardize=True)),
    "mlld_total/mst": on_logits(objective.MultiLevelLogits(reduction="mean")),
    "ofa_eps1.1/ofakd": on_logits(objective.OneForAll(), epsilon=1.1),
    "fitnet_linear/repdistiller": on_embeddings(
        objective.Hint(), {f"linear.{part}": f"regressor.{part}" for part in PARTS}
    ),
    "sp/repdistiller": on_embeddings(objective.SimilarityPreserving()),
    "pkt/author": on_embeddings(objective.ProbabilisticTransfer()),
    "rkd_d25_a50/author": rkd,
    "cc_embed/repdistiller": correlation_in_16,
    "cc_rbf/kdzoo": on_embeddings(objective.CorrelationKernel(), gamma=0.4),
    "srd_exp4/torchdistill": projected_regression,
    "at/repdistiller": on_maps(objective.Attention()),
    "nst/repdistiller": on_maps(objective.NeuronSelectivity()),
    "ickd/torchdistill": on_maps(objective.ChannelCorrelation()),
    "vid_vector/repdistiller": on_embeddings(objective.VariationalInformation(), VID),
    "mmd_rbf/mmanet": on_embeddings(objective.MeanDiscrepancy()),
    "mad_cls/mmanet": on_embeddings(objective.MarginSimilarity()),
    "crd/repdistiller": crd,
    "nce_critic/repdistiller": lambda x, w: noise_contrast(x["x"], 50, all_rows(x["x"])),
    "infonce_T0.1/relbers": lambda x, w: cross_entropy_of_pairs(
        F.normalize(x["q"]) @ F.normalize(x["k"]).T / 0.1, all_rows(x["q"])
    ),
    "supcon_T0.07/supcon": lambda x, w: supervised_contrast(
        torch.cat([x["a"], x["b"]]), torch.cat([x["y"], x["y"]]), number(0.07, x["a"]), torch.ones(16, dtype=torch.bool)
    ),
    "csc_fixed/gewu": lambda x, w: class_contrast(x["a"], x["b"], x["y"], number(0.07, x["a"]), all_rows(x["a"])),
    "ccl_nce_T0.5/ccl": lambda x, w: label_contrast(x["a"], x["b"], x["y"], number(0.5, x["a"]), all_rows(x["a"])),
    "ccl_jsd/ccl": lambda x, w: half_jeffreys(x["s"], x["t"], all_rows(x["s"])),
    "ccl_compose/ccl": lambda x, w: F.cross_entropy(composed(x["vid"], x["aud"], w)[1], x["y"]),
    "ccl_step/ccl": ccl_step,
    "c2kd_ntkl/c2kd": lambda x, w: (x["mask"] * others_kl(x["s"], x["t"], x["y"])).mean(),
    "c2kd_step_vector/c2kd+mst": c2kd_step,
    "mfh_freeze/mfh": lambda x, w: (
        without_channels(x["t"], torch.isin(torch.arange(20), torch.tensor([1, 4, 7])), all_rows(x["t"]))
        .square()
        .mean()
    ),
    "infonce_bound/smile": bound(infonce_bound),
    "nwj_bound/smile": bound(nwj_bound),
    "js_bound/smile": bound(js_bound),
    "dv_bound/smile": bound(dv_bound),
    "smile_clip5_bound/smile": bound(smile_bound),
    "club/club": lambda x, w: club(x, w, club_bound),
    "club_loglik/club": lambda x, w: -club(x, w, gaussian_log_likelihood),
    "adv_d_hinge/skdseg": lambda x, w: critic_hinge(
        adversary_critic(x, w)(x["t"])[:, 0], adversary_critic(x, w)(x["s"])[:, 0], all_rows(x["s"])
    ),
    "adv_g_hinge/skdseg": lambda x, w: -adversary_critic(x, w)(x["s"]).mean(),
    "adv_gp/skdseg": adversary_penalty,
}


def test_every_reference_case_is_computed():
    assert set(COMPUTE) == set(CASES)


def expected_loss(name: str, expected: dict) -> float:
    # Ours is one term for both of CCL's losses, as their gradients are.
    if name == "ccl_step/ccl":
        return expected["extra"]["total_loss_a"] + expected["extra"]["total_loss_v"]
    return expected["loss"]


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", COMPUTE)
def test_agrees_with_the_published_code(name, precision):
    case = CASES[name]
    dtype, expected = getattr(torch, precision), case[precision]
    inputs = {key: redraw(spec, dtype) for key, spec in case["inputs"].items()}
    weights = {spec["name"]: redraw(spec, dtype).requires_grad_() for spec in case["weights"]}
    for key in expected["grad"]:
        inputs[key].requires_grad_()
    if "alpha" in expected.get("extra", {}):
        inputs["alpha"] = torch.tensor(expected["extra"]["alpha"])
    rtol = case["rtol64"] if precision == "float64" else 1e-5

    loss = COMPUTE[name](inputs, weights)
    loss.backward()

    assert loss.item() == pytest.approx(expected_loss(name, expected), rel=rtol)
    for key, gradient in expected["grad"].items():
        close = {"rel": 100 * rtol, "abs": 100 * rtol * gradient["norm"]}
        assert inputs[key].grad.norm().item() == pytest.approx(gradient["norm"], **close)
        assert inputs[key].grad.flatten()[:3].tolist() == pytest.approx(gradient["head"], **close)
    for key, norm in expected.get("param_grad_norm", {}).items():
        assert weights[key].grad.norm().item() == pytest.approx(norm, rel=100 * rtol, abs=100 * rtol)


def test_crd_leaves_the_memories_and_constants_that_the_published_code_leaves():
    case = CASES["crd/repdistiller"]
    inputs = {key: redraw(spec, torch.float64) for key, spec in case["inputs"].items()}
    weights = {spec["name"]: redraw(spec, torch.float64) for spec in case["weights"]}
    expected = case["float64"]["extra"]

    bank, losses = crd_steps(inputs, weights)

    assert [loss.item() for loss in losses] == pytest.approx([expected["loss_step1"], expected["loss_step2"]])
    assert [bank.left_z.item(), bank.right_z.item()] == pytest.approx(expected["params_K_T_Z1_Z2_m"][2:4])
    check_sum(bank.left, expected["bank_after_step2"][0])
    check_sum(bank.right, expected["bank_after_step2"][1])
