"""One role's network: an encoder for each modality, a fusion where there are several, and a linear head."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import safetensors.torch
from torch import Tensor, nn

from kdsweep.networks.base import Network
from kdsweep.networks.registry import ENCODERS, FUSIONS, Part
from kdsweep.networks.specification import MODULE, SHOWN, complete, name_of
from kdsweep.networks.whole import Whole
from kdsweep.objective.batch import Outputs
from kdsweep.values import user_code as sources
from kdsweep.values.card import Card


class Assembled(Network):
    """An encoder for each modality, a fusion where there are several, and a linear head.

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
        self.head, self.head_name = nn.Linear(self.embedding, classes), "head"

    @property
    def features(self) -> Mapping[str, tuple[int, ...]]:
        if self.fusion is not None or not hasattr(self.encoders[0], "inner"):
            return {}
        return {name: getattr(self.encoders[0], "shape") for name in getattr(self.encoders[0], "inner")}  # noqa: B009

    def forward(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Outputs:
        embeddings, features = {}, {}
        for name, encoder in zip(self.names, self.encoders, strict=True):
            encoded = encoder(inputs[name])
            embeddings[name], features = encoded if isinstance(encoded, tuple) else (encoded, {})
        if self.fusion is None:
            embedding = embeddings[self.names[0]]
        else:
            embedding, features = self.fusion(embeddings, present), {}
        return Outputs(self.head(embedding), embedding, self.rows(present), features)


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
    if MODULE in specification:
        ((name, arguments),) = specification[MODULE].items()
        own = sources.own(name, arguments)()
        _start(own, specification)
        shown = {key: specification[key] for key in SHOWN}
        whole = Whole(own, card.modalities, classes, needs=needs, any_of=any_of, **shown)
        return _with_options(whole, {"module": specification})
    encoders: dict[str, Any] = {}
    parts = {
        name: _fitting(part, card.modalities[name].kind) for name, part in specification.items() if name != "fusion"
    }
    for name, part in parts.items():
        kind = name_of(part)
        encoders[name] = _start(_make(kind, ENCODERS, card.modalities[name].shape, part[kind]), part)
    fusion = None
    if len(encoders) > 1:
        parts["fusion"] = complete(specification.get("fusion"))
        kind, widths = name_of(parts["fusion"]), {name: encoder.embedding for name, encoder in encoders.items()}
        fusion = _start(_make(kind, FUSIONS, widths, parts["fusion"][kind]), parts["fusion"])
    made = Assembled(encoders, classes, fusion, needs=needs, any_of=any_of)
    places = {f"encoders.{number}": parts[name] for number, name in enumerate(made.names)}
    return _with_options(made, {**places, **({"fusion": parts["fusion"]} if fusion is not None else {})})


def _start(module: Any, part: Mapping[str, Any]) -> Any:
    """The module with the weights that its specification names, where it does.

    Raises:
        ChangedSource: they have changed since the study was read.
        ValueError: they do not fit.
    """
    if "weights" not in part:
        return module
    path = part["weights"]["path"]
    if sources.weights(path)["digest"] != part["weights"]["digest"]:
        raise sources.ChangedSource(f"{path} has changed since the study was read: launch it again")
    try:
        module.load_state_dict(safetensors.torch.load_file(path))
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit: {error}") from error
    return module


def _with_options(network: Network, parts: Mapping[str, Mapping[str, Any]]) -> Network:
    """The network, its frozen parts without gradients, and the learning rates of the others."""
    network.frozen = tuple(submodule for submodule, part in parts.items() if part.get("freeze"))
    network.lr_scales = {submodule: part["lr_scale"] for submodule, part in parts.items() if "lr_scale" in part}
    for submodule in network.frozen:
        network.get_submodule(submodule).requires_grad_(False)
    return network


def _fitting(part: Mapping[str, Any], kind: Any) -> Mapping[str, Any]:
    """The encoder asked for; where a control puts another kind of modality in its place, that kind's own."""
    name = name_of(part)
    # A user's own says nothing of kinds, and is taken at its word.
    return part if ":" in name or kind in ENCODERS[name].kinds else complete(None, kind=kind)


def _make(name: str, table: Mapping[str, Part], reads: Any, arguments: Mapping[str, Any]) -> Any:
    if name in table:
        return sources.load(table[name].home)(reads, **arguments)
    made = sources.own(name, arguments)(reads)
    if not isinstance(getattr(made, "embedding", None), int):
        raise ValueError(f"a network has a whole number `embedding`, the width of what it returns: {name!r} has none")
    return made
