"""How this package imports: names on first use, what an extra installs, classes under one path."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Mapping

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


@contextmanager
def installed_by(extra: str, *packages: str) -> Generator[None]:
    """Say which extra to install when one of ``packages`` is missing inside the block.

    Raises:
        ModuleNotFoundError: A package is missing; ``name`` is the package.
    """
    try:
        yield
    except ModuleNotFoundError as exc:
        package = (exc.name or "").partition(".")[0]
        if package not in packages:
            raise
        message = f"{package} is missing: pip install 'codex-api[{extra}]'"
        raise ModuleNotFoundError(message, name=package) from None


def show_as(path: str, namespace: Mapping[str, object]) -> None:
    """Give what a private module defines the path that users import it by.

    ``repr``, tracebacks, pickles and the reference show it. The module calls this at its end.

    Args:
        path: Full name of the public package.
        namespace: The ``globals()`` of the private module.
    """
    for name, value in namespace.items():
        is_own = getattr(value, "__module__", None) == namespace["__name__"]
        if is_own and not name.startswith("_"):
            setattr(value, "__module__", path)  # noqa: B010 - classes and functions alike
