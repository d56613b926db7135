"""Relative distances between pairs of rows, and angles between triples. A anchors, B rows, D width."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import EMBEDDINGS, Batch, both_embeddings
from kdsweep.objective.numerics import masked_mean, other_pairs, pairs, root, square_distances
from kdsweep.values.paper import Paper


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

    papers = (
        Paper(
            authors=("Park", "Kim", "Lu", "Cho"),
            title="Relational Knowledge Distillation",
            venue="CVPR",
            year=2019,
            arxiv="1904.05068",
        ),
    )
    reads = EMBEDDINGS

    angle: Tensor

    def __init__(self, *, angle: float = 2.0, **schedule: Any) -> None:
        super().__init__(angle=angle, **schedule)

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        student_BD, teacher_BD = both_embeddings(batch)
        distances = relative_distances(student_BD, rows) - relative_distances(teacher_BD, rows)
        angles = angle_difference(student_BD, teacher_BD, rows)
        return masked_mean(smooth_l1(distances), pairs(rows)) + self.angle * angles
