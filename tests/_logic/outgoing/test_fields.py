from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import pytest

from codex_api._logic.outgoing.fields import (
    check_fields,
    illegal,
    path_id,
    require_list,
    require_text,
)
from codex_api.errors import RequestBuildError

Colour = Literal["red", "green"]


class Dot(msgspec.Struct, omit_defaults=True):
    colour: Colour | None = None
    size: Annotated[int, msgspec.Meta(ge=1)] | None = None


class Picture(msgspec.Struct, omit_defaults=True, rename={"dots": "points"}):
    dots: Sequence[Dot] = ()
    mode: bool | Literal["auto"] = False
    tags: Sequence[Literal["a", "b"]] = ()
    any: Any = None
    sizes: dict[str, Annotated[int, msgspec.Meta(ge=1)]] = {}


def refused(picture: Picture) -> str:
    with pytest.raises(RequestBuildError) as caught:
        check_fields(picture, "picture")
    return str(caught.value)


def test_a_value_without_a_json_form_is_refused() -> None:
    assert "illegal value in the picture: " in refused(Picture(any=object()))


@pytest.mark.parametrize(
    ("value", "told"), [(" ", "it is blank, expected a name"), (None, "it is NoneType, expected")]
)
def test_a_text_has_to_say_something(value: object, told: str) -> None:
    require_text("x", "model", "picture", "a name")
    with pytest.raises(RequestBuildError, match=f"illegal `model` in the picture: {told}"):
        require_text(value, "model", "picture", "a name")


@pytest.mark.parametrize("value", [iter([1]), "abc", b"abc", 5, None, {"a": 1}])
def test_only_a_sequence_of_things_is_a_list(value: object) -> None:
    require_list((), "dots", "picture", "a list")
    with pytest.raises(
        RequestBuildError, match=r"illegal `dots` in the picture: it is .*, expected"
    ):
        require_list(value, "dots", "picture", "a list")


def test_legal_values_pass() -> None:
    check_fields(
        Picture([Dot("red", 1), Dot()], mode="auto", tags=["a"], any={"x": [1]}), "picture"
    )


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (
            Picture([Dot(), Dot("blue")]),  # type: ignore[arg-type]  # illegal on purpose
            (
                "illegal `points[1].colour` in the picture: Invalid enum value 'blue'; "
                "expected one of red, green"
            ),
        ),
        (
            Picture([Dot(size=0)]),
            "illegal `points[0].size` in the picture: Expected `int` >= 1",
        ),
        (
            Picture(tags=["a", "c"]),  # type: ignore[list-item]  # illegal on purpose
            "illegal `tags[1]` in the picture: Invalid enum value 'c'; expected one of a, b",
        ),
        (
            Picture(mode="off"),  # type: ignore[arg-type]  # illegal on purpose
            "illegal `mode` in the picture: Invalid enum value 'off'; expected one of auto",
        ),
        (
            Picture(sizes={"x": 0}),
            "illegal `sizes[...]` in the picture: Expected `int` >= 1",
        ),
        (
            Picture(dots=3),  # type: ignore[arg-type]  # illegal on purpose
            "illegal `points` in the picture: Expected `array`, got `int`",
        ),
    ],
)
def test_an_illegal_value_is_named_with_what_is_expected(picture: Picture, message: str) -> None:
    assert refused(picture) == message


def test_a_rule_beyond_types_has_the_same_wording() -> None:
    error = illegal("n", "picture", "it is odd")

    assert isinstance(error, RequestBuildError)
    assert str(error) == "illegal `n` in the picture: it is odd"


def test_a_field_whose_name_is_no_word_costs_only_the_hint() -> None:
    class Odd(msgspec.Struct, rename={"tag": "x-tag"}):
        tag: Colour

    with pytest.raises(RequestBuildError, match=r"illegal `x-tag` in the picture: Invalid enum"):
        check_fields(Odd("blue"), "picture")  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize(
    ("value", "segment"),
    [("a", "a"), ("a/b?c#d", "a%2Fb%3Fc%23d"), ("...", "..."), ("%2e", "%252e")],
)
def test_an_id_is_one_segment_of_a_path(value: str, segment: str) -> None:
    assert path_id(value, "file_id", "the id of a file") == segment


@pytest.mark.parametrize("value", ["", " ", ".", "..", "a\ud83d", None, 3])
def test_an_id_that_names_something_else_is_refused(value: Any) -> None:
    with pytest.raises(RequestBuildError, match=r"illegal `file_id`.*expected the id of a file"):
        path_id(value, "file_id", "the id of a file")
