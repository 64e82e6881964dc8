"""What a test server saw of its clients.

Header names keep the order of the wire, and its case where the server reads raw bytes. Bodies are
the bytes after transfer decoding and before content decoding: `RecordedRequest.content` undoes the
latter.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    from collections.abc import Callable


class UndecodableBodyError(ValueError):
    """The content encoding of a request is unknown, or its bytes are not of that encoding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRequest:
    """One request as it was received.

    Attributes:
        target: Path and query as sent.
        headers: Names and values in the order received.
        body: The bytes of the body, still compressed if they were sent so.
        connection: Number of the connection it came on; equal numbers mean a re-used connection.
    """

    method: str
    target: str
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    body: bytes = b""
    connection: int = 0

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> list[tuple[str, str]]:
        """The decoded query parameters in order."""
        return parse_qsl(self.target.partition("?")[2], keep_blank_values=True)

    def header(self, name: str) -> str | None:
        """Return the first value of header ``name``, or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)

    def header_names(self) -> list[str]:
        """Return the header names in order, as sent."""
        return [name for name, _ in self.headers]

    @property
    def content(self) -> bytes:
        """The body with its content encoding undone.

        Raises:
            UndecodableBodyError: The encoding is not zstd, or the bytes are damaged.
        """
        return decode_content(self.body, self.header("content-encoding"))

    def json(self) -> Any:  # noqa: ANN401 - whatever the client sent
        """Decode the body as JSON.

        Raises:
            UndecodableBodyError: The content encoding cannot be undone.
            ValueError: The content is not JSON.
        """
        return json.loads(self.content)


class Journal:
    """A growing list of `RecordedRequest` that another thread can wait on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[RecordedRequest] = []

    def add(self, request: RecordedRequest) -> None:
        """Append ``request`` and wake who waits."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._requests)

    def snapshot(self) -> list[RecordedRequest]:
        """Return a copy of the list."""
        with self._changed:
            return list(self._requests)

    def wait_for(self, count: int, timeout: float) -> list[RecordedRequest]:
        """Wait until ``count`` requests are there and give all.

        Raises:
            TimeoutError: Fewer came within ``timeout`` seconds.
        """
        wait_until(self._changed, lambda: len(self._requests) >= count, timeout)
        return self.snapshot()


def wait_until(changed: threading.Condition, holds: Callable[[], bool], timeout: float) -> None:
    """Block until ``holds()`` under ``changed``.

    Raises:
        TimeoutError: It did not hold within ``timeout`` seconds.
    """
    until = time.monotonic() + timeout
    with changed:
        while not holds():
            left = until - time.monotonic()
            if left <= 0 or not changed.wait(left):
                if holds():
                    return
                message = f"not within {timeout} s"
                raise TimeoutError(message)


def decode_content(body: bytes, encoding: str | None) -> bytes:
    """Undo content encoding ``encoding``, None and ``identity`` meaning there is none.

    Raises:
        UndecodableBodyError: The encoding is unknown or not installed, or the bytes are damaged.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        return body
    if name != "zstd":
        message = f"unsupported content encoding: {name}"
        raise UndecodableBodyError(message)
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - loaded when a body is compressed
        else:
            from backports import zstd  # noqa: PLC0415 - loaded when a body is compressed
    except ImportError as exc:
        message = "zstd needs Python 3.14 or the extra codex-api[zstd]"
        raise UndecodableBodyError(message) from exc
    try:
        return zstd.decompress(body)
    except zstd.ZstdError as exc:
        message = "the body is not a zstd frame"
        raise UndecodableBodyError(message) from exc
