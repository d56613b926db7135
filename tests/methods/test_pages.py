"""The pages of docs/methods/ say what the methods are now."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parent.parent.parent / "docs"


def pages() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("make_methods", DOCS / "make_methods.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.pages()


def test_the_pages_are_up_to_date():
    written = {path.name: path.read_text() for path in (DOCS / "methods").glob("*.md")}
    assert written == pages(), "run: python docs/make_methods.py"
