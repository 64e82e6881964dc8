"""The transfer of a file into the blob store (wire.md, Files).

Rules kept here: the blob store gets no credential of ours and none of the provider's headers; its
URL is signed, so no error, log or telemetry hook ever sees more than its host; a retry starts from
the first byte, or is not made when the source cannot rewind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from codex_api.errors import FileUploadError
from codex_api.transport._core.flow import Send, Sleep, status_error
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Request, Response, StreamedBody
from codex_api.transport.errors import (
    CodexApiError,
    ConnectTimeoutError,
    HttpStatusError,
    TransportTimeoutError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, Callable, Iterable

    from codex_api.transport._core.flow import CallPolicy, Flow

_SUCCESS = range(200, 300)
_CLIENT_ID = "x-ms-client-request-id"


class UploadSource(Protocol):
    """The bytes to upload. Reading them is not this module's business."""

    @property
    def file_name(self) -> str:
        """Name to announce."""
        ...

    @property
    def size(self) -> int:
        """Bytes in all."""
        ...

    @property
    def rewindable(self) -> bool:
        """Whether ``open`` may be called again."""
        ...

    @property
    def failure(self) -> Exception | None:
        """What went wrong on our side while the bytes were read, or None."""
        ...

    def open(self) -> Iterable[bytes] | AsyncIterable[bytes]:
        """Return the bytes from the first one on."""
        ...


def put_blob(
    source: UploadSource,
    upload_url: str,
    file_id: str,
    policy: CallPolicy,
    *,
    timeout: float,
    new_id: Callable[[], str],
) -> Flow[None]:
    """Put the bytes of ``source`` into the blob store.

    Args:
        timeout: Seconds for one attempt.
        new_id: Gives a fresh id for the store's log, one for each attempt.

    Raises:
        FileUploadError: The transfer failed; the error tells the host and nothing else of the URL.
        Exception: What the source failed with.
    """
    attempt = 0
    while True:
        put = _blob_request(source, upload_url, new_id(), policy)
        started = policy.clock()
        result = yield from _try_blob(put, policy, timeout)
        if source.failure is not None:
            raise source.failure
        took = policy.clock() - started
        if isinstance(result, Response) and result.status in _SUCCESS:
            _observe(policy, attempt, result.status, None, took)
            return
        plain = _plain_failure(result, policy)
        delay = policy.retry.delay(plain, attempt, policy.draw)
        again = delay is None or source.rewindable
        error = _blob_failure(plain, put, file_id, took, rewindable=again)
        _observe(policy, attempt, error.status, error, took)
        if delay is None or not again or _too_late(policy, delay):
            raise error
        if policy.observer is not None:
            policy.observer.on_retry(attempt, delay, error)
        yield Sleep(delay)
        attempt += 1


def _too_late(policy: CallPolicy, delay: float) -> bool:
    return policy.deadline is not None and policy.clock() + delay >= policy.deadline


def _blob_request(
    source: UploadSource, upload_url: str, client_id: str, policy: CallPolicy
) -> Request:
    headers = Headers({"x-ms-blob-type": "BlockBlob", _CLIENT_ID: client_id})
    agent = policy.defaults.get("user-agent")
    if agent is not None:
        headers.set("user-agent", agent)
    return Request(
        method="PUT",
        url=upload_url,
        headers=headers,
        body=StreamedBody(source.open, length=source.size, rewindable=source.rewindable),
    )


def _try_blob(
    request: Request, policy: CallPolicy, timeout: float
) -> Flow[Response | CodexApiError]:
    if policy.deadline is not None:
        left = policy.deadline - policy.clock()
        if left <= 0:
            raise policy.deadline_error()
        timeout = min(timeout, left)
    # The transport's error may quote the URL; it is handed back so that nothing chains it.
    try:
        answer: Any = yield Send(request, stream=False, timeout=timeout)
    except CodexApiError as exc:
        return exc
    return answer  # type: ignore[no-any-return]  # what Send(stream=False) gives


def _plain_failure(result: Response | CodexApiError, policy: CallPolicy) -> CodexApiError:
    """Return the error that decides on a retry. It is not for showing."""
    if not isinstance(result, Response):
        return result
    now = policy.wall_clock()
    return status_error(result.status, "", result.headers, None, policy.retry, now)


def _blob_failure(
    plain: CodexApiError, put: Request, file_id: str, took: float, *, rewindable: bool
) -> FileUploadError:
    """Return the error to show: it tells the host, and nothing else of the URL."""
    host = urlsplit(put.url).hostname
    client_id = put.headers[_CLIENT_ID]
    headers = plain.headers if isinstance(plain, HttpStatusError) else None
    if headers is None:
        message = (
            f"the blob upload to {host} failed after {took * 1000:.0f} ms "
            f"({_kind(plain)}, client request id={client_id})"
        )
    else:
        server_id, code = (
            headers.get(name, "missing") for name in ("x-ms-request-id", "x-ms-error-code")
        )
        message = (
            f"the blob upload to {host} failed with status {plain.status} "
            f"(client request id={client_id}, request id={server_id}, error code={code})"
        )
    if not rewindable:
        message += "; not tried again, since the source cannot be read twice"
    return FileUploadError(
        message,
        status=plain.status,
        retryable=plain.retryable,
        retry_after=plain.retry_after,
        request_id=None if headers is None else headers.get("x-ms-request-id"),
        stage="blob",
        file_id=file_id,
    )


def _kind(error: CodexApiError) -> str:
    if isinstance(error, ConnectTimeoutError):
        return "connect timeout"
    if isinstance(error, TransportTimeoutError):
        return "timeout"
    return type(error).__name__


def _observe(
    policy: CallPolicy, attempt: int, status: int | None, error: CodexApiError | None, took: float
) -> None:
    if policy.observer is not None:
        policy.observer.on_request(attempt, status, error, took)
