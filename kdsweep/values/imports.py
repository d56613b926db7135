"""What a module of the user's own imports, however deep, and a digest of all of it. Nothing is imported to find out.

The user's own is whatever is neither kdsweep's, nor Python's, nor installed among the libraries: modules side by side,
packages with all their parents, namespace packages. Followed is what can be read off the text: import statements
wherever they stand, `importlib.import_module` and `__import__` of a literal, what `__all__` of a package lists, files
that are run by their path (`spec_from_file_location`, `SourceFileLoader`, `runpy.run_path`), and folders that a module
adds to `sys.path` by `insert` and `append`. A path is read where it is a literal, from the working directory, or is
put together of literals, `__file__` and names for such by `Path`, `/`, `.parent` and the usual calls of `os.path`.
Not followed is what only running would tell (a name or a path put together otherwise, a folder searched for plug-ins,
`runpy.run_module`, `exec`), and what a module reads: data files are no code. Compiled extensions count by their bytes.

What has been imported makes no difference: see `_search_path`.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import os
import pkgutil
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec, PathFinder
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


def locate(name: str, path: tuple[str, ...] | None = None) -> Module | None:
    """Where a module is, parents resolved by their folders; None where there is none.

    Args:
        path: searched in place of what is imported and of `sys.path`.
    """
    top, *rest = name.split(".")
    if not all(part.isidentifier() for part in (top, *rest)):
        return None
    try:
        spec = importlib.util.find_spec(top) if path is None else _searched(top, path)
    except (ImportError, ValueError):  # a module in memory that came from nowhere, such as __main__
        return None
    module = None if spec is None else _module(spec)
    for part in rest:
        module = _inside(module, part) if module is not None else None
    return module


def _searched(top: str, path: tuple[str, ...]) -> ModuleSpec | None:
    """What Python would find if nothing were imported and this were its path."""
    for finder in (finder for finder in sys.meta_path if hasattr(finder, "find_spec")):
        spec = PathFinder.find_spec(top, path) if finder is PathFinder else finder.find_spec(top, None)
        if spec is not None:
            return spec
    return None


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
    asked = (name, _search_path(name), os.getcwd())
    known = _walks.get(asked)
    if known is not None and known.stamps == _stamps(known.stamps):
        return known.digest
    start = time.time_ns()
    reached = _reached(name, asked[1])
    content = repr(sorted({(module.name, content) for module, content in reached.contents}))
    digest = hashlib.blake2b(content.encode(), digest_size=16).hexdigest()
    files = {str(module.file) for module, _ in reached.contents}
    stamps = _stamps({*files, *reached.searched})
    # What was saved only just may be saved again within one tick of the clock of files.
    if all(stamp is None or max(stamp[:2]) < start - _TICK for stamp in stamps.values()):
        _walks[asked] = _Walk(digest, stamps)
    return digest


# When a file or a folder was written and changed, its size and its number; None where there is none.
_Stamp = tuple[int, int, int, int] | None
_TICK = 2_000_000_000


@dataclass(frozen=True)
class _Walk:
    """A digest, and what lay in the files that it was made of and in the folders where they were looked for."""

    digest: str
    stamps: dict[str, _Stamp]


_walks: dict[tuple[str, tuple[str, ...], str], _Walk] = {}


def _stamps(paths: Iterable[str]) -> dict[str, _Stamp]:
    stamps: dict[str, _Stamp] = {}
    for path in paths:
        try:
            stat = os.stat(path or ".")
        except OSError:
            stamps[path] = None
        else:
            stamps[path] = (stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
    return stamps


# Where the imports of a module were looked for when it was first digested.
_search_paths: dict[str, tuple[str, ...]] = {}


def _search_path(name: str) -> tuple[str, ...]:
    """Where a module's imports are looked for: what it adds to `sys.path` once it runs must not change its digest.

    A worker that has not imported it has to agree with one that has. So the path of the first time holds until one of
    its folders has gone, or the module itself is found elsewhere.
    """
    present, first = tuple(sys.path), _search_paths.get(name)
    if first is None or not set(first) <= set(present) or locate(name, first) != locate(name, present):
        _search_paths[name] = first = present
    return first


@dataclass(frozen=True)
class _Reached:
    """What is reached from a module.

    Attributes:
        contents: each module with a file, once, and its content.
        searched: every place that was looked at: another digest is another content of one of these.
        first, last: folders that the modules put before and after all others on `sys.path`.
    """

    contents: list[tuple[Module, str]] = field(default_factory=list)
    searched: set[str] = field(default_factory=set)
    first: list[str] = field(default_factory=list)
    last: list[str] = field(default_factory=list)


def _reached(start: str, path: tuple[str, ...]) -> _Reached:
    first, last = list[str](), list[str]()
    while True:
        reached = _walked(start, (*first, *path, *last))
        more_first = [folder for folder in dict.fromkeys(reached.first) if folder not in first]
        more_last = [folder for folder in dict.fromkeys(reached.last) if folder not in last]
        if not more_first and not more_last:
            return reached
        # What was looked for before a folder was known may lie in it.
        first, last = more_first + first, last + more_last


def _walked(start: str, path: tuple[str, ...]) -> _Reached:
    reached = _Reached(searched=set(path))
    seen, waiting = set[str | Module](), list[str | Module]([start])
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if isinstance(name, Module):
            module: Module | None = name
            reached.searched.add(str(name.file))
        else:
            # Importing a.b runs a first.
            waiting += [parent for parent in [name.rpartition(".")[0]] if parent]
            module = locate(name, path)
            if module is None and name.split(".")[0] == start.split(".")[0]:
                module = locate(name)  # it has been imported from where nobody looks now
        if module is None or not module.is_own:
            continue
        reached.searched.update(module.folders or ())
        if module.file is None or (isinstance(name, Module) and not module.file.is_file()):
            continue
        content = module.read()
        if module.file.suffix != ".py":
            reached.contents.append((module, hashlib.blake2b(content, digest_size=16).hexdigest()))
            continue
        text = _decoded(content, str(module.file))
        reached.contents.append((module, text))
        uses = _uses(text, str(module.file), module.package, is_package=module.folders is not None)
        waiting += [*uses.modules, *uses.files]
        reached.first.extend(uses.first)
        reached.last.extend(uses.last)
    return reached


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


@dataclass(frozen=True)
class _Uses:
    """What a module may use beside itself.

    Attributes:
        modules: full names. Some are no modules but what lies in one: whoever looks finds none.
        files: run by their path.
        first, last: folders that it puts before and after all others on `sys.path`.
    """

    modules: tuple[str, ...]
    files: tuple[Module, ...]
    first: tuple[str, ...]
    last: tuple[str, ...]


# The calls that run a file, and the name and the place of the argument that is its path.
_RUNNERS = {"spec_from_file_location": ("location", 1), "SourceFileLoader": ("path", 1), "run_path": ("path_name", 0)}


@functools.lru_cache(maxsize=4096)
def _uses(text: str, file: str, package: str, *, is_package: bool) -> _Uses:
    tree = _parsed(text, file)
    names, files, first, last = list[str](), list[Module](), list[str](), list[str]()
    variables = _assigned_once(tree) | {"__file__": ast.Constant(file)}
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
            case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called)) if called in _RUNNERS:
                path = _path(_argument(node, *_RUNNERS[called]), variables)
                files += [Module(f"file {Path(path).name}", Path(path), None)] if path else []
            case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="path"), attr="insert" | "append" as called)):
                path = _path(_argument(node, "object", 1 if called == "insert" else 0), variables)
                (first if called == "insert" else last).extend([] if path is None else [path])
            case ast.Assign(targets=[ast.Name(id="__all__")], value=ast.List(elts=parts) | ast.Tuple(elts=parts)) if (
                is_package
            ):
                listed = [part.value for part in parts if isinstance(part, ast.Constant)]
                names += [f"{package}.{name}" for name in listed if isinstance(name, str)]
    return _Uses(tuple(names), tuple(files), tuple(first), tuple(last))


def _assigned_once(tree: ast.Module) -> dict[str, ast.expr]:
    """The value of each name that is assigned in a single place."""
    values: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            values.setdefault(node.targets[0].id, []).append(node.value)
    return {name: assigned[0] for name, assigned in values.items() if len(assigned) == 1}


def _argument(call: ast.Call, name: str, position: int) -> ast.expr | None:
    given = [keyword.value for keyword in call.keywords if keyword.arg == name]
    return next(iter([*call.args[position : position + 1], *given]), None)


def _path(node: ast.expr | None, variables: Mapping[str, ast.expr]) -> str | None:
    """The path that an expression puts together of literals; None where only running it would tell."""

    def joined(*parts: ast.expr) -> str | None:
        paths = [path for path in (_path(part, variables) for part in parts) if path is not None]
        return os.path.join(*paths) if paths and len(paths) == len(parts) else None

    def above(part: ast.expr, levels: int = 1) -> str | None:
        path = joined(part)
        for _ in range(levels):
            path = None if path is None else os.path.dirname(path)
        return path

    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name) if name in variables:
            rest = {other: value for other, value in variables.items() if other != name}
            return _path(variables[name], rest)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return joined(left, right)
        case ast.Attribute(value=inner, attr="parent"):
            return above(inner)
        case ast.Subscript(value=ast.Attribute(value=inner, attr="parents"), slice=ast.Constant(value=int(level))):
            return above(inner, level + 1)
        case ast.Call(
            func=ast.Attribute(value=inner, attr="resolve" | "absolute" | "joinpath" | "as_posix"), args=args
        ):
            return joined(inner, *args)
        case ast.Call(func=ast.Name(id="dirname") | ast.Attribute(attr="dirname"), args=[inner]):
            return above(inner)
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=args) if called in _SAME_PATH:
            return joined(*args)
    return None


# Calls that give back the path of their arguments, put together.
_SAME_PATH = {"str", "fspath", "Path", "PurePath", "join", "abspath", "realpath", "normpath"}


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
