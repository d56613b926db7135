"""What AMID's terms do to networks, on made-up latents: the entropy closes the gap, I(T;A) keeps the teacher strong."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from kdsweep.methods import load
from kdsweep.objective import Batch, Objective, Outputs, Sizes

pytestmark = pytest.mark.slow

ROWS, BATCH = 2000, 64
EVERY = torch.ones(BATCH, dtype=torch.bool)


def explained(seen: Tensor, target: Tensor, new_seen: Tensor, new_target: Tensor) -> float:
    """Held-out R^2 of a linear map from what is seen to the target."""
    ones = torch.ones(len(seen), 1)
    left, right = torch.cat([seen, ones], 1).double(), torch.cat([new_seen, ones], 1).double()
    weights = torch.linalg.lstsq(left, target.double()).solution
    error = (right @ weights - new_target).square().sum()
    return 1 - (error / (new_target - new_target.mean(0)).square().sum()).item()


def network(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, outputs))


def objective(dropped: tuple[str, ...], numbers: dict[str, float], sizes: Sizes, form: str = "pair") -> Objective:
    amid = load("amid")
    made = amid.build({**amid.defaults(), "entropy_form": form}, dropped).set(numbers)
    made.setup(sizes, lambda name: nullcontext())
    return made


def main_optimiser(made: Objective, *networks: nn.Module) -> torch.optim.Optimizer:
    own = [parameter for name, parameter in made.named_parameters() if ".critic." not in name]
    return torch.optim.Adam([*own, *(parameter for one in networks for parameter in one.parameters())], lr=1e-3)


def half_hidden_teacher(seed: int) -> tuple[Tensor, Tensor]:
    """x that shows six latents under noise, and a fixed teacher's embedding of those and of six that x never shows."""
    rng, fixed = torch.Generator().manual_seed(seed), torch.Generator().manual_seed(99)
    to_x, to_t, to_noise = (torch.randn(*shape, generator=fixed) for shape in ((6, 24), (12, 16), (40, 24)))
    shared, private, noise = (torch.randn(ROWS, width, generator=rng) for width in (6, 6, 40))
    return torch.tanh(shared @ to_x / 2.5) + noise @ to_noise / 6.3, torch.cat([shared, private], 1) @ to_t / 3


def student_by_entropy_alone(form: str | None) -> float:
    """R^2 of the teacher's embedding given that of a narrow student; untrained without a form."""
    (x, t), (new_x, new_t) = half_hidden_teacher(0), half_hidden_teacher(1)
    torch.manual_seed(0)
    student = network(24, 4)
    if form is not None:
        others = tuple(name for name in load("amid").terms({}) if name != "entropy")
        numbers = {"entropy.start": 0.0, "entropy.ramp": 0.0, "entropy.weight": 1.0}
        made = objective(others, numbers, Sizes(student=4, teacher=16, classes=2, samples=ROWS), form)
        main, entropy = main_optimiser(made, student), made["entropy"]
        adversary = (
            torch.optim.Adam(entropy.critic.parameters(), lr=1e-3, betas=(0.5, 0.999)) if entropy.critic else None
        )
        for _ in range(200):
            rows, none = torch.randint(ROWS, (BATCH,)), torch.zeros(BATCH, 2)
            ours, theirs = Outputs(none, student(x[rows]), EVERY), Outputs(none, t[rows], EVERY)
            batch = Batch(ours, rows, rows, torch.tensor(0.5), theirs)
            if adversary is not None:
                adversary.zero_grad()
                entropy.critic_value(batch.detach()).backward()
                adversary.step()
            main.zero_grad()
            made(batch).total.backward()
            main.step()
    with torch.no_grad():
        return explained(student(x), t, student(new_x), new_t)


@pytest.mark.parametrize("form", ["pair", "joint", "gaussian"])
def test_the_entropy_alone_makes_the_teacher_readable_from_the_student(form):
    # A linear map from x itself explains .43.
    assert student_by_entropy_alone(None) < 0.12
    assert student_by_entropy_alone(form) > 0.2


def teacher_trained(dropped: tuple[str, ...], **numbers: float) -> tuple[float, float]:
    """Its accuracy, and the R^2 of the latents that only the auxiliary modality shows, from its embedding."""
    fixed = torch.Generator().manual_seed(7)
    to_x, to_a, to_y = (torch.randn(*shape, generator=fixed) for shape in ((4, 16), (4, 16), (8, 8)))

    def made_up(seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rng = torch.Generator().manual_seed(seed)
        shared, private = (torch.randn(ROWS, 4, generator=rng) for _ in range(2))
        x, a = (
            torch.tanh(latent @ to / 2) + 0.1 * torch.randn(ROWS, 16, generator=rng)
            for latent, to in ((shared, to_x), (private, to_a))
        )
        return x, a, private, (torch.cat([shared, private], 1) @ to_y).argmax(1)

    (x, a, private, y), (new_x, new_a, new_private, new_y) = made_up(0), made_up(1)
    torch.manual_seed(0)
    teacher, student, teacher_head, student_head = network(32, 8), network(16, 8), nn.Linear(8, 8), nn.Linear(8, 8)
    sizes = Sizes(student=8, teacher=8, classes=8, samples=ROWS, auxiliary={"a": 16}, labels=y)
    made = objective(("entropy", *dropped), {name.replace("__", "."): value for name, value in numbers.items()}, sizes)
    main = main_optimiser(made, teacher, student, teacher_head, student_head)
    for step in range(250):
        rows = torch.randint(ROWS, (BATCH,))
        t, s = teacher(torch.cat([x[rows], a[rows]], 1)), student(x[rows])
        batch = Batch(
            student=Outputs(student_head(s), s, EVERY),
            labels=y[rows],
            samples=rows,
            progress=torch.tensor(step / 250),
            teacher=Outputs(teacher_head(t), t, EVERY),
            auxiliary={"a": Outputs(torch.zeros(BATCH, 8), a[rows], EVERY)},
        )
        main.zero_grad()
        made(batch).total.backward()
        main.step()
    with torch.no_grad():
        t, new_t = teacher(torch.cat([x, a], 1)), teacher(torch.cat([new_x, new_a], 1))
        accuracy = (teacher_head(new_t).argmax(1) == new_y).double().mean().item()
        return accuracy, explained(t, private, new_t, new_private)


def test_a_heavy_pull_towards_the_student_makes_the_teacher_weak():
    accuracy, hidden = teacher_trained(("mi_teacher", "mi_auxiliary"))
    weak_accuracy, weak_hidden = teacher_trained(("mi_auxiliary",), mi_teacher__weight=50.0)
    assert weak_accuracy < accuracy - 0.2
    assert weak_hidden < 0.2 < 0.5 < hidden


def test_information_with_the_auxiliary_model_keeps_the_teacher_strong():
    _, without = teacher_trained(("ce_teacher", "mi_auxiliary"))
    _, kept = teacher_trained(("ce_teacher",))
    assert without < 0.1
    assert kept > 0.8
