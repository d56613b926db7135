"""Distillation from what the modalities share. B rows, C classes, D width of the teacher's embedding, K channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from kdsweep.objective.base import Term
from kdsweep.objective.batch import Batch, Sizes
from kdsweep.objective.numerics import masked_mean, mean_of_rows, soft_cross_entropy
from kdsweep.tasks.registry import CLASSES
from kdsweep.values.paper import Paper


def without_channels(values_BD: Tensor, removed_D: Tensor, rows: Tensor) -> Tensor:
    """The channels removed [D] bool are replaced by their means over the rows that count, not by 0."""
    return torch.where(removed_D, mean_of_rows(values_BD, rows), values_BD)


def permuted_rows(keys_B: Tensor, rows: Tensor) -> Tensor:
    """[B] a permutation of the rows that count, by random keys; the others stay where they are."""
    last = torch.where(rows, keys_B, 2.0)
    shuffled = torch.argsort(last, stable=True)
    position = (rows.cumsum(0) - 1).clamp(min=0)
    return torch.where(rows, shuffled[position], torch.arange(len(rows), device=rows.device))


def saliency(
    head: Callable[[Tensor], Tensor], student_BC: Tensor, teacher_BD: Tensor, order_B: Tensor, rows: Tensor
) -> Tensor:
    """[D]: MSE(z_S, z_T with channel k of the teacher's embedding permuted over rows), for each channel k."""
    n_rows, width = teacher_BD.shape
    errors = []
    for channels in torch.split(torch.arange(width, device=rows.device), max(1, 2**20 // (n_rows * width))):
        swapped_KD = channels[:, None] == torch.arange(width, device=rows.device)
        mixed_KBD = torch.where(swapped_KD[:, None, :], teacher_BD[order_B], teacher_BD)
        scores_KBC = head(mixed_KBD.reshape(-1, width)).reshape(len(channels), n_rows, -1)
        error_KB = (scores_KBC - student_BC).square().mean(2)
        errors.append(torch.where(rows, error_KB, 0.0).sum(1) / rows.sum().clamp(min=1))
    return torch.cat(errors)


class ModalityFocus(Term):
    """Distil from the teacher less the channels that the modalities have least in common.

        KL at temperature T between the student and the teacher's head over t with the floor(removed * D) channels of
        the lowest saliency replaced by their batch means; no gradient to the teacher

    Saliency of channel k: MSE(z_S, z_T with channel k permuted over the batch). One permutation a step, averaged over
    about the last ten: the paper takes ten permutations once, between two training runs.

    Args:
        removed: share of channels taken away, in [0, 1).
        temperature: above 0.
    """

    papers = (
        Paper(
            authors=("Xue", "Gao", "Ren", "Zhao"),
            title="The Modality Focusing Hypothesis",
            venue="ICLR",
            year=2023,
            arxiv="2206.06487",
        ),
    )
    reads = ("student.logits", "teacher.logits", "teacher.embedding")
    tasks = CLASSES
    memory = 0.9

    temperature: Tensor
    saliency: Tensor
    measured: Tensor

    def __init__(self, *, removed: float = 0.75, temperature: float = 1.0, **schedule: Any) -> None:
        super().__init__(temperature=temperature, **schedule)
        if not 0 <= removed < 1:
            raise ValueError(f"removed is a share of channels in [0, 1), got {removed=}")
        self.removed = removed

    def setup(self, sizes: Sizes) -> None:
        self.n_removed = int(self.removed * sizes.teacher)
        self.register_buffer("saliency", torch.zeros(sizes.teacher))
        self.register_buffer("measured", torch.zeros(()))

    def draw(self, batch_size: int, rng: torch.Generator) -> dict[str, Tensor]:
        return {"keys": torch.rand(batch_size, generator=rng, device=rng.device)}

    def loss(self, batch: Batch, rows: Tensor) -> Tensor:
        if batch.teacher_head is None:
            raise ValueError("this term looks through the teacher's head: name it, networks.teacher.head")
        rank_D = torch.argsort(torch.argsort(self.saliency, stable=True), stable=True)
        removed_D = (rank_D < self.n_removed) & (self.measured > 0)
        focused_BD = without_channels(batch.of("teacher").embedding.detach(), removed_D, rows)
        teacher_BC = batch.teacher_head(focused_BD).detach()
        return masked_mean(soft_cross_entropy(batch.student.logits, teacher_BC, self.temperature), rows)

    def remember(self, batch: Batch, rows: Tensor) -> None:
        if batch.teacher_head is None:
            raise ValueError("this term looks through the teacher's head: name it, networks.teacher.head")
        order_B = permuted_rows(batch.draws["keys"], rows)
        found_D = saliency(batch.teacher_head, batch.student.logits, batch.of("teacher").embedding, order_B, rows)
        # A running mean at first, so that the zeros of the beginning are never part of it.
        share = torch.clamp(1 / (self.measured + 1), min=1 - self.memory)
        enough = rows.sum() >= 2
        self.saliency.copy_(torch.where(enough, self.saliency + share * (found_D - self.saliency), self.saliency))
        self.measured.copy_(self.measured + enough)
