"""Requests and responses of the generic transport, and the preparation of a body.

See wire.md, Requests.

A body is prepared once: encoded, compressed, its content headers known. What comes out is a
``FinalBody`` whose bytes every attempt sends again unchanged, so signers and retries see the final
bytes and compression cannot be applied twice.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable
from typing import Literal, TypeAlias
from urllib.parse import urlsplit, urlunsplit

import msgspec
from msgspec.structs import replace

from codex_api.transport._core import zstd
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import CompressionError, RequestBuildError

Compression = Literal["none", "zstd", "auto"]


class JsonBody(msgspec.Struct, frozen=True):
    """A value to be encoded as compact UTF-8 JSON, keys in the order they have."""

    value: object


class EncodedJson(msgspec.Struct, frozen=True, gc=False):
    """JSON that is encoded already and goes out as it is."""

    data: bytes


class RawBody(msgspec.Struct, frozen=True, gc=False):
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


class Response(msgspec.Struct, frozen=True, gc=False):
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


class FinalBody(msgspec.Struct, frozen=True, gc=False):
    """A body as it goes out.

    Attributes:
        fields: The header fields that tell what it is, for names that the request does not set.
    """

    body: RawBody | StreamedBody | None
    fields: Headers

    @property
    def is_compressed(self) -> bool:
        """Whether it was compressed here."""
        return "content-encoding" in self.fields

    def of(self, request: Request) -> Request:
        """Return ``request`` with this body, and with headers of its own."""
        headers = request.headers.filled(self.fields)
        return replace(request, headers=headers, body=self.body, compression="none")


_NO_FIELDS = Headers()
_JSON = Headers({"content-type": "application/json"})
_JSON_IN_ZSTD = Headers({"content-encoding": "zstd", "content-type": "application/json"})


def final_body(request: Request) -> FinalBody:
    """Return the body of ``request`` as it goes out: bytes, compressed if asked.

    Raises:
        RequestBuildError: The body is not encodable as JSON.
        CompressionError: Compression was asked for a body that is not JSON, or beside a
            ``content-encoding`` that is already there, or no zstd module is installed.
    """
    body = request.body
    if isinstance(body, JsonBody):
        data = encode_json(body.value)
    elif isinstance(body, EncodedJson):
        data = body.data
    elif request.compression == "zstd":
        message = "only JSON bodies can be compressed"
        raise CompressionError(message)
    else:
        return FinalBody(body, _NO_FIELDS)
    if _wants_zstd(request):
        return FinalBody(RawBody(zstd.compress(data)), _JSON_IN_ZSTD)
    return FinalBody(RawBody(data), _JSON)


def prepare(request: Request) -> Request:
    """Return the request whose body is final and whose headers tell what it is.

    The request itself is left untouched.

    Raises:
        RequestBuildError: As ``final_body``.
    """
    return final_body(request).of(request)


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
