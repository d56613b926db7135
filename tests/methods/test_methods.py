"""What every method promises. Methods are found in their folder: a new one is tested by existing."""

import copy
import subprocess
import sys
import warnings

import pytest
import torch
from torch import Tensor

from kdsweep import methods
from kdsweep.objective import Batch, Objective
from tests.helpers.objective_fakes import Recipe, batch, draws, each, gradients, leaves, missing, recipes, with_draws

RECIPES = recipes()
# Of several auxiliary modalities, each row below has lost another one; row 5 has lost both.
HOLES = {"student": [1], "teacher": [0, 5], "depth": [2, 5], "sound": [3, 5]}


def every_recipe(test):
    return pytest.mark.parametrize("recipe", RECIPES, ids=str)(test)


def terms_of(made: Objective, seen: Batch, drawn):
    for name, term in made.items():
        yield name, term, with_draws(seen, drawn, name)


def close(left: dict[str, Tensor], right: dict[str, Tensor], *, tolerance: float = 1e-9) -> None:
    assert left.keys() == right.keys()
    for name in left:
        torch.testing.assert_close(
            left[name], right[name], rtol=tolerance, atol=tolerance, msg=lambda m, n=name: f"{n}: {m}"
        )


@every_recipe
def test_the_module_and_its_objective_name_the_same_terms_and_numbers(recipe):
    made = recipe.loaded.build(recipe.full)
    assert tuple(made.terms) == recipe.loaded.terms(recipe.full)
    assert set(made.numbers()) == recipe.loaded.numbers(recipe.full)


@every_recipe
def test_published_values_lie_in_the_ranges(recipe):
    made = recipe.loaded.build(recipe.full).numbers()
    for name, domain in recipe.loaded.space(recipe.full).items():
        # Numbers are float32.
        assert domain.low * (1 - 1e-6) <= made[name] <= domain.high * (1 + 1e-6)


@every_recipe
def test_names_its_paper_and_says_in_one_line_what_it_is(recipe):
    assert recipe.loaded.summary.endswith(".")
    for name, paper in recipe.loaded.build(recipe.full).papers().items():
        assert paper or name.startswith("ce")


def test_ranges_and_choices_are_read_without_torch():
    code = (
        "import sys; from kdsweep import methods\n"
        "for name in methods.names(): methods.load(name).space({})\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@every_recipe
def test_every_term_trains_what_it_is_for(recipe):
    made, seen = recipe.build(), batch()
    drawn = draws(made, 8)
    for name, term, own in terms_of(made, seen, drawn):
        found = {source: gradient.abs().sum().item() for source, gradient in gradients(term(own), leaves(seen)).items()}
        student = sum(found[source] for source in found if source.startswith("student"))
        assert (student > 0) == (term.trains == "student"), name
        if term.trains == "teacher":
            assert sum(found.values()) > 0, name


@every_recipe
def test_no_gradient_reaches_a_frozen_teacher_or_a_frozen_auxiliary_model(recipe):
    made, seen = recipe.build(), batch()
    found = gradients(made(seen, draws(made, 8)).total, leaves(seen))
    frozen = []
    if recipe.loaded.teacher(recipe.full) != "joint":
        frozen.append("teacher")
    if recipe.loaded.auxiliary(recipe.full) != "joint":
        frozen += ["depth", "sound"]
    for name, gradient in found.items():
        if name.split(".")[0] in frozen:
            assert not gradient.any(), name


@every_recipe
def test_critics_learn_from_their_own_loss_alone(recipe):
    made, seen = recipe.build(), batch()
    drawn = draws(made, 8)
    for name, term, own in terms_of(made, seen, drawn):
        if term.critic is None:
            continue
        parameters = dict(term.critic.named_parameters())
        assert not any(gradient.any() for gradient in gradients(term(own), parameters).values()), name
        assert any(gradient.any() for gradient in gradients(term.critic_value(own.detach()), parameters).values()), name
        others = {key: value for key, value in term.named_parameters() if not key.startswith("critic.")}
        assert "critic_lr" in term.number_names
        assert term.steps >= 1
        # The rest of the term learns from the main loss.
        assert all(gradient.any() for gradient in gradients(term(own), others).values()), name


@every_recipe
def test_rows_that_are_missing_count_as_if_they_were_not_there(recipe):
    seen = missing(batch(10), **HOLES)
    whole = recipe.build()
    drawn = draws(whole, 10)
    for _, term, own in terms_of(whole, seen, drawn):
        rows = term.rows(own)
        assert 2 <= rows.sum() < 10
        short = each(own, lambda values, kept=rows: values[kept])
        short = short._replace(draws={key: values[rows] for key, values in own.draws.items()})
        alone = copy.deepcopy(term)

        torch.testing.assert_close(term(own), alone(short), rtol=1e-9, atol=1e-9)
        close(
            {key: gradient[rows] for key, gradient in gradients(term(own), leaves(own)).items()},
            gradients(alone(short), leaves(short)),
        )
        close(
            gradients(term(own), dict(term.named_parameters())), gradients(alone(short), dict(alone.named_parameters()))
        )
        assert not any(gradient[~rows].any() for gradient in gradients(term(own), leaves(own)).values())
        if term.critic is not None:
            torch.testing.assert_close(term.critic_value(own.detach()), alone.critic_value(short.detach()))
        close(term.readings(own, rows), alone.readings(short, rows[rows]))
        with torch.no_grad():
            term.remember(own.detach(), rows)
            alone.remember(short.detach(), rows[rows])
        close(term.state_dict(), alone.state_dict())


@every_recipe
@pytest.mark.parametrize("left", [0, 1])
def test_fewer_than_two_rows_give_exactly_zero(recipe, left):
    made, seen = recipe.build(), batch(scale=0.0)
    gone = list(range(left, 8))
    seen = missing(seen, student=gone, teacher=gone, depth=gone, sound=gone)
    drawn = draws(made, 8)
    for name, term, own in terms_of(made, seen, drawn):
        value = term(own)
        assert value.item() == 0, name
        for key, gradient in gradients(value, {**leaves(own), **dict(term.named_parameters())}).items():
            assert not gradient.any(), (name, key)
        if term.critic is not None:
            assert term.critic_value(own.detach()).item() == 0, name
        with torch.no_grad():
            term.remember(own.detach(), term.rows(own))
        assert all(torch.isfinite(values.float()).all() for values in term.state_dict().values()), name


def saturated(seen: Batch) -> Batch:
    return each(seen, lambda values: values * 1e4 if values.is_floating_point() and values.dim() > 0 else values)


def duplicated(seen: Batch) -> Batch:
    return each(seen, lambda values: values[[0, 0, 0, 1, 1, 2, 3, 4]])


def constant(seen: Batch) -> Batch:
    return each(seen, lambda values: torch.ones_like(values) if values.is_floating_point() else values)


def empty(seen: Batch) -> Batch:
    return each(seen, lambda values: torch.zeros_like(values) if values.is_floating_point() else values)


def of_one_class(seen: Batch) -> Batch:
    return seen._replace(labels=torch.zeros_like(seen.labels))


def a_copy_of_the_teacher(seen: Batch) -> Batch:
    # Where shapes agree; embeddings differ in width.
    return seen._replace(
        student=seen.student._replace(logits=seen.of("teacher").logits.detach().clone().requires_grad_())
    )


TRAPS = [saturated, duplicated, constant, empty, of_one_class, a_copy_of_the_teacher]


@every_recipe
@pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_values_and_gradients_stay_finite(recipe, trap, dtype):
    made, seen = recipe.build(dtype=dtype), trap(batch())
    seen = each(seen, lambda values: values.to(dtype) if values.is_floating_point() else values)
    for name, term, own in terms_of(made, seen, draws(made, 8)):
        value = term(own)
        assert torch.isfinite(value), name
        for key, gradient in gradients(value, {**leaves(own), **dict(term.named_parameters())}).items():
            assert torch.isfinite(gradient).all(), (name, key)
        if term.critic is not None:
            gradient = gradients(term.critic_value(own.detach()), dict(term.critic.named_parameters()))
            assert all(torch.isfinite(values).all() for values in gradient.values()), name


@every_recipe
def test_does_not_depend_on_the_order_of_the_batch(recipe):
    made, seen = recipe.build(), batch()
    order = torch.tensor([3, 1, 7, 0, 5, 2, 6, 4])
    for name, term, own in terms_of(made, seen, draws(made, 8)):
        if name == "cc" and recipe.full["form"] == "linear":
            continue
        turned = each(own, lambda values: values[order])
        turned = turned._replace(draws={key: values[order] for key, values in own.draws.items()})
        torch.testing.assert_close(term(own), term(turned), rtol=1e-9, atol=1e-9)


@every_recipe
def test_weight_zero_leaves_the_student_as_it_would_be_alone(recipe):
    seen = batch()
    names = [name for name, term in recipe.build().items() if name != "ce"]
    made = recipe.build(**{f"{name}__weight": 0.0 for name in names})
    alone = Recipe("student_only").build()
    before = torch.get_rng_state()

    drawn = draws(made, 8)
    value = made(seen, drawn).total
    student = {key: values for key, values in leaves(seen).items() if key.startswith("student")}
    ours, theirs = gradients(value, student), gradients(alone(seen).total, student)
    made.remember(seen, drawn)

    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(ours[key], theirs[key]) for key in student)


@every_recipe
def test_state_saved_in_the_middle_gives_the_same_next_value(recipe):
    first, second = recipe.build(), recipe.build(seed=7)
    for step in (1, 2):
        drawn = draws(first, 8, seed=step)
        first.remember(batch(seed=step), drawn)
    second.load_state_dict(first.state_dict())
    twin = copy.deepcopy(first)

    seen, drawn = batch(seed=3), draws(first, 8, seed=3)
    for other in (second, twin):
        assert torch.equal(first(seen, drawn).total, other(seen, drawn).total)


@every_recipe
def test_half_precision_is_computed_in_single(recipe):
    made = recipe.build(dtype=torch.float32)
    seen = each(batch(), lambda values: values.to(torch.bfloat16) if values.is_floating_point() else values)
    plain = each(seen, lambda values: values.float() if values.is_floating_point() else values)
    drawn = draws(made, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = made(seen, drawn)
    assert half.total.dtype == torch.float32
    single = made(plain, drawn)
    for name, value in half.values.items():
        torch.testing.assert_close(value, single.values[name], rtol=1e-6, atol=1e-6)


@every_recipe
def test_a_stack_of_three_settings_gives_what_each_gives_alone(recipe):
    """Values, gradients, critics and memories; and no operation falls back to a loop over members."""
    made = [recipe.build(seed=seed, **moved(recipe, seed)) for seed in range(3)]
    seen = [missing(batch(seed=seed), **HOLES) for seed in range(3)]
    drawn = [draws(one, 8, seed=seed) for seed, one in enumerate(made)]
    parameters, buffers = torch.func.stack_module_state(made)
    stacked = stack(seen)
    stacked_draws = {
        name: {key: torch.stack([one[name][key] for one in drawn]) for key in drawn[0][name]} for name in drawn[0]
    }
    skeleton = copy.deepcopy(made[0])

    def evaluate(parameters, buffers, tensors, drawn):
        own = rebuild(seen[0], tensors)
        parts = torch.func.functional_call(skeleton, (parameters, buffers), (own, drawn))
        return parts.total, parts.values

    def critics(parameters, buffers, tensors, drawn):
        own = rebuild(seen[0], tensors).detach()
        return {
            name: torch.func.functional_call(
                Critic(skeleton, name),
                ({f"made.{k}": v for k, v in parameters.items()}, {f"made.{k}": v for k, v in buffers.items()}),
                (with_draws(own, drawn, name),),
            )
            for name in skeleton.critics()
        }

    def remember(parameters, buffers, tensors, drawn):
        own = rebuild(seen[0], tensors).detach()
        torch.func.functional_call(
            Memory(skeleton),
            ({f"made.{k}": v for k, v in parameters.items()}, {f"made.{k}": v for k, v in buffers.items()}),
            (own, drawn),
        )
        return torch.zeros(())

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        totals, values = torch.vmap(evaluate)(parameters, buffers, stacked, stacked_draws)
        found = torch.autograd.grad(totals.sum(), [stacked["student.logits"], *parameters.values()], allow_unused=True)
        critic_values = torch.vmap(critics)(parameters, buffers, stacked, stacked_draws)
        torch.vmap(remember)(parameters, buffers, stacked, stacked_draws)

    for lane, one in enumerate(made):
        alone = one(seen[lane], drawn[lane])
        torch.testing.assert_close(totals[lane], alone.total, rtol=1e-9, atol=1e-9)
        close({name: value[lane] for name, value in values.items()}, alone.values)
        for name, value in critic_values.items():
            own = with_draws(seen[lane].detach(), drawn[lane], name)
            torch.testing.assert_close(value[lane], one[name].critic_value(own))
        own = {"student.logits": seen[lane].student.logits, **dict(one.named_parameters())}
        for gradient, expected in zip(found, gradients(alone.total, own).values(), strict=True):
            torch.testing.assert_close(
                torch.zeros_like(expected) if gradient is None else gradient[lane], expected, rtol=1e-8, atol=1e-9
            )
        one.remember(seen[lane], drawn[lane])
        close({name: buffer[lane] for name, buffer in buffers.items()}, dict(one.named_buffers()))


class Critic(torch.nn.Module):
    def __init__(self, made: Objective, name: str) -> None:
        super().__init__()
        self.made, self.name = made, name

    def forward(self, seen: Batch) -> Tensor:
        return self.made[self.name].critic_value(seen)


class Memory(torch.nn.Module):
    def __init__(self, made: Objective) -> None:
        super().__init__()
        self.made = made

    def forward(self, seen: Batch, drawn) -> None:
        self.made.remember(seen, drawn)


def moved(recipe: Recipe, lane: int) -> dict[str, float]:
    """Other numbers in each lane; schedules that start early enough to be seen."""
    numbers = recipe.loaded.build(recipe.full).numbers()
    return {
        name.replace(".", "__"): value * (1 + 0.1 * lane)
        for name, value in numbers.items()
        if not name.endswith((".start", ".ramp", ".decay"))
    }


def stack(seen: list[Batch]) -> dict[str, Tensor]:
    return {key: torch.stack([flat(one)[key] for one in seen]) for key in flat(seen[0])}


def flat(seen: Batch) -> dict[str, Tensor]:
    sources = {"student": seen.student, "teacher": seen.of("teacher"), **seen.auxiliary}
    present = {f"{source}.present": outputs.present for source, outputs in sources.items()}
    return {**leaves(seen), **present, "labels": seen.labels, "samples": seen.samples}


def rebuild(like: Batch, tensors: dict[str, Tensor]) -> Batch:
    def outputs(source: str, of):
        features = {name: tensors[f"{source}.{name}"] for name in of.features}
        return of._replace(
            logits=tensors[f"{source}.logits"],
            embedding=tensors[f"{source}.embedding"],
            present=tensors[f"{source}.present"],
            features=features,
        )

    return like._replace(
        student=outputs("student", like.student),
        teacher=outputs("teacher", like.of("teacher")),
        auxiliary={name: outputs(name, of) for name, of in like.auxiliary.items()},
        labels=tensors["labels"],
        samples=tensors["samples"],
    )


def test_the_shipped_methods_are_these():
    assert set(methods.names()) >= {"amid", "student_only", "teacher", "auxiliary_only", "kd", "dkd", "dist", "lskd"}
    assert set(methods.names()) >= {"fitnet", "sp", "pkt", "rkd", "cc", "vid", "crd", "infonce", "ccl", "c2kd", "mad"}
    assert set(methods.names()) >= {"mfh", "adv", "ofa", "mlld", "at", "nst", "mmd", "srd", "ickd", "hallucination"}
    assert set(methods.names()) >= {"supcon", "csc"}
