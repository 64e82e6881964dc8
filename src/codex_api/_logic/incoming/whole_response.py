"""A response that comes as one answer, read with the one reading of response objects.

What a stream tells by its end, an answer tells by its status: one that failed or was cut off is the
same failure either way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec
from msgspec import Raw

from codex_api._logic.incoming.answers import unreadable
from codex_api._logic.incoming.completeness import GOES_ON, cut_off_reason
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.failed_response import terminal_error
from codex_api._logic.incoming.failure_body import read_failure
from codex_api._logic.incoming.item_codec import decode_item
from codex_api._logic.incoming.repair import repaired
from codex_api._logic.incoming.terminal import (
    Terminal,
    UsualResponse,
    read_terminal,
    read_usual,
    usual_terminal,
)
from codex_api._logic.outgoing.surrogates import without_halves
from codex_api.rate_limits import parse_all_rate_limits, parse_api_rate_limits
from codex_api.types.response import IncompleteDetails, Response, ResponseFailure

if TYPE_CHECKING:
    from codex_api.errors import ApiError, ErrorContext
    from codex_api.transport._core.headers import Headers
    from codex_api.transport._core.messages import Response as Answer
    from codex_api.types.turn_state import TurnState

_ABSENT: Final = Raw()
_TAG: Final = "response"
# What another status says is all that is known of such an end.
_KNOWN_ENDS: Final = frozenset({"completed", "incomplete", "failed", "cancelled"})
_TURN_STATE: Final = "x-codex-turn-state"
_STREAM_STARTS: Final = (b"event:", b"data:", b"id:", b":")


class _Conversation(msgspec.Struct):
    id: str


class _Usual(UsualResponse):
    """A whole response as most servers send it, read in one pass."""

    model: str | None = None
    metadata: dict[str, str] | None = None
    previous_response_id: str | None = None
    conversation: _Conversation | str | None = None
    background: bool | None = None
    completed_at: float | None = None


class _OddFacts(msgspec.Struct):
    """The same members where one of them has another shape."""

    model: Raw = _ABSENT
    metadata: Raw = _ABSENT
    previous_response_id: Raw = _ABSENT
    conversation: Raw = _ABSENT
    background: Raw = _ABSENT
    completed_at: Raw = _ABSENT


class _Facts(msgspec.Struct, frozen=True):
    """The members that only a whole response has."""

    model: str | None
    metadata: dict[str, str] | None
    previous_response_id: str | None
    conversation: _Conversation | str | None
    background: bool | None
    completed_at: float | None


def decode_response(
    answer: Answer, endpoint: str, *, turn_state: TurnState | None = None
) -> Response:
    """Read a response whatever became of it.

    Args:
        endpoint: As errors name it.
        turn_state: Cell that gets the turn state of the headers.

    Raises:
        DecodeError: The answer is no response.
    """
    response, _ = _read(answer, endpoint, turn_state)
    return response


def accept_response(
    answer: Answer, endpoint: str, *, turn_state: TurnState | None = None
) -> Response:
    """Read a response that was asked for to be used.

    Raises:
        DecodeError: The answer is no response.
        ApiError: The response failed or was cut off, as a stream raises it; the response is its
            ``partial``.
    """
    response, terminal = _read(answer, endpoint, turn_state)
    if terminal.outcome != "completed":
        raise failure_of(response, terminal)
    return response


def failure_of(response: Response, terminal: Terminal | None = None) -> ApiError:
    """Make the error for a response that ended otherwise than complete."""
    context: ErrorContext = {
        "request_id": response.request_id,
        "rate_limits": response.rate_limits,
        "api_rate_limits": response.api_rate_limits,
    }
    end = terminal or read_terminal(_TAG, response.raw)
    if end.reason is None and response.status and response.status not in _KNOWN_ENDS:
        end = msgspec.structs.replace(end, reason=response.status)
    error = terminal_error(end, response.id, context, response.raw)
    error.attempts = response.attempts
    error.partial = response
    return error


def _read(answer: Answer, endpoint: str, cell: TurnState | None) -> tuple[Response, Terminal]:
    body, headers = without_halves(answer.body), answer.headers
    usual = read_usual(body, _Usual)
    if usual is None:
        body = repaired(body) or body
        terminal = read_terminal(_TAG, body)
    else:
        terminal = usual_terminal(_TAG, body, usual, _ABSENT)
    _check_form(answer, endpoint, terminal)
    facts = _facts(body) if usual is None else usual
    output = [decode_item(raw) for raw in terminal.output]
    limits, api_limits = _limits(headers)
    if cell is not None and (state := headers.get(_TURN_STATE)) is not None:
        cell.offer(state)
    conversation = facts.conversation
    response = Response(
        id=terminal.id,
        status=terminal.status,
        output=output,
        raw_items=terminal.output,
        usage=terminal.usage,
        error=_failure(terminal) if terminal.has_error else None,
        incomplete_details=IncompleteDetails(terminal.reason) if terminal.reason else None,
        incomplete_reason=_incomplete_reason(terminal, output),
        model=facts.model,
        metadata=facts.metadata or {},
        service_tier=terminal.service_tier,
        created_at=terminal.created_at,
        completed_at=facts.completed_at,
        previous_response_id=facts.previous_response_id,
        conversation=conversation.id if isinstance(conversation, _Conversation) else conversation,
        background=facts.background,
        end_turn=terminal.end_turn,
        raw=answer.body,
        headers=headers,
        attempts=answer.attempts,
        rate_limits=limits,
        api_rate_limits=api_limits,
    )
    return response, terminal


def _check_form(answer: Answer, endpoint: str, terminal: Terminal) -> None:
    if terminal.output or terminal.status or (terminal.has_error and terminal.id):
        return
    if answer.body.lstrip().startswith(_STREAM_STARTS):
        what = "it is an event stream; read it with responses.stream"
        raise unreadable(answer, endpoint, "$", what)
    fields = read_as(dict[str, Raw], without_halves(answer.body))
    if fields is None:
        starts_as_page = answer.body.lstrip().startswith(b"<")
        what = "it is an HTML page, not JSON" if starts_as_page else "it is no JSON object"
        raise unreadable(answer, endpoint, "$", what)
    if read_as(list[Raw], fields.get("output", _ABSENT)) is None:
        raise unreadable(answer, endpoint, "$.output", "there is neither a status nor output")


def _facts(body: bytes) -> _Facts:
    odd = read_as(_OddFacts, body) or _OddFacts()
    conversation = read_as(_Conversation, odd.conversation)
    told = read_as(dict[str, object], odd.metadata) or {}
    return _Facts(
        model=read_as(str, odd.model),
        metadata={name: text for name, text in told.items() if isinstance(text, str)},
        previous_response_id=read_as(str, odd.previous_response_id),
        conversation=conversation or read_as(str, odd.conversation),
        background=read_as(bool, odd.background),
        completed_at=read_as(float, odd.completed_at),
    )


def _failure(terminal: Terminal) -> ResponseFailure | None:
    detail = read_failure(terminal.error)
    return ResponseFailure(detail.kind, detail.message) if detail else ResponseFailure()


def _incomplete_reason(terminal: Terminal, output: list[Any]) -> str | None:
    status: Literal["completed", "incomplete", "failed", "cancelled"] = terminal.outcome
    if terminal.status in GOES_ON and status == "completed":
        return None
    match status:
        case "completed":
            return cut_off_reason(output, terminal.usage)
        case "incomplete":
            return terminal.reason or "unknown"
        case _:
            return status


def _limits(headers: Headers) -> tuple[Any, Any]:
    snapshot = parse_all_rate_limits(headers)[0]
    return None if snapshot.is_empty else snapshot, parse_api_rate_limits(headers)
