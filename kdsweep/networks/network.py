"""One role's network: an encoder for each modality, a fusion where there are several, and a linear head."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.data.card import Card
from kdsweep.networks import ENCODERS, FUSIONS, SOURCE, Part, complete, own_source
from kdsweep.objective.outputs import Outputs


class Network(nn.Module):
    """What one role says about a batch of its modalities.

    Args:
        encoders: by modality.
        classes: width of the logits.
        fusion: of the encoders' embeddings; needed where there are several.
        needs: a row is present when every one of these modalities is.
        any_of: and, where not empty, at least one of these.
    """

    def __init__(
        self,
        encoders: Mapping[str, nn.Module],
        classes: int,
        fusion: nn.Module | None,
        *,
        needs: tuple[str, ...],
        any_of: tuple[str, ...] = (),
    ) -> None:
        super().__init__()
        self.names = tuple(sorted(encoders))
        # Modality names are the user's: module names must not hold dots or clash with attributes.
        self.encoders = nn.ModuleList([encoders[name] for name in self.names])
        self.fusion = fusion
        self.needs, self.any_of = needs, any_of
        source: Any = fusion if fusion is not None else self.encoders[0]
        self.embedding: int = source.embedding
        self.head = nn.Linear(self.embedding, classes)

    @property
    def features(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the inner features that the network shows, without the batch axis."""
        if self.fusion is not None or not hasattr(self.encoders[0], "inner"):
            return {}
        return {name: getattr(self.encoders[0], "shape") for name in getattr(self.encoders[0], "inner")}  # noqa: B009

    def forward(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Outputs:
        """`inputs` [B, *shape] and `present` [B] bool, by modality."""
        embeddings, features = {}, {}
        for name, encoder in zip(self.names, self.encoders, strict=True):
            found = encoder(inputs[name])
            embeddings[name], features = found if isinstance(found, tuple) else (found, {})
        if self.fusion is None:
            embedding = embeddings[self.names[0]]
        else:
            embedding, features = self.fusion(embeddings, present), {}
        rows = torch.stack([present[name] for name in self.needs]).all(0)
        if self.any_of:
            rows = rows & torch.stack([present[name] for name in self.any_of]).any(0)
        return Outputs(self.head(embedding), embedding, rows, features)


def build(
    specification: Mapping[str, Any],
    card: Card,
    *,
    needs: tuple[str, ...],
    any_of: tuple[str, ...] = (),
    classes: int,
) -> Network:
    """The network of a specification in full (`kdsweep.networks.complete`), with fresh weights from torch's stream.

    Raises:
        ValueError: a network of the user's own cannot be imported, has no width, or has another source than it had.
    """
    encoders: dict[str, Any] = {}
    for name, part in specification.items():
        if name != "fusion":
            modality = card.modalities[name]
            ((kind, arguments),) = _fitting(part, modality.kind).items()
            encoders[name] = _make(kind, ENCODERS, modality.shape, arguments)
    fusion = None
    if len(encoders) > 1:
        ((kind, arguments),) = complete(specification.get("fusion")).items()
        fusion = _make(kind, FUSIONS, {name: encoder.embedding for name, encoder in encoders.items()}, arguments)
    return Network(encoders, classes, fusion, needs=needs, any_of=any_of)


def _fitting(part: Mapping[str, Any], kind: Any) -> Mapping[str, Any]:
    """The encoder asked for; where a control puts another kind of modality in its place, that kind's own."""
    name = next(iter(part))
    # A user's own says nothing of kinds, and is taken at its word.
    return part if ":" in name or kind in ENCODERS[name].kinds else complete(None, kind=kind)


def _make(name: str, table: Mapping[str, Part], reads: Any, arguments: Mapping[str, Any]) -> Any:
    if name in table:
        return _load(table[name].home)(reads, **arguments)
    # Workers import it themselves: it must be what the trial was named by.
    if own_source(name) != arguments[SOURCE]:
        raise ValueError(f"the source of {name!r} has changed since the study was read: launch it again")
    made = _load(name)(reads, **{key: value for key, value in arguments.items() if key != SOURCE})
    if not isinstance(getattr(made, "embedding", None), int):
        raise ValueError(f"a network has a whole number `embedding`, the width of what it returns: {name!r} has none")
    return made


def _load(dotted: str) -> Any:
    home, _, name = dotted.partition(":")
    try:
        return getattr(importlib.import_module(home), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"cannot import {dotted!r}: {error}") from error
