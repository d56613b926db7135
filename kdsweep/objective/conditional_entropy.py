"""The conditional entropy H(T|S): what the teacher's embedding says that the student's does not, lowered in three ways.

All rest on H(T|S) <= -E log q(t|s) for any q. The teacher is detached in each: minimised over T, the entropy has a
constant teacher as its optimum. Three designs that look alike are not here, because they do not lower it: a generator
driven by noise models p(t|s) however wide it is, a gradient through the fake branch alone or a match of the marginals
p(t) and p(G(s)) says nothing about pairs.

Letters: B rows, D width of the teacher's embedding, S of the student's.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kdsweep.objective.base import Term, frozen
from kdsweep.objective.batch import Batch, Sizes, masked_mean, softplus
from kdsweep.objective.features import gaussian_bound, inverse_softplus
from kdsweep.objective.networks import HIDDEN, discriminator, generator

AMID = (
    "After: Chen, Xing, Wang, Zhang. Enhanced Multimodal Representation Learning with Cross-modal KD. "
    "CVPR 2023, arXiv:2306.07646"
)


def standardized(values_BD: Tensor) -> Tensor:
    """Each row with mean 0 and variance 1: a discriminator that can tell fakes by their scale learns nothing else."""
    return F.layer_norm(values_BD, values_BD.shape[1:])


def real(logit_B1: Tensor, rows: Tensor) -> Tensor:
    """-E log D: the loss of saying fake."""
    return masked_mean(softplus(-logit_B1[:, 0]), rows)


def fake(logit_B1: Tensor, rows: Tensor) -> Tensor:
    """-E log(1 - D): the loss of saying real."""
    return masked_mean(softplus(logit_B1[:, 0]), rows)


class PairEntropy(Term):
    """Conditional entropy by a discriminator of pairs: [t, t] is real, [t, G(s)] is fake (the form of ALICE).

        D minimises  -E log D(t, t) - E log(1 - D(t, G(s)))
        G and the student minimise  -E log D(t, G(s)),  whose optimum is G(s) = t: T recoverable from S

    Args:
        steps: updates of D before each main update.
        critic_lr: of D, as a ratio to the main learning rate.
        width: of the hidden layers of D and G.
    """

    paper = f"{AMID}; Li et al. ALICE: Towards Understanding Adversarial Learning for Joint Distribution Matching. 2017"
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

    paper = f"{AMID}; Mirza, Osindero. Conditional Generative Adversarial Nets. arXiv:1411.1784"
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


class GaussianEntropy(Term):
    """Conditional entropy by its variational bound with a Gaussian q; not adversarial, the yardstick of the others.

    mean over rows and widths of 1/2 [(t - mu(s))^2 / v + log v], v = softplus(rho) + 1e-5 for each width

    Args:
        width: of the hidden layer of mu.
    """

    paper = f"{AMID}; Ahn et al. Variational Information Distillation for Knowledge Transfer. arXiv:1904.05835"
    reads = ("student.embedding", "teacher.embedding")

    def __init__(self, *, width: int = HIDDEN, **schedule: Any) -> None:
        super().__init__(**schedule)
        self.width = width

    def setup(self, sizes: Sizes) -> None:
        self.generator = generator(sizes.student, sizes.teacher, self.width)
        self.spread = nn.Parameter(inverse_softplus(1.0).expand(sizes.teacher).clone())

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        target_BD = standardized(batch.of("teacher").embedding.detach())
        return gaussian_bound(self.generator(batch.student.embedding), target_BD, self.spread, rows)


def make_entropy(form: str, *, steps: int, **numbers: Any) -> Term:
    """The term of a form: "pair", "joint" or "gaussian", which has no discriminator and so no steps."""
    if form == "gaussian":
        return GaussianEntropy(**numbers)
    term: Term = {"pair": PairEntropy, "joint": JointEntropy}[form](steps=steps, **numbers)
    return term
