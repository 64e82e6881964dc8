from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.calling.policy import CallSettings
from codex_api._logic.endpoints.file_store import create_file
from codex_api._logic.endpoints.files import MAX_UPLOAD_BYTES
from codex_api.clock import SystemClock
from codex_api.errors import FileUploadError, NetworkError, RequestBuildError
from codex_api.provider import Provider
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response
from codex_api.types.files import FileObject, UploadLimits

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from codex_api.transport._core.flow import CallPolicy


class Source:
    def __init__(self, *, rewindable: bool = True) -> None:
        self.file_name = "a.txt"
        self.size = 3
        self.rewindable = rewindable
        self.failure: Exception | None = None

    def open(self) -> Iterable[bytes]:
        yield b"abc"


CONTEXT = CallContext(provider=Provider("mock", "https://h/v1"))


def policy() -> CallPolicy:
    settings = CallSettings(context=CONTEXT, clock=SystemClock(), telemetry=None)
    return settings.unary_policy(None, frozenset())


def created(source: Source, purpose: str = "vision") -> Any:
    return create_file(
        CONTEXT,
        source,
        policy(),
        purpose=purpose,
        boundary="b0",
        limits=UploadLimits(),
        extra_headers=None,
    )


def test_the_public_api_gets_one_multipart_request() -> None:
    source = Source()
    source.file_name = 'a "b".txt'
    flow = created(source)

    effect = next(flow)
    effect = flow.send(effect.request)

    request = effect.request
    assert (request.method, request.url) == ("POST", "https://h/v1/files")
    assert request.headers["content-type"] == "multipart/form-data; boundary=b0"
    data = b"".join(request.body.open())
    assert data == (
        b'--b0\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nvision\r\n'
        b'--b0\r\ncontent-disposition: form-data; name="file"; filename="a \\"b\\".txt"\r\n'
        b"content-type: application/octet-stream\r\n\r\nabc\r\n--b0--\r\n"
    )
    assert request.body.length == len(data)
    answer = b'{"id":"file-1","filename":"a","bytes":3,"purpose":"vision","created_at":5}'
    with pytest.raises(StopIteration) as stop:
        flow.send(Response(200, Headers(), answer))
    assert stop.value.value == FileObject(
        id="file-1", filename="a", bytes=3, purpose="vision", created_at=5
    )


def test_a_name_cannot_add_a_header_to_its_part() -> None:
    source = Source()
    source.file_name = "a\r\nx-evil: 1\\.txt"

    data = b"".join(next(created(source)).request.body.open())

    assert b'; filename="a%0D%0Ax-evil: 1\\\\.txt"\r\n' in data


def test_a_failing_source_is_the_error_of_the_public_upload_too() -> None:
    source = Source(rewindable=False)
    flow = created(source)
    flow.send(next(flow).request)
    source.failure = FileUploadError("short")

    with pytest.raises(FileUploadError, match="short"):
        flow.throw(NetworkError("aborted"))


def test_a_public_upload_without_purpose_or_too_large_is_refused() -> None:
    large = Source()
    large.size = MAX_UPLOAD_BYTES + 1

    with pytest.raises(RequestBuildError, match="`purpose`"):
        next(created(Source(), " "))
    with pytest.raises(RequestBuildError, match="536870912"):
        next(created(large))


def test_a_broken_connection_is_the_error_when_the_source_is_fine() -> None:
    flow = created(Source(rewindable=False))
    flow.send(next(flow).request)

    with pytest.raises(NetworkError, match="cut"):
        flow.throw(NetworkError("cut"))


@pytest.mark.anyio
async def test_an_asynchronous_source_is_framed_too() -> None:
    class Later(Source):
        async def open(self) -> AsyncIterator[bytes]:  # type: ignore[override]  # the other kind
            yield b"a"
            yield b"bc"

    body = next(created(Later())).request.body

    data = b"".join([chunk async for chunk in body.open()])
    assert data.endswith(b"\r\n\r\nabc\r\n--b0--\r\n")
    assert len(data) == body.length
