"""Code of a user's own is named by everything that it imports, and nothing is imported to find that out."""

from __future__ import annotations

import importlib
import sys
import time

import pytest

from kdsweep.values import user_code
from kdsweep.values.imports import is_own, source_digest


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes modules that can be found, and would say so if they ran."""
    monkeypatch.syspath_prepend(tmp_path)

    def files(**texts: str) -> None:
        for name, text in texts.items():
            file = tmp_path / f"{name.replace('__', '/').removesuffix('/')}.py"
            if name.endswith("__"):
                file = tmp_path / name.removesuffix("__").replace("__", "/") / "__init__.py"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"raise SystemExit('imported')\n{text}\n")

    return files


# How `uc_top.mine` comes to depend on uc_other, and what has to be there beside the two.
WAYS = {
    "a module beside its package": "from uc_other import SCALE",
    "a plain import": "import uc_other",
    "an import in a function": "def build():\n    import uc_other",
    "an import that may fail": "try:\n    import uc_other\nexcept ImportError:\n    pass",
    "an import under a condition": "if len('a') > 1:\n    pass\nelse:\n    from uc_other import *",
    "importlib": "import importlib\nimportlib.import_module('uc_other')",
    "importlib by another name": "from importlib import import_module as get\nget('uc_other')",
    "a built-in": "__import__('uc_other')",
    "through a third module": "import uc_third",
    "through its own package": "from . import beside",
    "through a package above": "from .. import uc_top as mine\nfrom .beside import a",
    "importlib, relatively": "import importlib\nimportlib.import_module('.beside', package='uc_top')",
    "a package without __init__": "import uc_namespace.inner.deep",
    "the __init__ of a package": "import uc_package.inner",
    "a package's __all__": "from uc_listing import *",
    "a folder put first": "import sys\nsys.path.insert(0, 'uc_lib')\nimport uc_lone",
    "a folder put last": "import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), '..', 'uc_lib'))\n"
    "import uc_lone",
    "a file by its path": "import importlib.util\nfrom pathlib import Path\nHERE = Path(__file__).resolve().parent\n"
    "spec = importlib.util.spec_from_file_location('any', str(HERE.parent / 'uc_other.py'))",
    "a file that is run": "import runpy\nfrom pathlib import Path\n"
    "runpy.run_path(Path(__file__).parents[1] / 'uc_lib' / 'uc_lone.py')",
    "a file from the working directory": "from runpy import run_path\nrun_path('uc_other.py')",
}


@pytest.mark.parametrize("way", WAYS)
def test_an_edit_reaches_the_digest_by_every_way_of_importing(write, way, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(
        uc_top__mine=WAYS[way], uc_top__beside="import uc_other", uc_other="SCALE = 1", uc_third="import uc_other",
        uc_namespace__inner__deep="import uc_other", uc_package__="import uc_other", uc_package__inner="",
        uc_listing__="__all__ = ['inner']", uc_listing__inner="import uc_other",
        uc_lib__uc_lone="import uc_other",
    )  # fmt: skip
    before = source_digest("uc_top.mine")
    assert source_digest("uc_top.mine") == before
    write(uc_other="SCALE = 1000")
    assert source_digest("uc_top.mine") != before
    assert not {name for name in sys.modules if name.startswith("uc_")}


def test_the_packages_that_a_module_lies_in_belong_to_it(write):
    write(uc_a__="A = 1", uc_a__b__="", uc_a__b__mine="")
    before = source_digest("uc_a.b.mine")
    write(uc_a__="A = 2")
    assert source_digest("uc_a.b.mine") != before


def test_what_is_not_imported_decides_nothing(write):
    write(uc_top__mine="from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import uc_other", uc_other="A = 1")
    before = source_digest("uc_top.mine")
    write(uc_other="A = 2", uc_top__unread="")
    assert source_digest("uc_top.mine") == before


def test_modules_that_import_each_other_have_a_digest(write):
    write(uc_a="import uc_b", uc_b="import uc_a")
    before = source_digest("uc_a")
    write(uc_b="import uc_a\nB = 1")
    assert source_digest("uc_a") != before


def test_libraries_python_and_kdsweep_itself_are_no_code_of_a_users_own(write):
    write(uc_mine="import numpy, json, kdsweep.objective, not_there_at_all")
    assert is_own("uc_mine")
    assert not any(map(is_own, ("numpy", "json", "xml.dom", "sys", "kdsweep.objective", "pydantic.fields", "nowhere")))


def test_a_file_that_is_not_python_is_one_line_that_names_it(write):
    write(uc_mine="import uc_broken", uc_broken="def f(:")
    with pytest.raises(ValueError, match=r"uc_broken\.py:2: not Python: ") as error:
        source_digest("uc_mine")
    assert "\n" not in str(error.value)


def test_a_file_that_cannot_be_read_is_one_line_that_names_it(write, tmp_path):
    write(uc_mine="import uc_gone")
    (tmp_path / "uc_gone.py").symlink_to(tmp_path / "uc_gone.py")
    (tmp_path / "uc_bytes.py").write_bytes(b"A = '\xff'")
    write(uc_reads="import uc_bytes")
    source_digest("uc_mine")
    with pytest.raises(ValueError, match=r"uc_bytes\.py: not Python: "):
        source_digest("uc_reads")


def test_ends_of_lines_are_no_edit(write, tmp_path):
    write(uc_mine="A = 1\nB = 2")
    before = source_digest("uc_mine")
    text = (tmp_path / "uc_mine.py").read_bytes()
    (tmp_path / "uc_mine.py").write_bytes(text.replace(b"\n", b"\r\n"))
    assert source_digest("uc_mine") == before


def test_other_code_than_a_specification_names_is_the_machines_fault(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    file = tmp_path / "uc_network.py"
    file.write_text("def net(shape): return shape\n")
    ((name, arguments),) = user_code.named("uc_network:net", {}, what="a network").items()
    assert user_code.specified({"student": {"top": {name: arguments}}}) == {name: arguments[user_code.SOURCE]}
    assert user_code.own(name, arguments)((3,)) == (3,)

    file.write_text("def net(shape): return None\n")
    with pytest.raises(user_code.ChangedSource, match="the source of uc_network has changed since the study was read"):
        user_code.own(name, arguments)
    ((_, edited),) = user_code.named("uc_network:net", {}, what="a network").items()
    with pytest.raises(user_code.ChangedSource, match="has changed since this process imported it"):
        user_code.own(name, edited)
    file.unlink()
    with pytest.raises(user_code.ChangedSource, match="uc_network"):
        user_code.own(name, arguments)


def test_a_module_that_a_machine_lacks_is_the_machines_fault():
    with pytest.raises(user_code.ChangedSource, match="there is no module uc_nowhere on "):
        user_code.check("uc_nowhere:net", "digest")


def test_what_a_module_adds_to_the_path_once_it_runs_is_no_change_of_its_source(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("OWN_LIBRARY", str(tmp_path / "lib"))
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "own_helper.py").write_text("SIZE = 3\n")
    file = tmp_path / "own_adding.py"
    text = "import os, sys\nsys.path.insert(0, os.environ['OWN_LIBRARY'])\nimport own_helper\ndef net(shape): ...\n"
    file.write_text(text)
    before = source_digest("own_adding")
    user_code.own("own_adding:net", {user_code.SOURCE: before})
    assert str(tmp_path / "lib") in sys.path
    assert source_digest("own_adding") == before
    user_code.check("own_adding", before)
    file.write_text(text + "# Edited.\n")
    with pytest.raises(user_code.ChangedSource, match="the source of own_adding has changed since the study was read"):
        user_code.check("own_adding", before)


def test_another_module_of_that_name_is_another_source(tmp_path, monkeypatch):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "own_moved.py").write_text(f"PLACE = {folder!r}\n")
    monkeypatch.syspath_prepend(tmp_path / "here")
    before = source_digest("own_moved")
    monkeypatch.syspath_prepend(tmp_path / "there")
    assert source_digest("own_moved") != before


def test_what_was_read_long_ago_is_read_again_once_it_or_what_shadows_it_is_saved(write, tmp_path, monkeypatch):
    write(own_long="import own_part", own_part="A = 1")
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 10**11)
    digests = [source_digest("own_long")]
    assert source_digest("own_long") == digests[0]
    for changed in ({"own_long": "import own_part  # Edited."}, {"own_part": "A = 100"}, {"own_part__": "A = 1000"}):
        write(**changed)
        importlib.invalidate_caches()
        digests.append(source_digest("own_long"))
    (tmp_path / "own_part" / "__init__.py").unlink()
    importlib.invalidate_caches()
    assert source_digest("own_long") == digests[2]
    assert len(set(digests)) == len(digests)
