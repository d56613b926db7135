"""Other views of training inputs. Every number is drawn first, from the trial's own generator, then all are applied:
so a stack of trials sees, lane by lane, what each of them would see alone.

B rows of a batch, K members, S the shape of one sample.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kdsweep.data.augment import MIXUP
from kdsweep.values import user_code as sources
from kdsweep.values.card import Kind, Modality

# (inputs [B, *S], what was drawn [B, ...]) -> inputs [B, *S]
Apply = Callable[[Tensor, Tensor], Tensor]
Draw = Callable[[int, torch.Generator], Tensor]


class Views:
    """What a trial's augmentations do, by modality.

    Args:
        augment: specifications in full (`kdsweep.data.augment.complete`).
        modalities: of the data.
        copies: modalities in whose place another one stands, whose view they show.

    Raises:
        ValueError: an augmentation of the user's own cannot be imported, or has another source than it had.
    """

    def __init__(
        self, augment: Mapping[str, Any], modalities: Mapping[str, Modality], copies: Mapping[str, str] | None = None
    ) -> None:
        self.modalities, self.copies = modalities, dict(copies or {})
        self.alpha: float | None = augment[MIXUP]["alpha"] if MIXUP in augment else None
        self.steps = {
            name: [_step(one, modalities[name]) for one in several]
            for name, several in sorted(augment.items())
            if several and name != MIXUP and name not in self.copies
        }

    def change(self, names: Iterable[str]) -> bool:
        """Whether a model that reads these modalities sees another view of them than the data's."""
        return self.alpha is not None or bool(self.steps.keys() & {self.copies.get(name, name) for name in names})

    def streams(self, generator: Callable[..., torch.Generator], seed: int) -> dict[str, torch.Generator]:
        """A generator for each modality and for mixup: reading one more modality moves nobody's view."""
        return {name: generator(seed, "augmentation", name) for name in (*self.steps, MIXUP)}

    def partners(
        self, rows: Tensor, rngs: Sequence[Mapping[str, torch.Generator]], patterns: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Mixup: the rows [K, B] that are blended into `rows`, and the shares [K] of those that they go into.

        One share a batch, from Beta(alpha, alpha). Partners have the same modalities: a blend of a row with one that
        lacks something would lack it, too. Zhang, Cisse, Dauphin, Lopez-Paz. mixup. arXiv:1710.09412

        Args:
            patterns: [N] whole numbers, equal where rows have the same modalities.
        """
        chosen, shares = [], []
        for mine, rng in zip(rows.cpu(), (own[MIXUP] for own in rngs), strict=True):
            kinds = patterns[mine].double()
            # Rows by their pattern in two random orders: the n-th of one goes with the n-th of the other.
            one, other = (torch.argsort(kinds + torch.rand(len(mine), generator=rng).double()) for _ in range(2))
            partner = torch.empty_like(mine)
            partner[one] = mine[other]
            chosen.append(partner)
            seed = int(torch.randint(2**62, (), generator=rng))
            shares.append(np.random.default_rng(seed).beta(self.alpha or 1.0, self.alpha or 1.0))
        return torch.stack(chosen).to(rows.device), torch.tensor(shares, dtype=torch.float32, device=rows.device)

    def blend(self, inputs: Mapping[str, Tensor], others: Mapping[str, Tensor], shares: Tensor) -> dict[str, Tensor]:
        """Inputs [K, b, *S] with `1 - share` of the others in them; a blend of sequences is as long as the longer."""
        mixed = {}
        for name, x in inputs.items():
            share = shares.view(-1, *[1] * (x.dim() - 1))
            mixed[name] = share * x + (1 - share) * others[name]
            if self.modalities[name].kind == "sequence":
                mixed[name][..., -1] = torch.maximum(x[..., -1], others[name][..., -1])
        return mixed

    def of(
        self,
        inputs: Mapping[str, Tensor],
        present: Mapping[str, Tensor],
        rngs: Sequence[Mapping[str, torch.Generator]],
        mine: Callable[[Tensor], Tensor],
        total: int,
    ) -> dict[str, Tensor]:
        """The inputs' other view; what is missing stays 0.

        Args:
            inputs, present: of K members, [K, b, *S] and [K, b] by modality, b of them this worker's.
            rngs: of each member, by modality.
            mine: this worker's slice of what was drawn for a batch.
            total: rows of the whole batch.
        """
        changed = dict(inputs)
        for name, steps in self.steps.items():
            x, own = changed[name], [streams[name] for streams in rngs]
            for draw, apply in steps:
                if draw is None:
                    # A callable of the user's draws as it likes: member by member, on the rows it is given.
                    x = torch.stack([apply(lane, rng) for lane, rng in zip(x, own, strict=True)])
                    continue
                drawn = torch.stack([mine(draw(total, rng)) for rng in own]).to(x.device)
                x = apply(x.flatten(0, 1), drawn.flatten(0, 1)).view(x.shape)
            changed[name] = x * present[name].view(*x.shape[:2], *[1] * (x.dim() - 2))
        return changed | {name: changed[of] for name, of in self.copies.items() if of in self.steps}


def patterns(present: Mapping[str, Tensor], labelled: Tensor | None) -> Tensor:
    """[N] whole numbers, equal where rows have the same modalities, and all of them a label or none."""
    every = (*present.values(), *([labelled] if labelled is not None else []))
    found = sum(there.cpu().long() << place for place, there in enumerate(every))
    assert isinstance(found, Tensor)
    return found


def crop(x: Tensor, u: Tensor, *, share: float) -> Tensor:
    """Move images [B, ..., H, W] by up to `share` of their height and width; u [B, 2] uniform."""
    for axis, drawn in ((-2, u[:, 0]), (-1, u[:, 1])):
        length = x.shape[axis]
        furthest = round(share * length)
        moved = torch.arange(length, device=x.device) + _whole(drawn, 2 * furthest + 1)[:, None] - furthest
        inside = (moved >= 0) & (moved < length)
        place = _along(moved.clamp(0, length - 1), x, axis).expand(x.shape)
        x = torch.gather(x, x.dim() + axis, place) * _along(inside, x, axis)
    return x


def flip(x: Tensor, u: Tensor) -> Tensor:
    """Mirror images [B, ..., H, W] left to right where u [B, 1] is below a half."""
    return torch.where(_spread(u[:, 0] < 0.5, x), x.flip(-1), x)


def noise(x: Tensor, drawn: Tensor, *, deviation: float, kind: Kind) -> Tensor:
    """Add `deviation` times `drawn` [B, *S]; a sequence's flag, and what lies behind its end, stay as they are."""
    if kind != "sequence":
        return x + deviation * drawn
    flag = x[..., -1:]
    return torch.cat([x[..., :-1] + deviation * drawn[..., :-1] * flag, flag], dim=-1)


def mask(x: Tensor, u: Tensor, *, share: float, axis: int, keeps_flag: bool = False) -> Tensor:
    """Set a run of up to `share` of an axis to 0; u [B, 2] uniform. Park et al. SpecAugment. arXiv:1904.08779"""
    length = x.shape[axis]
    width = _whole(u[:, 0], round(share * length) + 1)
    start = (u[:, 1] * (length - width + 1)).long()
    place = torch.arange(length, device=x.device)
    kept = (place < start[:, None]) | (place >= (start + width)[:, None])
    masked = x * _along(kept, x, axis)
    return torch.cat([masked[..., :-1], x[..., -1:]], dim=-1) if keeps_flag else masked


def _step(one: Mapping[str, Any], modality: Modality) -> tuple[Draw | None, Callable[..., Tensor]]:
    ((name, arguments),) = one.items()
    match name:
        case "crop":
            return _uniform, partial(crop, **arguments)
        case "flip":
            return _uniform, flip
        case "noise":
            return (
                lambda rows, rng: torch.randn(rows, *modality.shape, generator=rng),
                partial(noise, kind=modality.kind, **arguments),
            )
        case "time_mask":
            # The axis of time: first of a video and of a sequence, last of a spectrogram.
            axis = {"spectrogram": -1, "sequence": -2, "video": -4}[modality.kind]
            return _uniform, partial(mask, axis=axis, keeps_flag=modality.kind == "sequence", **arguments)
        case "frequency_mask":
            return _uniform, partial(mask, axis=-2, **arguments)
    return None, sources.own(name, arguments)


def _uniform(rows: int, rng: torch.Generator) -> Tensor:
    return torch.rand(rows, 2, generator=rng)


def _whole(u: Tensor, count: int) -> Tensor:
    """Whole numbers from 0 to count - 1, equally often."""
    return (u * count).long().clamp(max=count - 1)


def _spread(values: Tensor, x: Tensor) -> Tensor:
    """[B] as something that broadcasts to x [B, ...]."""
    return values.view(-1, *[1] * (x.dim() - 1))


def _along(values: Tensor, x: Tensor, axis: int) -> Tensor:
    """[B, length] as something that broadcasts to x [B, ...] along an axis counted from the end."""
    shape = [1] * x.dim()
    shape[0], shape[axis] = values.shape
    return values.view(shape)
