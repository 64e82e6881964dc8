"""A function that a model may call, made of a Python function or by hand."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence  # noqa: TC003 - msgspec reads annotations
from functools import cache, partial
from itertools import takewhile
from typing import Any, Self, get_args, get_type_hints

import msgspec
from msgspec import UNSET, UnsetType

from codex_api.transport.errors import RequestBuildError
from codex_api.types.content import Tagged
from codex_api.types.structured import is_pydantic, schema_name, schema_of

_ARGS = cache(partial(re.compile, r"^(?:Args|Arguments|Parameters):\s*$"))
_ENTRY = cache(partial(re.compile, r"^\s+\*{0,2}(?P<name>\w+)(?:\s*\([^)]*\))?:\s*(?P<text>.*)$"))
_SECTION = cache(partial(re.compile, r"^[A-Z][A-Za-z ]*:\s*$"))
_FIRST_INDENT = 4
# Parameters that take no single argument by name.
_UNNAMED = frozenset(
    (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.VAR_POSITIONAL,
        inspect.Parameter.VAR_KEYWORD,
    )
)


class ToolError(Exception):
    """A tool could not do what it was asked; raise it in a function that is a tool.

    Its text is meant for the model: a run sends it back as the output of the call.
    """


class ToolArgumentsError(ToolError, ValueError):
    """What a model gave a function does not fit its parameters.

    Its text names the place, and can be sent back to the model as the output of the call.
    """


class FunctionTool(Tagged, frozen=True, kw_only=True, tag="function", dict=True):
    """A function of the caller's.

    Attributes:
        name: Letters, digits, ``_`` and ``-``.
        parameters: JSON Schema of its arguments, an object; None for none.
        strict: Whether the server guarantees the schema; None leaves the choice to it.
        output_schema: JSON Schema of what it returns.
        allowed_callers: ``direct`` and ``programmatic``: who may call it.
        defer_loading: Whether it is found by tool search instead of being listed.
        async_: Whether its output may come in a later response.
    """

    name: str
    description: str | UnsetType | None = UNSET
    parameters: Mapping[str, Any] | msgspec.Raw | UnsetType | None = UNSET
    strict: bool | UnsetType | None = UNSET
    output_schema: Mapping[str, Any] | UnsetType | None = UNSET
    allowed_callers: Sequence[str] | UnsetType | None = UNSET
    defer_loading: bool | UnsetType = UNSET
    async_: bool | UnsetType = msgspec.field(default=UNSET, name="async")

    @classmethod
    def from_callable(
        cls,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        strict: bool = True,
    ) -> Self:
        """Describe a Python function, which ``call`` then calls.

        Names and types of the parameters come from the signature, descriptions from the docstring:
        its first paragraph, and a Google-style ``Args`` section. A parameter with a default may be
        left out by the model; in strict mode, which knows no optional keys, it may be ``null``,
        which stands for the default.

        Args:
            function: Plain or ``async``. Parameter types are what msgspec decodes, dataclasses
                included, or pydantic models.
            name: None takes the function's.
            description: None takes the docstring's.
            strict: Whether the schema is rewritten to what the server can guarantee.

        Raises:
            RequestBuildError: A parameter has no name or no type, or its type no such schema.
        """
        arguments = Arguments(function, strict=strict)
        summary, described = read_docstring(function)
        tool = cls(
            name=schema_name(function) if name is None else name,
            description=(summary if description is None else description) or UNSET,
            parameters=arguments.schema(described),
            strict=strict,
        )
        # Not fields: they have no place on the wire.
        msgspec.structs.force_setattr(tool, "_function", function)
        msgspec.structs.force_setattr(tool, "_arguments", arguments)
        return tool

    @property
    def function(self) -> Callable[..., Any] | None:
        """The function that ``call`` calls; None when the tool was not made of one."""
        return self.__dict__.get("_function")

    def call(self, arguments: str | bytes) -> Any:  # noqa: ANN401 - whatever the function returns
        """Check what the model gave, and call the function with it.

        Args:
            arguments: JSON, as ``FunctionCall.arguments`` holds it.

        Returns:
            What the function returns; for an ``async`` function, something to await.

        Raises:
            ToolArgumentsError: The arguments do not fit; nothing was called.
            TypeError: The tool was not made by ``from_callable``.
        """
        function = self.function
        if function is None:
            message = f"{self.name} stands for no Python function: make it by from_callable"
            raise TypeError(message)
        bound: Arguments = self.__dict__["_arguments"]
        return function(**bound.decode(arguments, self.name))


class Arguments:
    """The parameters of a function as a schema and as a decoder.

    Raises:
        RequestBuildError: A parameter has no name or no type.
    """

    def __init__(self, function: Callable[..., Any], *, strict: bool) -> None:
        self._strict = strict
        parameters = _parameters(function)
        self._optional = {
            name
            for name, (_, default) in parameters.items()
            if default is not inspect.Parameter.empty
        }
        if any(_holds_pydantic(type_) for type_, _ in parameters.values()):
            self._type = _pydantic_model(parameters, strict=strict)
        else:
            self._type = _struct(parameters, strict=strict)

    def schema(self, described: Mapping[str, str]) -> dict[str, Any]:
        """Return the JSON Schema, with descriptions by parameter.

        Raises:
            RequestBuildError: A type has no schema, or none that strict mode can say.
        """
        schema = schema_of(self._type, strict=self._strict)
        schema.pop("title", None)
        for name, text in described.items():
            if name in schema.get("properties", {}):
                schema["properties"][name].setdefault("description", text)
        return schema

    def decode(self, data: str | bytes, name: str) -> dict[str, Any]:
        """Return the arguments by name, without those that the model left out.

        Raises:
            ToolArgumentsError: They do not fit.
        """
        try:
            given = self._decoded(data or b"{}")
        except (ValueError, RecursionError) as exc:
            message = f"the arguments of {name} do not fit: {exc}"
            raise ToolArgumentsError(message) from exc
        return {
            key: value
            for key, value in given.items()
            if value is not UNSET and not (value is None and key in self._optional)
        }

    def _decoded(self, data: str | bytes) -> dict[str, Any]:
        if is_pydantic(self._type):
            model = self._type.model_validate_json(data)
            return {key: getattr(model, key) for key in model.model_fields_set}
        struct = msgspec.json.decode(data, type=self._type)
        return {key: getattr(struct, key) for key in struct.__struct_fields__}


def _parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, Any]]:
    """Return type and default of each parameter."""
    name = schema_name(function)
    try:
        signature = inspect.signature(function)
        hints = get_type_hints(function, include_extras=True)
    except (TypeError, ValueError, NameError) as exc:
        message = f"the signature of {name} cannot be read: {exc}"
        raise RequestBuildError(message) from exc
    found: dict[str, tuple[Any, Any]] = {}
    for parameter in signature.parameters.values():
        if parameter.kind in _UNNAMED:
            message = f"{name}: {parameter} cannot be given by name, so a model cannot give it"
            raise RequestBuildError(message)
        if parameter.name not in hints:
            message = f"{name}: the parameter {parameter.name} has no type"
            raise RequestBuildError(message)
        found[parameter.name] = (hints[parameter.name], parameter.default)
    return found


def _struct(parameters: Mapping[str, tuple[Any, Any]], *, strict: bool) -> Any:  # noqa: ANN401 - a class made here
    absent: Any = type(None) if strict else UnsetType
    fields: list[Any] = [
        (name, type_) if default is inspect.Parameter.empty else (name, type_ | absent, UNSET)
        for name, (type_, default) in parameters.items()
    ]
    return msgspec.defstruct("arguments", fields, kw_only=True, forbid_unknown_fields=strict)


def _pydantic_model(parameters: Mapping[str, tuple[Any, Any]], *, strict: bool) -> Any:  # noqa: ANN401 - a class made here
    # Not a dependency: who has such a parameter has it.
    from pydantic import create_model  # noqa: PLC0415

    fields: dict[str, Any] = {}
    for name, (type_, default) in parameters.items():
        if default is inspect.Parameter.empty:
            fields[name] = (type_, ...)
        else:
            fields[name] = (type_ | None if strict else type_, None if strict else default)
    return create_model("arguments", **fields)


def _holds_pydantic(type_: Any) -> bool:  # noqa: ANN401 - any annotation
    return is_pydantic(type_) or any(_holds_pydantic(part) for part in get_args(type_))


def read_docstring(function: Callable[..., Any]) -> tuple[str, dict[str, str]]:
    """Return the first paragraph of a docstring, and its ``Args`` by name."""
    lines = (inspect.getdoc(function) or "").splitlines()
    summary = " ".join(takewhile(str.strip, lines)).strip()
    found: dict[str, str] = {}
    current = ""
    inside = False
    for line in lines:
        if _SECTION().match(line):
            inside, current = bool(_ARGS().match(line)), ""
        elif inside and (entry := _ENTRY().match(line)) and _indent(line) <= _FIRST_INDENT:
            current = entry["name"]
            found[current] = entry["text"].strip()
        elif inside and current and line.strip():
            found[current] = f"{found[current]} {line.strip()}".strip()
    return summary, found


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
