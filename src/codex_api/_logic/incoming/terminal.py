"""The ``response`` object of terminal events: its id, what it cost, whether the turn is over."""

from __future__ import annotations

import msgspec

from codex_api._logic.incoming.error_body import Json, read_as
from codex_api.events import Completed
from codex_api.types.usage import TokenUsage


class _InputDetails(msgspec.Struct):
    cached_tokens: int
    cache_write_tokens: int | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: int


class _Usage(msgspec.Struct):
    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


class _Response(msgspec.Struct):
    id: str
    usage: _Usage | None = None
    end_turn: bool | None = None


def completed_event(response: Json) -> Completed:
    """Read the response of ``response.completed``.

    Raises:
        msgspec.DecodeError: It lacks an id, or its usage makes no sense; the text names the path.
    """
    read = msgspec.json.decode(response, type=_Response)
    usage = None if read.usage is None else _token_usage(read.usage)
    return Completed(read.id, usage, read.end_turn)


def token_usage(usage: Json) -> TokenUsage | None:
    """Read a ``usage`` object; None when it makes no sense."""
    read = read_as(_Usage, usage)
    return None if read is None else _token_usage(read)


def _token_usage(usage: _Usage) -> TokenUsage:
    read, written = usage.input_tokens_details, usage.output_tokens_details
    return TokenUsage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=read.cached_tokens if read else 0,
        output_tokens=usage.output_tokens,
        reasoning_output_tokens=written.reasoning_tokens if written else 0,
        total_tokens=usage.total_tokens,
        cache_write_tokens=read.cache_write_tokens if read else None,
    )
