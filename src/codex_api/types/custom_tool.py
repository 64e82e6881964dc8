"""A tool of the caller's that takes text, made of a Python function or by hand."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence  # noqa: TC003 - msgspec reads annotations
from typing import Any, Self

import msgspec
from msgspec import UNSET, UnsetType

from codex_api.transport.errors import RequestBuildError
from codex_api.types.callables import called_name, read_docstring, refuse_generator
from codex_api.types.content import Tagged


class Grammar(Tagged, frozen=True, tag="grammar", gc=False):
    """The language that the input of a custom tool is in.

    Attributes:
        definition: The grammar.
        syntax: ``lark`` or ``regex``.
    """

    definition: str
    syntax: str


class CustomTool(Tagged, frozen=True, kw_only=True, tag="custom", dict=True):
    """A tool of the caller's that takes text instead of JSON.

    Attributes:
        format: What the text must look like; left out, any text.
        allowed_callers: ``direct`` and ``programmatic``: who may call it.
        defer_loading: Whether it is found by tool search instead of being listed.
        async_: Whether its output may come in a later response.
    """

    name: str
    description: str | UnsetType = UNSET
    format: Grammar | Mapping[str, Any] | UnsetType = UNSET
    allowed_callers: Sequence[str] | UnsetType | None = UNSET
    defer_loading: bool | UnsetType = UNSET
    async_: bool | UnsetType = msgspec.field(default=UNSET, name="async")

    @classmethod
    def from_callable(
        cls,
        function: Callable[[str], Any],
        *,
        name: str | None = None,
        description: str | None = None,
        format: Grammar | Mapping[str, Any] | None = None,  # noqa: A002 - the key of the API
    ) -> Self:
        """Describe a Python function of one text, which ``call`` then calls.

        Args:
            function: Plain or ``async``; what it returns goes back to the model.
            name: None takes the function's.
            description: None takes the first paragraph of its docstring.
            format: What the text must look like; None for any text.

        Raises:
            RequestBuildError: The function cannot be called with one text, or is a generator.
        """
        refuse_generator(function)
        called = called_name(function) if name is None else name
        try:
            inspect.signature(function).bind("")
        except (TypeError, ValueError) as exc:
            message = f"{called} cannot be called with one text: {exc}"
            raise RequestBuildError(message) from exc
        summary, _ = read_docstring(function)
        tool = cls(
            name=called,
            description=(summary if description is None else description) or UNSET,
            format=UNSET if format is None else format,
        )
        # No field: it has no place on the wire.
        msgspec.structs.force_setattr(tool, "_function", function)
        return tool

    @property
    def function(self) -> Callable[[str], Any] | None:
        """The function that ``call`` calls; None when the tool was not made of one."""
        return self.__dict__.get("_function")

    def call(self, text: str) -> Any:  # noqa: ANN401 - whatever the function returns
        """Call the function with what the model wrote.

        Returns:
            What the function returns; for an ``async`` function, something to await.

        Raises:
            TypeError: The tool was not made by ``from_callable``.
        """
        function = self.function
        if function is None:
            message = f"{self.name} stands for no Python function: make it by from_callable"
            raise TypeError(message)
        return function(text)
