"""The ``response`` object that ends a response, read in one place and member by member.

Its own *status* decides the outcome, whatever the event is called: servers send failures as
``response.completed`` and cut answers as ``response.done``. A member that is missing, null or of
another shape costs nothing but itself, so that no finished answer becomes a failure. Streams over
SSE and WebSocket, realtime sessions and whole answers read their responses here: ``read_terminal``
gives what there is, ``Terminal.outcome`` what it means.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeAlias, TypeVar

import msgspec
from msgspec import Raw

from codex_api._logic.incoming.error_body import Json, read_as
from codex_api._logic.incoming.failure_body import NO_ERROR
from codex_api.types.usage import TokenUsage

if TYPE_CHECKING:
    from collections.abc import Mapping

Outcome: TypeAlias = Literal["completed", "incomplete", "failed", "cancelled"]

_ABSENT: Final = Raw()
_BY_STATUS: Final[dict[str, Outcome]] = {
    "completed": "completed",
    "incomplete": "incomplete",
    "failed": "failed",
    "cancelled": "cancelled",
    "canceled": "cancelled",
}
_BY_TAG: Final[dict[str, Outcome]] = {
    "response.completed": "completed",
    "response.done": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "failed",
    "response.cancelled": "cancelled",
}
#: The events that end a response.
TERMINAL_TYPES: Final = frozenset(_BY_TAG)
_DIGITS: Final = re.compile(r"[0-9]{1,16}(?:\.0+)?")
# What responses, chat completions and realtime responses call the same.
_READ_DETAILS: Final = ("input_tokens_details", "prompt_tokens_details", "input_token_details")
_WRITTEN_DETAILS: Final = (
    "output_tokens_details",
    "completion_tokens_details",
    "output_token_details",
)
# No server counts that far; what is longer is no count.
_MAX_COUNT: Final = 1 << 53


class Terminal(msgspec.Struct, frozen=True, kw_only=True):
    """What the response object of a terminal event says.

    Attributes:
        tag: Wire type of the event.
        id: Id of the response, or None when it is not given.
        status: The response's own status, or None.
        detailed: What its details call it, which counts where there is no status; or None.
        reason: Why it is incomplete, or None.
        error: The ``error`` object, or no bytes.
        usage: What it cost; None when nothing of it is known.
        end_turn: False when the model wants to be called again at once; None when not said.
        output: The exact bytes of each item of ``output``.
        service_tier: The tier that served it, or None.
        created_at: Unix seconds, or None.
        raw: The exact bytes of the response object; none when there was no object.
    """

    tag: str
    id: str | None = None
    status: str | None = None
    detailed: str | None = None
    reason: str | None = None
    error: Raw = _ABSENT
    usage: TokenUsage | None = None
    end_turn: bool | None = None
    output: list[Raw] = []
    service_tier: str | None = None
    created_at: float | None = None
    raw: Raw = _ABSENT

    @property
    def outcome(self) -> Outcome:
        """How the response ended: by its status, else by what it holds, else by the event."""
        if self.tag == "response.failed" and self.has_error:
            return "failed"
        if known := _BY_STATUS.get(self.status or self.detailed or ""):
            return known
        if self.has_error:
            return "failed"
        return _BY_TAG.get(self.tag, "completed")

    @property
    def has_error(self) -> bool:
        """Whether there is an error."""
        return bytes(self.error) not in NO_ERROR


class _Response(msgspec.Struct):
    id: Raw = _ABSENT
    status: Raw = _ABSENT
    incomplete_details: Raw = _ABSENT
    status_details: Raw = _ABSENT
    error: Raw = _ABSENT
    usage: Raw = _ABSENT
    end_turn: Raw = _ABSENT
    output: Raw = _ABSENT
    service_tier: Raw = _ABSENT
    created_at: Raw = _ABSENT


class _Details(msgspec.Struct):
    type: Raw = _ABSENT
    reason: Raw = _ABSENT
    error: Raw = _ABSENT


def read_terminal(tag: str, response: Json, outer_error: Raw = _ABSENT) -> Terminal:
    """Read the response object of the event ``tag``.

    Args:
        tag: Wire type of the event.
        response: The object; anything else gives a terminal that says nothing.
        outer_error: The ``error`` that some servers put beside the response.
    """
    if (usual := read_usual(response, UsualResponse)) is not None:
        return usual_terminal(tag, response, usual, outer_error)
    read = read_as(_Response, response)
    if read is None:
        return Terminal(tag=tag, error=outer_error)
    details = read_as(_Details, read.incomplete_details) or _Details()
    # Realtime responses say the same in their status details.
    more = read_as(_Details, read.status_details) or _Details()
    return Terminal(
        tag=tag,
        id=read_as(str, read.id) or None,
        status=read_as(str, read.status),
        detailed=read_as(str, more.type),
        reason=read_as(str, details.reason) or read_as(str, more.reason),
        error=_first_told(read.error, more.error, outer_error),
        usage=token_usage(read.usage),
        end_turn=read_as(bool, read.end_turn),
        output=read_as(list[Raw], read.output) or [],
        service_tier=read_as(str, read.service_tier),
        created_at=read_as(float, read.created_at),
        raw=Raw(response),
    )


def read_usual(response: Json, kind: type[_U]) -> _U | None:
    """Return what a response object says, if it is as servers mostly send it.

    Args:
        response: The object.
        kind: What of it to read.
    """
    read = read_as(kind, response)
    usage = None if read is None else read.usage
    return None if usage is not None and not usage.says_all else read


def usual_terminal(tag: str, response: Json, read: UsualResponse, outer_error: Raw) -> Terminal:
    """Return what the event ``tag`` says whose response object is ``response``, read before."""
    details, more = read.incomplete_details, read.status_details
    reason = (details and read_as(str, details.reason)) or (more and read_as(str, more.reason))
    error = read.error
    if error or outer_error or more is not None:
        error = _first_told(error, more.error if more else _ABSENT, outer_error)
    return Terminal(
        tag=tag,
        id=read.id or None,
        status=read.status,
        detailed=read_as(str, more.type) if more else None,
        reason=reason or None,
        error=error,
        usage=None if read.usage is None else _usual_usage(read.usage),
        end_turn=read.end_turn,
        output=read.output or [],
        service_tier=read.service_tier,
        created_at=read.created_at,
        raw=Raw(response),
    )


def token_usage(usage: Json) -> TokenUsage | None:
    """Read a ``usage`` object, each count on its own; None when none of them is given.

    The names of chat completions and of realtime responses are read as those of responses. A count
    is a whole number, also one that is written as a float or as a text.
    """
    if (usual := read_as(_UsualUsage, usage)) is not None and usual.says_all:
        return _usual_usage(usual)
    fields = read_as(dict[str, Raw], usage)
    if fields is None:
        return None
    read_from, none_read = _fields(fields, *_READ_DETAILS)
    written, none_written = _fields(fields, *_WRITTEN_DETAILS)
    found = TokenUsage(
        input_tokens=_count(fields, "input_tokens", "prompt_tokens"),
        cached_input_tokens=0 if none_read else _count(read_from, "cached_tokens"),
        output_tokens=_count(fields, "output_tokens", "completion_tokens"),
        reasoning_output_tokens=0 if none_written else _count(written, "reasoning_tokens"),
        total_tokens=_count(fields, "total_tokens"),
        cache_write_tokens=_count(read_from, "cache_write_tokens"),
        rollout_budget_units=_count(fields, "codex_rollout_budget_units"),
    )
    return None if found == _NOTHING else found


_Count = Annotated[int, msgspec.Meta(ge=0, le=_MAX_COUNT)]


class _ReadDetails(msgspec.Struct, frozen=True):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None


class _WrittenDetails(msgspec.Struct, frozen=True):
    reasoning_tokens: _Count | None = None


class _UsualUsage(msgspec.Struct):
    """What servers mostly send, in one pass: whole numbers under the names of responses."""

    input_tokens: _Count | None = None
    output_tokens: _Count | None = None
    total_tokens: _Count | None = None
    input_tokens_details: _ReadDetails | None = _ReadDetails()
    output_tokens_details: _WrittenDetails | None = _WrittenDetails()
    prompt_tokens_details: Raw = _ABSENT
    completion_tokens_details: Raw = _ABSENT
    input_token_details: Raw = _ABSENT
    output_token_details: Raw = _ABSENT
    codex_rollout_budget_units: _Count | None = None

    @property
    def says_all(self) -> bool:
        """Whether nothing has to be looked for under other names."""
        is_whole = self.input_tokens is not None and self.output_tokens is not None
        return is_whole and not (
            self.prompt_tokens_details
            or self.completion_tokens_details
            or self.input_token_details
            or self.output_token_details
        )


class UsualResponse(msgspec.Struct):
    """A response object as servers mostly send it: one pass instead of one a member."""

    id: str | None = None
    headers: Raw = _ABSENT
    status: str | None = None
    incomplete_details: _Details | None = None
    status_details: _Details | None = None
    error: Raw = _ABSENT
    usage: _UsualUsage | None = None
    end_turn: bool | None = None
    output: list[Raw] | None = None
    service_tier: str | None = None
    created_at: float | None = None


_U = TypeVar("_U", bound=UsualResponse)


def _usual_usage(usage: _UsualUsage) -> TokenUsage:
    read_from, written = usage.input_tokens_details, usage.output_tokens_details
    return TokenUsage(
        input_tokens=usage.input_tokens,
        cached_input_tokens=0 if read_from is None else read_from.cached_tokens,
        output_tokens=usage.output_tokens,
        reasoning_output_tokens=0 if written is None else written.reasoning_tokens,
        total_tokens=usage.total_tokens,
        cache_write_tokens=None if read_from is None else read_from.cache_write_tokens,
        rollout_budget_units=usage.codex_rollout_budget_units,
    )


_NOTHING: Final = TokenUsage(None, None, None, None, None)


def _fields(fields: Mapping[str, Raw], *names: str) -> tuple[Mapping[str, Raw], bool]:
    """Return the details of a count, and whether the server says that there are none: null."""
    for name in names:
        if name in fields:
            return read_as(dict[str, Raw], fields[name]) or {}, bytes(fields[name]) == b"null"
    return {}, False


def _count(fields: Mapping[str, Raw], *names: str) -> int | None:
    for name in names:
        raw = fields.get(name, _ABSENT)
        value = read_as(float, raw)
        if value is None and _DIGITS.fullmatch(text := read_as(str, raw) or ""):
            value = float(text)
        if value is not None and math.isfinite(value) and 0 <= value <= _MAX_COUNT:
            return round(value)
    return None


def _first_told(*raws: Raw) -> Raw:
    for raw in raws:
        if bytes(raw) not in NO_ERROR:
            return raw
    return _ABSENT
