"""Terms that compare how rows of a batch lie to each other; embeddings may differ in width. B rows, D width.

Rows that do not count are blanked, so that sums over pairs and triples are those over the rows that do.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.objective.base import Term
from kdsweep.objective.batch import (
    CLASSES,
    EMBEDDINGS,
    Batch,
    Sizes,
    blank,
    both_embeddings,
    log_softmax,
    masked_mean,
    normalize,
    other_pairs,
    pairs,
    root,
    square_distances,
)


def normalized_gram(values_BD: Tensor, rows: Tensor) -> Tensor:
    """x x^T with rows of length 1; blank for pairs that do not count."""
    values_BD = blank(values_BD, rows)
    return normalize(values_BD @ values_BD.T, dim=1)


class SimilarityPreserving(Term):
    """Match the batch's similarity matrices: (1 / B^2) |rown(s s^T) - rown(t t^T)|^2.

    Its gradient shrinks as 1/B: keep the batch size in an ablation.
    """

    paper = "Tung, Mori. Similarity-Preserving Knowledge Distillation. ICCV 2019, arXiv:1907.09682"
    reads = EMBEDDINGS

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BB, teacher_BB = (normalized_gram(values, rows) for values in both_embeddings(batch))
        return (student_BB - teacher_BB).square().sum() / rows.sum() ** 2


class ProbabilisticTransfer(Term):
    """Match the probability that row i picks row j, by cosine: mean_ij P_T log((P_T + 1e-7) / (P_S + 1e-7)).

    P = c / rowsum(c), c = (cosine + 1) / 2. Its gradient shrinks as 1/B: keep the batch size in an ablation.
    """

    paper = "Passalis, Tefas. Learning Deep Representations with Probabilistic Knowledge Transfer. ECCV 2018"
    reads = EMBEDDINGS

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        p_BB, q_BB = (_choice_probabilities(values, rows) for values in both_embeddings(batch))
        return masked_mean(q_BB * ((q_BB + 1e-7) / (p_BB + 1e-7)).log(), pairs(rows))


def _choice_probabilities(values_BD: Tensor, rows: Tensor) -> Tensor:
    unit_BD = values_BD / (values_BD.norm(dim=1, keepdim=True) + 1e-7)
    kernel_BB = (unit_BD @ unit_BD.T + 1) / 2
    kernel_BB = torch.where(pairs(rows), kernel_BB, 0.0)
    # A row that does not count sums to 0: it is divided by 1 instead.
    total_B1 = torch.where(rows[:, None], kernel_BB.sum(1, keepdim=True), torch.ones_like(kernel_BB[:, :1]))
    return kernel_BB / total_B1


def relative_distances(values_BD: Tensor, rows: Tensor) -> Tensor:
    """[B, B] Euclidean distances divided by their mean over the pairs that have one."""
    distance_BB = root(torch.where(other_pairs(rows), square_distances(values_BD), 0.0))
    apart_BB = distance_BB > 0
    mean = masked_mean(distance_BB, apart_BB)
    return distance_BB / torch.where(apart_BB.any(), mean, 1.0)


def smooth_l1(difference: Tensor) -> Tensor:
    size = difference.abs()
    return torch.where(size < 1, difference.square() / 2, size - 0.5)


def angle_difference(student_BD: Tensor, teacher_BD: Tensor, rows: Tensor) -> Tensor:
    """mean_ijk smooth L1 of <e_ij, e_ik> between student and teacher, e_ij = nrm(x_j - x_i).

    There are B^3 angles. Autograd would keep several tables of them (3 GB at B = 512), so the value and its gradient
    for the student's rows are taken together, some anchors i at a time, and the gradient is handed over by a surrogate.
    The teacher gets none.
    """
    student, teacher = student_BD.detach(), teacher_BD.detach()
    triples = rows.sum() ** 3
    value, gradient_BD = torch.zeros_like(student[0, 0]), torch.zeros_like(student)
    n_rows = len(student)
    anchors_a_time = max(1, 2**20 // n_rows**2)
    for anchors in torch.split(torch.arange(n_rows, device=rows.device), anchors_a_time):
        student_ABD, length_AB1 = _directions(student, anchors, rows)
        teacher_ABD, _ = _directions(teacher, anchors, rows)
        difference_ABB = student_ABD @ student_ABD.mT - teacher_ABD @ teacher_ABD.mT
        value = value + smooth_l1(difference_ABB).sum() / triples
        slope_ABB = difference_ABB.clamp(-1, 1) / triples
        along_ABD = 2 * slope_ABB @ student_ABD
        # Through e = x / |x|: what points along e changes nothing.
        radial_AB1 = (along_ABD * student_ABD).sum(2, keepdim=True)
        step_ABD = (along_ABD - radial_AB1 * student_ABD) / length_AB1
        gradient_BD = gradient_BD + step_ABD.sum(0)
        gradient_BD = gradient_BD.index_add(0, anchors, -step_ABD.sum(1))
    surrogate = (student_BD * gradient_BD).sum()
    return value + (surrogate - surrogate.detach())


def _directions(values_BD: Tensor, anchors: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """e [A, B, D] from each anchor to each row, 0 where there is none, and lengths [A, B, 1], 1 there."""
    offset_ABD = values_BD[None, :, :] - values_BD[anchors][:, None, :]
    length_AB1 = offset_ABD.norm(dim=2, keepdim=True)
    there_AB1 = (length_AB1 > 1e-6) & (rows[anchors][:, None] & rows[None, :])[:, :, None]
    length_AB1 = torch.where(there_AB1, length_AB1, 1.0)
    return torch.where(there_AB1, offset_ABD / length_AB1, 0.0), length_AB1


class RelationalDistances(Term):
    """Match relative distances between pairs of rows, and angles between triples.

    mean_ij smoothL1(d_S - d_T) + angle * mean_ijk smoothL1(A_S - A_T)

    Args:
        angle: weight of the angles relative to the distances; the paper's ratio is 2.
    """

    paper = "Park, Kim, Lu, Cho. Relational Knowledge Distillation. CVPR 2019, arXiv:1904.05068"
    reads = EMBEDDINGS

    angle: Tensor

    def __init__(self, *, angle: float = 2.0, **schedule: Any) -> None:
        super().__init__(angle=angle, **schedule)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        distances = relative_distances(student_BD, rows) - relative_distances(teacher_BD, rows)
        angles = angle_difference(student_BD, teacher_BD, rows)
        return masked_mean(smooth_l1(distances), pairs(rows)) + self.angle * angles


class CorrelationCongruence(Term):
    """Match how each row's error goes with the next row's: mean_{i<B-1} sum_d delta_i delta_{i+1}.

    delta = |e_S(s) - e_T(t)|, both maps linear to 128 and trained. The only term that depends on the batch's order.
    """

    paper = (
        "Peng, Jin, Liu, Zhou, Wu, Liu, Li, Zhang. Correlation Congruence for Knowledge Distillation. ICCV 2019, "
        "arXiv:1904.01802"
    )
    reads = EMBEDDINGS
    width = 128

    def setup(self, sizes: Sizes) -> None:
        self.student_map = nn.Linear(sizes.student, self.width)
        self.teacher_map = nn.Linear(sizes.teacher, self.width)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        error_BD = (self.student_map(student_BD) - self.teacher_map(teacher_BD)).abs()
        return neighbour_product(error_BD, rows)


def neighbour_product(error_BD: Tensor, rows: Tensor) -> Tensor:
    """mean_{i<n-1} sum_d e_i e_{i+1} over the n rows that count, in their order."""
    first_B = torch.argsort((~rows).to(torch.int8), stable=True)
    error_BD = error_BD[first_B]
    n = rows.sum()
    follows = torch.arange(1, len(rows), device=rows.device) < n
    return masked_mean((error_BD[:-1] * error_BD[1:]).sum(1), follows)


class CorrelationKernel(Term):
    """Match the batch's Gaussian kernels: mean_ij (K_S - K_T)^2, K the Taylor form of order 2 on unit rows.

    K(x, y) = sum_{p<=2} exp(-2 gamma) (2 gamma)^p / p! <x, y>^p

    Args:
        gamma: above 0, the kernel's sharpness.
    """

    paper = CorrelationCongruence.paper
    reads = EMBEDDINGS

    gamma: Tensor

    def __init__(self, *, gamma: float = 0.4, **schedule: Any) -> None:
        super().__init__(gamma=gamma, **schedule)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BB, teacher_BB = (self._kernel(values) for values in both_embeddings(batch))
        return masked_mean((student_BB - teacher_BB).square(), pairs(rows))

    def _kernel(self, values_BD: Tensor) -> Tensor:
        unit_BD = normalize(values_BD, dim=1)
        x_BB = 2 * self.gamma * unit_BD @ unit_BD.T
        return (-2 * self.gamma).exp() * (1 + x_BB + x_BB.square() / 2)


class MarginSimilarity(Term):
    """Match similarity matrices, most of all towards rows of which the teacher is unsure.

    sum_ij (rown(s s^T) - rown(t t^T))^2_ij w_j, w = H / sum H, H_j the entropy of the teacher's softmax
    """

    paper = (
        "Wei, Luo, Luo. MMANet: Margin-aware Distillation and Modality-aware Regularization for Incomplete Multimodal "
        "Learning. CVPR 2023, arXiv:2304.08028"
    )
    reads = (*EMBEDDINGS, "teacher.logits")
    tasks = CLASSES

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BB, teacher_BB = (normalized_gram(values, rows) for values in both_embeddings(batch))
        log_q_BC = log_softmax(batch.of("teacher").logits.detach())
        entropy_B = blank(-(log_q_BC.exp() * log_q_BC).sum(1), rows)
        # A teacher that is sure of every row weighs nothing: its sum of entropies underflows to 0.
        share_B = entropy_B / entropy_B.sum().clamp(min=torch.finfo(entropy_B.dtype).tiny)
        return ((student_BB - teacher_BB).square() * share_B).sum()
