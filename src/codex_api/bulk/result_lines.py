"""Lines of a journal: those of the Batch API's output, and beside them what a run knows.

``{"id", "custom_id", "response": {"status_code", "request_id", "body"}, "error", "x"}``. The body
is the answer byte for byte; only line ends between its parts become blanks, since a line holds it.
Readers of the Batch API's files ignore ``x``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

if TYPE_CHECKING:
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.response import Response
    from codex_api.types.usage import TokenUsage

Outcome: TypeAlias = Literal["ok", "incomplete", "failed"]

LINE_ENDS: Final = bytes.maketrans(b"\r\n", b"  ")
_ENCODE: Final = msgspec.json.Encoder().encode
_MOST_WORDS: Final = 1000
_UNANSWERED: Final = b'{"id":"bulk_%b_%d","custom_id":%b,"response":null,"error":%b,"x":%b}\n'
_ANSWERED: Final = (
    b'{"id":"bulk_%b_%d","custom_id":%b,'
    b'"response":{"status_code":%d,"request_id":%b,"body":%b},"error":%b,"x":%b}\n'
)


class RowFacts(msgspec.Struct, omit_defaults=True, gc=False):
    """What a run knows of a finished row: the member ``x`` of its line.

    Attributes:
        row: Number of the row in its input.
        run: The run that finished it.
        outcome: ``ok``; ``incomplete`` for an answer that was cut off; ``failed``.
        kind: Of a failure, such as ``server`` or ``request``; None for none.
        attempts: How often it was sent.
        sent_maybe: How many of these may have been charged without an answer.
        latency: Seconds from its last send to its answer.
        cost: Dollars, by the prices of the run, or None.
        input_tokens: As the answer told.
        cached_input_tokens: As the answer told.
        cache_write_tokens: As the answer told.
        output_tokens: As the answer told.
        reasoning_output_tokens: As the answer told.
    """

    row: int
    run: str
    outcome: Outcome = "ok"
    kind: str | None = None
    attempts: int = 1
    sent_maybe: int = 0
    latency: float = 0.0
    cost: float | None = None
    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_output_tokens: int = 0

    def count(self, usage: TokenUsage) -> None:
        """Take the tokens over."""
        self.input_tokens = usage.input_tokens or 0
        self.cached_input_tokens = usage.cached_input_tokens or 0
        self.cache_write_tokens = usage.cache_write_tokens or 0
        self.output_tokens = usage.output_tokens or 0
        self.reasoning_output_tokens = usage.reasoning_output_tokens or 0


class RowError(msgspec.Struct, frozen=True, gc=False):
    """Why a row failed.

    Attributes:
        code: The server's own name for it, else its kind.
        message: For people.
    """

    code: str = ""
    message: str = ""


class KnownLine(msgspec.Struct, gc=False):
    """What must be known of a line to go on after it.

    Attributes:
        x: None for a line that another program wrote.
    """

    custom_id: str
    x: RowFacts | None = None
    error: RowError | None = None


KNOWN_LINE: Final[msgspec.json.Decoder[KnownLine]] = msgspec.json.Decoder(KnownLine)


def answer_line(custom_id: str, response: Response, facts: RowFacts) -> bytes:
    """Write the line of a row that was answered."""
    return _line(custom_id, 200, response.request_id, response.raw, None, facts)


def failure_line(
    custom_id: str, error: RowError, facts: RowFacts, failure: CodexApiError | None = None
) -> bytes:
    """Write the line of a row that failed."""
    status = None if failure is None else failure.status
    request_id = None if failure is None else failure.request_id
    body = _ENCODE({"error": {"code": error.code, "message": error.message}})
    return _line(custom_id, status, request_id, body, error, facts)


def error_of(failure: CodexApiError, kind: str) -> RowError:
    """Say why a row failed, in the server's own words where there are any."""
    code: object = getattr(failure, "code", None)
    words: object = getattr(failure, "server_message", None)
    message = words if isinstance(words, str) and words else str(failure)
    return RowError(code if isinstance(code, str) and code else kind, message[:_MOST_WORDS])


def _line(
    custom_id: str,
    status: int | None,
    request_id: str | None,
    body: bytes,
    error: RowError | None,
    facts: RowFacts,
) -> bytes:
    run, name = facts.run.encode(), _ENCODE(custom_id)
    if status is None:
        return _UNANSWERED % (run, facts.row, name, _ENCODE(error), _ENCODE(facts))
    if b"\n" in body or b"\r" in body:
        body = body.translate(LINE_ENDS)
    request = _ENCODE(request_id)
    why = b"null" if error is None else _ENCODE(error)
    return _ANSWERED % (run, facts.row, name, status, request, body, why, _ENCODE(facts))
