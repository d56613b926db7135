"""What a launch tells of itself while it runs, and who listens: a terminal, a log, a tracker of experiments."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

from kdsweep.protocol.plan import Role
from kdsweep.values.result import Result
from kdsweep.values.trial import Trial


@dataclass(frozen=True)
class Event:
    """Something that a person may want to see.

    Attributes:
        kind: a trial was handed out ("start"), became a result ("commit"), or came back without one ("lost"); it was
            decided how a structure computes ("settled"); what comes next was worked out anew ("plan").
        role: the first part that the trial plays.
        result: of a commit.
        message: of "lost" and "settled", in words.
    """

    kind: Literal["start", "commit", "lost", "settled", "plan"]
    trial: Trial | None = None
    role: Role | None = None
    result: Result | None = None
    message: str = ""


class Listener(Protocol):
    """Is called in the driver's process with each event, in order, between two trials: it should be quick.

    It only listens: one that raises is warned of and not called again, and the launch goes on.
    """

    def __call__(self, event: Event, /) -> None: ...


class Listeners:
    """Several that are told the same."""

    def __init__(self, listeners: Iterable[Listener]) -> None:
        self._listeners = list(listeners)

    def __call__(self, event: Event, /) -> None:
        for listener in list(self._listeners):
            try:
                listener(event)
            except Exception as error:
                with contextlib.suppress(ValueError):
                    self._listeners.remove(listener)
                warnings.warn(f"{listener} listens no more: {type(error).__name__}: {error}", stacklevel=2)
