"""What callables of every kind say of themselves, in every style of docstring."""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec
import pydantic
import pytest

from codex_api import tools
from codex_api.transport.errors import RequestBuildError
from codex_api.types.callables import called_name, gives_awaitable, read_docstring


class Unit(enum.Enum):
    CELSIUS = "c"
    KELVIN = "k"


class Model(pydantic.BaseModel):
    number: int


@dataclasses.dataclass
class Place:
    city: str
    country: str = "NO"


@dataclasses.dataclass
class Other:
    name: str


@pydantic.dataclasses.dataclass
class Trip:
    days: int
    stops: list[str] = pydantic.Field(default_factory=list)


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


def field_default(
    n: int = pydantic.Field(3, ge=1, description="how many", alias="count"),
) -> int:
    return n


def field_of_annotation(
    n: Annotated[int, pydantic.Field(default=3, ge=1, description="how many", alias="count")],
) -> int:
    return n


def field_and_default(
    n: Annotated[int, pydantic.Field(default=7, ge=1, description="how many", alias="count")] = 3,
) -> int:
    return n


def field_over_annotation(
    n: Annotated[int, "a number"] = pydantic.Field(default=3, ge=1, description="how many"),
) -> int:
    return n


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    "function", [field_default, field_of_annotation, field_and_default, field_over_annotation]
)
def test_a_field_gives_default_limits_and_words(function: Any, strict: bool) -> None:  # noqa: FBT001 - a parameter
    tool = tools.FunctionTool.from_callable(function, strict=strict)
    schema: Any = tool.parameters
    described = schema["properties"]["n"]

    assert described["description"] == "how many"
    assert schema.get("required", []) == (["n"] if strict else [])
    assert (described["anyOf"][0] if strict else described)["minimum"] == 1
    assert tool.call("{}") == 3
    assert tool.call('{"n": 5}') == 5
    with pytest.raises(tools.ToolArgumentsError):
        tool.call('{"n": 0}')
    if strict:
        assert tool.call('{"n": null}') == 3


@pytest.mark.parametrize("strict", [True, False])
def test_a_field_without_a_default_is_needed(strict: bool) -> None:  # noqa: FBT001 - a parameter
    def take(n: int = pydantic.Field(description="how many"), m: int = pydantic.Field(...)) -> int:
        return n + m

    tool = tools.FunctionTool.from_callable(take, strict=strict)
    schema: Any = tool.parameters

    assert schema["required"] == ["n", "m"]
    assert schema["properties"]["n"]["type"] == "integer"
    assert tool.call('{"n": 1, "m": 2}') == 3
    with pytest.raises(tools.ToolArgumentsError, match="m"):
        tool.call('{"n": 1}')


@pytest.mark.parametrize("strict", [True, False])
def test_a_factory_makes_the_default_anew_for_each_call(strict: bool) -> None:  # noqa: FBT001 - a parameter
    def take(
        seed: int,
        many: list[int] = pydantic.Field(default_factory=list),  # noqa: B008 - the point
        after: int = pydantic.Field(default_factory=lambda given: given["seed"] + 1),
    ) -> list[int]:
        many.append(seed)
        return [*many, after]

    tool = tools.FunctionTool.from_callable(take, strict=strict)

    assert tool.call('{"seed": 1}') == [1, 2]
    assert tool.call('{"seed": 1}') == [1, 2]
    assert tool.call('{"seed": 1, "many": [5], "after": 9}') == [5, 1, 9]


def test_a_field_may_tell_models_apart() -> None:
    class Cat(pydantic.BaseModel):
        kind: Literal["cat"]

    class Dog(pydantic.BaseModel):
        kind: Literal["dog"]

    # Annotations of a nested function are looked up among the names of the module.
    def take(pet) -> str:  # type: ignore[no-untyped-def]  # noqa: ANN001 - set below
        return type(pet).__name__

    take.__annotations__["pet"] = Annotated[Cat | Dog, pydantic.Field(discriminator="kind")]
    tool = tools.FunctionTool.from_callable(take)

    assert tool.call('{"pet": {"kind": "dog"}}') == "Dog"
    with pytest.raises(tools.ToolArgumentsError, match="expected tags"):
        tool.call('{"pet": {"kind": "cow"}}')


@pytest.mark.parametrize("strict", [True, False])
def test_a_path_is_a_text(strict: bool) -> None:  # noqa: FBT001 - a parameter
    def read(path: Path, more: list[PurePosixPath] | None = None) -> object:
        return path, more

    tool = tools.FunctionTool.from_callable(read, strict=strict)
    schema: Any = tool.parameters

    assert schema["properties"]["path"]["type"] == "string"
    assert tool.call('{"path": "a/b.txt"}') == (Path("a/b.txt"), None)
    assert tool.call('{"path": "a", "more": ["c"]}') == (Path("a"), [PurePosixPath("c")])
    with pytest.raises(tools.ToolArgumentsError, match="path"):
        tool.call('{"path": 3}')


def test_an_object_is_anything() -> None:
    def note(what: object) -> object:
        return what

    assert tools.FunctionTool.from_callable(note, strict=False).call('{"what": [1]}') == [1]
    with pytest.raises(RequestBuildError, match=r"parameter what of note .* any type"):
        tools.FunctionTool.from_callable(note)


def test_types_of_pydantic_are_read_by_it() -> None:
    def fetch(url: pydantic.HttpUrl, key: pydantic.SecretStr | None = None) -> str:
        return f"{url.host} {key}"

    tool = tools.FunctionTool.from_callable(fetch)

    assert tool.call('{"url": "http://a.test/x", "key": "k"}') == "a.test **********"
    with pytest.raises(tools.ToolArgumentsError):
        tool.call('{"url": "no URL"}')


class Ticket(pydantic.BaseModel):
    number: int = pydantic.Field(ge=1, alias="ticketNumber", description="Which.")
    notes: list[str] = pydantic.Field(default_factory=list)


@pytest.mark.parametrize("strict", [True, False])
def test_a_model_is_called_by_the_names_that_it_has_for_others(strict: bool) -> None:  # noqa: FBT001 - a parameter
    tool = tools.FunctionTool.from_callable(Ticket, strict=strict)
    schema: Any = tool.parameters

    assert list(schema["properties"]) == ["ticketNumber", "notes"]
    assert schema["properties"]["ticketNumber"]["minimum"] == 1
    assert schema["properties"]["ticketNumber"]["description"] == "Which."
    assert tool.call('{"ticketNumber": 3}') == Ticket(ticketNumber=3)
    with pytest.raises(tools.ToolArgumentsError, match="ticketNumber"):
        tool.call('{"ticketNumber": 0}')


def test_a_name_that_no_field_can_have_is_told() -> None:
    def take(first: int, __second: int) -> None: ...

    with pytest.raises(RequestBuildError, match="the parameter __second of take cannot be"):
        tools.FunctionTool.from_callable(take)


class Later:
    async def __call__(self, text: str) -> str:
        return text


def _yields(text: str) -> Iterator[str]:
    yield text


async def _yields_later(text: str) -> AsyncIterator[str]:
    yield text


class Yields:
    def __call__(self, text: str) -> Iterator[str]:
        yield text


@pytest.mark.parametrize("function", [_yields, _yields_later, Yields(), functools.partial(_yields)])
@pytest.mark.parametrize("kind", [tools.FunctionTool, tools.CustomTool])
def test_a_generator_is_refused_since_a_call_would_run_nothing_of_it(
    kind: Any, function: Any
) -> None:
    with pytest.raises(RequestBuildError, match="is a generator, of which a call runs nothing"):
        kind.from_callable(function)


def test_what_has_to_be_awaited_is_known_before_it_is_called() -> None:
    async def later() -> None: ...

    assert all(map(gives_awaitable, [later, Later(), Later().__call__, functools.partial(later)]))
    assert not any(map(gives_awaitable, [google, Weather, Weather(), len, None]))


class Odd:
    pass


@pytest.mark.parametrize("strict", [True, False])
@pytest.mark.parametrize(
    ("annotation", "told"),
    [
        (Odd, "Odd"),
        (Place | Other, "more than one dataclass"),
        (list[int] | set[int], "more than one array-like"),
        (Callable[[], int], "Callable"),
    ],
)
@pytest.mark.parametrize("beside", [int, Model])
def test_the_parameter_that_cannot_be_described_is_named(
    annotation: Any,
    told: str,
    beside: Any,
    strict: bool,  # noqa: FBT001 - a parameter
) -> None:
    def take(first, second, third) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001 - set below
        raise AssertionError(first, second, third)

    take.__annotations__.update(first=beside, second=annotation, third=str)
    if beside is Model and "more than one" in told:
        pytest.skip("pydantic knows such unions")

    with pytest.raises(RequestBuildError, match="the parameter second of take cannot be") as caught:
        tools.FunctionTool.from_callable(take, strict=strict)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("strict", [True, False])
def test_a_dataclass_of_pydantic_is_called_with_its_fields(strict: bool) -> None:  # noqa: FBT001 - a parameter
    tool = tools.FunctionTool.from_callable(Trip, strict=strict)

    assert tool.call('{"days": 2}') == Trip(days=2)
    with pytest.raises(tools.ToolArgumentsError, match="days"):
        tool.call("{}")
