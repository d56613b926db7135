"""What a user brings: the source of modules and the bytes of weights decide results as much as any setting does."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib
import importlib.util
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any


def source_digest(dotted: str) -> str:
    """Digest of a user module's source and of what it imports from its own package, however deep."""
    top, seen, waiting = dotted.split(".")[0], dict[str, str](), [dotted]
    while waiting:
        name = waiting.pop()
        spec = None if name in seen else find_spec(name)
        if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
            continue
        seen[name] = Path(spec.origin).read_text()
        package = name if spec.submodule_search_locations else name.rpartition(".")[0]
        waiting += [found for found in _imports(seen[name], package) if found.split(".")[0] == top]
    return hashlib.blake2b(repr(sorted(seen.items())).encode(), digest_size=16).hexdigest()


class ChangedSource(ImportError):
    """The code here is another than a trial was named by: another node's, or a file that was saved in the meantime."""


# The argument under which a specification holds the digest of the source of what it names.
SOURCE = "source digest"


def named(name: str, arguments: Mapping[str, Any] | None, *, what: str) -> dict[str, Any]:
    """The specification of a user's own `package.module:callable`, with the digest of its source. Imports nothing.

    Raises:
        ValueError: there is no such module.
    """
    home, _, attribute = name.partition(":")
    found = find_spec(home)
    if found is None:
        raise ValueError(f"{what} of your own is package.module:callable, cannot import {name!r}")
    if not _may_have(found.origin, attribute):
        raise ValueError(f"{what} of your own is package.module:callable, and {home} has no {attribute!r}")
    return {name: {**(arguments or {}), SOURCE: source_digest(home)}}


def own(name: str, arguments: Mapping[str, Any]) -> Callable[..., Any]:
    """The callable of a specification, with its arguments. Workers import it themselves.

    Raises:
        ChangedSource: its source is another than the trial was named by.
        ValueError: it cannot be imported.
    """
    home = name.partition(":")[0]
    if find_spec(home) is not None and source_digest(home) != arguments[SOURCE]:
        raise ChangedSource(f"the source of {name!r} has changed since the study was read: launch it again")
    return partial(load(name), **{key: value for key, value in arguments.items() if key != SOURCE})


def load(dotted: str) -> Any:
    """What `package.module:name` names.

    Raises:
        ValueError: it cannot be imported.
    """
    home, _, name = dotted.partition(":")
    try:
        return getattr(importlib.import_module(home), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"expected package.module:name, cannot import {dotted!r}: {error}") from error


# How settings name code: "package.module:callable".
_CALLABLE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


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
        if not is_own(home) or not (isinstance(defined, str) and is_own(defined)):
            raise ValueError(f"{name} is code of a library: from a file of others only code of your own is run")


def is_own(module: str) -> bool:
    """Whether a module is the user's own or kdsweep's: no library's, and none of Python itself."""
    if module.split(".")[0] == "kdsweep":
        return True
    spec = find_spec(module)
    if spec is None or spec.origin is None or module.split(".")[0] in sys.stdlib_module_names:
        return False
    origin = Path(spec.origin).resolve()
    if {"site-packages", "dist-packages"} & set(origin.parts):
        return False
    return not any(origin.is_relative_to(place) for place in _libraries())


@functools.cache
def _libraries() -> frozenset[Path]:
    """Where installed packages and Python's own modules lie."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return frozenset(Path(sysconfig.get_path(name)).resolve() for name in names)


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


def _may_have(origin: str | None, attribute: str) -> bool:
    """Whether a module's source names something at its top; True where that cannot be told without running it."""
    if origin is None or not origin.endswith(".py"):
        return True
    for node in ast.parse(Path(origin).read_text()).body:
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


def find_spec(name: str) -> Any:
    """Where a module is, without importing it; None where there is none."""
    try:
        return importlib.util.find_spec(name)
    except (ModuleNotFoundError, ValueError):
        return None


def _imports(source: str, package: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parts, *([node.module] if node.module else [])])
            found += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return found
