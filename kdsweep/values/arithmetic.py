"""How a trial computes, on which its last bits depend: "plain" (alone), "stacked" (as a lane of a pack of any width) or
"compiled@W" (as one of W lanes). Settled once for all trials of a structure, and part of each one's identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kdsweep.values.trial import Trial, digest, structure

if TYPE_CHECKING:
    from kdsweep.values.study import Resources


def compiled_width(arithmetic: str) -> int | None:
    """W of "compiled@W"; None where nothing is compiled."""
    kind, _, width = arithmetic.partition("@")
    return int(width) if kind == "compiled" else None


def settlement(trial: Trial, resources: Resources, device: str) -> str:
    """Under what name it is settled how the trial computes: of its structure, of the kind of device, "cpu" or "cuda",
    and of what the study asks for expressly. Nothing else may decide it: not who asks first, nor what that machine has.
    """
    asked: dict[str, Any] = {"device": device} if device != "cpu" else {}
    if resources.compile == "on":
        asked |= {"compile": "on"} | ({"pack": resources.pack} if resources.pack != "auto" else {})
    return digest({"step": structure(trial), **asked}) if asked else structure(trial)
