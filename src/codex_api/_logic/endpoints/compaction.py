"""Compaction of a history: ``responses/compact``, and the trigger on the normal stream.

See wire.md, Other endpoints.

Both routes give the history to go on with. The endpoint makes it itself. On the stream the server
makes one ``compaction`` item, which stands for all but the user's own messages; those are kept.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import msgspec

from codex_api._logic.endpoints.responses import TURN_STATE
from codex_api._logic.incoming.answers import UNREADABLE, decode_answer, decode_elements
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.failed_response import body_error
from codex_api._logic.incoming.item_codec import (
    decode_item,
    encode_value,
    watched_item,
    wire_items,
)
from codex_api._logic.outgoing.fields import illegal, require_list, require_text
from codex_api._logic.outgoing.surrogates import without_halves
from codex_api._logic.outgoing.unary_request import post, with_headers
from codex_api.errors import DecodeError, InvalidRequestError
from codex_api.transport._core.flow import Sleep
from codex_api.transport._core.messages import JsonBody
from codex_api.transport.errors import (
    CodexApiError,
    DeadlineExceededError,
    NetworkError,
    TransportTimeoutError,
)
from codex_api.types.compaction import CompactionInput, CompactionRoute
from codex_api.types.item import (
    Compaction,
    CompactionTrigger,
    ContextCompaction,
    KnownItem,
    Message,
    ResponseItem,
    UnknownItem,
)
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesApiRequest, ResponsesOptions
from codex_api.types.text import TextControls
from codex_api.types.turn_state import TurnState

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api._logic.calling.policy import CallSettings
    from codex_api.provider import Provider
    from codex_api.transport._core.flow import CallPolicy, Flow
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport._core.messages import Response

ENDPOINT = "responses/compact"
SUBJECT = "compaction input"
#: A compaction may take this many times the idle limit of a stream.
IDLE_TIMEOUTS = 4
MAX_STREAM_RETRIES = 2

Route: TypeAlias = Literal["endpoint", "stream"]

# Answers of servers that do not have the one route or the other.
_NO_ENDPOINT = frozenset({404, 405, 501})
_NO_TRIGGER = frozenset({400, 404, 405, 422, 501})


class _WireInput(msgspec.Struct, omit_defaults=True):
    model: str
    input: msgspec.Raw
    instructions: str = ""
    tools: Sequence[Any] | msgspec.UnsetType = msgspec.UNSET
    parallel_tool_calls: bool | msgspec.UnsetType = msgspec.UNSET
    reasoning: Reasoning | Mapping[str, Any] | None = None
    service_tier: str | None = None
    prompt_cache_key: str | None = None
    text: TextControls | Mapping[str, Any] | None = None


class _Usual(msgspec.Struct):
    """An answer as servers mostly send it, read in one pass."""

    output: list[KnownItem]


class _Body(msgspec.Struct):
    output: list[msgspec.Raw]
    # Where some servers put what the output should hold.
    compaction_summary: msgspec.Raw = msgspec.Raw()


class _Summary(msgspec.Struct):
    encrypted_content: str


_BODY: msgspec.json.Decoder[_Body] = msgspec.json.Decoder(_Body)


def compact(
    ctx: CallContext,
    compaction: CompactionInput,
    *,
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
    options: ResponsesOptions | None = None,
) -> Operation[list[ResponseItem]]:
    """Compact through the endpoint.

    Args:
        timeout: Limit in seconds on the whole call; None takes 4 times the idle limit.

    Raises:
        RequestBuildError: The history is empty, or something in it has no JSON form.
    """
    settled = options or ResponsesOptions()
    wire = _WireInput(
        model=compaction.model,
        input=wire_items(history(compaction), keep_ids=settled.item_ids == "keep"),
        instructions=compaction.instructions,
        tools=msgspec.UNSET if compaction.tools is None else compaction.tools,
        parallel_tool_calls=compaction.parallel_tool_calls,
        reasoning=compaction.reasoning,
        service_tier=compaction.service_tier,
        prompt_cache_key=compaction.prompt_cache_key,
        text=compaction.text,
    )
    return post(
        ctx,
        ENDPOINT,
        JsonBody(wire),
        partial(_decode, turn_state=settled.turn_state),
        extra_headers=extra_headers,
        options=settled,
        timeout=resolved_timeout(ctx.provider, timeout),
    )


def compaction_request(compaction: CompactionInput) -> ResponsesApiRequest:
    """Return the streamed request that makes the server compact.

    Raises:
        RequestBuildError: The history is empty.
    """
    items = history(compaction)
    triggered = isinstance(_decoded(items[-1]), CompactionTrigger)
    return ResponsesApiRequest(
        model=compaction.model,
        instructions=compaction.instructions,
        input=items if triggered else [*items, CompactionTrigger()],
        tools=compaction.tools,
        parallel_tool_calls=compaction.parallel_tool_calls,
        reasoning=compaction.reasoning,
        include=() if compaction.reasoning is None else ("reasoning.encrypted_content",),
        service_tier=compaction.service_tier,
        prompt_cache_key=compaction.prompt_cache_key,
        text=compaction.text,
    )


def compaction_settings(settings: CallSettings, timeout: float | None) -> CallSettings:
    """Return the settings of a compaction by stream; ``timeout`` is as for ``compact``."""
    context = settings.context
    total = resolved_timeout(context.provider, timeout)
    limited = dataclasses.replace(context.timeouts, total=total)
    return msgspec.structs.replace(
        settings, context=msgspec.structs.replace(context, timeouts=limited)
    )


def compaction_options(
    options: ResponsesOptions,
    extra_headers: HeaderSource | Headers | None,
    turn_state: TurnState | str | None,
) -> ResponsesOptions:
    """Lay a call's own headers and turn state over ``options``."""
    settled = with_headers(options, extra_headers)
    if turn_state is None:
        return settled
    if isinstance(turn_state, str):
        turn_state = TurnState(turn_state)
    return msgspec.structs.replace(settled, turn_state=turn_state)


def history(
    compaction: CompactionInput,
) -> Sequence[ResponseItem | Mapping[str, Any] | msgspec.Raw]:
    """Return the items to compact.

    Raises:
        RequestBuildError: There are none, or the model has no name.
    """
    require_text(compaction.model, "model", SUBJECT, "the name of a model")
    if isinstance(compaction.input, str):
        text = compaction.input
        items: Sequence[ResponseItem | Mapping[str, Any] | msgspec.Raw] = (
            [Message.user(text)] if text.strip() else []
        )
    else:
        items = compaction.input
        require_list(items, "input", SUBJECT, "text or a list of items")
    if not items:
        raise illegal("input", SUBJECT, "the history is empty, at least one item is needed")
    return items


def compacted(compaction: CompactionInput, output: Sequence[ResponseItem]) -> list[ResponseItem]:
    """Return the history that a streamed compaction leaves: the user's messages, then its item.

    Raises:
        DecodeError: The stream made no compaction item.
    """
    made = [item for item in output if isinstance(item, Compaction | ContextCompaction)]
    if not made:
        message = f"cannot read the answer of {ENDPOINT} by stream: it has no `compaction` item"
        raise DecodeError(message)
    kept = (_decoded(item) for item in history(compaction))
    return [*(item for item in kept if isinstance(item, Message) and item.role == "user"), *made]


def _decoded(item: ResponseItem | Mapping[str, Any] | msgspec.Raw) -> ResponseItem:
    if isinstance(item, Mapping):
        # A message may leave its type out.
        typed = {"type": "message", **item} if "role" in item else item
        item = msgspec.Raw(encode_value(typed, "input"))
    if not isinstance(item, msgspec.Raw):
        return item
    try:
        return decode_item(without_halves(bytes(item)))
    except UNREADABLE:
        return UnknownItem("", item)


def routes(provider: Provider, via: CompactionRoute) -> tuple[Route, ...]:
    """Return the routes to try, in order.

    ``auto`` begins with the stream where the Codex backend answers, which prefers it, and with the
    endpoint elsewhere: a server that does not know the trigger would answer it as a prompt.

    Raises:
        RequestBuildError: ``via`` is not one of the three.
    """
    match via:
        case "endpoint" | "stream":
            return (via,)
        case "auto":
            backend = provider.name == "OpenAI" or provider.is_azure
            return ("stream", "endpoint") if backend else ("endpoint", "stream")
        case _:
            expected = f"got {via!r}, expected one of {', '.join(get_args(CompactionRoute))}"
            raise illegal("via", "compaction call", expected)


def falls_back(route: Route, error: CodexApiError) -> bool:
    """Return whether ``error`` says that this route does not exist here, or could not be used."""
    if route == "stream":
        return isinstance(error, DecodeError | InvalidRequestError) or error.status in _NO_TRIGGER
    if isinstance(error, DeadlineExceededError):
        return False
    # The endpoint answers after minutes of silence, which proxies cut; a stream survives them.
    broken = isinstance(error, NetworkError | TransportTimeoutError)
    return broken or error.status in _NO_ENDPOINT


def pause_before_retry(error: CodexApiError, attempt: int, policy: CallPolicy) -> Flow[None]:
    """Wait before a streamed compaction is made again; it has no side effects.

    Raises:
        CodexApiError: ``error`` itself, when it is final or was the last attempt's.
    """
    if not error.retryable or attempt >= MAX_STREAM_RETRIES:
        raise error
    delay = policy.retry.wait(attempt + 1, error.retry_after, policy.draw)
    if delay is None:
        raise error
    if policy.observer is not None:
        policy.observer.on_retry(attempt, delay, error)
    yield Sleep(delay)


def resolved_timeout(provider: Provider, timeout: float | None) -> float | None:
    """Return the limit in seconds on a compaction, or None for no limit."""
    if timeout is not None or provider.stream_idle_timeout is None:
        return timeout
    return IDLE_TIMEOUTS * provider.stream_idle_timeout


def _decode(response: Response, *, turn_state: TurnState | None) -> list[ResponseItem]:
    state = response.headers.get(TURN_STATE)
    if turn_state is not None and state is not None:
        turn_state.offer(state)
    usual = read_as(_Usual, without_halves(response.body))
    if usual is not None and usual.output:
        return [watched_item(item) for item in usual.output]
    body = decode_answer(_BODY, response, ENDPOINT)
    output = decode_elements(body.output, decode_item, _kept)
    if output:
        return output
    # A history of nothing would take the place of the conversation.
    summary = read_as(_Summary, body.compaction_summary)
    if summary is None:
        request_id = response.headers.get("x-request-id")
        message = f"{ENDPOINT} compacted the history to nothing"
        told = body_error(response.body, {"request_id": request_id})
        raise told or DecodeError(message, request_id=request_id)
    return [Compaction(encrypted_content=summary.encrypted_content)]


def _kept(raw: msgspec.Raw) -> ResponseItem:
    return UnknownItem("", raw)
