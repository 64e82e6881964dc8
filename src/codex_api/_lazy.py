"""Names that a package lends from its modules, imported on first use."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

# A ``__getattr__`` of a module.
Lookup: TypeAlias = "Callable[[str], object]"


def lazy_attributes(
    package: str,
    modules: Mapping[str, str],
    submodules: Collection[str] = (),
    *,
    parent: str | None = None,
) -> Lookup:
    """Make the ``__getattr__`` of a package or module.

    Args:
        package: Its ``__name__``.
        modules: Each public name, and where in ``parent`` it is defined.
        submodules: Modules that are attributes without having been imported.
        parent: The package that the modules are in; None is ``package`` itself.
    """

    def get(name: str) -> object:
        if name in submodules:
            return import_module(f"{package}.{name}")
        if name not in modules:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message)
        value: object = getattr(import_module(f"{parent or package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)  # asked for once only
        return value

    return get
