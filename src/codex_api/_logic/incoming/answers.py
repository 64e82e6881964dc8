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
from codex_api._logic.outgoing.surrogates import without_halves
from codex_api.errors import DecodeError

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
    try:
        return decoder.decode(without_halves(response.body))
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
    request_id = response.headers.get("x-request-id")
    failure = body_error(response.body, {"request_id": request_id})
    if failure is not None:
        failure.attempts = response.attempts
        return failure
    message = f"cannot read the answer of {endpoint} at `{path}`: {what}"
    if quoted:
        message += f"; it begins {_beginning(response.body)!r}"
    return DecodeError(
        message,
        status=response.status,
        request_id=request_id,
    )


def _located(text: str) -> tuple[str, str]:
    match = _PATH().match(text)
    what, path = (match["what"], match["path"]) if match else (text, "$")
    missing = _MISSING().search(what)
    return what, f"{path}.{missing['field']}" if missing else path


def _is_html(body: bytes) -> bool:
    start = body[:64].lstrip().lower()
    return start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml"))


def _beginning(body: bytes) -> str:
    shown = excerpt(body[:EXCERPT_BYTES])
    return shown + "..." if len(body) > EXCERPT_BYTES else shown
