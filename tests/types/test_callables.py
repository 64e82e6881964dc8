"""What callables of every kind say of themselves, in every style of docstring."""

from __future__ import annotations

import dataclasses
import enum
import functools
from typing import Annotated, Any

import msgspec
import pydantic
import pytest

from codex_api import tools
from codex_api.transport.errors import RequestBuildError
from codex_api.types.callables import called_name, read_docstring


class Unit(enum.Enum):
    CELSIUS = "c"
    KELVIN = "k"


class Model(pydantic.BaseModel):
    number: int


@dataclasses.dataclass
class Place:
    city: str
    country: str = "NO"


class Weather:
    """Ask a station."""

    def __init__(self, station: str = "Blindern") -> None:
        self.station = station

    def __call__(self, city: str) -> str:
        """Tell the weather.

        Args:
            city: Where.
        """
        return f"{self.station}: {city}"


def google(city, days=1, unit=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - read as text
    """Tell the weather
    of a city.

    More on it.

    Args:
      city (Annotated[str, (1, 2)]): Its name,
        note: in English.

      days: How many.
      unit:
        Of the answer.

    Returns:
      city: not this one.
    """


def numpy(city, days=1, unit=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - read as text
    """Tell the weather
    of a city.

    Parameters
    ----------
    city : str, optional
        Its name,
        note: in English.
    days, unit
        How many.

    Returns
    -------
    city : str
        Not this one.
    """


def sphinx(city, days=1, unit=None):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - read as text
    """Tell the weather
    of a city.

    :param str city: Its name,
        note: in English.
    :type city: str
    :param days: How many.
    :returns: Not this one.
    :raises ValueError: Nor this.
    """


def bare(city, days=1):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN201 - read as text
    """Args:
    city: Its name.
    """


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            google,
            {"city": "Its name, note: in English.", "days": "How many.", "unit": "Of the answer."},
        ),
        (
            numpy,
            {"city": "Its name, note: in English.", "days": "How many.", "unit": "How many."},
        ),
        (sphinx, {"city": "Its name, note: in English.", "days": "How many."}),
    ],
)
def test_docstrings_are_read_in_every_style(function: Any, expected: dict[str, str]) -> None:
    assert read_docstring(function) == ("Tell the weather of a city.", expected)


def test_a_section_without_what_belongs_in_it_is_text() -> None:
    assert read_docstring(bare) == ("Args: city: Its name.", {})


def test_a_class_does_not_speak_with_the_words_of_another() -> None:
    class Derived(Weather):
        pass

    assert read_docstring(Weather)[0] == "Ask a station."
    assert read_docstring(Derived) == read_docstring(Model) == read_docstring(Place) == ("", {})


def test_an_object_that_can_be_called_is_a_tool() -> None:
    tool = tools.FunctionTool.from_callable(Weather("Fornebu"))

    assert (tool.name, tool.description) == ("Weather", "Tell the weather.")
    assert tool.call('{"city": "Oslo"}') == "Fornebu: Oslo"


def test_a_partial_is_the_function_with_another_default() -> None:
    def add(number: int, more: int = 1) -> int:
        """Add."""
        return number + more

    partly = functools.partial(functools.partial(add), more=5)
    tool = tools.FunctionTool.from_callable(partly)

    assert (tool.name, tool.description) == ("add", "Add.")
    assert tool.call('{"number": 1, "more": null}') == 6
    assert tools.CustomTool.from_callable(functools.partial(Weather())).name == "Weather"


@pytest.mark.parametrize("made", [Place, Weather, Model])
def test_a_class_is_called_with_what_makes_it(made: Any) -> None:
    given = {Place: '{"city": "Oslo"}', Weather: '{"station": "x"}', Model: '{"number": 1}'}

    assert isinstance(tools.FunctionTool.from_callable(made).call(given[made]), made)


def test_a_reference_has_no_words_beside_it() -> None:
    """Servers refuse a strict schema with a description beside ``$ref``."""

    def tell(unit: Unit, place: Place) -> None:
        """Tell.

        Args:
            unit: Of the answer.
            place: Where.
        """

    schema: Any = tools.FunctionTool.from_callable(tell).parameters
    assert schema["properties"]["unit"] == {
        "title": "Unit",
        "enum": ["c", "k"],
        "type": "string",
        "description": "Of the answer.",
    }
    assert schema["properties"]["place"]["description"] == "Where."
    assert schema["properties"]["place"]["required"] == ["city", "country"]
    assert "$defs" not in schema


@pytest.mark.parametrize("free", [dict[str, Any], dict])
def test_a_mapping_with_free_keys_is_not_one_without_keys(free: Any) -> None:
    def tell(place: object) -> None: ...

    tell.__annotations__["place"] = free

    with pytest.raises(RequestBuildError, match="free keys"):
        tools.FunctionTool.from_callable(tell)
    loose = tools.FunctionTool.from_callable(tell, strict=False)
    assert isinstance(loose.parameters, dict)
    assert loose.parameters["properties"] == {"place": {"type": "object"}}


def test_annotations_describe_parameters() -> None:
    def tell(
        city: Annotated[str, "Its name.", msgspec.Meta(max_length=3)],
        days: Annotated[int, "How many."] = 1,
    ) -> tuple[str, int]:
        """Tell.

        Args:
            city: In words that nobody sees.
        """
        return city, days

    tool = tools.FunctionTool.from_callable(tell)

    schema: Any = tool.parameters
    assert schema["properties"]["city"]["description"] == "Its name."
    assert schema["properties"]["days"]["description"] == "How many."
    assert tool.call('{"city": "Rom"}') == ("Rom", 1)
    with pytest.raises(tools.ToolArgumentsError):
        tool.call('{"city": "Oslo"}')


def test_a_field_of_pydantic_counts_at_a_plain_type() -> None:
    def tell(days: Annotated[int, pydantic.Field(ge=1, description="How many.")] = 3) -> int:
        return days

    tool = tools.FunctionTool.from_callable(tell, strict=False)

    schema: Any = tool.parameters
    assert schema["properties"]["days"]["description"] == "How many."
    assert (tool.call("{}"), tool.call('{"days": 2}')) == (3, 2)
    with pytest.raises(tools.ToolArgumentsError, match="days"):
        tool.call('{"days": 0}')


@pytest.mark.filterwarnings("error")
def test_a_parameter_beside_a_pydantic_model_may_have_any_name() -> None:
    def tell(model: Model, model_dump: int, json: str, _hidden: int = 1) -> tuple[object, ...]:
        return model.number, model_dump, json, _hidden

    tool = tools.FunctionTool.from_callable(tell)

    schema: Any = tool.parameters
    assert schema["required"] == ["model", "model_dump", "json", "_hidden"]
    given = '{"model": {"number": 1}, "model_dump": 2, "json": "3", "_hidden": null}'
    assert tool.call(given) == (1, 2, "3", 1)


def test_null_is_a_value_where_a_key_may_be_left_out() -> None:
    def tell(days: int | None = 3) -> int | None:
        return days

    loose = tools.FunctionTool.from_callable(tell, strict=False)
    strict = tools.FunctionTool.from_callable(tell)

    assert (loose.call('{"days": null}'), loose.call("{}")) == (None, 3)
    assert strict.call('{"days": null}') == 3


@pytest.mark.parametrize("nothing", ["", " ", "null", b"null", b"", "{}"])
def test_no_arguments_come_in_many_forms(nothing: str | bytes) -> None:
    tool = tools.FunctionTool.from_callable(lambda: "now", name="now")

    assert tool.call(nothing) == "now"


def test_names_have_only_letters_that_the_server_allows() -> None:
    assert called_name(lambda: None) == "_lambda_"
    assert called_name(Weather().__call__) == "__call__"
