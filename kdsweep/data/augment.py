"""What may be done to a modality's training inputs, and reading it from a study. `kdsweep.data.views` does it.

A specification lists, for one modality, what is done in which order:

    [{"crop": {"share": 0.1}}, {"flip": {}}]

Instead of a name there may be a user's own `package.module:callable`: called with inputs [B, *shape], a torch.Generator
and its arguments as keywords, it returns the inputs' other view, in the same shape.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kdsweep.values import user_code as sources
from kdsweep.values.card import Kind

# Blends whole rows: it stands beside the modalities.
MIXUP = "mixup"


@dataclass(frozen=True)
class Augmentation:
    """What it does, the kinds of modality it takes, and its arguments with their defaults, each a share or a size."""

    summary: str
    kinds: tuple[Kind, ...]
    defaults: Mapping[str, float] = field(default_factory=dict)


AUGMENTATIONS = {
    "crop": Augmentation(
        "moved by up to `share` of height and width, zeros moved in",
        ("image", "video"),
        {"share": 0.125},
    ),
    "flip": Augmentation("mirrored left to right, half the time", ("image", "video")),
    "noise": Augmentation(
        "normal noise of `deviation`, in the modality's unit",
        ("vector", "image", "spectrogram", "sequence", "video"),
        {"deviation": 0.1},
    ),
    "time_mask": Augmentation(
        "up to `share` of the frames, steps or pictures in a row set to 0",
        ("spectrogram", "sequence", "video"),
        {"share": 0.2},
    ),
    "frequency_mask": Augmentation("up to `share` of the bins in a row set to 0", ("spectrogram",), {"share": 0.2}),
}


def complete(written: Any, *, kind: Kind) -> list[dict[str, Any]]:
    """One modality's specification in full: short forms ("flip") and default arguments written out.

    Raises:
        ValueError: there is no such augmentation, it does not take the kind, or an argument is wrong.
    """
    if not isinstance(written, Sequence) or isinstance(written, str):
        raise ValueError(f"a modality's augmentations are a list, such as [crop, flip], got {written!r}")
    return [_one(entry, kind) for entry in written]


def _one(written: Any, kind: Kind) -> dict[str, Any]:
    if isinstance(written, str):
        written = {written: {}}
    if not isinstance(written, Mapping) or len(written) != 1:
        raise ValueError(f"an augmentation is a name, or a name with its arguments, got {written!r}")
    ((name, arguments),) = written.items()
    arguments = {} if arguments is None else arguments
    if not isinstance(arguments, Mapping):
        raise ValueError(f"the arguments of {name} are a mapping, got {arguments!r}")
    if ":" in name:
        return sources.named(name, arguments, what="an augmentation")
    if name not in AUGMENTATIONS:
        raise ValueError(f"no augmentation {name!r}: found {', '.join(AUGMENTATIONS)}")
    known = AUGMENTATIONS[name]
    if kind not in known.kinds:
        raise ValueError(f"{name} is for {', '.join(known.kinds)}, got a modality of kind {kind}")
    for argument, value in arguments.items():
        if argument not in known.defaults:
            raise ValueError(f"{name} takes {', '.join(known.defaults) or 'no arguments'}, got {argument!r}")
        largest = 1.0 if argument == "share" else float("inf")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= largest:
            raise ValueError(f"{name}.{argument} is above 0 and at most {largest:g}, got {value!r}")
    return {name: {**known.defaults, **{key: float(value) for key, value in arguments.items()}}}


def complete_mixup(written: Any) -> dict[str, float]:
    """Mixup's specification in full.

    Raises:
        ValueError: it has another argument than `alpha`, or alpha is not above 0.
    """
    arguments = {} if written is None else written
    if not isinstance(arguments, Mapping) or set(arguments) - {"alpha"}:
        raise ValueError(f"mixup is a mapping with alpha, got {written!r}")
    alpha = arguments.get("alpha", 0.2)
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < float("inf"):
        raise ValueError(f"mixup.alpha is above 0, got {alpha!r}")
    return {"alpha": float(alpha)}
