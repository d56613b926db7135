"""What a user brings: the source of modules and the bytes of weights decide results as much as any setting does.

Methods, networks, augmentations and samplers are named by the digest of their source (`kdsweep.values.imports`), and
workers compare it before they train. A dataset's loader is not: a dataset is named by a fingerprint of its content, so
that a loader may be tidied without a trial anew, and workers compare that.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import re
import socket
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from kdsweep.values.imports import Module, is_ours, is_own, locate, parsed, source_digest


class ChangedSource(ImportError):
    """Code, data or weights that a trial was named by lie here otherwise, or not at all: the machine's fault."""


# The argument under which a specification holds the digest of the source of what it names.
SOURCE = "source digest"


def named(name: str, arguments: Mapping[str, Any] | None, *, what: str) -> dict[str, Any]:
    """The specification of a user's own `package.module:callable`, with the digest of its source. Imports nothing.

    Raises:
        ValueError: there is no such module, or something that it imports of the user's own is not Python.
    """
    home, _, attribute = name.partition(":")
    module = locate(home)
    if module is None:
        raise ValueError(f"{what} of your own is package.module:callable, cannot import {name!r}")
    if not _may_have(module, attribute):
        raise ValueError(f"{what} of your own is package.module:callable, and {home} has no {attribute!r}")
    return {name: {**(arguments or {}), SOURCE: source_digest(home)}}


def own(name: str, arguments: Mapping[str, Any]) -> Callable[..., Any]:
    """The callable of a specification, with its arguments. Workers import it themselves.

    Raises:
        ChangedSource: its source is another than the trial was named by, or it is not here.
        ValueError: it cannot be imported.
    """
    check(name, arguments[SOURCE])
    called = load(name)
    _imported.setdefault(sys.modules[name.partition(":")[0]], arguments[SOURCE])
    return partial(called, **{key: value for key, value in arguments.items() if key != SOURCE})


# The digest with which this process has imported a module: what is saved later is not what is in memory.
_imported: WeakKeyDictionary[ModuleType, str] = WeakKeyDictionary()


def check(name: str, digest: str) -> None:
    """Compare the source of `package.module`, or of what `package.module:callable` lies in, with its digest.

    Raises:
        ChangedSource: it is another, or it is not here, or this process has imported an earlier one.
    """
    home = name.partition(":")[0]
    if locate(home) is None:
        raise ChangedSource(
            f"there is no module {home} on {socket.gethostname()}, and the trial was named by its source"
        )
    try:
        here = source_digest(home)
    except ValueError as error:
        raise ChangedSource(f"the source of {home} cannot be read: {error}") from error
    if here != digest:
        raise ChangedSource(f"the source of {home} has changed since the study was read: launch it again")
    if home in sys.modules and _imported.setdefault(sys.modules[home], here) != here:
        raise ChangedSource(f"the source of {home} has changed since this process imported it: start another")


def specified(settings: object) -> dict[str, str]:
    """The digest of every `package.module:callable` in nested specifications, by its name."""
    digests: dict[str, str] = {}
    if isinstance(settings, Mapping):
        for key, value in settings.items():
            if isinstance(value, Mapping) and SOURCE in value:
                digests[key] = value[SOURCE]
            digests |= specified(value)
    elif isinstance(settings, list | tuple):
        for part in settings:
            digests |= specified(part)
    return digests


# How settings name code: "package.module:callable".
_CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def load(dotted: str) -> Any:
    """What `package.module:name` names.

    Raises:
        ValueError: it is no such name, or cannot be imported.
    """
    # What is loaded is what `callables` finds: Python would import stranger names, which nobody was asked for.
    if not _CALLABLE.fullmatch(dotted):
        raise ValueError(f"expected package.module:name, got {dotted!r}")
    home, _, name = dotted.partition(":")
    try:
        return getattr(importlib.import_module(home), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"expected package.module:name, cannot import {dotted!r}: {error}") from error


def callables(settings: object) -> set[str]:
    """Every `package.module:callable` in nested settings, whether it is a key or a value."""
    if isinstance(settings, str):
        return {settings} if _CALLABLE.fullmatch(settings) else set()
    if isinstance(settings, Mapping):
        return callables(list(settings)) | callables(list(settings.values()))
    if isinstance(settings, Iterable):
        return {name for part in settings for name in callables(part)}
    return set()


def consent(names: Iterable[str], allowed: Iterable[str]) -> None:
    """Code that is named by what others made runs only where the user names its module.

    Args:
        names: `package.module`, or `package.module:callable`.
        allowed: modules that the user has named; a package stands for all of its modules.

    Raises:
        ValueError: a module is not among the allowed ones, or it is of a library: what libraries hold can do anything.
    """
    allowed = tuple(allowed)
    for name in sorted(set(names)):
        home, _, attribute = name.partition(":")
        if not any(home == module or home.startswith(f"{module}.") for module in allowed):
            raise ValueError(
                f"{name} is code, and nobody here has asked for it: read it, and run it with --allow-code {home}"
            )
        defined = getattr(load(name), "__module__", None) if attribute else home
        if not all(isinstance(module, str) and (is_ours(module) or is_own(module)) for module in (home, defined)):
            raise ValueError(f"{name} is code of a library: from a file of others only code of your own is run")


def weights(path: object) -> dict[str, str]:
    """A safetensors file, named by its bytes; the path is where they were found.

    Raises:
        ValueError: it is none, or cannot be read.
    """
    if not isinstance(path, str) or not path.endswith(".safetensors"):
        raise ValueError(f"weights are a safetensors file, got {path!r}")
    try:
        with Path(path).open("rb") as file:
            digest = hashlib.file_digest(file, "blake2b").hexdigest()[:24]
    except OSError as error:
        raise ValueError(f"cannot read {path!r}: {error.strerror or error}") from error
    return {"digest": digest, "path": str(Path(path).resolve())}


def _may_have(module: Module, attribute: str) -> bool:
    """Whether a module's source names something at its top; True where that cannot be told without running it."""
    if module.file is None or module.file.suffix != ".py":
        return True
    for node in parsed(module.read(), str(module.file)).body:
        names = [alias.asname or alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [target.id for target in targets if isinstance(target, ast.Name)]
        elif isinstance(node, ast.If | ast.Try | ast.With):
            # What such a block defines is not followed.
            return True
        if attribute in names or "*" in names:
            return True
    return False
