"""The house stays one to live in: how large its modules are, what stands at its top."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import codex_api

if TYPE_CHECKING:
    from collections.abc import Iterator

SRC = Path(codex_api.__file__).parents[1]
MOST_LINES = 400
FEW_LINES = 30
#: Small and serving one module only, each for a reason.
SMALL = {
    "codex_api.__main__": "`python -m codex_api`",
    "codex_api._async.memories": "each endpoint has a file of its name in a front",
    "codex_api._async.search": "each endpoint has a file of its name in a front",
    "codex_api.types.conversations": "the values of an endpoint have a file of its name",
    "codex_api._logic.incoming.header_events": "keeps the response machine below its bound",
}
#: What stands at the top: what users import, and as little else as may be.
TOP_PUBLIC = {
    "auth",
    "client",
    "clock",
    "items",
    "provider",
    "realtime",
    "session",
    "telemetry",
    "tools",
}
TOP_PRIVATE = {"__init__", "__main__", "_imports"}
#: Lines of imports by lines of library, without the program and the servers for tests.
MOST_IMPORTS = 0.08


class Module(NamedTuple):
    path: Path
    lines: int
    imports: int
    imported: frozenset[str]


def import_statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node


def read(path: Path) -> Module:
    text = path.read_text()
    statements = list(import_statements(ast.parse(text)))
    names = set[str]()
    for statement in statements:
        if isinstance(statement, ast.ImportFrom):
            names.update(f"{statement.module}.{alias.name}" for alias in statement.names)
            names.add(str(statement.module))
        else:
            names.update(alias.name for alias in statement.names)
    lines = sum((node.end_lineno or node.lineno) - node.lineno + 1 for node in statements)
    return Module(path, len(text.splitlines()), lines, frozenset(names))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SRC).with_suffix("").parts).removesuffix(".__init__")


@cache
def modules() -> dict[str, Module]:
    """Read what somebody wrote: the blocking front is generated."""
    return {
        name: read(path)
        for path in sorted((SRC / "codex_api").rglob("*.py"))
        if not (name := name_of(path)).startswith("codex_api._sync")
    }


def users(name: str) -> set[str]:
    return {other for other, module in modules().items() if name in module.imported}


def test_no_module_is_too_large_to_be_read_at_once() -> None:
    assert {name for name, module in modules().items() if module.lines > MOST_LINES} == set()


def test_a_small_module_serves_more_than_one_other() -> None:
    small = {
        name
        for name, module in modules().items()
        if module.lines < FEW_LINES and module.path.name != "__init__.py" and len(users(name)) <= 1
    }

    assert small - SMALL.keys() == set()


def test_reasons_are_given_for_modules_that_exist() -> None:
    assert SMALL.keys() - modules().keys() == set()


def test_what_stands_at_the_top_is_what_users_import() -> None:
    top = {path.stem for path in (SRC / "codex_api").glob("*.py")}

    assert top == TOP_PUBLIC | TOP_PRIVATE


def test_few_lines_are_imports() -> None:
    library = [
        module
        for name, module in modules().items()
        if not name.startswith(("codex_api.cli", "codex_api.testing"))
    ]

    share = sum(module.imports for module in library) / sum(module.lines for module in library)
    assert share < MOST_IMPORTS


def test_no_import_goes_in_a_circle() -> None:
    """By what is imported when a module is: imports inside of functions and for checkers apart."""
    graph = {name: at_import(module.path) & modules().keys() for name, module in modules().items()}

    assert circle(graph) == []


def at_import(path: Path) -> set[str]:
    names = set[str]()
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                full = f"{statement.module}.{alias.name}"
                names.add(full if full in modules() else str(statement.module))
        elif isinstance(statement, ast.Import):
            names.update(alias.name for alias in statement.names)
    return names


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return modules that import each other, or none: strip those that need no other first."""
    left = {name: set(needs) for name, needs in graph.items()}
    while free := [name for name, needs in left.items() if not needs]:
        for name in free:
            del left[name]
        for needs in left.values():
            needs.difference_update(free)
    return sorted(left)


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"a"}, "c": set()}) == ["a", "b"]
    assert circle({"a": {"b"}, "b": {"c"}, "c": set()}) == []
