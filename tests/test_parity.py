"""The two fronts offer the same: classes, members, order, arguments and defaults."""

from __future__ import annotations

import inspect
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import codex_api

if TYPE_CHECKING:
    from types import ModuleType

PACKAGE = Path(codex_api.__file__).parent
MODULES = sorted(
    {path.stem for front in ("_sync", "_async") for path in (PACKAGE / front).rglob("*.py")}
    - {"__init__"}
)
# Nothing to compare with: waits of the blocking front take a deadline themselves, and its
# connections are there when the call returns.
# And waiting itself is written twice so that everything else need not be.
APART = {"connecting", "of_loop", "waits", "watchdog"}


def module(front: str, name: str) -> ModuleType:
    return import_module(f"codex_api.{front}.{name}")


def public_classes(source: ModuleType) -> dict[str, type]:
    return {
        name.removeprefix("Async"): value
        for name, value in vars(source).items()
        if inspect.isclass(value)
        and value.__module__ == source.__name__
        and not name.startswith("_")
    }


def public_members(cls: type) -> dict[str, Any]:
    return {name: value for name, value in vars(cls).items() if not name.startswith("_")}


def shape(member: Any) -> object:
    """Reduce a member to what callers see: a property, or parameters with their defaults."""
    if isinstance(member, property | cached_property):
        return "property"
    function = inspect.unwrap(getattr(member, "__func__", member))
    parameters = inspect.signature(function).parameters.values()
    return [(parameter.name, parameter.kind, parameter.default) for parameter in parameters]


@pytest.mark.parametrize("name", [name for name in MODULES if name not in APART])
def test_both_fronts_hold_the_same_classes_in_the_same_order(name: str) -> None:
    sync = public_classes(module("_sync", name))

    assert list(public_classes(module("_async", name))) == list(sync)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in APART])
def test_both_fronts_hold_the_same_members_in_the_same_order(name: str) -> None:
    asynchronous = public_classes(module("_async", name))
    for title, cls in public_classes(module("_sync", name)).items():
        mine, theirs = public_members(cls), public_members(asynchronous[title])

        assert list(theirs) == list(mine), title
        for member, value in mine.items():
            assert shape(theirs[member]) == shape(value), f"{title}.{member}"


@pytest.mark.parametrize("name", [name for name in MODULES if name not in APART])
def test_the_constructors_take_the_same_arguments(name: str) -> None:
    asynchronous = public_classes(module("_async", name))
    for title, cls in public_classes(module("_sync", name)).items():
        assert shape(asynchronous[title].__init__) == shape(cls.__init__), title  # type: ignore[misc]  # compared, not called


@pytest.mark.parametrize("name", [name for name in MODULES if name not in APART])
def test_what_one_front_documents_the_other_documents(name: str) -> None:
    asynchronous = public_classes(module("_async", name))
    for title, cls in public_classes(module("_sync", name)).items():
        theirs = public_members(asynchronous[title])
        undocumented = [
            member
            for member, value in public_members(cls).items()
            if not inspect.getdoc(value) or not inspect.getdoc(theirs.get(member))
        ]

        assert undocumented == [], title
