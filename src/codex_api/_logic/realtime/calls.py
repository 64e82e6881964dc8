"""Creation of a WebRTC call: the offer goes out, the answer and the call's id come back.

See wire.md, Realtime calls.

A call with a session always takes the one path that the service has for calls, which speaks v1 and
v3; v2 is refused before anything is sent. How offer and session are packed depends on the backend.
A call that nobody knows of costs until its time is over, so none is made a second time unasked.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from msgspec.structs import replace

from codex_api._logic.calling.operation import CallContext, Operation
from codex_api._logic.incoming.failed_response import body_error
from codex_api._logic.realtime.dialects.registry import DIALECTS
from codex_api._logic.realtime.session_headers import session_headers
from codex_api._logic.realtime.url import without_keys
from codex_api.errors import DecodeError, InvalidRequestError
from codex_api.transport._core.messages import (
    JsonBody,
    RawBody,
    Request,
    Response,
    encode_json,
)
from codex_api.transport.errors import RequestBuildError
from codex_api.types.realtime import RealtimeCall, RealtimeSessionConfig

if TYPE_CHECKING:
    from codex_api.transport._core.headers import Headers, HeaderSource

BOUNDARY: Final = "codex-realtime-call-boundary"

_CALL_QUERY = {"intent": "quicksilver", "architecture": "avas"}
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\Z")
_PREFIX = "rtc_"
_SHOWN_CHARS = 200


def create_call(
    ctx: CallContext,
    sdp: str,
    session: RealtimeSessionConfig | None = None,
    extra_headers: HeaderSource | Headers | None = None,
) -> Operation[RealtimeCall]:
    """Make the call that answers the offer ``sdp``.

    Raises:
        InvalidRequestError: The session asks for v2, for transcription or for written answers,
            none of which calls have.
        RequestBuildError: The offer is empty, a text cannot be encoded, or a header or the URL is
            illegal.
    """
    if not isinstance(sdp, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # untyped callers
        message = f"the SDP offer must be a str, not {type(sdp).__name__}"
        raise RequestBuildError(message)
    if not sdp.strip():
        message = "the SDP offer is empty"
        raise RequestBuildError(message)
    request = (
        _bare_request(ctx, sdp, extra_headers)
        if session is None
        else _session_request(ctx, sdp, session, extra_headers)
    )
    return Operation(name="realtime/calls", request=request, decode=read_answer)


def _bare_request(
    ctx: CallContext, sdp: str, extra_headers: HeaderSource | Headers | None
) -> Request:
    return ctx.request(
        "POST",
        "realtime/calls",
        body=RawBody(_utf8(sdp)),
        extra_headers=extra_headers,
        forced_headers={"content-type": "application/sdp"},
        is_repeatable=False,
    )


def _session_request(
    ctx: CallContext,
    sdp: str,
    session: RealtimeSessionConfig,
    extra_headers: HeaderSource | Headers | None,
) -> Request:
    check_callable(session)
    body = DIALECTS[session.version].session(session)
    body.pop("id", None)
    headers = session_headers(session)
    headers.merge(extra_headers)
    if "backend-api" in urlsplit(ctx.provider.base_url).path.split("/"):
        request = ctx.request(
            "POST",
            "realtime/calls",
            body=JsonBody({"sdp": sdp, "session": body}),
            extra_headers=headers,
            is_repeatable=False,
        )
        return _routed(request)
    boundary, data = multipart(_utf8(sdp), encode_json(body))
    direct_live = DIALECTS[session.version].is_live
    request = ctx.request(
        "POST",
        "live" if direct_live else "realtime/calls",
        body=RawBody(data),
        extra_headers=headers,
        forced_headers={"content-type": f"multipart/form-data; boundary={boundary}"},
        is_repeatable=False,
    )
    return request if direct_live else _routed(request)


def check_callable(session: RealtimeSessionConfig) -> None:
    """Refuse what calls do not do.

    Raises:
        InvalidRequestError: The session asks for v2, for transcription or for written answers.
    """
    refusal = DIALECTS[session.version].no_calls
    if refusal is not None:
        callable_versions = " or ".join(name for name, d in DIALECTS.items() if not d.no_calls)
        message = (
            f"WebRTC calls speak realtime {callable_versions}, not {session.version}; {refusal}"
        )
        raise InvalidRequestError(message)
    # On a WebSocket of these versions both are taken for a spoken conversation, as the reference
    # does; a call would open a microphone and a loudspeaker for it.
    if session.mode != "conversational":
        message = "WebRTC calls are conversations; transcription has WebSocket sessions of v2"
        raise InvalidRequestError(message)
    if session.output_modality != "audio":
        message = "WebRTC calls answer in speech; written answers have WebSocket sessions of v2"
        raise InvalidRequestError(message)


def _routed(request: Request) -> Request:
    """Put the query that routes a call behind the provider's, which cannot set the same keys."""
    url, _, query = request.url.partition("?")
    kept = without_keys(query, set(_CALL_QUERY))
    joined = "&".join(part for part in (kept, urlencode(_CALL_QUERY)) if part)
    return replace(request, url=f"{url}?{joined}")


def multipart(sdp: bytes, session_json: bytes) -> tuple[str, bytes]:
    """Pack offer and session, and give the boundary with the body.

    The boundary is the usual one unless it occurs in what is packed.
    """
    boundary, count = BOUNDARY, 0
    while boundary.encode() in sdp or boundary.encode() in session_json:
        count += 1
        boundary = f"{BOUNDARY}-{count}"
    mark = b"--" + boundary.encode()
    lines = (
        mark,
        b'Content-Disposition: form-data; name="sdp"',
        b"Content-Type: application/sdp",
        b"",
        sdp,
        mark,
        b'Content-Disposition: form-data; name="session"',
        b"Content-Type: application/json",
        b"",
        session_json,
        mark + b"--",
        b"",
    )
    return boundary, b"\r\n".join(lines)


def read_answer(response: Response) -> RealtimeCall:
    """Read the answer to a call.

    Raises:
        DecodeError: The body is not text or empty, or the ``Location`` header names no call.
        CodexApiError: The body is a failure, whatever the status says.
    """
    request_id = response.headers.get("x-request-id")
    failure = body_error(response.body, {"request_id": request_id})
    if failure is not None:
        failure.attempts = response.attempts
        raise failure
    try:
        sdp = response.body.decode()
    except UnicodeDecodeError as exc:
        message = f"realtime/calls: the SDP answer is not UTF-8: {exc.reason} at {exc.start}"
        raise DecodeError(message, request_id=request_id) from exc
    location = response.headers.get("location")
    if location is None:
        message = "realtime/calls: the answer has no Location header"
        raise DecodeError(message, request_id=request_id)
    if not location.isascii() or not location.isprintable():
        message = "realtime/calls: the Location header is not text"
        raise DecodeError(message, request_id=request_id)
    call_id = call_id_of(location)
    if call_id is None:
        shown = location.partition("?")[0][:_SHOWN_CHARS]
        message = f"realtime/calls: the Location header names no call: {shown}"
        raise DecodeError(message, request_id=request_id)
    if not sdp.strip():
        # The call is there all the same, and costs until somebody hangs up.
        message = f"realtime/calls: the SDP answer of the call {call_id} is empty"
        raise DecodeError(message, request_id=request_id)
    return RealtimeCall(sdp, call_id)


def call_id_of(location: str) -> str | None:
    """Find the call's id in a ``Location``: its last path segment that looks like one."""
    path = location.partition("?")[0].partition("#")[0]
    for segment in reversed(path.split("/")):
        prefixed = segment.startswith(_PREFIX) and len(segment) > len(_PREFIX)
        if prefixed or _UUID.match(segment):
            return segment
    return None


def _utf8(sdp: str) -> bytes:
    try:
        return sdp.encode()
    except UnicodeEncodeError as exc:
        message = "the SDP offer cannot be encoded as UTF-8"
        raise RequestBuildError(message) from exc
