"""A stack of equal networks as one network with a leading axis, and what its members' terms see of a batch.

Letters: K members, B rows of a batch, P parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kdsweep.engine import evaluation
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.objective.batch import Batch, Mixed, Outputs

Named = dict[str, Tensor]


class Seen(NamedTuple):
    """One batch of every member, [K, B, ...] each.

    Attributes:
        inputs, present: by modality; this worker's slice.
        frozen: what frozen models say, by "frozen <role>".
        labels, rows: of the whole batch.
        labelled: "rows", those that have a label, where some of the training part have none; else empty.
        mixed: "labels" and "share" [K] where rows are blends of two, else empty.
    """

    inputs: Named
    present: Named
    frozen: dict[str, Any]
    labels: Tensor
    labelled: Named
    rows: Tensor
    mixed: Named


class Context(NamedTuple):
    """All that an update reads and does not change: a trace is a function of what it is given.

    Attributes:
        buffers: of the networks and, under "objective", of the terms.
        critics: the parameters of the terms' critics, [K, P] each.
        head: of a frozen teacher.
        drawn: each term's random numbers.
        at: progress, 0-dim.
    """

    buffers: dict[str, Named]
    critics: dict[str, Tensor]
    head: Named
    seen: Seen
    drawn: dict[str, Named]
    at: Tensor


class Stack:
    """How a stack's networks are asked, and how each member's batch is made of what they say.

    Args:
        bases: one network of each role, into which every member's parameters are put in turn.
        frozen_head: of a frozen teacher, where it has one.
        workers: the processes among which each batch is divided.
        precision: of the networks, `train.precision`.
        device: where they are.
    """

    def __init__(
        self,
        bases: Mapping[str, Network],
        frozen_head: nn.Module | None,
        *,
        workers: Workers,
        precision: str,
        device: torch.device,
    ) -> None:
        self.bases, self.frozen_head, self.workers = bases, frozen_head, workers
        self.precision, self.device = precision, device

    def speak(self, groups: Mapping[str, Named], buffers: Mapping[str, Named], seen: Seen) -> dict[str, Any]:
        """What every network says of its own batch, as plain tensors with a leading K, frozen ones included."""
        outputs: dict[str, Any] = {}
        for name, base in self.bases.items():
            base.train()
            own = self.run(base, groups[name], buffers[name], seen.inputs, seen.present)
            outputs[name] = self.gathered(own, seen.rows.shape[1])
        return outputs | seen.frozen

    def run(
        self,
        base: Network,
        parameters: Named,
        buffers: Named,
        inputs: Named,
        present: Named,
        *,
        shared: bool = False,
        precision: str = "",
    ) -> dict[str, Any]:
        """Outputs of every member's network, on data of its own or on what all see; frozen ones in float32."""

        def member(parameters: Named, buffers: Named, inputs: Named, present: Named) -> dict[str, Any]:
            with evaluation.half(precision or self.precision, self.device):
                own: Outputs = functional_call(base, {**parameters, **buffers}, (inputs, present))
            widened = own.widen()
            return {**widened._asdict(), "features": dict(widened.features)}

        of_data = None if shared else 0
        outputs: dict[str, Any] = vmap(member, in_dims=(0, 0, of_data, of_data))(parameters, buffers, inputs, present)
        return outputs

    def gathered(self, outputs: dict[str, Any], total: int) -> dict[str, Any]:
        """Along the batch axis, which is the second here. Never under `vmap`, where collectives go wrong unheard."""
        if self.workers.size == 1:
            return outputs
        first = {k: v.transpose(0, 1) for k, v in outputs.items() if k != "features"}
        inner = {k: v.transpose(0, 1) for k, v in outputs["features"].items()}
        whole = self.workers.gather(Outputs(**first, features=inner), total)
        members: dict[str, Any] = {k: v.transpose(0, 1) for k, v in whole._asdict().items() if k != "features"}
        return members | {"features": {k: v.transpose(0, 1) for k, v in whole.features.items()}}

    def members(self, groups: Mapping[str, Named], context: Context, outputs: dict[str, Any]) -> dict[str, Any]:
        """What is each member's own, for `vmap` to hand out."""
        head = context.head
        if "teacher" in self.bases:
            prefix, whole = f"{self.bases['teacher'].head_name}.", {**groups["teacher"], **context.buffers["teacher"]}
            head = {key.removeprefix(prefix): value for key, value in whole.items() if key.startswith(prefix)}
        seen, own = context.seen, {"outputs": outputs, "head": head, "drawn": context.drawn}
        return {**own, "labels": seen.labels, "labelled": seen.labelled, "rows": seen.rows, "mixed": seen.mixed}

    def batch(self, member: Mapping[str, Any], at: Tensor) -> Batch:
        """One member's batch, inside `vmap`."""
        outputs = {name: Outputs(**value) for name, value in member["outputs"].items()}
        frozen = {name[7:]: value for name, value in outputs.items() if name.startswith("frozen ")}
        teacher = outputs.get("teacher", frozen.pop("teacher", None))
        trained = {name[10:]: value for name, value in outputs.items() if name.startswith("auxiliary ")}
        base = self.bases["teacher"].to_logits if "teacher" in self.bases else self.frozen_head
        head = member["head"]
        through = (lambda embedding: functional_call(base, head, (embedding,))) if base is not None else None
        return Batch(
            student=outputs["network"],
            labels=member["labels"],
            samples=member["rows"],
            progress=at,
            teacher=teacher,
            auxiliary={**frozen, **trained},
            teacher_head=through,
            mixed=Mixed(**member["mixed"]) if member["mixed"] else None,
            labelled=member["labelled"].get("rows"),
        )


def stacked(modules: Sequence[nn.Module]) -> tuple[Named, Named]:
    """Parameters and buffers of equal modules, [K, ...] each; what is never trained is a buffer."""
    parameters, buffers = stack_module_state(list(modules))  # type: ignore[arg-type]
    learned = {name for name, parameter in modules[0].named_parameters() if parameter.requires_grad}
    kept = {name: value for name, value in parameters.items() if name not in learned}
    return (
        {name: value.detach() for name, value in parameters.items() if name in learned},
        {name: value.detach().clone() for name, value in {**kept, **buffers}.items()},
    )


def rows_of(state: Mapping[str, Tensor], where: Tensor) -> Named:
    return {key: value[where] for key, value in state.items()}


def detached(outputs: Any) -> Any:
    return {k: detached(v) for k, v in outputs.items()} if isinstance(outputs, dict) else outputs.detach()


def copy_of(rng: torch.Generator) -> torch.Generator:
    other = torch.Generator()
    other.set_state(rng.get_state())
    return other
