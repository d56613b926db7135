"""Networks by name: an encoder for each modality, a fusion of several, a head. Read without torch.

A specification says, for one role, which encoder reads each modality and how they are fused:

    {"top": {"mlp": {"hidden": [64], "embedding": 64}}, "bottom": {"mlp": {}}, "fusion": {"concat": {}}}

`complete` writes short forms out in full, so that equal networks have equal specifications.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kdsweep.data.card import Kind


@dataclass(frozen=True)
class Part:
    """An encoder or a fusion: where its class is, what it reads, and its arguments with their defaults."""

    home: str
    summary: str
    kinds: tuple[Kind, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)


ENCODERS = {
    "mlp": Part(
        "kdsweep.networks.vector:MLP",
        "flattens what it reads; linear layers with LayerNorm and ReLU",
        kinds=("vector", "image", "spectrogram", "sequence", "video"),
        defaults={"hidden": [64], "embedding": 64, "dropout": 0.0},
    ),
    "cnn": Part(
        "kdsweep.networks.image:CNN",
        "3x3 convolutions with GroupNorm and ReLU, halving between stages, then the mean over positions",
        kinds=("image", "spectrogram"),
        defaults={"channels": [16, 32], "embedding": 64},
    ),
}
FUSIONS = {
    "concat": Part("kdsweep.networks.fusion:Concat", "embeddings side by side, then a layer", defaults={"width": 64}),
}
DEFAULT_ENCODER: Mapping[Kind, str] = {
    "vector": "mlp",
    "image": "cnn",
    "spectrogram": "cnn",
    "sequence": "mlp",
    "video": "mlp",
}


def complete(part: str | Mapping[str, Any] | None, *, kind: Kind | None = None) -> dict[str, Any]:
    """A part's specification in full: `"mlp"`, `{"mlp": {"hidden": [32]}}` or None become {name: every argument}.

    Args:
        kind: the modality's kind for an encoder; None for a fusion.

    Raises:
        ValueError: no such part, one that does not read this kind, or an argument that it does not take.
    """
    table = FUSIONS if kind is None else ENCODERS
    if part is None:
        part = "concat" if kind is None else DEFAULT_ENCODER[kind]
    if isinstance(part, str):
        part = {part: {}}
    if len(part) != 1:
        raise ValueError(f"one encoder or fusion a place, got {', '.join(map(str, part)) or 'none'}")
    ((name, arguments),) = part.items()
    if name not in table:
        raise ValueError(f"no {'fusion' if kind is None else 'encoder'} {name!r}: found {', '.join(sorted(table))}")
    if kind is not None and kind not in table[name].kinds:
        raise ValueError(f"encoder {name!r} reads {', '.join(table[name].kinds)}, got kind {kind!r}")
    arguments = dict(arguments or {})
    for argument in arguments:
        if argument not in table[name].defaults:
            raise ValueError(f"{name!r} takes {', '.join(table[name].defaults)}, got {argument!r}")
    return {name: {**table[name].defaults, **arguments}}
