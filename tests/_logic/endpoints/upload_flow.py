"""An upload as a flow, driven effect by effect without a transport."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.calling.policy import CallSettings
from codex_api._logic.endpoints.files import (
    files_context,
    upload_file,
)
from codex_api.provider import Provider
from codex_api.transport._core.flow import Authorize, Send
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Request, Response
from codex_api.transport._core.retry import RetryConfig
from codex_api.types.files import UploadedFile, UploadLimits

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from codex_api.errors import (
        CodexApiError,
    )
    from codex_api.transport._core.flow import Effect

DEFAULTS = Headers({"user-agent": "ua", "originator": "me"})
BLOB_URL = "https://store.example:8443/c/f?se=2030&sig=hush"
CREATED = b'{"file_id":"file/1","upload_url":"%s"}' % BLOB_URL.encode()
DONE = (
    b'{"status":"success","download_url":"https://d.example/f?sig=hush2","mime_type":"text/plain"}'
)


class Source:
    def __init__(self, data: bytes = b"abc", *, rewindable: bool = True) -> None:
        self.file_name = "a.txt"
        self.size = len(data)
        self.rewindable = rewindable
        self.failure: Exception | None = None
        self._data = data

    def open(self) -> Iterable[bytes]:
        yield self._data


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return 0.0

    def draw(self) -> float:
        return 0.5

    def sleep(self, delay: float) -> None:
        raise NotImplementedError

    async def sleep_async(self, delay: float) -> None:
        raise NotImplementedError


class Observer:
    def __init__(self) -> None:
        self.received: list[str] = []

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        self.received.append(f"{attempt} {status} {error} {duration:g}")

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        self.received.append(f"retry {attempt} {delay:g} {error}")


class Upload:
    """A flow of an upload, driven effect by effect; auth changes nothing."""

    def __init__(
        self,
        source: Source | None = None,
        *,
        base_url: str = "https://chatgpt.com/backend-api/codex",
        deadline: float | None = None,
        observer: Observer | None = None,
        defaults: Headers | None = None,
        **limits: float,
    ) -> None:
        self.clock = Clock()
        self.source = source or Source()
        provider = Provider(
            "mock", base_url, headers={"version": "1"}, retry=RetryConfig(max_attempts=2)
        )
        ctx = CallContext(provider=provider)
        settings = CallSettings(
            context=ctx,
            clock=self.clock,
            telemetry=None,
            defaults=Headers({"user-agent": "ua", "originator": "me"})
            if defaults is None
            else defaults,
        )
        policy = replace(
            settings.unary_policy(None, frozenset()), deadline=deadline, observer=observer
        )
        self._ids = iter(f"id-{number}" for number in range(9))
        self.flow: Generator[Effect, object, UploadedFile] = upload_file(
            files_context(ctx),
            self.source,
            policy,
            new_id=lambda: next(self._ids),
            limits=UploadLimits(**limits),
            extra_headers={"x-extra": "1"},
        )
        self._effect: Effect | None = None

    def sent(self, result: object = None) -> Request:
        """Give the next request that is sent, and check that it is not kept open."""
        effect = self.next(result)
        if isinstance(effect, Authorize):
            signed = effect.request.headers.copy()
            signed.set("authorization", "Bearer k")
            effect = self.next(replace(effect.request, headers=signed))
        assert isinstance(effect, Send)
        assert not effect.stream
        self.timeout = effect.timeout
        return effect.request

    def next(self, result: object = None) -> Effect:
        if isinstance(result, Exception):
            return self.flow.throw(result)
        return self.flow.send(result)

    def to_blob(self) -> Request:
        self.sent()
        return self.sent(Response(200, Headers(), CREATED))

    def to_finalize(self) -> Request:
        self.to_blob()
        return self.sent(Response(201, Headers(), b""))

    def ends(self, result: object = None) -> UploadedFile:
        with pytest.raises(StopIteration) as stop:
            self.next(result)
        value: UploadedFile = stop.value.value
        return value


def body_of(request: Request) -> bytes:
    assert isinstance(request.body, RawBody)
    return request.body.data
