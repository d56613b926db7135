"""Random streams by seed and purpose: what one part draws moves nobody else's numbers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def seed_of(seed: int, *purpose: object) -> int:
    """The stream's own seed, in [0, 2^63). Equal arguments, equal seed, in any process."""
    text = "/".join(map(str, (seed, *purpose)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(seed: int, *purpose: object) -> torch.Generator:
    return torch.Generator().manual_seed(seed_of(seed, *purpose))


@contextmanager
def stream(seed: int, *purpose: object) -> Iterator[None]:
    """torch's global CPU stream, seeded for one purpose and put back: for modules that draw their weights."""
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed: it seeds all devices, which takes longer than a small network's weights.
        torch.default_generator.manual_seed(seed_of(seed, *purpose))
        yield
