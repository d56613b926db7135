"""Writing is whole or not at all."""

from __future__ import annotations

import contextlib

from kdsweep.atomic import replacing, write_text


def test_a_file_changes_only_once_it_is_whole(tmp_path):
    path = tmp_path / "page.html"
    write_text(path, "first")
    with contextlib.suppress(RuntimeError), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "first"
    write_text(path, "second")
    assert path.read_text() == "second"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_appears_only_once_it_is_whole(tmp_path):
    folder = tmp_path / "data"
    with contextlib.suppress(RuntimeError), replacing(folder) as partial:
        partial.mkdir()
        (partial / "rows").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    with replacing(folder) as partial:
        partial.mkdir()
        (partial / "rows").write_text("whole")
    assert (folder / "rows").read_text() == "whole"


def test_while_it_is_written_it_is_hidden(tmp_path):
    with replacing(tmp_path / "page.html") as partial:
        partial.write_text("half")
        assert partial.name.startswith(".page.html.")
