"""Wire-level client of the OpenAI Responses API and the Codex backend.

Public names are imported on first use: importing the package costs little more than its two C and Rust engines.
"""

from __future__ import annotations

from importlib import import_module

_MODULES: dict[str, str] = {}

__all__: list[str] = sorted(_MODULES)


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
