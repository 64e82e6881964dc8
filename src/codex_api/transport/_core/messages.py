"""Requests and responses of the generic transport, and the preparation of a body.

See wire.md, Requests.

A body is prepared once: encoded, compressed, its content headers set. What comes out is a request
with a ``RawBody`` whose bytes every attempt sends again unchanged, so signers and retries see the
final bytes and compression cannot be applied twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from codex_api.transport._core import zstd
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import CompressionError, RequestBuildError

Compression = Literal["none", "zstd", "auto"]


class JsonBody(NamedTuple):
    """A value to be encoded as compact UTF-8 JSON, keys in the order they have."""

    value: object


class EncodedJson(NamedTuple):
    """JSON that is encoded already and goes out as it is."""

    data: bytes


class RawBody(NamedTuple):
    """Bytes of any kind; never compressed, no content type added."""

    data: bytes


class StreamedBody(msgspec.Struct, frozen=True):
    """A body that is read while it is sent.

    Attributes:
        open: Gives the chunks; called once an attempt.
        length: Bytes in all, sent as ``content-length``; None sends it chunked.
        rewindable: Whether ``open`` may be called again for another attempt.
    """

    open: Callable[[], Iterable[bytes] | AsyncIterable[bytes]]
    length: int | None = None
    rewindable: bool = False


Body: TypeAlias = JsonBody | EncodedJson | RawBody | StreamedBody
_FINAL = (RawBody, StreamedBody)


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One HTTP request.

    Attributes:
        url: Absolute URL, query included.
        body: None sends no body and no content headers.
        compression: ``zstd`` compresses a JSON body or fails; ``auto`` compresses where it can.
        timeout: Limit in seconds on one attempt, body included; None sets no limit.
        is_repeatable: Whether it may be sent again although the server may have acted on it.
    """

    method: str
    url: str
    headers: Headers = msgspec.field(default_factory=Headers)
    body: Body | None = None
    compression: Compression = "none"
    timeout: float | None = None
    is_repeatable: bool = True

    def __repr__(self) -> str:
        # Keys travel in URLs, and bodies are whole conversations.
        return f"Request({self.method} {public_url(self.url)}, {self.headers!r})"


class Response(msgspec.Struct, frozen=True):
    """A whole answer, whatever its status.

    Attributes:
        attempts: How often the request was sent until it came.
    """

    status: int
    headers: Headers
    body: bytes
    attempts: int = 1

    @property
    def text(self) -> str:
        """The body as UTF-8, with what is not valid replaced."""
        return self.body.decode("utf-8", "replace")


def prepare(request: Request) -> Request:
    """Return the request whose body is final: bytes, compressed if asked, content headers set.

    The request itself is left untouched, and given back if there is nothing to do.

    Raises:
        RequestBuildError: The body is not encodable as JSON.
        CompressionError: Compression was asked for a body that is not JSON, or beside a
            ``content-encoding`` that is already there, or no zstd module is installed.
    """
    body = request.body
    if body is None or isinstance(body, _FINAL):
        if request.compression == "zstd":
            message = "only JSON bodies can be compressed"
            raise CompressionError(message)
        return request if request.compression == "none" else replace(request, compression="none")
    data = body.data if isinstance(body, EncodedJson) else encode_json(body.value)
    headers = request.headers.copy()
    if _wants_zstd(request):
        data = zstd.compress(data)
        headers.set("content-encoding", "zstd")
    if "content-type" not in headers:
        headers.set("content-type", "application/json")
    return replace(request, headers=headers, body=RawBody(data), compression="none")


def _wants_zstd(request: Request) -> bool:
    if request.compression == "none":
        return False
    taken = "content-encoding" in request.headers
    if request.compression == "auto":
        return zstd.available() and not taken
    if taken:
        message = "compression was asked for, but the request already has a content-encoding"
        raise CompressionError(message)
    return True


def encode_json(value: object) -> bytes:
    """Encode ``value`` as compact UTF-8 JSON.

    Raises:
        RequestBuildError: Something in it has no JSON form.
    """
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as exc:
        message = f"the request body cannot be encoded as JSON: {exc}"
        raise RequestBuildError(message) from exc


def public_url(url: str) -> str:
    """Return ``url`` without what may be secret: user info, query and fragment."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "[not a URL]"
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
