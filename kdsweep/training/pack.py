"""Trials that differ only in numbers train as one: a stack of networks is one network with a leading axis.

Forward passes run under `vmap` over the members; one `autograd.grad` of the summed losses goes to flat [K, P] buffers
of parameters; the optimisers are ours, with every number a column. No member's numbers depend on its company: on a CPU
they are bit for bit the same at any width from two up, in any lane, whoever leaves. So there are never fewer than two.

Letters: K members, B rows of a batch, P parameters, N rows of a part.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap

from kdsweep.data.card import Part
from kdsweep.data.tensors import Tensors
from kdsweep.networks.base import Network
from kdsweep.objective.outputs import Batch, Mixed, Outputs
from kdsweep.objective.term import Objective, Term
from kdsweep.training import evaluation, tasks
from kdsweep.training.epochs import Epoch
from kdsweep.training.models import Models, recipe, together
from kdsweep.training.optimisers import CRITIC_BETAS, Flat, StackedOptimiser, critic_recipe
from kdsweep.training.streams import generator
from kdsweep.training.workers import Workers
from kdsweep.trial import Trial

State = dict[str, Tensor]


class _Calls(nn.Module):
    """An objective whose several ways of being asked all go through `forward`, which is what can be stacked."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, ask: Callable[[Objective], Any]) -> Any:
        return ask(self.objective)


class Pack:
    """At most W trials of one structure in training; it only shrinks.

    Args:
        trials: their descriptions, in lanes 0 to K - 1.
        made: each one's own networks and objective, with its own initial weights.
        parts: the data, which all of them see.
        workers: the processes among which each batch is divided.
    """

    def __init__(
        self,
        trials: Sequence[Trial],
        made: Sequence[Models],
        parts: Mapping[Part, Tensors],
        workers: Workers | None = None,
    ) -> None:
        self.parts, self.workers = parts, workers or Workers()
        # Arithmetic at width one differs from all others in the last bits: a lone member gets a second lane.
        alone = len(trials) == 1
        self.trials = list(trials) * (2 if alone else 1)
        made = list(made) * (2 if alone else 1)
        self.active = len(trials)
        # The gradient of batches that are still to be followed by others before an update.
        self.gathering: Tensor | None = None
        self.recipes = [recipe(trial) for trial in self.trials]
        self.bases = {name: copy.deepcopy(network) for name, network in made[0].trained.items()}
        self.objective = copy.deepcopy(made[0].objective)
        self.calls = _Calls(self.objective)
        self.terms: dict[str, Term] = dict(self.objective.items())
        self._stack(made)

    def _stack(self, made: Sequence[Models]) -> None:
        groups: dict[str, State] = {}
        self.buffers: dict[str, State] = {}
        for name in self.bases:
            groups[name], self.buffers[name] = _stacked([models.trained[name] for models in made])
        parameters, self.buffers["objective"] = _stacked([_Calls(models.objective) for models in made])
        critics: dict[str, State] = {name: {} for name, term in self.terms.items() if term.critic is not None}
        for key, value in parameters.items():
            name = key.split(".")[2]
            if name in critics and key.startswith(f"objective.terms.{name}.critic."):
                critics[name][key] = value
            else:
                groups.setdefault(f"term {name}", {})[key] = value
        self.main = StackedOptimiser(Flat(groups), self.recipes, scale=self._scale(groups))
        ratios = {name: self._number(name, "critic_lr") for name in critics}
        self.critics = {
            name: StackedOptimiser(
                Flat({"critic": state}),
                [critic_recipe(own, ratio) for own, ratio in zip(self.recipes, ratios[name], strict=True)],
                betas=CRITIC_BETAS,
            )
            for name, state in critics.items()
        }
        self.frozen = {role: _stack_outputs([models.frozen[role] for models in made]) for role in made[0].frozen}
        self.frozen_head: tuple[nn.Module, State] | None = None
        if made[0].teacher is None and isinstance(made[0].teacher_head, nn.Module):
            heads = [models.teacher_head for models in made if isinstance(models.teacher_head, nn.Module)]
            self.frozen_head = copy.deepcopy(heads[0]), _stacked(heads)[1]
        self.live = {
            role: (copy.deepcopy(network), _stacked([models.live[role] for models in made]))
            for role, network in made[0].live.items()
        }
        self.views, self.view_draws = made[0].views, [generator(t.seed, "augmentation") for t in self.trials]
        self.draws = [{name: generator(t.seed, "draw", name) for name in self.terms} for t in self.trials]
        self.starts = {name: self._number(name, "start") for name in self.critics}

    def _scale(self, groups: Mapping[str, State]) -> Tensor | None:
        """[1, P] factors of the learning rate, None where no part of a network has one."""
        if not any(base.lr_scales for base in self.bases.values()):
            return None
        pieces = []
        for group, state in groups.items():
            for name, value in state.items():
                factor = self.bases[group].lr_scale(name) if group in self.bases else 1.0
                pieces.append(torch.full((1, value[0].numel()), factor, dtype=value.dtype, device=value.device))
        return torch.cat(pieces, dim=1)

    def _number(self, term: str, number: str) -> list[float]:
        values: list[float] = self.buffers["objective"][f"objective.terms.{term}.{number}"].tolist()
        return values

    # --- training

    def epochs(self) -> Iterator[list[Epoch]]:
        """Train: one item an epoch, with an Epoch for each active member in lane order. See `keep`."""
        total = int(self.recipes[0]["epochs"])
        for number in range(1, total + 1):
            began = time.perf_counter()
            sums = self._epoch(number, total)
            scores = self.scores("valid")
            # A member's share of the time: what it would have cost alone is not known here.
            seconds = (time.perf_counter() - began) / self.active
            values = {name: column.tolist() for name, column in sums.items()}
            found = []
            for lane in range(self.active):
                metrics = {
                    name: column[lane] for name, column in values.items() if self._heard(name, lane, number / total)
                }
                finite = math.isfinite(metrics["train/loss"])
                metrics |= {f"valid/{name}": value for name, value in scores[lane].items()}
                found.append(Epoch(number, metrics, finite, seconds))
            yield found

    def keep(self, lanes: Sequence[int]) -> None:
        """Go on with these of the active lanes, in their order; the others leave. Called between epochs."""
        if len(lanes) == self.active:
            return
        self.active = len(lanes)
        index = list(lanes) * (2 if len(lanes) == 1 else 1)
        if not index:
            return
        self.trials = [self.trials[lane] for lane in index]
        self.recipes = [self.recipes[lane] for lane in index]
        # A second lane of the same member draws for itself: the generators must not be one.
        self.draws = [{name: _copy(rng) for name, rng in self.draws[lane].items()} for lane in index]
        self.view_draws = [_copy(self.view_draws[lane]) for lane in index]
        self.starts = {name: [values[lane] for lane in index] for name, values in self.starts.items()}
        where = torch.tensor(index, device=self.parts["train"].labels.device)
        self.buffers = {group: _rows_of(state, where) for group, state in self.buffers.items()}
        self.frozen = {role: _outputs_of(said, where) for role, said in self.frozen.items()}
        self.live = {
            role: (base, (_rows_of(parameters, where), _rows_of(buffers, where)))
            for role, (base, (parameters, buffers)) in self.live.items()
        }
        if self.frozen_head is not None:
            self.frozen_head = self.frozen_head[0], _rows_of(self.frozen_head[1], where)
        for optimiser in (self.main, *self.critics.values()):
            optimiser.keep(where)
        self.gathering = self.gathering[where] if self.gathering is not None else None

    def _heard(self, name: str, lane: int, progress: float) -> bool:
        """Whether a member has this metric: a critic's begins when its adversary joins."""
        critic = name.removeprefix("train/critic/")
        return critic not in self.starts or self.starts[critic][lane] < progress

    def _epoch(self, number: int, total: int) -> State:
        train = self.parts["train"]
        device = train.labels.device
        size = min(int(self.recipes[0]["batch_size"]), len(train))
        steps = len(train) // size
        orders = [torch.randperm(len(train), generator=generator(t.seed, "order", number)) for t in self.trials]
        order = torch.stack(orders).to(device)
        sums: State = {}
        for step in range(steps):
            done = (number - 1) * steps + step
            for name, value in self._step(order[:, step * size : (step + 1) * size], done, total * steps).items():
                sums[name] = sums[name] + value / steps if name in sums else value / steps
        return sums

    def _step(self, rows: Tensor, done: int, steps: int) -> State:
        """One update of the critics and one of everything else: [K] values, those before the update."""
        progress = done / steps
        at = torch.tensor(progress, device=rows.device)
        labels = self.parts["train"].labels[rows]
        drawn = self._draw(rows.shape[1], self.terms, range(len(self.trials)))
        flat = self.main.flat.leaf()
        groups = self.main.flat.views(flat)
        said = self._say(groups, rows)
        values = self._critic_steps(said, rows, labels, groups, at, progress)

        def total(
            state: State, buffers: State, head: State, said: Any, labels: Tensor, rows: Tensor, drawn: Any
        ) -> Any:
            batch = self._batch(said, labels, rows, at, head)
            return functional_call(
                self.calls, {**state, **buffers}, (lambda objective: tuple(objective(batch, drawn)),)
            )

        buffers = self.buffers["objective"]
        losses, parts = vmap(total)(self._state(groups), buffers, self._head(groups), said, labels, rows, drawn)
        every = int(self.recipes[0]["accumulate"])
        (gradient,) = torch.autograd.grad(losses.sum() / every, flat)
        if self.gathering is not None:
            gradient, self.gathering = self.gathering + gradient, None
        # What is left at the end of training, less than a whole number of batches, is no update.
        if done % every == every - 1:
            self._sum_over_workers(gradient)
            self.main.update(gradient, progress)
        else:
            self.gathering = gradient
        if any(type(term).remember is not Term.remember for term in self.terms.values()):
            self._remember(_detached(said), rows, labels, drawn, at)
        return {
            "train/loss": losses.detach(),
            **{f"train/loss/{name}": value.detach() for name, value in parts.items()},
            **values,
        }

    def _remember(self, said: Any, rows: Tensor, labels: Tensor, drawn: Any, at: Tensor) -> None:
        def remember(
            state: State, buffers: State, head: State, said: Any, labels: Tensor, rows: Tensor, drawn: Any
        ) -> Any:
            batch = self._batch(said, labels, rows, at, head)

            def ask(objective: Objective) -> State:
                objective.remember(batch, drawn)
                return {name: value.clone() for name, value in self.calls.named_buffers()}

            return functional_call(self.calls, {**state, **buffers}, (ask,))

        groups = self.main.flat.views(self.main.flat.value)
        with torch.no_grad():
            self.buffers["objective"] = vmap(remember)(
                self._state(groups), self.buffers["objective"], self._head(groups), said, labels, rows, drawn
            )

    def _state(self, groups: Mapping[str, State]) -> State:
        """The parameters of all terms, critics included, as the objective names them."""
        state = {k: v for name, group in groups.items() if name.startswith("term ") for k, v in group.items()}
        for optimiser in self.critics.values():
            state |= optimiser.flat.views(optimiser.flat.value)["critic"]
        return state

    def _critic_steps(
        self, said: Any, rows: Tensor, labels: Tensor, groups: Mapping[str, State], at: Tensor, progress: float
    ) -> State:
        values: State = {}
        seen, head = _detached(said), _detached(self._head(groups))
        for name, optimiser in self.critics.items():
            # Before the adversary joins nobody reads its critic.
            joined = [lane for lane, start in enumerate(self.starts[name]) if progress >= start]
            if not joined:
                continue

            def loss(
                state: State, buffers: State, head: State, said: Any, labels: Tensor, rows: Tensor, drawn: Any,
                name: str = name,
            ) -> Tensor:  # fmt: skip
                batch = self._batch(said, labels, rows, at, head)._replace(draws=drawn.get(name, {}))
                ask = (lambda objective: objective[name].critic_value(batch),)
                value: Tensor = functional_call(self.calls, {**state, **buffers}, ask)
                return value

            for _ in range(self.terms[name].steps):
                drawn = self._draw(rows.shape[1], {name: self.terms[name]}, joined)
                flat = optimiser.flat.leaf()
                state = _detached(self._state(groups)) | optimiser.flat.views(flat)["critic"]
                losses = vmap(loss)(state, self.buffers["objective"], head, seen, labels, rows, drawn)
                (gradient,) = torch.autograd.grad(losses.sum(), flat)
                optimiser.update(gradient, progress, lanes=joined if len(joined) < len(self.trials) else None)
                values[f"train/critic/{name}"] = _of_lanes(losses.detach(), joined)
        return values

    def _say(self, groups: Mapping[str, State], rows: Tensor) -> dict[str, Any]:
        """What every network says of its own batch, as plain tensors with a leading K."""
        inputs, present = self._seen(rows)
        mixed: State = {}
        if self.views.alpha is not None:
            partners, shares = self.views.partners(rows, self.view_draws)
            others, there = self._seen(partners)
            inputs = self.views.blend(inputs, others, shares)
            present = {name: present[name] & there[name] for name in present}
            mixed = {"labels": self.parts["train"].labels[partners], "share": shares}
        said: dict[str, Any] = {"mixed": mixed} if mixed else {}
        for name, base in self.bases.items():
            base.train()
            spoken = self._run(base, groups[name], self.buffers[name], inputs, present, shared=False)
            said[name] = self._gathered(spoken, rows.shape[1])
        lanes = torch.arange(len(rows), device=rows.device)[:, None]
        for role, outputs in self.frozen.items():
            said[f"frozen {role}"] = {
                key: {n: f[lanes, rows] for n, f in value.items()} if key == "features" else value[lanes, rows]
                for key, value in outputs.items()
            }
        with torch.no_grad():
            for role, (base, (parameters, buffers)) in self.live.items():
                spoken = self._run(base.eval(), parameters, buffers, inputs, present, shared=False)
                said[f"frozen {role}"] = self._gathered(spoken, rows.shape[1])
        if self.live and self.trials[0].distils_from == "unimodal":
            several = [Outputs(**said[f"frozen {name}"]) for name in self.trials[0].auxiliaries]
            said["frozen teacher"] = {**together(several)._asdict(), "features": {}}
        return said

    def _seen(self, rows: Tensor) -> tuple[State, State]:
        """This worker's inputs of a batch [K, B], in the view that each member's networks see, and their presence."""
        # Networks see this worker's slice of the batch, the objective the whole of it.
        inputs, present = self.parts["train"].batch(self.workers.mine(rows.T).T)
        return self.views.of(inputs, self.view_draws, self.workers.mine, rows.shape[1]), present

    def _gathered(self, spoken: dict[str, Any], total: int) -> dict[str, Any]:
        """Along the batch axis, which is the second here. Never under `vmap`, where collectives go wrong unheard."""
        if self.workers.size == 1:
            return spoken
        first = {k: v.transpose(0, 1) for k, v in spoken.items() if k != "features"}
        inner = {k: v.transpose(0, 1) for k, v in spoken["features"].items()}
        whole = self.workers.gather(Outputs(**first, features=inner), total)
        found: dict[str, Any] = {k: v.transpose(0, 1) for k, v in whole._asdict().items() if k != "features"}
        return found | {"features": {k: v.transpose(0, 1) for k, v in whole.features.items()}}

    def _sum_over_workers(self, gradient: Tensor) -> None:
        """Add up network gradients; terms have seen the whole batch in every worker already."""
        if self.workers.size > 1:
            for name, span in self.main.flat.spans.items():
                if name in self.bases:
                    gradient[:, span] = self.workers.sum(gradient[:, span].contiguous())

    def _run(
        self, base: Network, parameters: State, buffers: State, inputs: State, present: State, *, shared: bool
    ) -> dict[str, Any]:
        def one(parameters: State, buffers: State, inputs: State, present: State) -> dict[str, Any]:
            with evaluation.half(precision, next(iter(inputs.values())).device):
                outputs: Outputs = functional_call(base, {**parameters, **buffers}, (inputs, present))
            widened = outputs.widen()
            return {**widened._asdict(), "features": dict(widened.features)}

        of_data = None if shared else 0
        precision = self.recipes[0]["precision"]
        found: dict[str, Any] = vmap(one, in_dims=(0, 0, of_data, of_data))(parameters, buffers, inputs, present)
        return found

    def _batch(self, said: Mapping[str, Any], labels: Tensor, rows: Tensor, at: Tensor, head: State) -> Batch:
        """One member's batch, inside `vmap`."""
        outputs = {name: Outputs(**value) for name, value in said.items() if name != "mixed"}
        frozen = {name[7:]: value for name, value in outputs.items() if name.startswith("frozen ")}
        teacher = outputs.get("teacher", frozen.pop("teacher", None))
        trained = {name[10:]: value for name, value in outputs.items() if name.startswith("auxiliary ")}
        base = self.bases["teacher"].to_logits if "teacher" in self.bases else self.frozen_head and self.frozen_head[0]
        through = (lambda embedding: functional_call(base, head, (embedding,))) if base is not None else None
        return Batch(
            student=outputs["network"],
            labels=labels,
            samples=rows,
            progress=at,
            teacher=teacher,
            auxiliary={**frozen, **trained},
            teacher_head=through,
            mixed=Mixed(**said["mixed"]) if "mixed" in said else None,
        )

    def _head(self, groups: Mapping[str, State]) -> State:
        if "teacher" in self.bases:
            prefix, whole = f"{self.bases['teacher'].head_name}.", {**groups["teacher"], **self.buffers["teacher"]}
            return {key.removeprefix(prefix): value for key, value in whole.items() if key.startswith(prefix)}
        return self.frozen_head[1] if self.frozen_head is not None else {}

    def _draw(self, size: int, terms: Mapping[str, Term], lanes: Sequence[int]) -> dict[str, State]:
        """Each member's random numbers from its own generators; lanes that do not draw get zeros."""
        drawn: dict[str, State] = {}
        device = self.parts["train"].labels.device
        for name, term in terms.items():
            if type(term).draw is Term.draw:
                continue
            mine = {lane: term.draw(size, self.draws[lane][name]) for lane in lanes}
            example = next(iter(mine.values()))
            if example:
                drawn[name] = {
                    key: torch.stack(
                        [
                            mine[lane][key] if lane in mine else torch.zeros_like(value)
                            for lane in range(len(self.trials))
                        ]
                    ).to(device)
                    for key, value in example.items()
                }
        return drawn

    # --- what became of them

    def outputs(self, role: str, part: Part) -> list[Outputs]:
        """What a role's network of each active member says about every row of a part, in evaluation mode."""
        base, rows = self.bases[role].eval(), torch.arange(len(self.parts[part]))
        groups = self.main.flat.views(self.main.flat.value)
        pieces = []
        with torch.no_grad():
            for some in torch.split(rows.to(self.parts[part].labels.device), evaluation.CHUNK):
                inputs, present = self.parts[part].batch(self.workers.mine(some))
                spoken = self._run(base, groups[role], self.buffers[role], inputs, present, shared=True)
                pieces.append(self._gathered(spoken, len(some)))
        logits, embedding, there = (
            torch.cat([piece[key] for piece in pieces], dim=1) for key in ("logits", "embedding", "present")
        )
        return [Outputs(logits[lane], embedding[lane], there[lane]) for lane in range(self.active)]

    def scores(self, part: Part) -> list[dict[str, float]]:
        """Metrics of a part for each active member: its network's, and "teacher_..." of a teacher trained with it."""
        roles = [role for role in ("network", "teacher") if role in self.bases]
        task = self.trials[0].task
        return tasks.scores(task, {role: tasks.judged(task, self, role, part) for role in roles})

    def state(self, lane: int) -> dict[str, State]:
        """The weights of one member's networks, by role."""
        groups = self.main.flat.views(self.main.flat.value)
        return {
            name: {key: value[lane].detach().clone() for key, value in {**groups[name], **self.buffers[name]}.items()}
            for name in self.bases
        }

    def load(self, lane: int, state: Mapping[str, State]) -> None:
        """Put weights back into one member's networks."""
        groups = self.main.flat.views(self.main.flat.value)
        for name, own in state.items():
            for key, value in own.items():
                (groups[name] if key in groups[name] else self.buffers[name])[key][lane].copy_(value)

    def numbers(self, lane: int) -> dict[str, float]:
        """Every number of one member's objective, by full name."""
        return {
            f"{name}.{number}": float(self.buffers["objective"][f"objective.terms.{name}.{number}"][lane])
            for name, term in self.terms.items()
            for number in term.number_names
        }

    def full_height(self, lane: int) -> float:
        """The fraction of training after which a member's schedules have all reached their full weight."""
        numbers = self.numbers(lane)
        return max(numbers[f"{name}.start"] + numbers[f"{name}.ramp"] for name in self.terms)


def _stacked(modules: Sequence[nn.Module]) -> tuple[State, State]:
    """Parameters and buffers of equal modules, [K, ...] each; what is never trained is a buffer."""
    parameters, buffers = stack_module_state(list(modules))  # type: ignore[arg-type]
    learned = {name for name, parameter in modules[0].named_parameters() if parameter.requires_grad}
    kept = {name: value for name, value in parameters.items() if name not in learned}
    return (
        {name: value.detach() for name, value in parameters.items() if name in learned},
        {name: value.detach().clone() for name, value in {**kept, **buffers}.items()},
    )


def _stack_outputs(several: Sequence[Outputs]) -> dict[str, Any]:
    return {
        "logits": torch.stack([outputs.logits for outputs in several]),
        "embedding": torch.stack([outputs.embedding for outputs in several]),
        "present": torch.stack([outputs.present for outputs in several]),
        "features": {
            name: torch.stack([outputs.features[name] for outputs in several]) for name in several[0].features
        },
    }


def _outputs_of(said: Mapping[str, Any], where: Tensor) -> dict[str, Any]:
    return {key: _rows_of(value, where) if key == "features" else value[where] for key, value in said.items()}


def _rows_of(state: Mapping[str, Tensor], where: Tensor) -> State:
    return {key: value[where] for key, value in state.items()}


def _detached(said: Any) -> Any:
    return {k: _detached(v) for k, v in said.items()} if isinstance(said, dict) else said.detach()


def _copy(rng: torch.Generator) -> torch.Generator:
    other = torch.Generator()
    other.set_state(rng.get_state())
    return other


def _of_lanes(values: Tensor, lanes: Sequence[int]) -> Tensor:
    """The values of these lanes, 0 elsewhere."""
    kept = torch.zeros_like(values)
    kept[list(lanes)] = values[list(lanes)]
    return kept
