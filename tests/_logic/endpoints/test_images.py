from __future__ import annotations

from typing import Any

import pytest

from codex_api._logic.endpoints.images import (
    edit_images,
    edit_request,
    generate_images,
    generation_request,
)
from codex_api.errors import DecodeError, RequestBuildError
from codex_api.types.images import (
    ImageData,
    ImageEditRequest,
    ImageGenerationRequest,
    ImageResponse,
    ImageUrl,
    UnknownImage,
)
from codex_api.types.request import ResponsesOptions
from tests._logic.operations import CONTEXT, answered, body_of

SEA = generation_request("the sea")
PICTURE = ImageUrl("https://a.example/sea.png")
EDIT = edit_request([PICTURE], "add a boat")


def test_a_prompt_goes_out_with_the_default_model_and_nothing_else() -> None:
    operation = generate_images(CONTEXT, SEA)

    assert operation.request.method == "POST"
    assert operation.request.url == "https://h/v1/images/generations"
    assert body_of(operation) == b'{"prompt":"the sea","model":"gpt-image-2"}'


def test_a_generation_goes_out_in_order() -> None:
    request = generation_request(
        "the sea", model="m", background="opaque", n=2, quality="high", size="1024x1024"
    )

    assert body_of(generate_images(CONTEXT, request)) == (
        b'{"prompt":"the sea","background":"opaque","model":"m","n":2,"quality":"high",'
        b'"size":"1024x1024"}'
    )


def test_a_whole_request_is_taken_and_arguments_replace_its_fields() -> None:
    request = ImageGenerationRequest(prompt="the sea", model="m", size="auto")

    assert generation_request(request) == request
    assert body_of(generate_images(CONTEXT, generation_request(request, n=1))) == (
        b'{"prompt":"the sea","model":"m","n":1,"size":"auto"}'
    )


def test_a_mapping_is_a_whole_request() -> None:
    request = generation_request({"prompt": "p", "n": 2}, n=3)

    assert request == ImageGenerationRequest(prompt="p", model="gpt-image-2", n=3)


def test_an_edit_begins_with_the_images() -> None:
    operation = edit_images(CONTEXT, EDIT)
    everything = edit_request(
        [PICTURE, ImageUrl("data:x")],
        "add a boat",
        model="m",
        background="auto",
        n=1,
        quality="auto",
        size="auto",
    )

    assert operation.request.url == "https://h/v1/images/edits"
    assert body_of(operation) == (
        b'{"images":[{"image_url":"https://a.example/sea.png"}],"prompt":"add a boat",'
        b'"model":"gpt-image-2"}'
    )
    assert body_of(edit_images(CONTEXT, everything)) == (
        b'{"images":[{"image_url":"https://a.example/sea.png"},{"image_url":"data:x"}],'
        b'"prompt":"add a boat","background":"auto","model":"m","n":1,"quality":"auto",'
        b'"size":"auto"}'
    )


def test_a_whole_edit_is_taken_and_arguments_replace_its_fields() -> None:
    request = ImageEditRequest(images=[PICTURE], prompt="add a boat", model="m")

    assert edit_request(request) == request
    assert edit_request(request, "remove it", n=2) == ImageEditRequest(
        images=[PICTURE], prompt="remove it", model="m", n=2
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"background": "red"}, "`background`.*'red'.*transparent, opaque, auto"),
        ({"quality": "best"}, "`quality`.*low, medium, high, auto"),
        ({"n": 0}, "`n`.*>= 1"),
        ({"size": 7}, r"`size`.*`str \| null`"),
        ({"model": " "}, "`model`"),
    ],
)
def test_an_illegal_field_is_named_with_what_is_expected(
    changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestBuildError, match="illegal " + told):
        generate_images(CONTEXT, generation_request("the sea", **changes))
    with pytest.raises(RequestBuildError, match="illegal " + told):
        edit_images(CONTEXT, edit_request([PICTURE], "x", **changes))


def test_a_blank_prompt_and_no_images_are_refused() -> None:
    with pytest.raises(RequestBuildError, match="`prompt` in the image generation request"):
        generate_images(CONTEXT, generation_request(" "))
    with pytest.raises(RequestBuildError, match="`prompt` in the image edit request"):
        edit_images(CONTEXT, edit_request([PICTURE], ""))
    with pytest.raises(RequestBuildError, match="`images`"):
        edit_images(CONTEXT, edit_request([], "x"))


@pytest.mark.parametrize("operation", [generate_images(CONTEXT, SEA), edit_images(CONTEXT, EDIT)])
def test_images_are_read(operation: Any) -> None:
    body = (
        '{"created":17,"data":[{"b64_json":"QUJD"},{"b64_json":"","revised_prompt":"p"}],'
        '"background":"opaque","quality":"from the future","size":"1x1","output_format":"png",'
        '"usage":{"total_tokens":3}}'
    )

    assert answered(operation, body) == ImageResponse(
        created=17,
        data=[ImageData("QUJD"), ImageData("", "p")],
        background="opaque",
        quality="from the future",
        size="1x1",
        output_format="png",
        usage={"total_tokens": 3},
    )


def test_an_image_of_another_form_is_kept_raw() -> None:
    body = '{"created":1,"data":[{"url":"https://x"},{"b64_json":"QUJD"}]}'

    answer = answered(generate_images(CONTEXT, SEA), body)

    unknown, image = answer.data
    assert isinstance(unknown, UnknownImage)
    assert bytes(unknown.raw) == b'{"url":"https://x"}'
    assert answer.images == [image] == [ImageData("QUJD")]


@pytest.mark.parametrize(
    ("operation", "endpoint"),
    [
        (generate_images(CONTEXT, SEA), "images/generations"),
        (edit_images(CONTEXT, EDIT), "images/edits"),
    ],
)
def test_missing_data_is_named(operation: Any, endpoint: str) -> None:
    with pytest.raises(DecodeError, match=rf"{endpoint} at `\$\.data`: .*missing.*`data`"):
        answered(operation, '{"created":1}')


def test_the_session_of_an_image_can_be_told() -> None:
    operation = generate_images(
        CONTEXT,
        SEA,
        extra_headers={"x-codex-image-turn-id": "turn"},
        options=ResponsesOptions(conversation_id="c"),
    )

    assert list(operation.request.headers.items()) == [
        ("x-codex-image-turn-id", "turn"),
        ("session-id", "c"),
        ("thread-id", "c"),
    ]


def test_a_mapping_is_completed_by_the_default_model() -> None:
    assert generation_request({"prompt": "the sea"}) == SEA
    assert generation_request({"prompt": "the sea", "model": "m"}, n=2) == ImageGenerationRequest(
        prompt="the sea", model="m", n=2
    )
    assert generation_request(SEA) == SEA
