"""A function that a model may call, made of a Python function or by hand."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence  # noqa: TC003 - msgspec reads annotations
from typing import Any, Self, get_args

import msgspec
from msgspec import UNSET, UnsetType

from codex_api.transport.errors import RequestBuildError
from codex_api.types.callables import (
    CalledParameter,
    called_name,
    parameters_of,
    read_docstring,
    refuse_generator,
)
from codex_api.types.content import Tagged
from codex_api.types.structured import decoded_as, is_pydantic, schema_of, unschematic

# What servers send for a call without arguments.
_NOTHING = ("", "null", b"", b"null")
_PLAIN = (bool, int, float, str, type(None))


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
        its first paragraph, and what it says of the parameters in the style of Google, NumPy or
        Sphinx; a text in ``Annotated`` stands over that. A parameter with a default may be
        left out by the model; in strict mode, which knows no optional keys, it may be ``null``,
        which stands for the default.

        Args:
            function: Plain or ``async``; also a method, a ``functools.partial`` and an object with
                ``__call__``. Parameter types are what msgspec decodes, dataclasses included, or
                pydantic models and what has a pydantic ``Field``.
            name: None takes the function's.
            description: None takes the docstring's.
            strict: Whether the schema is rewritten to what the server can guarantee.

        Raises:
            RequestBuildError: A parameter has no name or no type, or its type no such schema; or
                the function is a generator.
        """
        refuse_generator(function)
        arguments = Arguments(function, strict=strict)
        summary, described = read_docstring(function)
        tool = cls(
            name=called_name(function) if name is None else name,
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
        self._function = called_name(function)
        self._parameters = parameters_of(function)
        try:
            self._names, self._type = _type_of(self._parameters, strict=strict)
        except RequestBuildError as exc:
            raise self._named(exc) from exc

    def schema(self, described: Mapping[str, str]) -> dict[str, Any]:
        """Return the JSON Schema, with descriptions by parameter.

        Raises:
            RequestBuildError: A type has no schema, or none that strict mode can say.
        """
        noted = {name: found.text for name, found in self._parameters.items() if found.text}
        try:
            schema = schema_of(self._type, strict=self._strict, described={**described, **noted})
        except RequestBuildError as exc:
            raise self._named(exc) from exc
        schema.pop("title", None)
        return schema

    def _named(self, error: RequestBuildError) -> RequestBuildError:
        """Return an error that names the parameter of which no schema can be made."""
        for name, found in self._parameters.items():
            try:
                schema_of(_type_of({name: found}, strict=self._strict)[1], strict=self._strict)
            except RequestBuildError as exc:
                message = f"the parameter {name} of {self._function} cannot be described: {exc}"
                return RequestBuildError(message)
        return error

    def decode(self, data: str | bytes, name: str) -> dict[str, Any]:
        """Return the arguments by name, without those that the model left out.

        Raises:
            ToolArgumentsError: They do not fit.
        """
        try:
            given = self._decoded(b"{}" if data.strip() in _NOTHING else data)
        except (ValueError, RecursionError) as exc:
            message = f"the arguments of {name} do not fit: {exc}"
            raise ToolArgumentsError(message) from exc
        given = {
            key: value
            for key, value in given.items()
            if value is not UNSET and not (value is None and self._is_default(key))
        }
        for key, found in self._parameters.items():
            # A function would take the field itself for its default.
            if found.field is not None and key not in given:
                given[key] = found.made_default(given)
        return given

    def _is_default(self, name: str) -> bool:
        """Return whether ``null`` stands for the default, as where no key can be left out."""
        return self._strict and self._parameters[name].is_optional

    def _decoded(self, data: str | bytes) -> dict[str, Any]:
        if is_pydantic(self._type):
            value = self._type.model_validate_json(data)
            given = value.model_fields_set
        else:
            value = msgspec.json.decode(data, type=self._type, dec_hook=decoded_as)
            given = self._names
        return {self._names[key]: getattr(value, key) for key in given}


def _type_of(
    parameters: Mapping[str, CalledParameter], *, strict: bool
) -> tuple[dict[str, str], Any]:
    """Return a type with a field for each parameter, and the parameters by the fields' names."""
    try:
        if not any(_needs_pydantic(found.type) for found in parameters.values()):
            return {name: name for name in parameters}, _struct(parameters, strict=strict)
        # A field there cannot have every name that a parameter can.
        names = {f"p{at}": name for at, name in enumerate(parameters)}
        return names, _pydantic_model(names, parameters, strict=strict)
    except (TypeError, ValueError, RuntimeError) as exc:
        raise unschematic("arguments", exc) from exc


def _struct(parameters: Mapping[str, CalledParameter], *, strict: bool) -> Any:  # noqa: ANN401 - a class made here
    absent: Any = type(None) if strict else UnsetType
    fields: list[Any] = [
        (name, found.type | absent, UNSET) if found.is_optional else (name, found.type)
        for name, found in parameters.items()
    ]
    return msgspec.defstruct("arguments", fields, kw_only=True, forbid_unknown_fields=strict)


def _pydantic_model(
    names: Mapping[str, str], parameters: Mapping[str, CalledParameter], *, strict: bool
) -> Any:  # noqa: ANN401 - a class made here
    # Not a dependency: who has such a parameter has it.
    from pydantic import Field, create_model  # noqa: PLC0415

    fields: dict[str, Any] = {}
    for key, name in names.items():
        found = parameters[name]
        if not found.is_optional:
            fields[key] = (found.type, Field(alias=name))
        else:
            type_ = found.type | None if strict else found.type
            # What has no JSON form is no part of the schema, nor is what a factory makes.
            is_told = strict or (isinstance(found.default, _PLAIN) and not _has_factory(found))
            fields[key] = (
                type_,
                Field(default=None if strict else found.default, alias=name)
                if is_told
                else Field(default_factory=_absent, alias=name),
            )
    return create_model("arguments", **fields)


def _has_factory(found: CalledParameter) -> bool:
    return found.field is not None and found.field.default_factory is not None


def _absent() -> None:
    """Stand for what the model left out."""


def _needs_pydantic(type_: Any) -> bool:  # noqa: ANN401 - any annotation, or a note in one
    origin = type(type_).__module__.partition(".")[0]
    # The limits of a field are notes of another package, which pydantic brings along.
    is_note = origin == "pydantic" or (origin == "annotated_types" and "pydantic" in sys.modules)
    is_own = hasattr(type_, "__get_pydantic_core_schema__")
    return is_note or is_own or is_pydantic(type_) or any(map(_needs_pydantic, get_args(type_)))
