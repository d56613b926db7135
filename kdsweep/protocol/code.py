"""What code decides a trial, and whether it is what lies on this machine."""

from __future__ import annotations

import functools
import socket
from pathlib import Path

from kdsweep import methods
from kdsweep.data import registry
from kdsweep.engine import REVISION
from kdsweep.values import user_code
from kdsweep.values.imports import source_digest
from kdsweep.values.study import Data
from kdsweep.values.trial import Given, Trial, digest
from kdsweep.values.user_code import ChangedSource


@functools.cache
def code_digest(method: str) -> str:
    """Digest of the code that decides a trial: our revisions, the source of a user's own modules."""
    return digest([REVISION, methods.load(method).digest])


def check_code(*trials: Trial) -> None:
    """Compare what trials were named by with what lies here: code, their networks', and weights that they are given.

    Before every pack, and not only where something is imported: a process that runs on has in memory what it imported
    once, whatever has been saved since.

    Raises:
        ChangedSource: something is not here, or is another.
    """
    here = {method: _method_here(method) for method in dict.fromkeys(trial.method for trial in trials)}
    for trial in trials:
        if trial.code != digest([REVISION, here[trial.method]]):
            whose = "kdsweep" if trial.method in methods.names() else trial.method
            raise ChangedSource(f"the source of {whose} is another here than the study was read with: launch it again")
    models = [model for trial in trials for model in trial.models.values()]
    # A model that is read is built again for its weights: its method and its data have done their part.
    networks = [model.networks if isinstance(model, Trial) else model.network for model in models]
    sources = [(method, source) for method, source in here.items() if method not in methods.names()]
    for specification in [*((trial.networks, trial.augment) for trial in trials), *networks]:
        sources += user_code.specified(specification).items()
    for name, source in dict.fromkeys(sources):
        user_code.check(name, source)
    brought = [model for model in models if isinstance(model, Given) and model.kind == "weights"]
    for given in {(model.path, model.digest): model for model in brought}.values():
        _check_weights(given)


def check_data(trial: Trial, data: Data) -> None:
    """Compare the data that a trial was named by with what lies here, once a process.

    Raises:
        ChangedSource: they are others, or cannot be read: another file here, or a loader that reads otherwise.
    """
    try:
        here = registry.fingerprint(data.reference)
    except ValueError as error:
        raise ChangedSource(f"the data cannot be read on {socket.gethostname()}: {error}") from error
    if here != trial.fingerprint:
        raise ChangedSource(f"the data on {socket.gethostname()} are not those that the study was read with")


def _method_here(method: str) -> str:
    if method in methods.names():
        return methods.load(method).digest
    try:
        return source_digest(method)
    except ValueError as error:
        raise ChangedSource(f"the source of {method} cannot be read: {error}") from error


def _check_weights(given: Given) -> None:
    try:
        here = user_code.weights(given.path)["digest"]
    except ValueError as error:
        raise ChangedSource(f"the weights of the given teacher: {error}") from error
    if here != given.digest:
        raise ChangedSource(f"{Path(given.path).name} has changed since the study was read: launch it again")
