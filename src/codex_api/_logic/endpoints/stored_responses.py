"""Responses that the server keeps: asked for again, cancelled, deleted; what they were made of.

See wire.md, Other endpoints.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from codex_api._logic.endpoints.pages import Listing, Order, included, page_query
from codex_api._logic.endpoints.responses import caller_headers
from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.incoming.objects import read_deleted, read_object
from codex_api._logic.incoming.whole_response import decode_response
from codex_api._logic.outgoing.body import encode_request
from codex_api._logic.outgoing.fields import path_id
from codex_api._logic.outgoing.plain_values import as_request
from codex_api._logic.outgoing.session_headers import identity_headers
from codex_api.transport._core.messages import EncodedJson
from codex_api.types.stored import InputTokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.item import ResponseItem
    from codex_api.types.request import AnyRequest, ResponsesOptions
    from codex_api.types.response import Response
    from codex_api.types.stored import Deleted

_ONE: Final = "responses/{response_id}"
# What the count depends on; the endpoint refuses all else.
_COUNTED: Final = (
    "model",
    "instructions",
    "previous_response_id",
    "input",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "conversation",
    "truncation",
)
_NULL: Final = msgspec.Raw(b"null")
_FIELDS: msgspec.json.Decoder[dict[str, msgspec.Raw]] = msgspec.json.Decoder(dict[str, msgspec.Raw])


def response_path(response_id: str, rest: str = "") -> str:
    """Return the path of a stored response.

    Raises:
        RequestBuildError: The id is blank.
    """
    return f"responses/{path_id(response_id, 'response_id', 'the id of a response')}{rest}"


def retrieve(
    ctx: CallContext,
    response_id: str,
    *,
    include: Sequence[str] = (),
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Response]:
    """Ask for a stored response as it is now."""
    return ctx.operation(
        "GET",
        response_path(response_id),
        _ONE,
        partial(decode_response, endpoint=_ONE),
        query=included(include),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def cancel(
    ctx: CallContext,
    response_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Response]:
    """Cancel a response that is made in the background.

    Args:
        response_id: Of a response that was asked for with ``background``.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Returns:
        The response as it is now. One that was finished before stays as it was.

    Raises:
        RequestBuildError: ``response_id`` is blank, or a header is illegal.
        DecodeError: The answer is no response.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none.
    """
    name = f"{_ONE}/cancel"
    return ctx.operation(
        "POST",
        response_path(response_id, "/cancel"),
        name,
        partial(decode_response, endpoint=name),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def delete(
    ctx: CallContext,
    response_id: str,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Operation[Deleted]:
    """Delete a stored response.

    Args:
        response_id: Which.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: ``response_id`` is blank, or a header is illegal.
        DecodeError: The answer is no JSON.
        CodexApiError: The call failed: ``UnexpectedStatusError`` with 404 when there is none, also
            when an earlier attempt of this call deleted it.
    """
    return ctx.operation(
        "DELETE",
        response_path(response_id),
        _ONE,
        partial(read_deleted, endpoint=_ONE, of=response_id),
        extra_headers=extra_headers,
        timeout=timeout,
    )


def input_items(
    ctx: CallContext,
    response_id: str,
    *,
    include: Sequence[str] = (),
    order: Order | None = None,
    limit: int | None = None,
    after: str | None = None,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
) -> Listing[ResponseItem]:
    """List what a stored response was made of, its own output not included.

    Args:
        response_id: Which.
        include: What to give besides, such as ``message.input_image.image_url``.
        order: ``asc`` begins with the oldest; None leaves it to the server, which begins with the
            newest.
        limit: Items on a page, 1 to 100; None leaves it to the server.
        after: Id of the item after which to begin.
        extra_headers: For each call.
        timeout: Limit in seconds on each call, or None.

    Raises:
        RequestBuildError: ``response_id`` is blank.
    """
    return Listing(
        context=ctx,
        path=response_path(response_id, "/input_items"),
        name=f"{_ONE}/input_items",
        element=decode_item,
        query=page_query(limit, order, include),
        after=after,
        extra_headers=extra_headers,
        timeout=timeout,
    )


def input_tokens(
    ctx: CallContext,
    request: AnyRequest,
    options: ResponsesOptions,
    timeout: float | None = None,
) -> Operation[InputTokens]:
    """Count what a request would send."""
    meant = as_request(request)
    name = "responses/input_tokens"
    keep_ids = options.keeps_ids(store=meant.is_stored)
    body = _FIELDS.decode(encode_request(meant, keep_ids=keep_ids, is_streamed=False))
    names = (*_COUNTED, *(meant.extra_body or ()))
    counted = {name: body[name] for name in names if bytes(body.get(name, _NULL)) != b"null"}
    return ctx.operation(
        "POST",
        name,
        name,
        partial(read_object, endpoint=name, kind=InputTokens),
        body=EncodedJson(msgspec.json.encode(counted)),
        extra_headers=caller_headers(options),
        id_headers=identity_headers(options),
        timeout=timeout,
    )
