"""One update of a pack, as functions of tensors: run as they are, replayed from a trace, or compiled.

Letters: K members, B rows of a batch, P parameters.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from kdsweep.engine.build import Models
from kdsweep.engine.optimiser import CRITIC_BETAS, critic_recipe
from kdsweep.engine.stacked.optimiser import Flat, OptimiserState, Rates, StackedOptimiser
from kdsweep.engine.stacked.stack import Context, Named, Seen, Stack, copy_of, detached, rows_of, stacked
from kdsweep.engine.stacked.trace import Traces
from kdsweep.engine.state import flat
from kdsweep.engine.streams import generator
from kdsweep.engine.workers import Workers
from kdsweep.networks.base import Network
from kdsweep.objective.base import Objective, Term


class _Calls(nn.Module):
    """An objective whose several ways of being asked all go through `forward`, which is what can be stacked."""

    def __init__(self, objective: Objective) -> None:
        super().__init__()
        self.objective = objective

    def forward(self, ask: Callable[[Objective], Any]) -> Any:
        return ask(self.objective)


class Step:
    """The state of K members in training, and how one update changes it.

    Args:
        made: each lane's own networks and objective, with its own initial weights.
        recipes, seeds: each lane's.
        workers: the processes among which each batch is divided.
        structure: a digest of all that decides an update but the shapes of what it is given.
        compiled: every update is compiled, and its last bits are those of the compiled code at this width.
    """

    def __init__(
        self,
        made: Sequence[Models],
        recipes: Sequence[Mapping[str, Any]],
        seeds: Sequence[int],
        workers: Workers,
        *,
        structure: str,
        compiled: bool = False,
    ) -> None:
        self.workers, self.width, self.device = workers, len(made), next(made[0].network.parameters()).device
        self.bases: dict[str, Network] = {name: copy.deepcopy(net) for name, net in made[0].trained.items()}
        self.calls = _Calls(copy.deepcopy(made[0].objective))
        self.terms: dict[str, Term] = dict(self.calls.objective.items())
        self.traces = Traces(structure, compiled=compiled)
        self.accumulate = int(recipes[0]["accumulate"])
        # The gradient of batches that are still to be followed by others before an update.
        self.gathering: Tensor | None = None
        self.batches = 0
        self._stack(made, recipes)
        self.draws = [{name: generator(seed, "draw", name) for name in self.terms} for seed in seeds]
        self.starts = {name: self.number(name, "start") for name in self.critics}
        self.remembers = any(term.remembers for term in self.terms.values())

    def _stack(self, made: Sequence[Models], recipes: Sequence[Mapping[str, Any]]) -> None:
        groups: dict[str, Named] = {}
        self.buffers: dict[str, Named] = {}
        for name in self.bases:
            groups[name], self.buffers[name] = stacked([models.trained[name] for models in made])
        parameters, self.buffers["objective"] = stacked([_Calls(models.objective) for models in made])
        critics: dict[str, Named] = {name: {} for name, term in self.terms.items() if term.critic is not None}
        for key, value in parameters.items():
            name = key.split(".")[2]
            if name in critics and key.startswith(f"objective.terms.{name}.critic."):
                critics[name][key] = value
            else:
                groups.setdefault(f"term {name}", {})[key] = value
        compiled = self.traces.compiled
        self.main = StackedOptimiser(Flat(groups), recipes, scale=self._scale(groups), compiled=compiled)
        ratios = {name: self.number(name, "critic_lr") for name in critics}
        self.critics = {
            name: StackedOptimiser(
                Flat({"critic": state}),
                [critic_recipe(own, ratio) for own, ratio in zip(recipes, ratios[name], strict=True)],
                betas=CRITIC_BETAS,
                compiled=compiled,
            )
            for name, state in critics.items()
        }
        self.frozen_head: tuple[nn.Module, Named] | None = None
        if made[0].teacher is None and isinstance(made[0].teacher_head, nn.Module):
            heads = [models.teacher_head for models in made if isinstance(models.teacher_head, nn.Module)]
            self.frozen_head = copy.deepcopy(heads[0]), stacked(heads)[1]
        self.stack = Stack(
            self.bases,
            self.frozen_head[0] if self.frozen_head else None,
            workers=self.workers,
            precision=str(recipes[0]["precision"]),
            device=self.device,
        )

    def _scale(self, groups: Mapping[str, Named]) -> Tensor | None:
        """[1, P] factors of the learning rate, None where no part of a network has one."""
        if not any(base.lr_scales for base in self.bases.values()):
            return None
        pieces = []
        for group, state in groups.items():
            for name, value in state.items():
                factor = self.bases[group].lr_scale(name) if group in self.bases else 1.0
                pieces.append(torch.full((1, value[0].numel()), factor, dtype=value.dtype, device=value.device))
        return torch.cat(pieces, dim=1)

    def number(self, term: str, name: str) -> list[float]:
        """One number of a term, of every lane."""
        values: list[float] = self.buffers["objective"][f"objective.terms.{term}.{name}"].tolist()
        return values

    @property
    def groups(self) -> dict[str, Named]:
        """The parameters as they are now, by network and term."""
        return self.main.flat.views(self.main.flat.value)

    def keep(self, index: Sequence[int]) -> None:
        """Go on with these lanes, in this order; one may be there several times."""
        where = torch.tensor(index, device=self.device)
        # A second lane of the same member draws for itself: the generators must not be one.
        self.draws = [{name: copy_of(rng) for name, rng in self.draws[lane].items()} for lane in index]
        self.starts = {name: [values[lane] for lane in index] for name, values in self.starts.items()}
        self.buffers = {group: rows_of(state, where) for group, state in self.buffers.items()}
        if self.frozen_head is not None:
            self.frozen_head = self.frozen_head[0], rows_of(self.frozen_head[1], where)
        for optimiser in (self.main, *self.critics.values()):
            optimiser.keep(where)
        self.gathering = self.gathering[where] if self.gathering is not None else None
        if len(index) != self.width:
            self.width = len(index)
            self.traces.forget()

    def expect(self, steps: int) -> None:
        """So many updates are to come: where that is worth it they are replayed from a trace, with the same bits."""
        if not self.traces.on and not self.obstacle:
            self.traces.expect(steps, width=self.width)

    @property
    def obstacle(self) -> str:
        """Why updates cannot be traced; "" where they can."""
        if self.workers.size > 1:
            return "several workers divide each batch"
        if self.accumulate > 1:
            return "gradients of several batches make one update"
        stateful = [name for name, base in self.bases.items() if next(base.buffers(), None) is not None]
        return f"the {stateful[0]} has buffers that a step changes" if stateful else ""

    def tensors(self) -> Named:
        """Copies of all that an update changes, by name; random streams are not tensors."""
        optimisers = {f"optimiser {name}": own.state._asdict() for name, own in self._optimisers.items()}
        buffers = {f"buffers {name}": own for name, own in self.buffers.items()}
        gathering = {} if self.gathering is None else {"gradient": self.gathering}
        every = flat(**optimisers, **buffers, gathering=gathering)
        return {name: value.clone() for name, value in every.items()} | {"batches": torch.tensor(self.batches)}

    def restore(self, tensors: Named) -> None:
        """What `tensors` gave, back in place."""
        for name, own in self._optimisers.items():
            for key, value in own.state._asdict().items():
                value.copy_(tensors[f"optimiser {name}/{key}"])
        for name, state in self.buffers.items():
            for key, value in state.items():
                value.copy_(tensors[f"buffers {name}/{key}"])
        gradient = tensors.get("gathering/gradient")
        self.gathering = gradient.clone() if gradient is not None else None
        self.batches = int(tensors["batches"])

    @property
    def _optimisers(self) -> dict[str, StackedOptimiser]:
        return {"main": self.main, **{f"critic {name}": own for name, own in self.critics.items()}}

    # --- an update

    def update(self, seen: Seen, progress: float) -> Named:
        """One update of the critics and one of everything else: [K] values, those before the update."""
        at = torch.tensor(progress, device=self.device)
        drawn = self._draw(seen.rows.shape[1], self.terms, range(self.width))
        traced = self.traces.on
        values: Named = {}
        # Run as they are, networks speak once for critics and terms alike; a trace is a function of its own.
        flat = self.main.flat.leaf()
        outputs = None if traced else self.stack.speak(self.main.flat.views(flat), self.buffers, seen)
        detached_outputs = None if outputs is None else detached(outputs)
        for name, optimiser in self.critics.items():
            joined = [lane for lane, start in enumerate(self.starts[name]) if progress >= start]
            # Before the adversary joins nobody reads its critic.
            for _ in range(self.terms[name].steps if joined else 0):
                own = self._draw(seen.rows.shape[1], {name: self.terms[name]}, joined)
                given = self._context(seen, own, at), optimiser.state, optimiser.rates(progress)
                # One compiled function for all steps, whoever has joined: it must not change with the company. As they
                # are, operations give the same bits without a mask that lets everybody through.
                masked = self.traces.compiled or len(joined) < self.width
                takes = (self._mask(joined),) if masked else ()
                if traced:
                    step = partial(self._critic, name)
                    value = self.traces(("critic", name, masked), step, self.main.state[0], *given, *takes)
                else:
                    value = self._critic(name, flat, *given, *takes, outputs=detached_outputs)
                values[f"train/critic/{name}"] = value
        given_ = self._context(seen, drawn, at), self.main.state, self.main.rates(progress)
        if traced:
            losses, parts, outputs = self.traces(("main",), self._everything, *given_)
        else:
            losses, parts, outputs = self._everything(*given_, flat=flat, outputs=outputs)
        if self.remembers:
            self._remember(self._context(seen, drawn, at), outputs)
        return {"train/loss": losses, **{f"train/loss/{name}": value for name, value in parts.items()}, **values}

    def _context(self, seen: Seen, drawn: dict[str, Named], at: Tensor) -> Context:
        head = self.frozen_head[1] if self.frozen_head is not None else {}
        critics = {name: optimiser.flat.value for name, optimiser in self.critics.items()}
        return Context(self.buffers, critics, head, seen, drawn, at)

    def _critic(
        self,
        name: str,
        flat: Tensor,
        context: Context,
        state: OptimiserState,
        rates: Rates,
        joined: Tensor | None = None,
        *,
        outputs: dict[str, Any] | None = None,
    ) -> Tensor:
        """One update of a critic, in place; its loss of each member, 0 where it has not joined."""
        groups = self.main.flat.views(flat.detach())
        if outputs is None:
            outputs = self.stack.speak(groups, context.buffers, context.seen)
        leaf = state.value.detach().requires_grad_()
        optimiser = self.critics[name]

        def loss(parameters: Named, buffers: Named, member: Any) -> Tensor:
            batch = self.stack.batch(member, context.at)
            ask = (lambda objective: objective[name].critic_value(batch._replace(draws=member["drawn"].get(name, {}))),)
            value: Tensor = functional_call(self.calls, {**parameters, **buffers}, ask)
            return value

        parameters = self._parameters(groups, context) | optimiser.flat.views(leaf)["critic"]
        losses = vmap(loss)(parameters, context.buffers["objective"], self.stack.members(groups, context, outputs))
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        optimiser.apply(state, gradient, rates, joined)
        losses = losses.detach()
        return losses if joined is None else torch.where(joined[:, 0], losses, torch.zeros_like(losses))

    def _everything(
        self,
        context: Context,
        state: OptimiserState,
        rates: Rates,
        *,
        flat: Tensor | None = None,
        outputs: dict[str, Any] | None = None,
    ) -> tuple[Tensor, Named, dict[str, Any]]:
        """One update of all but the critics, in place: each member's loss, its parts, and what networks have said."""
        if flat is None:
            flat = state.value.detach().requires_grad_()
        groups = self.main.flat.views(flat)
        if outputs is None:
            outputs = self.stack.speak(groups, context.buffers, context.seen)

        def total(parameters: Named, buffers: Named, member: Any) -> Any:
            batch = self.stack.batch(member, context.at)
            ask = (lambda objective: tuple(objective(batch, member["drawn"])),)
            return functional_call(self.calls, {**parameters, **buffers}, ask)

        members = self.stack.members(groups, context, outputs)
        losses, parts = vmap(total)(self._parameters(groups, context), context.buffers["objective"], members)
        summed = losses.sum() if self.accumulate == 1 else losses.sum() / self.accumulate
        (gradient,) = torch.autograd.grad(summed, flat)
        if self.gathering is not None:
            gradient, self.gathering = self.gathering + gradient, None
        self.batches += 1
        # What is left at the end of training, less than a whole number of batches, is no update.
        if self.batches % self.accumulate:
            self.gathering = gradient
        else:
            self._sum_over_workers(gradient)
            self.main.apply(state, gradient, rates)
        remembered = detached(outputs) if self.remembers else {}
        return losses.detach(), {name: value.detach() for name, value in parts.items()}, remembered

    def _remember(self, context: Context, outputs: dict[str, Any]) -> None:
        def remember(parameters: Named, buffers: Named, member: Any) -> Any:
            batch = self.stack.batch(member, context.at)

            def ask(objective: Objective) -> Named:
                objective.remember(batch, member["drawn"])
                return {name: value.clone() for name, value in self.calls.named_buffers()}

            return functional_call(self.calls, {**parameters, **buffers}, (ask,))

        groups = self.groups
        with torch.no_grad():
            self.buffers["objective"] = vmap(remember)(
                self._parameters(groups, context),
                self.buffers["objective"],
                self.stack.members(groups, context, outputs),
            )

    def gradients(self, seen: Seen, progress: float) -> Named:
        """The norm of each term's gradient for every member's own network: [K] by name. Changes nothing."""
        at = torch.tensor(progress, device=self.device)
        context = self._context(seen, self._draw(seen.rows.shape[1], self.terms, range(self.width)), at)
        flat = self.main.flat.leaf()
        groups = self.main.flat.views(flat)

        def summands(parameters: Named, buffers: Named, member: Any) -> Named:
            batch = self.stack.batch(member, context.at)
            ask = (lambda objective: objective.weighted(batch, member["drawn"]),)
            weighted: Named = functional_call(self.calls, {**parameters, **buffers}, ask)
            return weighted

        members = self.stack.members(groups, context, self.stack.speak(groups, context.buffers, context.seen))
        losses = vmap(summands)(self._parameters(groups, context), context.buffers["objective"], members)
        own = self.main.flat.spans["network"]
        norms = {}
        for name, loss in losses.items():
            (gradient,) = torch.autograd.grad(loss.sum(), flat, retain_graph=True, allow_unused=True)
            moved = torch.zeros_like(flat) if gradient is None else gradient
            norms[name] = torch.linalg.vector_norm(moved[:, own], dim=1)
        return norms

    # --- what an update is made of

    def _parameters(self, groups: Mapping[str, Named], context: Context) -> Named:
        """The parameters of all terms, critics included, as the objective names them."""
        state = {k: v for name, group in groups.items() if name.startswith("term ") for k, v in group.items()}
        for name, value in context.critics.items():
            state |= self.critics[name].flat.views(value)["critic"]
        return state

    def _sum_over_workers(self, gradient: Tensor) -> None:
        """Add up network gradients; terms have seen the whole batch in every worker already."""
        if self.workers.size > 1:
            for name, span in self.main.flat.spans.items():
                if name in self.bases:
                    gradient[:, span] = self.workers.sum(gradient[:, span].contiguous())

    def _mask(self, lanes: Sequence[int]) -> Tensor:
        mask = torch.zeros(self.width, 1, dtype=torch.bool, device=self.device)
        mask[list(lanes)] = True
        return mask

    def _draw(self, size: int, terms: Mapping[str, Term], lanes: Sequence[int]) -> dict[str, Named]:
        """Each member's random numbers from its own generators; lanes that do not draw get zeros."""
        drawn: dict[str, Named] = {}
        for name, term in terms.items():
            if type(term).draw is Term.draw:
                continue
            mine = {lane: term.draw(size, self.draws[lane][name]) for lane in lanes}
            example = next(iter(mine.values()))
            if example:
                drawn[name] = {
                    key: torch.stack(
                        [mine[lane][key] if lane in mine else torch.zeros_like(value) for lane in range(self.width)]
                    ).to(self.device)
                    for key, value in example.items()
                }
        return drawn
