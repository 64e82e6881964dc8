from __future__ import annotations

import asyncio
import dataclasses
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from codex_api import tools
from codex_api.transport.errors import RequestBuildError
from codex_api.types.function_tool import ToolArgumentsError


@dataclasses.dataclass
class Place:
    city: str
    country: str = "NO"


class Model(pydantic.BaseModel):
    number: int


def weather(place: Place, days: int = 3, unit: str | None = None) -> object:
    """Tell the weather
    of a place.

    Not part of the description.

    Args:
        place: Where
            it is.
        days (int): How many.

    Returns:
        unit: not a parameter here
    """
    return place, days, unit


def wire(tool: tools.FunctionTool) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(tool))
    return decoded


def test_a_function_is_described_by_its_signature_and_docstring() -> None:
    described = wire(tools.FunctionTool.from_callable(weather))

    schema = described.pop("parameters")
    assert described == {
        "type": "function",
        "name": "weather",
        "description": "Tell the weather of a place.",
        "strict": True,
    }
    assert schema["required"] == ["place", "days", "unit"]
    assert schema["additionalProperties"] is False
    assert schema["properties"]["place"]["description"] == "Where it is."
    assert schema["properties"]["days"] == {
        "anyOf": [{"type": "integer"}, {"type": "null"}],
        "description": "How many.",
    }
    assert "description" not in schema["properties"]["unit"]


def test_null_stands_for_the_default() -> None:
    tool = tools.FunctionTool.from_callable(weather)

    called = tool.call('{"place": {"city": "Oslo"}, "days": null, "unit": "K"}')

    assert called == (Place("Oslo"), 3, "K")


def test_a_key_may_be_left_out_where_the_schema_is_not_strict() -> None:
    tool = tools.FunctionTool.from_callable(weather, strict=False, name="w", description="d")

    assert wire(tool)["parameters"]["required"] == ["place"]
    assert (tool.name, tool.description) == ("w", "d")
    assert tool.call(b'{"place": {"city": "Oslo"}}') == (Place("Oslo"), 3, None)


@pytest.mark.parametrize("strict", [True, False])
def test_a_pydantic_model_is_taken_as_a_parameter(strict: bool) -> None:  # noqa: FBT001 - a parameter
    def add(models: list[Model], more: int = 1) -> int:
        return sum(model.number for model in models) + more

    tool = tools.FunctionTool.from_callable(add, strict=strict)

    assert "Model" in wire(tool)["parameters"]["$defs"]
    assert tool.call('{"models": [{"number": 2}], "more": 5}') == 7
    assert tool.call('{"models": [{"number": 2}]}') == 3


def test_an_async_function_gives_something_to_await() -> None:
    async def double(number: Annotated[int, msgspec.Meta(ge=0)]) -> int:
        return number * 2

    tool = tools.FunctionTool.from_callable(double)

    assert asyncio.run(tool.call('{"number": 4}')) == 8


def test_a_function_without_parameters_is_called_with_nothing() -> None:
    tool = tools.FunctionTool.from_callable(lambda: "now", name="now")

    assert tool.call("") == "now"
    assert tool.description is msgspec.UNSET


@pytest.mark.parametrize(
    "arguments", ['{"place": 3}', "{}", "not JSON", b"\xff", '{"place":{"city":"x"},"more":1}']
)
def test_arguments_that_do_not_fit_call_nothing(arguments: str | bytes) -> None:
    called: list[object] = []

    def note(place: Place) -> None:
        called.append(place)

    tool = tools.FunctionTool.from_callable(note)

    with pytest.raises(ToolArgumentsError, match="arguments of note do not fit"):
        tool.call(arguments)
    assert not called


def test_a_pydantic_model_that_does_not_fit_calls_nothing() -> None:
    def note(model: Model) -> None:
        raise AssertionError(model)

    with pytest.raises(ToolArgumentsError):
        tools.FunctionTool.from_callable(note).call('{"model": {"number": "x"}}')


def _positional(a: int, /) -> None: ...
def _packed(*a: int) -> None: ...
def _named(**a: int) -> None: ...
def _untyped(a) -> None: ...  # type: ignore[no-untyped-def]  # noqa: ANN001 - the point
def _unknown(a: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821 - the point
def _free(a: dict[str, int]) -> None: ...


@pytest.mark.parametrize("function", [_positional, _packed, _named, _untyped, _unknown, _free])
def test_a_function_that_cannot_be_described_is_refused(function: Any) -> None:
    with pytest.raises(RequestBuildError):
        tools.FunctionTool.from_callable(function)


def test_a_tool_without_a_function_cannot_be_called() -> None:
    with pytest.raises(TypeError, match="from_callable"):
        tools.FunctionTool(name="f").call("{}")
