"""A whole network of the user's own in the place of encoders, fusion and head. B rows, C classes, D embedding width."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from kdsweep.networks.base import Network
from kdsweep.objective.batch import Outputs
from kdsweep.values.card import Modality


class Whole(Network):
    """Asks a module for its modalities by name; what it shows besides logits is caught inside of it.

    Args:
        module: `forward(**modalities)` returns logits [B, C] or Outputs.
        shapes: of the modalities that it is given.
        classes: C.
        needs, any_of: when a row is present, as in `Network`.
        embedding: name of the submodule whose output [B, D] is the embedding; "" where the module returns Outputs.
        features: names of submodules whose outputs are shown as inner features, by the feature's name.
        head: name of the submodule that makes logits of an embedding, for methods that look through it; "" for none.

    Raises:
        ValueError: the module has no such submodule, or returns something else.
    """

    def __init__(
        self,
        module: nn.Module,
        shapes: Mapping[str, Modality],
        classes: int,
        *,
        needs: tuple[str, ...],
        any_of: tuple[str, ...] = (),
        embedding: str = "",
        features: Mapping[str, str] | None = None,
        head: str = "",
    ) -> None:
        super().__init__()
        self.module, self.names = module, tuple(dict.fromkeys((*needs, *any_of)))
        self.needs, self.any_of = needs, any_of
        self.submodules = {**({"embedding": embedding} if embedding else {}), **(features or {})}
        for submodule in (*self.submodules.values(), *([head] if head else [])):
            try:
                module.get_submodule(submodule)
            except AttributeError as error:
                known = ", ".join(name for name, _ in module.named_modules() if name)
                raise ValueError(f"the module has no submodule {submodule!r}: it has {known}") from error
        answer = self._tried(shapes)
        if answer.logits.shape != (2, classes):
            raise ValueError(f"the module returns logits [rows, {classes}], got {list(answer.logits.shape)} of 2 rows")
        self.embedding = answer.embedding.shape[1]
        self._shown = {name: tuple(feature.shape[1:]) for name, feature in answer.features.items()}
        self.head_name = f"module.{head}" if head else ""

    @property
    def features(self) -> Mapping[str, tuple[int, ...]]:
        return self._shown

    def forward(self, inputs: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> Outputs:
        """`inputs` [B, *shape] and `present` [B] bool, by modality; what is missing is 0."""
        with self._caught() as seen:
            answer = self.module(**{name: inputs[name] for name in self.names})
        if isinstance(answer, Outputs):
            return answer._replace(present=self.rows(present), features={**answer.features, **seen})
        if not isinstance(answer, Tensor) or "embedding" not in seen:
            raise ValueError("a module returns Outputs, or logits, and `embedding` names the submodule below them")
        embedding = seen.pop("embedding")
        return Outputs(answer, embedding.flatten(1), self.rows(present), seen)

    @contextmanager
    def _caught(self) -> Iterator[dict[str, Tensor]]:
        """What the named submodules return during one call. Hooks live as long as the call: copies have their own."""
        seen: dict[str, Tensor] = {}

        def hook(name: str) -> Any:
            def keep(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
                seen[name] = output

            return keep

        with ExitStack() as stack:
            for name, submodule in self.submodules.items():
                handle = self.module.get_submodule(submodule).register_forward_hook(hook(name))
                stack.callback(handle.remove)
            yield seen

    @torch.no_grad()
    def _tried(self, shapes: Mapping[str, Modality]) -> Outputs:
        """Its answer to two rows of zeros: widths are seen, and need not be given."""
        training = self.module.training
        self.module.eval()
        inputs = {name: torch.zeros(2, *shapes[name].shape) for name in self.names}
        answer: Outputs = self(inputs, {name: torch.ones(2, dtype=torch.bool) for name in self.names})
        self.module.train(training)
        return answer
