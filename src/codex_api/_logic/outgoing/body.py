"""The body of a Responses request: HTTP body or WebSocket frame (wire.md, Responses over HTTP).

One encoder writes both. The order of the fields below is the order of the keys on the wire; a field
with a default is left out when unset, one with a factory is always there. Raw JSON in the input
goes out verbatim.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from codex_api._logic.outgoing.items import prepare_items
from codex_api._logic.outgoing.json_values import (
    ENCODE_ERRORS,
    ENCODER,
    encode_json,
    encode_value,
)
from codex_api._logic.outgoing.request_shapes import PUBLIC, checked_fields
from codex_api.transport.errors import RequestBuildError
from codex_api.types.content import null

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from codex_api.types.request import ResponsesApiRequest
    from codex_api.types.trace import W3cTraceContext


def _always() -> Any:  # noqa: ANN401 - a field of any type
    return msgspec.field(default_factory=null)


class _Body(msgspec.Struct, omit_defaults=True):
    model: object = ""
    instructions: object = None
    previous_response_id: object = None
    input: list[object] | msgspec.Raw | UnsetType = _always()
    tools: object = None
    tool_choice: object = _always()
    parallel_tool_calls: object = _always()
    reasoning: object = _always()
    store: object = _always()
    stream: object = _always()
    stream_options: object = None
    include: object = _always()
    service_tier: object = None
    prompt_cache_key: object = None
    prompt_cache_options: object = None
    text: object = None
    generate: object = None
    client_metadata: object = None
    # Only the public API knows these; the original sends none of them.
    background: object = None
    background_options: object = None
    context_management: object = None
    conversation: object = None
    image: object = None
    max_output_tokens: object = None
    max_tool_calls: object = None
    metadata: object = None
    moderation: object = None
    access_programs: object = None
    prompt: object = None
    prompt_cache_retention: object = None
    safety_identifier: object = None
    temperature: object = None
    top_logprobs: object = None
    top_p: object = None
    truncation: object = None
    user: object = None


class _ResponseCreate(_Body, tag_field="type", tag="response.create"):
    """The same behind ``"type": "response.create"``."""


_B = TypeVar("_B", bound=_Body)
# Holds the place of an input that is put in later; encoded strings never hold a bare NUL.
_MARK = b"\0"
_HOLE = msgspec.Raw(b"[" + _MARK + b"]")
_FIELDS_IN_ORDER = _Body.__struct_fields__
# Keys that ``extra_body`` may hold as long as the field of that name is not set.
_OPTIONAL = frozenset((*PUBLIC, "previous_response_id", "generate"))
_RESERVED = frozenset(_FIELDS_IN_ORDER) - _OPTIONAL


def encode_request(
    request: ResponsesApiRequest, *, keep_ids: bool = False, is_streamed: bool = True
) -> bytes:
    """Encode the body of a request over HTTP.

    Args:
        request: What to ask.
        keep_ids: Whether typed items send their ids.
        is_streamed: Whether events are asked for; else the key ``stream`` is left out.

    Raises:
        RequestBuildError: A value has no place or no form in JSON; the text names the field.
    """
    body = _body(_Body, request)
    if not is_streamed:
        body.stream = UNSET
    return _with_extra(request, _encode(body, request, keep_ids=keep_ids), body)


def encode_response_create(
    request: ResponsesApiRequest,
    *,
    previous_response_id: str | None = None,
    generate: bool | None = None,
    keep_ids: bool = False,
) -> bytes:
    """Encode the frame that asks for a response over a WebSocket.

    Args:
        request: What to ask.
        previous_response_id: The response that the input continues; None takes the request's own.
        generate: False warms the server up without an answer; None leaves the key out.
        keep_ids: Whether typed items send their ids.

    Raises:
        RequestBuildError: A value has no place or no form in JSON; the text names the field.
    """
    frame = _body(_ResponseCreate, request)
    if previous_response_id is not None:
        frame.previous_response_id = previous_response_id
    frame.generate = generate
    return _with_extra(request, _encode(frame, request, keep_ids=keep_ids), frame)


def response_create_client_metadata(
    metadata: Mapping[str, str] | None = None, trace: W3cTraceContext | None = None
) -> dict[str, str] | None:
    """Add the trace to the client metadata of a frame, which has no headers to carry it.

    Returns:
        None when the result would be empty.
    """
    merged = dict(metadata or {})
    if trace is not None and trace.traceparent is not None:
        merged["ws_request_header_traceparent"] = trace.traceparent
    if trace is not None and trace.tracestate is not None:
        merged["ws_request_header_tracestate"] = trace.tracestate
    return merged or None


def _body(body_class: type[_B], request: ResponsesApiRequest) -> _B:
    values, public = checked_fields(request)
    *first, client_metadata = values
    body = body_class(*first)
    body.input = _HOLE
    body.instructions = request.instructions or None
    body.client_metadata = client_metadata
    for name, value in public.items():
        setattr(body, name, value)
    return body


def _encode(body: _Body, request: ResponsesApiRequest, *, keep_ids: bool) -> bytes:
    if request.prompt is not None and not request.input:
        body.input = UNSET
        return _encoded(body)
    items: Sequence[object] = request.input
    marks = request.prompt_cache_breakpoints
    if not marks and items and type(items[0]) is msgspec.Raw and type(items[-1]) is msgspec.Raw:
        joined = _joined(body, items)
        if joined is not None:
            return joined
    prepared = prepare_items(items, keep_ids=keep_ids)
    body.input = _with_breakpoints(prepared, marks) if marks else prepared
    return _encoded(body)


def _joined(body: _Body, items: Sequence[object]) -> bytes | None:
    """Encode a body whose input is raw with one copy of it; None when an item is typed."""
    head, _, tail = _encoded(body).partition(_MARK)
    pieces: list[Any] = list(items)
    if len(pieces) == 1:
        return b"".join((head, pieces[0], tail))
    pieces[0] = head + bytes(pieces[0])
    pieces[-1] = bytes(pieces[-1]) + tail
    try:
        return b",".join(pieces)
    except TypeError:
        return None


def _encoded(body: _Body) -> bytes:
    try:
        return encode_json(body)
    except ENCODE_ERRORS as exc:
        culprits = (name for name, value in _pieces(body) if not _encodes(value))
        message = f"{next(culprits, 'the request')} cannot be encoded as JSON: {exc}"
        raise RequestBuildError(message) from exc


def _pieces(body: _Body) -> Iterator[tuple[str, object]]:
    for index, item in enumerate(body.input if isinstance(body.input, list) else ()):
        yield f"input[{index}]", item
    for field in body.__struct_fields__:
        yield field, getattr(body, field)


def _encodes(value: object) -> bool:
    try:
        encode_json(value)
    except ENCODE_ERRORS:
        return False
    return True


def _with_extra(request: ResponsesApiRequest, data: bytes, body: _Body) -> bytes:
    if not request.extra_body:
        return data
    given = {name for name in _OPTIONAL if getattr(body, name) is not None}
    tag = {"type"} if isinstance(body, _ResponseCreate) else set[str]()
    taken = sorted((_RESERVED | given | tag) & request.extra_body.keys())
    if taken:
        message = f"extra_body must not hold {taken[0]!r}: the request has a field for it"
        raise RequestBuildError(message)
    return data[:-1] + b"," + encode_value(request.extra_body, "extra_body")[1:]


# --- cache breakpoints --------------------------------------------------------------------------

_BREAKPOINT = msgspec.Raw(b'{"mode":"explicit"}')
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PARTS = msgspec.json.Decoder(list[msgspec.Raw])


def _with_breakpoints(items: list[object], positions: Sequence[tuple[int, int]]) -> list[object]:
    """Mark content objects by item and content index; ignore positions that do not exist."""
    wanted = parts_by_item(positions, len(items))
    return [
        _marked(item, wanted[index], index) if index in wanted else item
        for index, item in enumerate(items)
    ]


def marked_items(
    items: Sequence[object], marks: Mapping[int, set[int]], *, keep_ids: bool
) -> dict[int, msgspec.Raw]:
    """Encode only those of ``items`` that are marked, as ``encode_request`` does; by their index.

    Args:
        items: All of them.
        marks: Of ``parts_by_item``.
        keep_ids: Whether typed items send their ids.

    Raises:
        RequestBuildError: One of them is no item, or has no JSON form.
    """
    found: dict[int, msgspec.Raw] = {}
    for index, parts in marks.items():
        (item,) = prepare_items(items[index : index + 1], keep_ids=keep_ids)
        marked = _marked(item, parts, index)
        if isinstance(marked, msgspec.Raw):
            found[index] = marked
    return found


def parts_by_item(positions: Sequence[tuple[int, int]], count: int) -> dict[int, set[int]]:
    """Return the marked parts of each of ``count`` items; positions elsewhere are left out."""
    wanted: dict[int, set[int]] = {}
    for item_index, part_index in positions:
        if 0 <= item_index < count:
            wanted.setdefault(item_index, set()).add(part_index)
    return wanted


def _marked(item: object, part_indexes: set[int], index: int) -> object:
    encoded = encode_value(item, f"input[{index}]")
    try:
        fields = _FIELDS.decode(encoded)
        # Content of messages, or the parts that a tool gave back.
        name = "content" if "content" in fields else "output"
        parts = _PARTS.decode(fields[name])
    except (msgspec.ValidationError, KeyError):
        return item
    fields[name] = msgspec.Raw(
        ENCODER.encode(
            [
                _stamped(part) if part_index in part_indexes else part
                for part_index, part in enumerate(parts)
            ]
        )
    )
    return msgspec.Raw(ENCODER.encode(fields))


def _stamped(part: msgspec.Raw) -> msgspec.Raw:
    try:
        fields = _FIELDS.decode(part)
    except msgspec.ValidationError:
        return part
    fields["prompt_cache_breakpoint"] = _BREAKPOINT
    return msgspec.Raw(ENCODER.encode(fields))
