"""What a network says about a part of the data, and the metrics of it. N rows, C classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdsweep.data.tensors import Tensors
from kdsweep.networks.network import Network
from kdsweep.objective.outputs import Outputs
from kdsweep.training.workers import Workers

# Rows at a time; large enough that small sets go in one piece.
CHUNK = 2048


@torch.no_grad()
def outputs(network: Network, part: Tensors, workers: Workers) -> Outputs:
    """The network's Outputs for every row of a part, in evaluation mode."""
    was_training = network.training
    network.eval()
    pieces = []
    for rows in torch.split(torch.arange(len(part), device=part.labels.device), CHUNK):
        pieces.append(workers.gather(network(*part.batch(workers.mine(rows))), len(rows)))
    network.train(was_training)
    if len(pieces) == 1:
        return pieces[0]
    return Outputs(
        torch.cat([piece.logits for piece in pieces]),
        torch.cat([piece.embedding for piece in pieces]),
        torch.cat([piece.present for piece in pieces]),
        {name: torch.cat([piece.features[name] for piece in pieces]) for name in pieces[0].features},
    )


def classification(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """accuracy, top5, macro_f1, uar, log_loss (nats) and ece (15 equal bins) of logits [N, C].

    All of them NaN where N is 0 or a logit is not finite: a comparison with NaN is false, so that no class would score
    above the true one and every row count as right.
    """
    if not len(labels) or not bool(torch.isfinite(logits).all()):
        return dict.fromkeys(("accuracy", "top5", "macro_f1", "uar", "log_loss", "ece"), float("nan"))
    log_p = torch.log_softmax(logits.double(), dim=1).cpu().numpy()
    truth = labels.cpu().numpy()
    guess = log_p.argmax(1)
    confusion = np.zeros((log_p.shape[1],) * 2)
    np.add.at(confusion, (truth, guess), 1)
    right, there, said = confusion.diagonal(), confusion.sum(1), confusion.sum(0)
    # As scikit-learn does: over the classes that occur, for F1 among labels or predictions.
    recall = right[there > 0] / there[there > 0]
    f1 = 2 * right[there + said > 0] / (there + said)[there + said > 0]
    ranks = label_ranks(log_p, truth)
    return {
        "accuracy": float((ranks == 0).mean()),
        "top5": float((ranks < 5).mean()),
        "macro_f1": float(f1.mean()),
        "uar": float(recall.mean()),
        "log_loss": float(-log_p[np.arange(len(truth)), truth].mean()),
        "ece": calibration_error(np.exp(log_p.max(1)), guess == truth),
    }


def label_ranks(scores: NDArray[Any], labels: NDArray[Any]) -> NDArray[np.int64]:
    """[N]: how many classes score above the true one; of equal scores the lower class counts as above, as in argmax."""
    own = scores[np.arange(len(labels)), labels][:, None]
    lower = np.arange(scores.shape[1])[None] < labels[:, None]
    above: NDArray[np.int64] = ((scores > own) | ((scores == own) & lower)).sum(1)
    return above


def calibration_error(confidence: NDArray[Any], right: NDArray[Any], bins: int = 15) -> float:
    """Mean gap between confidence and accuracy over equal bins, weighted by rows. Guo et al. 2017, arXiv:1706.04599."""
    if not np.isfinite(confidence).all():
        return float("nan")
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[place == bin_].sum() - right[place == bin_].sum()) for bin_ in range(bins)]
    return float(sum(gaps) / len(confidence))
