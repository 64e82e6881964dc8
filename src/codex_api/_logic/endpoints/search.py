"""``alpha/search`` (wire.md, Other endpoints)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from codex_api._logic.incoming.answers import decode_answer
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.item_codec import wire_items
from codex_api._logic.outgoing.fields import check_fields, require_list, require_text
from codex_api._logic.outgoing.plain_values import as_value
from codex_api._logic.outgoing.unary_request import post
from codex_api.transport._core.messages import JsonBody
from codex_api.types.reasoning import Reasoning
from codex_api.types.search import SearchCommands, SearchRequest, SearchResponse, SearchSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport._core.messages import Response
    from codex_api.types.request import ResponsesOptions

ENDPOINT = "alpha/search"
SUBJECT = "search request"


class _WireRequest(msgspec.Struct, omit_defaults=True):
    id: str
    model: str
    reasoning: Reasoning | None = None
    input: str | msgspec.Raw | None = None
    commands: SearchCommands | None = None
    settings: SearchSettings | None = None
    max_output_tokens: int | None = None


class _Body(msgspec.Struct):
    output: str
    # An odd value of these is not worth the text.
    encrypted_output: msgspec.Raw = msgspec.Raw()
    results: msgspec.Raw = msgspec.Raw()


_BODY: msgspec.json.Decoder[_Body] = msgspec.json.Decoder(_Body)


def search(
    ctx: CallContext,
    request: SearchRequest | Mapping[str, Any],
    extra_headers: HeaderSource | Headers | None = None,
    *,
    options: ResponsesOptions | None = None,
    timeout: float | None = None,
) -> Operation[SearchResponse]:
    """Search.

    Args:
        request: Queries and other commands, and how to search; a mapping has the fields as keys.
        extra_headers: For this call.
        options: Says which session and sub-agent the call belongs to.
        timeout: Limit in seconds on the whole call, or None.

    Raises:
        RequestBuildError: A field is not legal, whose path and what is expected the error tells;
            nothing was sent.
        TypeError: ``request`` is neither, or a mapping with other keys.
        DecodeError: The answer is not what was promised.
        CodexApiError: The call failed.
    """
    meant = as_value(SearchRequest, request, SUBJECT)
    wire = _WireRequest(
        meant.id,
        meant.model,
        meant.reasoning,
        _wire_input(meant, options),
        meant.commands,
        meant.settings,
        meant.max_output_tokens,
    )
    _check(wire)
    return post(
        ctx,
        ENDPOINT,
        JsonBody(wire),
        _decode,
        extra_headers=extra_headers,
        options=options,
        timeout=timeout,
    )


def _wire_input(
    request: SearchRequest, options: ResponsesOptions | None
) -> str | msgspec.Raw | None:
    if request.input is None or isinstance(request.input, str):
        return request.input
    require_list(request.input, "input", SUBJECT, "text or a list of items")
    return wire_items(request.input, keep_ids=options is not None and options.item_ids == "keep")


def _decode(response: Response) -> SearchResponse:
    body = decode_answer(_BODY, response, ENDPOINT)
    return SearchResponse(
        output=body.output,
        encrypted_output=read_as(str, body.encrypted_output),
        results=read_as(list[Any], body.results),
    )


def _check(wire: _WireRequest) -> None:
    # The input has a codec of its own.
    check_fields(msgspec.structs.replace(wire, input=None), SUBJECT)
    require_text(wire.id, "id", SUBJECT, "the id of a conversation")
    require_text(wire.model, "model", SUBJECT, "the name of a model")
