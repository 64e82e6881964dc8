"""Reading the answer of a unary call.

An answer that is not what its endpoint promises becomes a ``DecodeError`` that names the endpoint
and the JSON path, with a bounded excerpt of the body. One bad element of a list costs that element
only: it is kept in its raw form at its place.
"""

from __future__ import annotations

import re
from functools import cache, partial
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.incoming.failed_response import body_error
from codex_api._logic.incoming.repair import repaired
from codex_api._logic.outgoing.surrogates import without_halves
from codex_api.errors import DecodeError
from codex_api.transport._core.packed_answer import CODING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from codex_api.transport._core.messages import Response
    from codex_api.transport.errors import CodexApiError

T = TypeVar("T")
U = TypeVar("U")

#: The most of a body that an error quotes.
EXCERPT_BYTES = 200

#: What decoders raise for bytes that are not what they expect: nesting without end included.
UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_PATH = cache(partial(re.compile, r"(?P<what>.*?) - at `(?P<path>[^`]*)`\Z", re.DOTALL))
_MISSING = cache(partial(re.compile, r"missing required field `(?P<field>[^`]*)`"))


def decode_answer(
    decoder: msgspec.json.Decoder[T], response: Response, endpoint: str, *, quoted: bool = True
) -> T:
    """Read a whole answer.

    Args:
        endpoint: As the error names it.
        quoted: False for endpoints whose answers hold secrets.

    Raises:
        DecodeError: The body is not JSON, or not of the promised form.
    """
    body = without_halves(response.body)
    try:
        try:
            return decoder.decode(body)
        except UNREADABLE:
            mended = repaired(body)
            if mended is None:
                raise
            return decoder.decode(mended)
    except msgspec.ValidationError as exc:
        what, path = _located(str(exc))
        raise unreadable(response, endpoint, path, what, quoted=quoted) from exc
    except UNREADABLE as exc:
        what = "it is an HTML page, not JSON" if _is_html(response.body) else str(exc)
        raise unreadable(response, endpoint, "$", what, quoted=quoted) from exc


def decode_elements(
    elements: Iterable[msgspec.Raw],
    decode: Callable[[msgspec.Raw], T],
    keep: Callable[[msgspec.Raw], U],
) -> list[T | U]:
    """Read list elements one by one; ``keep`` wraps those that cannot be read.

    What is kept is a copy, so that one element does not hold the whole answer in memory.
    """
    decoded: list[T | U] = []
    for raw in elements:
        try:
            decoded.append(decode(raw))
        except UNREADABLE:
            decoded.append(keep(raw.copy()))
    return decoded


def unreadable(
    response: Response, endpoint: str, path: str, what: str, *, quoted: bool = True
) -> CodexApiError:
    """Make the error for an answer that makes no sense at ``path``, or is a failure itself."""
    error = failure_in(response)
    if error is None:
        error = DecodeError(
            f"cannot read the answer of {endpoint} at `{path}`: "
            f"{what}{_quotation(response) if quoted else ''}",
            status=response.status,
            request_id=response.headers.get("x-request-id"),
        )
        error.sent, error.attempts = "begun", response.attempts
    return error


def failure_in(response: Response) -> CodexApiError | None:
    """Return the error that an answer with a status of success stands for all the same, or None."""
    error = body_error(response.body, {"request_id": response.headers.get("x-request-id")})
    if error is not None:
        error.sent, error.attempts = "begun", response.attempts
    return error


def _located(text: str) -> tuple[str, str]:
    match = _PATH().match(text)
    what, path = (match["what"], match["path"]) if match else (text, "$")
    missing = _MISSING().search(what)
    return what, f"{path}.{missing['field']}" if missing else path


def _is_html(body: bytes) -> bool:
    start = body[:64].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def _quotation(response: Response) -> str:
    coding = response.headers.get(CODING)
    if coding is not None:
        return f"; it is encoded as {excerpt(coding)!r}, which was not asked for"
    shown = excerpt(response.body[:EXCERPT_BYTES])
    return f"; it begins {shown + '...' if len(response.body) > EXCERPT_BYTES else shown!r}"
