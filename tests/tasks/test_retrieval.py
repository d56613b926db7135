"""Searching a gallery, against plain definitions and scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kdsweep.tasks import retrieval


def searched(queries, labels, gallery, gallery_labels, **itself):
    to_tensors = (torch.tensor(queries), torch.tensor(labels), torch.tensor(gallery), torch.tensor(gallery_labels))
    return retrieval.searched(*to_tensors, **itself)


def test_a_query_ranks_the_gallery_by_cosine():
    gallery, of_gallery = [[1.0, 0.1], [0.5, 0.5], [0.0, 2.0]], [0, 1, 1]
    ranks, precision = searched([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], [0, 1, 2], gallery, of_gallery)
    assert ranks.tolist() == [0, 1, 3]
    assert precision.tolist() == pytest.approx([1.0, (1 / 2 + 2 / 3) / 2, 0.0])


def test_average_precision_is_scikit_learns():
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    queries, gallery, labels, of_gallery = rng.normal(size=(20, 4)), rng.normal(size=(50, 4)), 20 * [1], [1, 0] * 25
    _, found = searched(queries, labels, gallery, of_gallery)
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (queries, gallery)]
    expected = [average_precision_score(of_gallery, row) for row in unit[0] @ unit[1].T]
    assert found == pytest.approx(expected)


def test_within_its_own_part_a_query_does_not_find_itself():
    rows = [[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]
    ranks, _ = searched(rows, [0, 0, 1], rows, [0, 0, 1], itself=True)
    assert ranks.tolist() == [0, 0, 2]


def test_a_network_that_says_the_same_of_every_row_retrieves_nothing():
    same = np.full((12, 3), 0.1)
    ranks, precision = searched(same, [0, 1] * 6, same, [0, 1] * 6)
    assert ranks.tolist() == [6] * 12
    assert precision.max() < 0.5
