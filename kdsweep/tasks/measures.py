"""What each task measures of a network's outputs, and what is kept of every test sample.

N rows, C classes or labels or targets, D embedding width, G rows of a gallery.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kdsweep.data.tensors import Tensors
from kdsweep.objective.batch import Outputs
from kdsweep.tasks.metrics import of_task
from kdsweep.values.card import Part

Array = NDArray[Any]
# What is kept of every test sample, by column: [N] or [N, width].
Predictions = dict[str, Array]
CUTS = (1, 5, 10)
AT_ONCE = 2**22  # scores of several networks measured together: they are wide for a moment
ROWS = 1024  # queries compared with the gallery at once


class Judged(NamedTuple):
    """A part, what a network says of it, and, for retrieval, what it says of the training part, which is searched."""

    said: Outputs
    part: Tensors
    gallery: Outputs | None = None
    gallery_labels: Tensor | None = None


class Training(Protocol):
    """One trial or a pack of them: what its members' networks say of a part."""

    parts: Mapping[Part, Tensors]

    def outputs(self, role: str, part: Part) -> list[Outputs]: ...


def judged(task: str, training: Training, role: str, part: Part) -> list[Judged]:
    """What each member's network of a role says of a part, with the gallery where the task searches one."""
    said = training.outputs(role, part)
    if task != "retrieval":
        return [Judged(one, training.parts[part]) for one in said]
    galleries, labels = training.outputs(role, "train"), training.parts["train"].labels
    return [Judged(one, training.parts[part], of, labels) for one, of in zip(said, galleries, strict=True)]


def scores(task: str, found: Mapping[str, Sequence[Judged]]) -> list[dict[str, float]]:
    """Each member's metrics: its network's, and "teacher_..." of a teacher that trains with it."""
    own = measure(task, found["network"])
    if "teacher" in found:
        for metrics, teacher in zip(own, measure(task, found["teacher"]), strict=True):
            metrics |= {f"teacher_{name}": value for name, value in teacher.items()}
    return own


def measure(task: str, several: Sequence[Judged]) -> list[dict[str, float]]:
    """The task's metrics of each network, by name, over the rows that are present: the same rows for all.

    All of them NaN where there is no row, or where a network says something that is not finite: a comparison with NaN
    is false, so that no class would score above the true one and every row count as right.
    """
    most = max(1, AT_ONCE // max(1, several[0].said.logits.numel()))
    if len(several) > most:
        return [one for at in range(0, len(several), most) for one in measure(task, several[at : at + most])]
    there, labels = several[0].said.present, several[0].part.labels
    logits_KNC = torch.stack([one.said.logits for one in several])
    embeddings_KND = torch.stack([one.said.embedding for one in several])
    if not bool(there.all()):
        labels, logits_KNC, embeddings_KND = labels[there], logits_KNC[:, there], embeddings_KND[:, there]
    able = (_finite(logits_KNC) & _finite(embeddings_KND)).tolist() if len(labels) else [False] * len(several)
    if not any(able):
        return [dict.fromkeys(of_task(task), float("nan")) for _ in several]
    if not all(able):
        logits_KNC = logits_KNC[able]
    found = iter(_metrics(task, list(itertools.compress(several, able)), logits_KNC, labels))
    return [next(found) if fine else dict.fromkeys(of_task(task), float("nan")) for fine in able]


def _finite(values: Tensor) -> Tensor:
    """[K]: whether all of [K, ...] is. By the largest, which NaN is, too: asking each of them takes twenty times as
    long."""
    return torch.isfinite(values.flatten(1).abs().amax(dim=1))


def _metrics(task: str, several: Sequence[Judged], logits_KNC: Tensor, labels: Tensor) -> list[dict[str, float]]:
    if task == "multilabel":
        return [multilabel(logits, labels) for logits in logits_KNC]
    if task == "regression":
        return [regression(logits, labels) for logits in logits_KNC]
    found = classification(logits_KNC, labels)
    if task == "retrieval":
        return [{**retrieval(search(one)), **own} for one, own in zip(several, found, strict=True)]
    return found


def predictions(task: str, judged: Judged) -> Predictions:
    """What the network says of every sample of the part that is present; intervals come of it."""
    present = judged.said.present
    there = present.cpu().numpy()
    part, logits = judged.part, judged.said.logits.double().cpu().numpy()[there]
    labels = part.labels.cpu().numpy()[there]
    kept: Predictions = {"sample": part.ids[there], "label": labels}
    if part.groups is not None:
        kept["group"] = part.groups[there]
    if task == "regression":
        return kept | {"prediction": logits.astype(np.float32)}
    if task == "multilabel":
        # In half precision scores would tie that do not.
        return kept | {"prediction": (logits > 0).astype(np.float32), "logits": logits.astype(np.float32)}
    furthest = float(np.finfo(np.float16).max)
    kept["logits"] = logits.clip(-furthest, furthest).astype(np.float16)
    kept |= {"prediction": np.argmax(logits, axis=1), "rank": label_ranks(logits, labels)}
    if task == "retrieval":
        embedding = judged.said.embedding[present].cpu().numpy().astype(np.float16)
        return kept | search(judged) | {"embedding": embedding}
    return kept


# --- classification


def classification(logits_KNC: Tensor, labels: Tensor) -> list[dict[str, float]]:
    """accuracy, top5, macro_f1, uar, log_loss (nats) and ece (15 equal bins) of K networks' finite logits.

    Written out, with scikit-learn as the reference in the tests: it runs for each member of a pack after every epoch.
    """
    log_p_KNC = torch.log_softmax(logits_KNC.double(), dim=2).cpu().numpy()
    truth, classes = labels.cpu().numpy(), log_p_KNC.shape[2]
    guess_KN = log_p_KNC.argmax(2)
    confidence_KN = np.exp(np.take_along_axis(log_p_KNC, guess_KN[..., None], 2)[..., 0])
    ranks_KN, loss_KN = label_ranks(log_p_KNC, truth), -log_p_KNC[:, np.arange(len(truth)), truth]
    hit_KN = guess_KN == truth
    there_C = np.bincount(truth, minlength=classes)
    said_KC = counted(guess_KN, classes)
    right_KC = counted(np.where(hit_KN, guess_KN, classes), classes + 1)[:, :classes]
    # As scikit-learn does: over the classes that occur, for F1 among labels or predictions.
    either_KC = there_C + said_KC
    f1 = [(2 * right / np.maximum(own, 1))[own > 0].mean() for right, own in zip(right_KC, either_KC, strict=True)]
    uar = [(right / np.maximum(there_C, 1))[there_C > 0].mean() for right in right_KC]
    found = {
        "accuracy": (ranks_KN == 0).mean(1),
        "top5": (ranks_KN < 5).mean(1),
        "macro_f1": f1,
        "uar": uar,
        "log_loss": np.ascontiguousarray(loss_KN).mean(1),
        "ece": calibration_error(confidence_KN, hit_KN),
    }
    return [dict(zip(found, values, strict=True)) for values in np.stack(list(found.values()), axis=1).tolist()]


def label_ranks(scores: Array, labels: Array) -> NDArray[np.int64]:
    """[..., N]: how many classes of scores [..., N, C] are above the true one; of equal ones the lower class is, as in
    argmax."""
    own = scores[..., np.arange(len(labels)), labels][..., None]
    lower = np.arange(scores.shape[-1]) < labels[:, None]
    above: NDArray[np.int64] = ((scores > own) | ((scores == own) & lower)).sum(-1)
    return above


def calibration_error(confidence_KN: Array, right_KN: Array, bins: int = 15) -> Array:
    """[K]: mean gap between confidence and accuracy over equal bins, weighted by rows. Guo et al. 2017,
    arXiv:1706.04599."""
    place_KN = np.minimum((confidence_KN * bins).astype(int), bins - 1)
    gaps = counted(place_KN, bins, confidence_KN - right_KN)
    error_K: Array = np.abs(gaps).sum(1) / place_KN.shape[1]
    return error_K


def counted(values_KN: Array, kinds: int, weights_KN: Array | None = None) -> Array:
    """[K, kinds]: how often each of the values 0 to kinds - 1 is in each row, or the sum of the weights at it."""
    several = len(values_KN)
    apart = values_KN + kinds * np.arange(several)[:, None]
    weights = None if weights_KN is None else weights_KN.ravel()
    found: Array = np.bincount(apart.ravel(), weights, minlength=several * kinds).reshape(several, kinds)
    return found


# --- retrieval


def search(judged: Judged) -> Predictions:
    """Every query's place among the training part, and ("within_") among the other rows of its own part.

    By cosine of the embeddings; a row of the query's class is relevant. "gallery_rank" [N]: how many irrelevant rows
    lie before the first relevant one; "average_precision" [N]. A query of a class that the gallery lacks is behind all
    of it, with an average precision of 0.
    """
    assert judged.gallery is not None
    assert judged.gallery_labels is not None
    own, labels = judged.said.embedding[judged.said.present], judged.part.labels[judged.said.present]
    shown = judged.gallery.present
    among = searched(own, labels, judged.gallery.embedding[shown], judged.gallery_labels[shown])
    within = searched(own, labels, own, labels, itself=True)
    names = ("gallery_rank", "average_precision")
    return dict(zip(names, among, strict=True)) | {f"within_{n}": v for n, v in zip(names, within, strict=True)}


def searched(
    queries: Tensor, labels: Tensor, gallery: Tensor, gallery_labels: Tensor, *, itself: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """First relevant rank from 0 and average precision, [N] each, of queries [N, D] in a gallery [G, D].

    Of equal similarities irrelevant rows come first: a network that gives every row one embedding retrieves nothing.

    Args:
        itself: the gallery is the queries, and none of them finds itself.
    """
    units, others = (torch.nn.functional.normalize(x.double(), dim=1) for x in (queries, gallery))
    ranks, precisions = [np.zeros(0, np.int64)], [np.zeros(0)]
    for at in range(0, len(units), ROWS):
        # Embeddings that are equal have cosines that differ in the last bits: those are no order.
        similarity = (units[at : at + ROWS] @ others.T).round(decimals=9)
        relevant = labels[at : at + ROWS, None] == gallery_labels[None]
        if itself:
            own = torch.arange(len(similarity)), torch.arange(at, at + len(similarity))
            similarity[own], relevant[own] = -2.0, False
        # Half a step below what is equal to it: irrelevant rows come first.
        order = (similarity - 5e-10 * relevant).argsort(dim=1, descending=True)
        found = torch.gather(relevant, 1, order).cpu().numpy()
        if itself:
            found = found[:, :-1]
        total = found.sum(1)
        ranks.append(np.where(total > 0, found.argmax(1), found.shape[1]))
        precision = found.cumsum(1) / np.arange(1, found.shape[1] + 1)
        precisions.append((precision * found).sum(1) / np.maximum(total, 1))
    return np.concatenate(ranks), np.concatenate(precisions)


def retrieval(found: Predictions) -> dict[str, float]:
    """recall_at_1, _5, _10, map and mrr, and the same within the part, of what `search` found."""
    metrics: dict[str, float] = {}
    for prefix in ("", "within_"):
        rank = found[f"{prefix}gallery_rank"]
        metrics |= {f"{prefix}recall_at_{cut}": float((rank < cut).mean()) for cut in CUTS}
        metrics[f"{prefix}map"] = float(found[f"{prefix}average_precision"].mean())
        metrics[f"{prefix}mrr"] = float((1 / (1 + rank)).mean())
    return metrics


# --- labels that are not classes


def multilabel(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """macro_ap (over the labels that occur), macro_f1 and micro_f1 (a label is said from a probability of .5 on),
    log_loss (nats, mean over labels) of finite logits [N, C] and labels [N, C] of 0 and 1."""
    from sklearn.metrics import average_precision_score, f1_score

    scores, truth = logits.double(), labels.double()
    loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, truth)
    x, y = scores.cpu().numpy(), truth.cpu().numpy().astype(int)
    occurs, said = y.any(0), (x > 0).astype(int)
    with warnings.catch_warnings():
        # A label that neither occurs nor is said has no F1, and counts as 0 by the argument below.
        warnings.simplefilter("ignore")
        return {
            "macro_ap": float(average_precision_score(y[:, occurs], x[:, occurs])) if occurs.any() else float("nan"),
            "macro_f1": float(f1_score(y, said, average="macro", zero_division=0)),
            "micro_f1": float(f1_score(y, said, average="micro", zero_division=0)),
            "log_loss": float(loss),
        }


def regression(predicted: Tensor, labels: Tensor) -> dict[str, float]:
    """mae, rmse, pearson and ccc of finite predictions and targets [N, C]; each the mean over the targets.

    ccc = 2 cov / (var_x + var_y + (mean_x - mean_y)^2), of which nothing is left where a prediction is constant.
    Lin. A Concordance Correlation Coefficient to Evaluate Reproducibility. Biometrics 1989.
    """
    x, y = predicted.double(), labels.double()
    error = x - y
    apart_x, apart_y = x - x.mean(0), y - y.mean(0)
    covariance = (apart_x * apart_y).mean(0)
    spread_x, spread_y = apart_x.square().mean(0), apart_y.square().mean(0)
    shared = (spread_x * spread_y).sqrt()
    pearson = torch.where(shared > 0, covariance / shared.clamp(min=1e-300), torch.zeros_like(shared))
    ccc = 2 * covariance / (spread_x + spread_y + error.mean(0).square()).clamp(min=1e-300)
    return {
        "mae": float(error.abs().mean()),
        "rmse": float(error.square().mean(0).sqrt().mean()),
        "pearson": float(pearson.mean()),
        "ccc": float(ccc.mean()),
    }
