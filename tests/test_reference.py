"""The reference has every public name: its inventory is compared with what the modules offer."""

from __future__ import annotations

import fcntl
import inspect
import json
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import codex_api

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

# The first one to ask waits for the build.
pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).parent.parent
#: Names that the reference leaves out on purpose.
LEFT_OUT = {
    "codex_api.__version__": "says itself what it is",
    "codex_api.bulk.load.Accepted": "a protocol that no user names",
    "codex_api.local.models_cache.cache_key": "for the clients",
    "codex_api.local.models_cache.list_cached": "for the clients",
    "codex_api.types.function_tool.Arguments": "for `FunctionTool.from_callable`",
}
#: Public modules with pages but without a directive of their own: their names stand elsewhere.
GATHERED = ("codex_api", "codex_api.realtime", "codex_api.bulk")
#: Reads the pages without what is said of each name, which takes most of the time.
_INVENTORY = """
import json, sys
from sphinx.application import Sphinx
out = sys.argv[1]
names = {"extensions": ["myst_parser", "sphinx.ext.autodoc"], "autodoc_typehints": "none"}
app = Sphinx(
    "docs/reference", "docs", out, out, "dummy", confoverrides=names, status=None, warning=None
)
app.connect("autodoc-process-docstring", lambda *told: told[-1].clear(), priority=1)
app.builder.read()
objects = app.env.get_domain("py").objects
print(json.dumps([[name, entry.objtype] for name, entry in objects.items()]))
"""


@pytest.fixture(scope="module")
def inventory(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return what objects.inv has of Python: each full name, and what it names.

    Workers that share the tests build it once.
    """
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    built = folder / "inventory.json"
    with (folder / "inventory.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            done = subprocess.run(  # noqa: S603 - this interpreter
                [sys.executable, "-c", _INVENTORY, str(tmp_path_factory.mktemp("reference"))],
                cwd=ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            built.write_text(done.stdout.splitlines()[-1])
    return dict(json.loads(built.read_text()))


def resolved(name: str) -> Any:
    """Import what a full name of the inventory stands for; None for fields without a value."""
    parts = name.split(".")
    for cut in range(len(parts), 0, -1):
        try:
            found: Any = import_module(".".join(parts[:cut]))
        except ModuleNotFoundError:
            continue
        for part in parts[cut:]:
            found = getattr(found, part, None)
        return found
    return None


def is_hidden(module: str) -> bool:
    return any(part.startswith("_") for part in module.split("."))


def offered(module: ModuleType) -> Iterator[str]:
    """Find the names that a module offers: its ``__all__``, or what is defined in it."""
    if hasattr(module, "__all__"):
        yield from module.__all__
        return
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        if not name.startswith("_") and is_own and (inspect.isclass(value) or callable(value)):
            yield name


def documented(inventory: dict[str, str]) -> dict[int, object]:
    """Return the objects that stand in the reference, under whatever name."""
    names = (name for name, kind in inventory.items() if kind not in {"attribute", "property"})
    return {id(found): found for found in map(resolved, names)}


def missing(module: ModuleType, inventory: dict[str, str], known: dict[int, object]) -> set[str]:
    """Return the names of a module that stand nowhere, under its own name or another."""
    return {
        full
        for name in offered(module)
        if (full := f"{module.__name__}.{name}") not in inventory
        and full not in LEFT_OUT
        and id(getattr(module, name)) not in known
    }


def test_every_public_name_stands_in_the_reference(inventory: dict[str, str]) -> None:
    pages = {name for name, kind in inventory.items() if kind == "module" and not is_hidden(name)}

    known = documented(inventory)
    lacking = {
        full
        for name in sorted(pages | set(GATHERED))
        for full in missing(import_module(name), inventory, known)
    }
    assert lacking == set()


def test_both_fronts_stand_in_the_reference(inventory: dict[str, str]) -> None:
    classes = [resolved(name) for name, kind in inventory.items() if kind == "class"]
    twins = {
        f"codex_api._async{cls.__module__.removeprefix('codex_api._sync')}.Async{cls.__name__}"
        for cls in classes
        if cls is not None and cls.__module__.startswith("codex_api._sync.")
    }

    assert twins
    lacking = {name for name in twins if not any(resolved(name) is found for found in classes)}
    assert lacking == set()


def test_a_name_that_no_page_has_is_found() -> None:
    page = {"codex_api.Client": "class"}
    lacking = missing(codex_api, page, documented(page))

    assert "codex_api.AsyncClient" in lacking
    assert "codex_api.Client" not in lacking


def test_every_class_of_the_reference_has_a_public_path(inventory: dict[str, str]) -> None:
    classes = {name: resolved(name) for name, kind in inventory.items() if kind == "class"}
    public = [found for name, found in classes.items() if not is_hidden(name)]

    assert {
        name
        for name, found in classes.items()
        if is_hidden(name) and not any(found is each for each in public)
    } == set()
