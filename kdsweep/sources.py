"""The source of a user's own modules, which decides results as much as any setting does."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
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
