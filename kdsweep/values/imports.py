"""What a module of the user's own imports, however deep, and a digest of all of it. Nothing is imported to find out.

The user's own is whatever is neither kdsweep's, nor Python's, nor installed among the libraries: modules side by side,
packages with all their parents, namespace packages. Followed is what can be read off the text: import statements
wherever they stand, `importlib.import_module` and `__import__` of a literal, and what `__all__` of a package lists.
Not followed is what only running would tell (a name put together, a folder searched for plug-ins), and what a module
reads: data files are no code. Compiled extensions count by their bytes.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import pkgutil
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from pathlib import Path


@dataclass(frozen=True)
class Module:
    """Where a module lies.

    Attributes:
        file: its source or its compiled extension; None of a namespace package and of what has no file.
        folders: where its submodules lie; None where it is no package.
    """

    name: str
    file: Path | None
    folders: tuple[str, ...] | None

    @property
    def package(self) -> str:
        """What its relative imports start from."""
        return self.name if self.folders is not None else self.name.rpartition(".")[0]

    def read(self) -> bytes:
        """The file's content, of a module that has one.

        Raises:
            ValueError: it cannot be read.
        """
        assert self.file is not None, "a namespace package has no content"
        try:
            return self.file.read_bytes()
        except OSError as error:
            raise ValueError(f"cannot read {self.file}: {error.strerror or error}") from error

    @property
    def is_own(self) -> bool:
        """Whether it is the user's own: no library's, none of Python's and none of kdsweep's."""
        if is_ours(self.name) or self.name.split(".")[0] in sys.stdlib_module_names:
            return False
        homes = [self.file] if self.file is not None else [Path(folder) for folder in self.folders or ()]
        return any(not _in_library(home.resolve()) for home in homes)


def locate(name: str) -> Module | None:
    """Where a module is, parents resolved by their folders; None where there is none."""
    top, *rest = name.split(".")
    if not all(part.isidentifier() for part in (top, *rest)):
        return None
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):  # a module in memory that came from nowhere, such as __main__
        return None
    module = None if spec is None else _module(spec)
    for part in rest:
        module = _inside(module, part) if module is not None else None
    return module


def _inside(package: Module, part: str) -> Module | None:
    """One folder down. Asking Python for a.b would import a."""
    name, portions = f"{package.name}.{part}", list[str]()
    for folder in package.folders or ():
        finder = pkgutil.get_importer(folder)
        spec = finder.find_spec(name) if finder is not None else None
        if spec is not None and spec.loader is not None:
            return _module(spec)
        portions += (spec.submodule_search_locations or ()) if spec is not None else ()
    return Module(name, None, tuple(portions)) if portions else None


def _module(spec: ModuleSpec) -> Module:
    folders = spec.submodule_search_locations
    file = Path(spec.origin) if spec.has_location and spec.origin else None
    return Module(spec.name, file, None if folders is None else tuple(folders))


def is_ours(name: str) -> bool:
    """Whether a module is kdsweep's."""
    return name.split(".")[0] == "kdsweep"


def is_own(name: str) -> bool:
    """Whether there is such a module, and it is the user's own."""
    module = locate(name)
    return module is not None and module.is_own


def source_digest(name: str) -> str:
    """Digest of a module of the user's own and of everything of the user's own that it imports.

    Raises:
        ValueError: a file of these is not Python, or cannot be read.
    """
    contents = {module.name: content for module, content in _reached(name)}
    return hashlib.blake2b(repr(sorted(contents.items())).encode(), digest_size=16).hexdigest()


def _reached(start: str) -> Iterator[tuple[Module, str]]:
    """Every module with a file that is reached from one, each once, and its content."""
    seen, waiting = set[str](), [start]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        # Importing a.b runs a first.
        waiting += [parent for parent in [name.rpartition(".")[0]] if parent]
        module = locate(name)
        if module is None or not module.is_own or module.file is None:
            continue
        content = module.read()
        if module.file.suffix != ".py":
            yield module, hashlib.blake2b(content, digest_size=16).hexdigest()
            continue
        text = _decoded(content, str(module.file))
        yield module, text
        waiting += _imports(text, str(module.file), module.package, is_package=module.folders is not None)


def parsed(content: bytes, file: str) -> ast.Module:
    """Python source as a tree.

    Raises:
        ValueError: it is none; the message names file and line.
    """
    return _parsed(_decoded(content, file), file)


def _decoded(content: bytes, file: str) -> str:
    """Source as text, in whatever encoding and with whatever ends of lines it is written."""
    try:
        return importlib.util.decode_source(content)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ValueError(f"{file}: not Python: {error}") from error


def _parsed(text: str, file: str) -> ast.Module:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError) as error:
        where = f"{file}:{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else file
        raise ValueError(f"{where}: not Python: {getattr(error, 'msg', None) or error}") from error


@functools.lru_cache(maxsize=4096)
def _imports(text: str, file: str, package: str, *, is_package: bool) -> tuple[str, ...]:
    """Full names that a module may import. Some are no modules but what lies in one: whoever looks finds none."""
    tree = _parsed(text, file)
    names: list[str] = []
    importers = {"__import__", "import_module"}
    importers |= {alias.asname for alias in _taken_from(tree, "importlib") if alias.name in importers and alias.asname}
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            waiting += node.orelse  # the rest is for readers of types, and never runs
            continue
        waiting += ast.iter_child_nodes(node)
        match node:
            case ast.Import(names=aliases):
                names += [alias.name for alias in aliases]
            case ast.ImportFrom(module=module, names=aliases, level=level):
                home = _absolute("." * level + (module or ""), package)
                names += [home, *(f"{home}.{alias.name}" for alias in aliases)]
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called in importers:
                names += _called(node, package)
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=parts) | ast.Tuple(elts=parts)) if (
                is_package
            ):
                listed = [part.value for part in parts if isinstance(part, ast.Constant)]
                names += [f"{package}.{name}" for name in listed if isinstance(name, str)]
    return tuple(names)


def _taken_from(tree: ast.Module, module: str) -> Iterator[ast.alias]:
    """What is imported from a module by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == module:
            yield from node.names


def _called(call: ast.Call, package: str) -> list[str]:
    """What a call of import_module imports, where it says so literally."""
    given = {key.arg: key.value for key in call.keywords} | dict(zip(("name", "package"), call.args, strict=False))
    match given.get("name"), given.get("package"):
        case ast.Constant(value=str(name)), ast.Constant(value=str(base)):
            return [_absolute(name, base)]
        case ast.Constant(value=str(name)), _:
            return [_absolute(name, package)]
    return []


def _absolute(name: str, package: str) -> str:
    """`..a` inside the package p.q is p.a; "" where that leads out of all packages."""
    bare = name.lstrip(".")
    level = len(name) - len(bare)
    if level == 0:
        return name
    parts = package.split(".")
    if not package or level > len(parts):
        return ""
    return ".".join([*parts[: len(parts) - level + 1], *([bare] if bare else [])])


def _in_library(home: Path) -> bool:
    return bool({"site-packages", "dist-packages"} & set(home.parts)) or any(map(home.is_relative_to, _libraries()))


@functools.cache
def _libraries() -> frozenset[Path]:
    """Where installed packages and Python's own modules lie."""
    names = ("stdlib", "platstdlib", "purelib", "platlib")
    return frozenset(Path(sysconfig.get_path(name)).resolve() for name in names)
