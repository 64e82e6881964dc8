"""The file store of the public API: one multipart request."""

from __future__ import annotations

from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING

from codex_api._logic.endpoints.files import CREATE_ENDPOINT, check_size
from codex_api._logic.incoming.objects import read_object
from codex_api._logic.outgoing.fields import require_text
from codex_api.transport._core.flow import call
from codex_api.transport._core.messages import StreamedBody
from codex_api.transport.errors import CodexApiError
from codex_api.types.files import FileObject

if TYPE_CHECKING:
    from codex_api._logic.calling.operation import CallContext
    from codex_api._logic.endpoints.blob_upload import UploadSource
    from codex_api.transport._core.flow import CallPolicy, Flow
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.files import UploadLimits

# A line break in a name would end the header that it stands in.
_ESCAPES = {
    **{chr(code): f"%{code:02X}" for code in (*range(0x20), 0x7F)},
    "\\": "\\\\",
    '"': '\\"',
}


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
    expected = "one such as user_data, vision, assistants or batch"
    require_text(purpose, "purpose", "file upload", expected)
    body = _multipart(source, purpose, boundary)
    request = ctx.request(
        "POST",
        CREATE_ENDPOINT,
        body=body,
        extra_headers=extra_headers,
        forced_headers={"content-type": f"multipart/form-data; boundary={boundary}"},
        timeout=limits.blob_timeout(source.size),
        is_repeatable=False,
    )
    try:
        response = yield from call(request, policy)
    except CodexApiError:
        if source.failure is not None:
            raise source.failure from None
        raise
    known = {"filename": source.file_name, "bytes": source.size, "purpose": purpose}
    return read_object(response, CREATE_ENDPOINT, kind=FileObject, known=known)


def _multipart(source: UploadSource, purpose: str, boundary: str) -> StreamedBody:
    name = "".join(_ESCAPES.get(char, char) for char in source.file_name)
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
