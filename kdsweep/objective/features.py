"""Terms that match embeddings. B rows, D embedding width (Ds student, Dt teacher)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import (
    EMBEDDINGS,
    Batch,
    Sizes,
    blank,
    both_embeddings,
    masked_mean,
    other_pairs,
    pairs,
    softplus,
    square_distances,
)

VARIANCE_FLOOR = 1e-5


class Hint(Term):
    """Regress the teacher's embedding: mean over rows and widths of (r(s) - t)^2, r linear.

    Args:
        until: fraction of training after which the term stops; None: never, and the term has no such number.
    """

    paper = "Romero, Ballas, Kahou, Chassang, Gatta, Bengio. FitNets: Hints for Thin Deep Nets. arXiv:1412.6550"
    reads = EMBEDDINGS

    until: Tensor

    def __init__(self, until: float | None = None, **schedule: Any) -> None:
        numbers: dict[str, Any] = {} if until is None else {"until": until}
        super().__init__(**numbers, **schedule)
        self.stage = until is not None

    def setup(self, sizes: Sizes) -> None:
        self.regressor = nn.Linear(sizes.student, sizes.teacher)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return masked_mean((self.regressor(student_BD) - teacher_BD).square().mean(1), rows)

    def height(self, progress: Tensor) -> Tensor:
        height = Term.height(self, progress)
        return height * (progress < self.until) if self.stage else height


def matched(inputs: int, outputs: int) -> nn.Module:
    """A linear map where the widths differ, and nothing where they agree."""
    return nn.Identity() if inputs == outputs else nn.Linear(inputs, outputs)


class VariationalInformation(Term):
    """Gaussian bound on the information that the student has of the teacher's embedding.

    mean of 1/2 [(t - mu(s))^2 / v + log v]; mu three linear layers without bias, v = softplus(rho) + 1e-5 for each
    width, 5 at the beginning
    """

    paper = (
        "Ahn, Hu, Damianou, Lawrence, Dai. Variational Information Distillation for Knowledge Transfer. CVPR 2019, "
        "arXiv:1904.05835"
    )
    reads = EMBEDDINGS

    def setup(self, sizes: Sizes) -> None:
        width = sizes.teacher
        self.regressor = nn.Sequential(
            nn.Linear(sizes.student, width, bias=False),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
            nn.ReLU(),
            nn.Linear(width, width, bias=False),
        )
        self.spread = nn.Parameter(inverse_softplus(5.0 - VARIANCE_FLOOR).expand(width).clone())

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return gaussian_bound(self.regressor(student_BD), teacher_BD, self.spread, rows)


def gaussian_bound(guess_BD: Tensor, target_BD: Tensor, spread_D: Tensor, rows: Tensor) -> Tensor:
    """Mean of 1/2 [(t - mu)^2 / v + log v], v = softplus(spread) + 1e-5."""
    # softplus, not log(1 + exp): that overflows.
    variance_D = softplus(spread_D) + VARIANCE_FLOOR
    return masked_mean(((target_BD - guess_BD).square() / variance_D + variance_D.log()).mean(1) / 2, rows)


def inverse_softplus(value: float) -> Tensor:
    return torch.tensor(value).expm1().log()


class MeanDiscrepancy(Term):
    """Match the two embeddings' distributions: mean(K_SS + K_TT - K_ST - K_TS), K a sum of five Gaussian kernels.

    Bandwidths are 2^k / 4 times the mean squared distance between rows of both, k = 0 to 4. Where the widths differ, a
    linear map of the student's embedding is trained along.
    """

    paper = "Gretton, Borgwardt, Rasch, Schoelkopf, Smola. A Kernel Two-Sample Test. JMLR 2012"
    reads = EMBEDDINGS

    def setup(self, sizes: Sizes) -> None:
        self.align: Any = matched(sizes.student, sizes.teacher)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return mean_discrepancy(self.align(student_BD), teacher_BD, rows)


def mean_discrepancy(student_BD: Tensor, teacher_BD: Tensor, rows: Tensor) -> Tensor:
    all_ND, rows_N = torch.cat([student_BD, teacher_BD]), torch.cat([rows, rows])
    square_NN = square_distances(all_ND)
    width = masked_mean(square_NN.detach(), other_pairs(rows_N)) / 4
    # All rows equal: there is no width, and nothing to match.
    width = torch.where(width > 0, width, 1.0)
    kernel_NN = torch.stack([(-square_NN / (width * 2**k)).exp() for k in range(5)]).sum(0)
    n = len(student_BD)
    corners = kernel_NN[:n, :n] + kernel_NN[n:, n:] - kernel_NN[:n, n:] - kernel_NN[n:, :n]
    return masked_mean(corners, pairs(rows))


def row_normalized(values_BD: Tensor, rows: Tensor) -> Tensor:
    """Batch normalisation over the rows that count, without running statistics: terms exist in training only."""
    mean_D = blank(values_BD, rows).sum(0) / rows.sum()
    centered_BD = blank(values_BD - mean_D, rows)
    return centered_BD * (centered_BD.square().sum(0) / rows.sum() + 1e-5).rsqrt()


class ProjectedRegression(Term):
    """Regress the teacher's embedding on a steep scale: 2 log sum |s - t|^4.

    s through a linear map; both batch-normalised, without scale and shift.
    """

    paper = (
        "Miles, Mikolajczyk. Understanding the Role of the Projector in Knowledge Distillation. AAAI 2024, "
        "arXiv:2303.11098"
    )
    reads = EMBEDDINGS

    def setup(self, sizes: Sizes) -> None:
        self.projection = nn.Linear(sizes.student, sizes.teacher)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return log_quartic(row_normalized(self.projection(student_BD), rows), row_normalized(teacher_BD, rows))


def log_quartic(student_BD: Tensor, teacher_BD: Tensor) -> Tensor:
    # The floor keeps the slope finite where the two are equal.
    return 2 * ((student_BD - teacher_BD).square().square().sum() + 1e-12).log()


class Hallucination(Term):
    """Match the teacher's activations, squashed: mean_i sum_d (sigmoid(s) - sigmoid(t))^2.

    Where the widths differ, a linear map of the student's embedding is trained along.
    """

    paper = "Hoffman, Gupta, Darrell. Learning with Side Information through Modality Hallucination. CVPR 2016"
    reads = EMBEDDINGS

    def setup(self, sizes: Sizes) -> None:
        self.align: Any = matched(sizes.student, sizes.teacher)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        return masked_mean((self.align(student_BD).sigmoid() - teacher_BD.sigmoid()).square().sum(1), rows)
