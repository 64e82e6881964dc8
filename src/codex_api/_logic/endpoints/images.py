"""``images/generations`` and ``images/edits`` (wire.md, Other endpoints)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from codex_api._logic.incoming.answers import decode_answer, decode_elements
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.outgoing.fields import check_fields, illegal, require_text
from codex_api._logic.outgoing.plain_values import as_value
from codex_api._logic.outgoing.unary_request import post
from codex_api.transport._core.messages import JsonBody
from codex_api.types.images import (
    DEFAULT_IMAGE_MODEL,
    ImageBackground,
    ImageData,
    ImageEditRequest,
    ImageGenerationRequest,
    ImageQuality,
    ImageResponse,
    ImageUrl,
    UnknownImage,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport._core.messages import Response
    from codex_api.types.request import ResponsesOptions

_Request = TypeVar("_Request", ImageGenerationRequest, ImageEditRequest)

GENERATION_ENDPOINT = "images/generations"
EDIT_ENDPOINT = "images/edits"


class _Body(msgspec.Struct, kw_only=True):
    data: list[msgspec.Raw]
    # An odd value of these is not worth the images.
    created: msgspec.Raw = msgspec.Raw()
    background: msgspec.Raw = msgspec.Raw()
    quality: msgspec.Raw = msgspec.Raw()
    size: msgspec.Raw = msgspec.Raw()
    output_format: msgspec.Raw = msgspec.Raw()
    usage: msgspec.Raw = msgspec.Raw()


_BODY: msgspec.json.Decoder[_Body] = msgspec.json.Decoder(_Body)


_IMAGE: msgspec.json.Decoder[ImageData] = msgspec.json.Decoder(ImageData)


def generation_request(
    prompt: str | ImageGenerationRequest | Mapping[str, Any],
    *,
    model: str | None = None,
    background: ImageBackground | None = None,
    n: int | None = None,
    quality: ImageQuality | None = None,
    size: str | None = None,
) -> ImageGenerationRequest:
    """Make the request from a prompt, or take a whole one with some fields changed."""
    if isinstance(prompt, str):
        prompt = ImageGenerationRequest(prompt=prompt, model=DEFAULT_IMAGE_MODEL)
    elif isinstance(prompt, Mapping):
        prompt = {"model": DEFAULT_IMAGE_MODEL, **prompt}
    request = as_value(ImageGenerationRequest, prompt, "image generation request")
    return _changed(request, model=model, background=background, n=n, quality=quality, size=size)


def edit_request(
    images: Sequence[ImageUrl] | ImageEditRequest,
    prompt: str | None = None,
    *,
    model: str | None = None,
    background: ImageBackground | None = None,
    n: int | None = None,
    quality: ImageQuality | None = None,
    size: str | None = None,
) -> ImageEditRequest:
    """Make the request from its parts, or take a whole one with some fields changed."""
    request = (
        images
        if isinstance(images, ImageEditRequest)
        else ImageEditRequest(images=images, prompt="", model=DEFAULT_IMAGE_MODEL)
    )
    return _changed(
        request,
        prompt=prompt,
        model=model,
        background=background,
        n=n,
        quality=quality,
        size=size,
    )


def _changed(request: _Request, **fields: object) -> _Request:
    given = {name: value for name, value in fields.items() if value is not None}
    return msgspec.structs.replace(request, **given)


def generate_images(
    ctx: CallContext,
    request: ImageGenerationRequest,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    options: ResponsesOptions | None = None,
    timeout: float | None = None,
) -> Operation[ImageResponse]:
    """Draw images.

    Raises:
        RequestBuildError: A field is not legal; the error names it.
    """
    _check(request, "image generation request")
    return _operation(ctx, GENERATION_ENDPOINT, request, extra_headers, options, timeout)


def edit_images(
    ctx: CallContext,
    request: ImageEditRequest,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    options: ResponsesOptions | None = None,
    timeout: float | None = None,
) -> Operation[ImageResponse]:
    """Change images.

    Raises:
        RequestBuildError: A field is not legal; the error names it.
    """
    if not request.images:
        raise illegal("images", "image edit request", "it is empty, at least one is needed")
    _check(request, "image edit request")
    return _operation(ctx, EDIT_ENDPOINT, request, extra_headers, options, timeout)


def _operation(
    ctx: CallContext,
    endpoint: str,
    request: ImageGenerationRequest | ImageEditRequest,
    extra_headers: HeaderSource | Headers | None,
    options: ResponsesOptions | None,
    timeout: float | None,
) -> Operation[ImageResponse]:
    return post(
        ctx,
        endpoint,
        JsonBody(request),
        partial(_decode, endpoint=endpoint),
        extra_headers=extra_headers,
        options=options,
        timeout=timeout,
        is_repeatable=False,
    )


def _check(request: ImageGenerationRequest | ImageEditRequest, subject: str) -> None:
    check_fields(request, subject)
    require_text(request.prompt, "prompt", subject, "what the image should show")
    require_text(request.model, "model", subject, "the name of an image model")


def _decode(response: Response, *, endpoint: str) -> ImageResponse:
    body = decode_answer(_BODY, response, endpoint)
    images = decode_elements(body.data, _IMAGE.decode, UnknownImage)
    return ImageResponse(
        created=read_as(int, body.created),
        data=images,
        background=read_as(str, body.background),
        quality=read_as(str, body.quality),
        size=read_as(str, body.size),
        output_format=read_as(str, body.output_format),
        usage=read_as(dict[str, Any], body.usage),
    )
