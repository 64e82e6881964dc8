"""File upload (SPEC 16): announce the file, put its bytes into the blob store, wait for the check.

Rules kept here: the blob store gets no credential of ours and none of the provider's headers; the
URL that it hands out is signed, so no error, log or telemetry hook ever sees more than its host;
a retry of the blob starts from the first byte, or is not made when the source cannot rewind.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterable, Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

import msgspec

from codex_api._core.answers import decode_answer, unreadable
from codex_api.errors import FileUploadError
from codex_api.transport._core.flow import Send, Sleep, call, status_error
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import JsonBody, Request, Response, StreamedBody
from codex_api.transport.errors import (
    CodexApiError,
    ConnectTimeoutError,
    HttpStatusError,
    RequestBuildError,
    TransportTimeoutError,
)
from codex_api.types.files import FileObject, UploadedFile, UploadLimits

if TYPE_CHECKING:
    from codex_api._core.operation import CallContext
    from codex_api.transport._core.flow import CallPolicy, Flow
    from codex_api.transport._core.headers import HeaderSource

#: The most that the server takes for one file, in bytes.
MAX_UPLOAD_BYTES = 512 * 1024 * 1024
FINALIZE_DELAY = 0.25

CREATE_ENDPOINT = "files"
FINALIZE_ENDPOINT = "files/{file_id}/uploaded"
_CODEX_PATH = "/backend-api/codex"
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
        """Give the bytes from the first one on."""
        ...


class _Created(msgspec.Struct):
    file_id: str
    upload_url: str


class _Finalized(msgspec.Struct):
    status: str
    download_url: str | None = None
    file_name: str | None = None
    mime_type: str | None = None
    error_message: str | None = None


_CREATED: msgspec.json.Decoder[_Created] = msgspec.json.Decoder(_Created)
_FINALIZED: msgspec.json.Decoder[_Finalized] = msgspec.json.Decoder(_Finalized)
_FILE: msgspec.json.Decoder[FileObject] = msgspec.json.Decoder(FileObject)


def files_context(ctx: CallContext, base_url: str | None = None) -> CallContext:
    """Give the context of the server that keeps files.

    The Codex backend keeps them beside its ``codex`` folder, not in it.
    """
    base = ctx.provider.base_url if base_url is None else base_url
    trimmed = base.rstrip("/")
    if base_url is None and trimmed.endswith(_CODEX_PATH):
        trimmed = trimmed.removesuffix("/codex")
    return msgspec.structs.replace(
        ctx, provider=dataclasses.replace(ctx.provider, base_url=trimmed)
    )


def check_size(file_name: str, size: int) -> None:
    """Refuse a file that the server would refuse.

    Raises:
        RequestBuildError: It is larger than ``MAX_UPLOAD_BYTES``.
    """
    if size > MAX_UPLOAD_BYTES:
        message = f"file {file_name!r} has {size} bytes; the limit is {MAX_UPLOAD_BYTES} bytes"
        raise RequestBuildError(message)


def upload_file(
    ctx: CallContext,
    source: UploadSource,
    policy: CallPolicy,
    *,
    new_id: Callable[[], str],
    limits: UploadLimits,
    extra_headers: HeaderSource | Headers | None = None,
) -> Flow[UploadedFile]:
    """Upload a file.

    Args:
        ctx: Context of the server that keeps files; see ``files_context``.
        new_id: Gives a fresh id for the blob store's log.
        extra_headers: For our own requests, never for the blob store.

    Raises:
        RequestBuildError: The file is too large; nothing was sent.
        FileUploadError: The transfer or the check of the file failed.
        CodexApiError: A request failed for another reason.
    """
    check_size(source.file_name, source.size)
    created = yield from _create(ctx, source, policy, limits, extra_headers)
    yield from _put_blob(source, created, policy, limits, new_id)
    return (yield from _finalize(ctx, source, created, policy, limits, extra_headers))


def create_file(
    ctx: CallContext,
    source: UploadSource,
    policy: CallPolicy,
    *,
    purpose: str,
    boundary: str,
    limits: UploadLimits,
    extra_headers: HeaderSource | Headers | None = None,
) -> Flow[FileObject]:
    """Upload a file to the public API, in one multipart request.

    Args:
        boundary: Random text that the file does not hold, between the parts.

    Raises:
        RequestBuildError: The file is too large or ``purpose`` blank; nothing was sent.
        CodexApiError: The request failed.
    """
    check_size(source.file_name, source.size)
    if not purpose.strip():
        message = "`purpose` is blank; expected one such as user_data, vision, assistants or batch"
        raise RequestBuildError(message)
    body = _multipart(source, purpose, boundary)
    request = ctx.request(
        "POST",
        CREATE_ENDPOINT,
        body=body,
        extra_headers=extra_headers,
        forced_headers={"content-type": f"multipart/form-data; boundary={boundary}"},
        timeout=limits.blob_timeout(source.size),
    )
    try:
        response = yield from call(request, policy)
    except CodexApiError:
        if source.failure is not None:
            raise source.failure from None
        raise
    return decode_answer(_FILE, response, CREATE_ENDPOINT)


def _create(
    ctx: CallContext,
    source: UploadSource,
    policy: CallPolicy,
    limits: UploadLimits,
    extra_headers: HeaderSource | Headers | None,
) -> Flow[_Created]:
    announced = {"file_name": source.file_name, "file_size": source.size, "use_case": "codex"}
    request = ctx.request(
        "POST",
        CREATE_ENDPOINT,
        body=JsonBody(announced),
        extra_headers=extra_headers,
        timeout=limits.request,
    )
    response = yield from call(request, policy)
    created = decode_answer(_CREATED, response, CREATE_ENDPOINT, quoted=False)
    _check_upload_url(created.upload_url, request.url, response)
    return created


def _check_upload_url(upload_url: str, api_url: str, response: Response) -> None:
    what = None
    try:
        parts = urlsplit(upload_url)
        if not parts.hostname or parts.scheme not in {"https", "http"}:
            what = "it is no absolute http(s) URL"
        elif parts.scheme == "http" and api_url.startswith("https:"):
            what = "it would send the file unencrypted"
    except ValueError:
        what = "it is no URL"
    if what is not None:
        raise unreadable(response, CREATE_ENDPOINT, "$.upload_url", what, quoted=False)


def _put_blob(
    source: UploadSource,
    created: _Created,
    policy: CallPolicy,
    limits: UploadLimits,
    new_id: Callable[[], str],
) -> Flow[None]:
    timeout = limits.blob_timeout(source.size)
    attempt = 0
    while True:
        put = _blob_request(source, created, new_id(), policy)
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
        error = _blob_failure(plain, put, created.file_id, took, rewindable=again)
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
    source: UploadSource, created: _Created, client_id: str, policy: CallPolicy
) -> Request:
    headers = Headers({"x-ms-blob-type": "BlockBlob", _CLIENT_ID: client_id})
    agent = policy.defaults.get("user-agent")
    if agent is not None:
        headers.set("user-agent", agent)
    return Request(
        method="PUT",
        url=created.upload_url,
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
    """Give the error that decides on a retry. It is not for showing."""
    if not isinstance(result, Response):
        return result
    now = policy.wall_clock()
    return status_error(result.status, "", result.headers, None, policy.retry, now)


def _blob_failure(
    plain: CodexApiError, put: Request, file_id: str, took: float, *, rewindable: bool
) -> FileUploadError:
    """Give the error to show: it tells the host, and nothing else of the URL."""
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


def _finalize(
    ctx: CallContext,
    source: UploadSource,
    created: _Created,
    policy: CallPolicy,
    limits: UploadLimits,
    extra_headers: HeaderSource | Headers | None,
) -> Flow[UploadedFile]:
    request = ctx.request(
        "POST",
        FINALIZE_ENDPOINT.format(file_id=quote(created.file_id, safe="")),
        body=JsonBody({}),
        extra_headers=extra_headers,
        timeout=limits.request,
    )
    started = policy.clock()
    while True:
        response = yield from call(request, policy)
        answer = decode_answer(_FINALIZED, response, FINALIZE_ENDPOINT, quoted=False)
        if answer.status != "retry":
            return _finished(source, created, answer)
        if policy.clock() - started >= limits.finalize:
            message = (
                f"file {created.file_id!r} was not ready {limits.finalize:g} s after its upload"
            )
            raise _failed(message, created, retryable=True)
        yield Sleep(FINALIZE_DELAY)


def _finished(source: UploadSource, created: _Created, answer: _Finalized) -> UploadedFile:
    if answer.status != "success":
        reason = answer.error_message or f"the server answered {answer.status!r}"
        message = f"the server did not accept file {created.file_id!r}: {reason}"
        raise _failed(message, created, retryable=False)
    if not answer.download_url:
        message = f"the answer for file {created.file_id!r} lacks `download_url`"
        raise _failed(message, created, retryable=False)
    return UploadedFile(
        file_id=created.file_id,
        uri=f"sediment://{created.file_id}",
        download_url=answer.download_url,
        file_name=answer.file_name or source.file_name,
        file_size_bytes=source.size,
        mime_type=answer.mime_type,
    )


def _failed(message: str, created: _Created, *, retryable: bool) -> FileUploadError:
    return FileUploadError(message, stage="finalize", file_id=created.file_id, retryable=retryable)


def _observe(
    policy: CallPolicy, attempt: int, status: int | None, error: CodexApiError | None, took: float
) -> None:
    if policy.observer is not None:
        policy.observer.on_request(attempt, status, error, took)


def _multipart(source: UploadSource, purpose: str, boundary: str) -> StreamedBody:
    name = source.file_name.replace("\\", "\\\\").replace('"', '\\"')
    head = (
        f'--{boundary}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'
        f'--{boundary}\r\ncontent-disposition: form-data; name="file"; filename="{name}"\r\n'
        "content-type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{boundary}--\r\n".encode()

    def chunks() -> Iterable[bytes] | AsyncIterable[bytes]:
        opened = source.open()
        if isinstance(opened, AsyncIterable):
            return _framed_async(head, opened, tail)
        return _framed(head, opened, tail)

    length = len(head) + source.size + len(tail)
    return StreamedBody(chunks, length=length, rewindable=source.rewindable)


def _framed(head: bytes, chunks: Iterable[bytes], tail: bytes) -> Iterable[bytes]:
    yield head
    yield from chunks
    yield tail


async def _framed_async(
    head: bytes, chunks: AsyncIterable[bytes], tail: bytes
) -> AsyncIterable[bytes]:
    yield head
    async for chunk in chunks:
        yield chunk
    yield tail
