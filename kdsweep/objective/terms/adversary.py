"""A critic between the two networks' embeddings. B rows, D width of the teacher's embedding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, Sizes, both_embeddings
from kdsweep.objective.critics import discriminator, frozen
from kdsweep.objective.numerics import masked_mean
from kdsweep.values.paper import Paper

PENALTY = 10.0


def critic_hinge(real_B: Tensor, fake_B: Tensor, rows: Tensor) -> Tensor:
    return masked_mean(F.relu(1 - real_B), rows) + masked_mean(F.relu(1 + fake_B), rows)


def critic_wasserstein(real_B: Tensor, fake_B: Tensor, rows: Tensor) -> Tensor:
    return masked_mean(fake_B, rows) - masked_mean(real_B, rows)


def critic_squares(real_B: Tensor, fake_B: Tensor, rows: Tensor) -> Tensor:
    return (masked_mean((real_B - 1).square(), rows) + masked_mean(fake_B.square(), rows)) / 2


def gradient_penalty(
    critic: Callable[[Tensor], Tensor], real_BD: Tensor, fake_BD: Tensor, share_B: Tensor, rows: Tensor
) -> Tensor:
    """mean (|dD/dz| - 1)^2 at z between real and fake, share_B of the way to the real ones."""
    between_BD = share_B[:, None] * real_BD + (1 - share_B[:, None]) * fake_BD
    # torch.func.grad, because autograd.grad(create_graph=True) is refused inside vmap.
    slope_BD = torch.func.grad(lambda z_BD: critic(z_BD).sum())(between_BD)
    return masked_mean((slope_BD.norm(dim=1) - 1).square(), rows)


ADVERSARIES = {"hinge": critic_hinge, "wgan-gp": critic_wasserstein, "lsgan": critic_squares}


class Adversary(Term):
    """A critic tells the teacher's embeddings from the student's, linearly projected; the student makes them alike.

        hinge    D: mean relu(1 - D(t)) + mean relu(1 + D(s))                       student: -mean D(s)
        wgan-gp  D: mean D(s) - mean D(t) + 10 mean (|dD(z)| - 1)^2                 student: -mean D(s)
        lsgan    D: 1/2 mean (D(t) - 1)^2 + 1/2 mean D(s)^2                         student: 1/2 mean (D(s) - 1)^2

    Args:
        kind: "hinge", "wgan-gp" or "lsgan".
        steps: critic updates before each main update.
        critic_lr: as a ratio to the main learning rate.
    """

    papers = (
        Paper(
            authors=("Liu", "others"),
            title="Structured Knowledge Distillation for Semantic Segmentation",
            venue="CVPR",
            year=2019,
            arxiv="1903.04197",
        ),
        Paper(
            authors=("Gulrajani", "others"),
            title="Improved Training of Wasserstein GANs",
            year=2017,
            arxiv="1704.00028",
        ),
        Paper(
            authors=("Mao", "others"),
            title="Least Squares Generative Adversarial Networks",
            year=2016,
            arxiv="1611.04076",
        ),
    )
    reads = EMBEDDINGS

    def __init__(self, *, kind: str = "hinge", steps: int = 1, critic_lr: float = 1.0, **schedule: Any) -> None:
        if kind not in ADVERSARIES:
            raise ValueError(f"kind is one of {', '.join(ADVERSARIES)}, got {kind!r}")
        super().__init__(critic_lr=critic_lr, **schedule)
        self.kind, self.steps = kind, steps

    def setup(self, sizes: Sizes) -> None:
        self.projection = nn.Linear(sizes.student, sizes.teacher)
        self.critic = discriminator(sizes.teacher)

    def draw(self, batch_size: int, rng: torch.Generator) -> dict[str, Tensor]:
        if self.kind != "wgan-gp":
            return {}
        return {"share": torch.rand(batch_size, generator=rng, device=rng.device)}

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        score_B = frozen(self.critic, self.projection(batch.student.embedding))[:, 0]
        return masked_mean((score_B - 1).square() / 2 if self.kind == "lsgan" else -score_B, rows)

    def critic_loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        real_BD, fake_BD = teacher_BD.detach(), self.projection(student_BD).detach()
        value = ADVERSARIES[self.kind](self.critic(real_BD)[:, 0], self.critic(fake_BD)[:, 0], rows)
        if self.kind == "wgan-gp":
            value = value + PENALTY * gradient_penalty(self.critic, real_BD, fake_BD, batch.draws["share"], rows)
        return value
