"""File upload: announce the file, put its bytes into the blob store, wait for the check.

See wire.md, Files.

The URLs in the answers are signed, so no error quotes an answer.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec

from codex_api._logic.endpoints.blob_upload import put_blob
from codex_api._logic.incoming.answers import decode_answer, unreadable
from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.outgoing.fields import path_id
from codex_api.errors import FileUploadError
from codex_api.telemetry import CallStart
from codex_api.transport._core.flow import Sleep, call
from codex_api.transport._core.messages import JsonBody, Response, public_url
from codex_api.transport.errors import RequestBuildError
from codex_api.types.files import UploadedFile, UploadLimits

if TYPE_CHECKING:
    from collections.abc import Callable

    from codex_api._logic.calling.operation import CallContext
    from codex_api._logic.endpoints.blob_upload import UploadSource
    from codex_api.transport._core.flow import CallPolicy, Flow
    from codex_api.transport._core.headers import Headers, HeaderSource

#: The most that the server takes for one file, in bytes.
MAX_UPLOAD_BYTES = 512 * 1024 * 1024
FINALIZE_DELAY = 0.25

CREATE_ENDPOINT = "files"
FINALIZE_ENDPOINT = "files/{file_id}/uploaded"
_CODEX_PATH = "/backend-api/codex"


class _Created(msgspec.Struct):
    file_id: str
    upload_url: str

    def __repr__(self) -> str:
        return f"_Created({self.file_id!r})"  # whoever has the URL can write the file


class _Finalized(msgspec.Struct):
    status: str
    download_url: str | None = None
    file_name: str | None = None
    mime_type: str | None = None
    error_message: str | None = None


_CREATED: msgspec.json.Decoder[_Created] = msgspec.json.Decoder(_Created)
_FINALIZED: msgspec.json.Decoder[_Finalized] = msgspec.json.Decoder(_Finalized)


def files_context(ctx: CallContext, base_url: str | None = None) -> CallContext:
    """Return the context of the server that keeps files.

    The Codex backend keeps them beside its ``codex`` folder, not in it.
    """
    base = ctx.provider.base_url if base_url is None else base_url
    trimmed = base.rstrip("/")
    if base_url is None and trimmed.endswith(_CODEX_PATH):
        trimmed = trimmed.removesuffix("/codex")
    return msgspec.structs.replace(
        ctx, provider=dataclasses.replace(ctx.provider, base_url=trimmed)
    )


def upload_start(ctx: CallContext) -> CallStart:
    """Describe an upload to ``ctx``; where its bytes go is nobody's business."""
    url = public_url(ctx.provider.url_for_path(CREATE_ENDPOINT))
    return CallStart(endpoint=CREATE_ENDPOINT, method="POST", url=url)


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
    timeout = limits.blob_timeout(source.size)
    yield from put_blob(
        source, created.upload_url, created.file_id, policy, timeout=timeout, new_id=new_id
    )
    return (yield from _finalize(ctx, source, created, policy, limits, extra_headers))


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
        is_repeatable=False,
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
        FINALIZE_ENDPOINT.format(file_id=path_id(created.file_id, "file_id", "the id of a file")),
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
        reason = excerpt(answer.error_message or f"the server answered {answer.status!r}")
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
