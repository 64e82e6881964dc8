"""Lines of the Batch API's files: requests as they are sent, and answers as they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from codex_api._logic.incoming.whole_response import accept_response
from codex_api.bulk.result_lines import LINE_ENDS
from codex_api.errors import StreamClosedError, map_api_error
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response as Answer
from codex_api.transport.errors import HttpStatusError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from codex_api.bulk.pending_row import PendingRow
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.response import Response

ENDPOINT: Final = "/v1/responses"
_ENCODE: Final = msgspec.json.Encoder().encode
_GOOD: Final = range(200, 300)


class _Told(msgspec.Struct, gc=False):
    status_code: int
    body: msgspec.Raw = msgspec.Raw(b"{}")
    request_id: str | None = None


class _Problem(msgspec.Struct, gc=False):
    code: str | None = None
    message: str | None = None
    line: int | None = None


class _Problems(msgspec.Struct):
    data: list[_Problem] = []


class ResultLine(msgspec.Struct, gc=False):
    """One line of a file of answers, or of one of failures."""

    custom_id: str
    response: _Told | None = None
    error: _Problem | None = None


RESULT_LINE: Final[msgspec.json.Decoder[ResultLine]] = msgspec.json.Decoder(ResultLine)


def request_line(row: PendingRow) -> bytes:
    """Write the line that asks for a row's answer: its body is what a call would send."""
    body = row.body.translate(LINE_ENDS) if b"\n" in row.body or b"\r" in row.body else row.body
    return b'{"custom_id":%b,"method":"POST","url":"/v1/responses","body":%b}\n' % (
        _ENCODE(row.custom_id),
        body,
    )


def response_of(line: ResultLine) -> Response:
    """Return the answer that a line holds.

    Raises:
        CodexApiError: It holds a failure, or what is no answer; ``sent`` is as for a call.
    """
    told = line.response
    if told is None:
        problem = line.error or _Problem()
        error: CodexApiError = StreamClosedError(
            f"the batch did not answer it: {problem.message or problem.code or 'no reason given'}"
        )
        error.sent = "no"
        raise error
    request_id = {} if told.request_id is None else {"x-request-id": told.request_id}
    headers = Headers(request_id)
    body = bytes(told.body)
    if told.status_code in _GOOD:
        return accept_response(Answer(told.status_code, headers, body), "responses")
    refused = HttpStatusError(
        f"status {told.status_code}", status=told.status_code, headers=headers, body=body
    )
    raise map_api_error(refused)


class Refusal(msgspec.Struct, frozen=True):
    """Why a file of requests was not taken.

    Attributes:
        lines: Numbers of the lines at fault, from 1, with code and words for each.
        code: Of the first reason, or empty.
        words: Of the first reason.
    """

    lines: dict[int, tuple[str, str]]
    code: str
    words: str

    @property
    def is_limit(self) -> bool:
        """Whether the account has too much in batches already."""
        return "limit" in self.code


def refusal_of(errors: Mapping[str, Any] | None) -> Refusal:
    """Read the errors of a batch that failed."""
    try:
        problems = msgspec.convert(errors or {}, _Problems).data
    except msgspec.ValidationError:
        problems = []
    lines = {
        each.line: (each.code or "request", each.message or "the server refused this line")
        for each in problems
        if each.line is not None
    }
    first = problems[0] if problems else _Problem()
    return Refusal(lines, first.code or "", first.message or first.code or "no reason was given")
