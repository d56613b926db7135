"""The conditional entropy by a discriminator of pairs. B rows, D width of the teacher's embedding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Sizes
from kdsweep.objective.critics import HIDDEN, discriminator, frozen, generator
from kdsweep.objective.terms._entropy import AMID, fake, real, standardized
from kdsweep.values.paper import Paper


class PairEntropy(Term):
    """Conditional entropy by a discriminator of pairs: [t, t] is real, [t, G(s)] is fake (the form of ALICE).

        D minimises  -E log D(t, t) - E log(1 - D(t, G(s)))
        G and the student minimise  -E log D(t, G(s)),  whose optimum is G(s) = t: T recoverable from S

    Args:
        steps: updates of D before each main update.
        critic_lr: of D, as a ratio to the main learning rate.
        width: of the hidden layers of D and G.
    """

    papers = (
        AMID,
        Paper(
            authors=("Li", "others"),
            title="ALICE: Towards Understanding Adversarial Learning for Joint Distribution Matching",
            year=2017,
        ),
    )
    reads = ("student.embedding", "teacher.embedding")

    def __init__(self, *, steps: int = 1, critic_lr: float = 1.0, width: int = HIDDEN, **schedule: Any) -> None:
        super().__init__(critic_lr=critic_lr, **schedule)
        self.steps, self.width = steps, width

    def setup(self, sizes: Sizes) -> None:
        self.generator = generator(sizes.student, sizes.teacher, self.width)
        self.critic = discriminator(2 * sizes.teacher, self.width)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        target_BD = standardized(batch.of("teacher").embedding.detach())
        guess_BD = self.generator(batch.student.embedding)
        return real(frozen(self.critic, torch.cat([target_BD, guess_BD], 1)), rows)

    def critic_loss(self, batch: Batch, rows: Tensor) -> Tensor:
        target_BD = standardized(batch.of("teacher").embedding)
        guess_BD = self.generator(batch.student.embedding).detach()
        true, false = torch.cat([target_BD, target_BD], 1), torch.cat([target_BD, guess_BD], 1)
        return real(self.critic(true), rows) + fake(self.critic(false), rows)
