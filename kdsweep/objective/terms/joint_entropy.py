"""The conditional entropy by a conditional GAN. B rows, D width of the teacher's embedding, S of the student's."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Sizes
from kdsweep.objective.critics import HIDDEN, discriminator, frozen, generator
from kdsweep.objective.numerics import masked_mean
from kdsweep.objective.terms._entropy import AMID, fake, real, standardized
from kdsweep.values.paper import Paper


class JointEntropy(Term):
    """Conditional entropy by a conditional GAN on (t, s) with a generator that has no noise.

        D minimises  -E log D(t, s) - E log(1 - D(G(s), s))
        G and the student minimise  -E log D(G(s), s) - E log(1 - D(t, s)) + reconstruction * |G(s) - t|^2

    Both branches reach s: with the gradient of the fake branch alone the student learns nothing about t.

    Args:
        steps: updates of D before each main update.
        critic_lr: of D, as a ratio to the main learning rate.
        width: of the hidden layers of D and G.
        reconstruction: weight of the squared error, a sum over the width.
    """

    papers = (
        AMID,
        Paper(
            authors=("Mirza", "Osindero"), title="Conditional Generative Adversarial Nets", year=2014, arxiv="1411.1784"
        ),
    )
    reads = ("student.embedding", "teacher.embedding")

    reconstruction: Tensor

    def __init__(
        self,
        *,
        steps: int = 1,
        critic_lr: float = 1.0,
        reconstruction: float = 1.0,
        width: int = HIDDEN,
        **schedule: Any,
    ) -> None:
        super().__init__(critic_lr=critic_lr, reconstruction=reconstruction, **schedule)
        self.steps, self.width = steps, width

    def setup(self, sizes: Sizes) -> None:
        self.generator = generator(sizes.student, sizes.teacher, self.width)
        self.critic = discriminator(sizes.teacher + sizes.student, self.width)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        true, false, error_B = self._sides(batch)
        value = real(frozen(self.critic, false), rows) + fake(frozen(self.critic, true), rows)
        return value + self.reconstruction * masked_mean(error_B, rows)

    def critic_loss(self, batch: Batch, rows: Tensor) -> Tensor:
        true, false, _ = self._sides(batch)
        return real(self.critic(true), rows) + fake(self.critic(false.detach()), rows)

    def _sides(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        target_BD = standardized(batch.of("teacher").embedding.detach())
        student_BS = standardized(batch.student.embedding)
        guess_BD = self.generator(batch.student.embedding)
        error_B = (guess_BD - target_BD).square().sum(1)
        return torch.cat([target_BD, student_BS], 1), torch.cat([guess_BD, student_BS], 1), error_B
