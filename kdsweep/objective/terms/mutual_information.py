"""The term that maximises what two networks' embeddings say about each other. B rows of the batch, D width."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.objective.base import Term, mean_over_auxiliaries
from kdsweep.objective.batch import Batch, Sizes
from kdsweep.objective.critics import PROJECTED_WIDTH, ConditionalGaussian, Projections, frozen
from kdsweep.objective.terms._bounds import (
    club_bound,
    cross_entropy_of_pairs,
    gaussian_log_likelihood,
    js_bound,
    nwj_bound,
    smile_bound,
)
from kdsweep.objective.terms._memory import MemoryBank
from kdsweep.values.paper import Paper

ESTIMATORS = {
    "infonce": Paper(
        authors=("van den Oord", "Li", "Vinyals"),
        title="Representation Learning with Contrastive Predictive Coding",
        year=2018,
        arxiv="1807.03748",
    ),
    "crd": Paper(
        authors=("Tian", "Krishnan", "Isola"),
        title="Contrastive Representation Distillation",
        venue="ICLR",
        year=2020,
        arxiv="1910.10699",
    ),
    "nwj": Paper(
        authors=("Nguyen", "Wainwright", "Jordan"),
        title="Estimating Divergence Functionals and the Likelihood Ratio by Convex Risk Minimization",
        year=2008,
        arxiv="0809.0853",
    ),
    "js": Paper(
        authors=("Hjelm", "others"),
        title="Learning Deep Representations by Mutual Information Estimation and Maximization",
        venue="ICLR",
        year=2019,
        arxiv="1808.06670",
    ),
    "smile": Paper(
        authors=("Song", "Ermon"),
        title="Understanding the Limitations of Variational Mutual Information Estimators",
        venue="ICLR",
        year=2020,
        arxiv="1910.06222",
    ),
    "club": Paper(
        authors=("Cheng", "others"),
        title="CLUB: A Contrastive Log-ratio Upper Bound of Mutual Information",
        venue="ICML",
        year=2020,
        arxiv="2006.12013",
    ),
}


BOUNDS = {"nwj": nwj_bound, "js": js_bound, "smile": smile_bound}


class MutualInformation(Term):
    """Maximise what two embeddings say about each other.

    The value is minus the estimate in nats, but for `infonce` (the cross entropy, symmetric: log N minus it is the
    estimate), `crd` (noise contrast against memory banks) and `club`, whose estimate is no value to report.

    Args:
        left: "student" or "teacher".
        right: "teacher", "student" or "auxiliary": each auxiliary modality for itself, then the mean.
        estimator: one of `ESTIMATORS`.
        temperature: divides the cosines, which are the critic's scores; club has none.
        detached: sources that get no gradient from this term.
        negatives: of crd.
        steps: updates of club's q before each main update.
        critic_lr: of club's q, as a ratio to the main learning rate.
        after: papers whose use of the bound this is, for the bibliography.
    """

    temperature: Tensor

    def __init__(
        self,
        left: str = "student",
        right: str = "teacher",
        *,
        estimator: str = "infonce",
        temperature: float = 0.1,
        detached: tuple[str, ...] = (),
        negatives: int = 4096,
        steps: int = 1,
        critic_lr: float = 1.0,
        after: tuple[Paper, ...] = (),
        **schedule: Any,
    ) -> None:
        if estimator not in ESTIMATORS:
            raise ValueError(f"estimator is one of {', '.join(ESTIMATORS)}, got {estimator!r}")
        numbers: dict[str, Any] = {"critic_lr": critic_lr} if estimator == "club" else {"temperature": temperature}
        super().__init__(**numbers, **schedule)
        self.left, self.right, self.estimator, self.detached = left, right, estimator, detached
        self.negatives, self.steps = negatives, steps
        self.papers = (*after, ESTIMATORS[estimator])
        # Memories hold samples as they are.
        self.mixes = estimator != "crd"
        self.reads = (f"{left}.embedding", f"{right}.embedding")
        if "student" not in {left, right} - set(detached):
            self.trains = "teacher"

    def setup(self, sizes: Sizes) -> None:
        self.partners = tuple(sizes.auxiliary) if self.right == "auxiliary" else (self.right,)
        if not self.partners:
            raise ValueError("this term reads auxiliary models, got none")
        left, widths = sizes.width(self.left), [sizes.width(partner) for partner in self.partners]
        self.projections: Any = nn.ModuleList(Projections(left, width, PROJECTED_WIDTH) for width in widths)
        if self.estimator == "crd":
            self.banks: Any = nn.ModuleList(
                MemoryBank(sizes, width=PROJECTED_WIDTH, negatives=self.negatives) for _ in widths
            )
        elif self.estimator == "club":
            self.critic = nn.ModuleList(
                ConditionalGaussian(PROJECTED_WIDTH, PROJECTED_WIDTH, PROJECTED_WIDTH) for _ in widths
            )

    def draw(self, batch_size: int, rng: torch.Generator) -> dict[str, Tensor]:
        if self.estimator != "crd":
            return {}
        return {
            partner: torch.rand(batch_size, bank.negatives, generator=rng, device=rng.device)
            for partner, bank in zip(self.partners, self.banks, strict=True)
        }

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        return self._over_partners(self._value, batch, rows)

    def critic_loss(self, batch: Batch, rows: Tensor) -> Tensor:
        return self._over_partners(self._critic_value, batch, rows)

    @property
    def remembers(self) -> bool:
        return self.estimator == "crd" or type(self).remember is not MutualInformation.remember

    def remember(self, batch: Batch, rows: Tensor) -> None:
        if self.estimator != "crd":
            return
        for partner, bank in zip(self.partners, self.banks, strict=True):
            bank.remember(
                *self._project(batch, partner),
                self.temperature,
                samples=batch.samples,
                negatives=bank.pick(batch.samples, batch.draws[partner]),
                rows=rows & batch.of(partner).present,
            )

    def _over_partners(self, value: Callable[[Batch, str, Tensor], Tensor], batch: Batch, rows: Tensor) -> Tensor:
        if self.right != "auxiliary":
            return value(batch, self.right, rows)
        return mean_over_auxiliaries(partial(value, batch), batch, rows)

    def _value(self, batch: Batch, partner: str, rows: Tensor) -> Tensor:
        left_BD, right_BD = self._project(batch, partner)
        index = self.partners.index(partner)
        if self.estimator == "club":
            mean_BD, log_variance_BD = frozen(self.critic[index], left_BD)
            return -club_bound(mean_BD, log_variance_BD, right_BD, rows)
        if self.estimator == "crd":
            bank: MemoryBank = self.banks[index]
            negatives = bank.pick(batch.samples, batch.draws[partner])
            return bank.loss(left_BD, right_BD, self.temperature, samples=batch.samples, negatives=negatives, rows=rows)
        f_BB = left_BD @ right_BD.T / self.temperature
        if self.estimator == "infonce":
            return (cross_entropy_of_pairs(f_BB, rows) + cross_entropy_of_pairs(f_BB, rows, axis=0)) / 2
        return -BOUNDS[self.estimator](f_BB, rows)

    def _critic_value(self, batch: Batch, partner: str, rows: Tensor) -> Tensor:
        left_BD, right_BD = self._project(batch, partner)
        mean_BD, log_variance_BD = self.critic[self.partners.index(partner)](left_BD.detach())
        return -gaussian_log_likelihood(mean_BD, log_variance_BD, right_BD.detach(), rows)

    def _project(self, batch: Batch, partner: str) -> tuple[Tensor, Tensor]:
        left_BD, right_BD = batch.of(self.left).embedding, batch.of(partner).embedding
        if self.left in self.detached:
            left_BD = left_BD.detach()
        if self.right in self.detached:
            right_BD = right_BD.detach()
        projected: tuple[Tensor, Tensor] = self.projections[self.partners.index(partner)](left_BD, right_BD)
        return projected
