from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from codex_api._core.calls import CallSettings
from codex_api._core.files import (
    MAX_UPLOAD_BYTES,
    files_context,
    upload_file,
)
from codex_api._core.operation import CallContext
from codex_api.errors import (
    CodexApiError,
    ConnectTimeoutError,
    DeadlineExceededError,
    DecodeError,
    FileUploadError,
    HttpStatusError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)
from codex_api.provider import Provider
from codex_api.transport._core.flow import Authorize, Send, Sleep
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Request, Response, StreamedBody
from codex_api.transport._core.retry import RetryConfig
from codex_api.types.files import UploadedFile, UploadLimits

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from codex_api.transport._core.flow import Effect

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
        self.heard: list[str] = []

    def on_request(
        self, attempt: int, status: int | None, error: CodexApiError | None, duration: float
    ) -> None:
        self.heard.append(f"{attempt} {status} {error} {duration:g}")

    def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
        self.heard.append(f"retry {attempt} {delay:g} {error}")


class Upload:
    """A flow of an upload, driven effect by effect; auth changes nothing."""

    def __init__(
        self,
        source: Source | None = None,
        *,
        base_url: str = "https://chatgpt.com/backend-api/codex",
        deadline: float | None = None,
        observer: Observer | None = None,
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
            defaults=Headers({"user-agent": "ua", "originator": "me"}),
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


def test_the_file_is_announced_stored_and_checked() -> None:
    upload = Upload()

    create = upload.sent()
    assert (create.method, create.url) == ("POST", "https://chatgpt.com/backend-api/files")
    assert body_of(create) == b'{"file_name":"a.txt","file_size":3,"use_case":"codex"}'
    assert list(create.headers.items()) == [
        ("version", "1"),
        ("x-extra", "1"),
        ("authorization", "Bearer k"),
        ("content-type", "application/json"),
        ("user-agent", "ua"),
        ("originator", "me"),
    ]
    assert upload.timeout == 60

    put = upload.sent(Response(200, Headers(), CREATED))
    assert (put.method, put.url) == ("PUT", BLOB_URL)
    assert isinstance(put.body, StreamedBody)
    assert put.body.length == 3
    assert b"".join(put.body.open()) == b"abc"  # type: ignore[arg-type]  # the source is no async one

    check = upload.sent(Response(201, Headers(), b""))
    assert check.url == "https://chatgpt.com/backend-api/files/file%2F1/uploaded"
    assert body_of(check) == b"{}"
    assert upload.ends(Response(200, Headers(), DONE)) == UploadedFile(
        file_id="file/1",
        uri="sediment://file/1",
        download_url="https://d.example/f?sig=hush2",
        file_name="a.txt",
        file_size_bytes=3,
        mime_type="text/plain",
    )


def test_the_blob_store_gets_no_credential_and_no_header_of_the_provider() -> None:
    assert list(Upload().to_blob().headers.items()) == [
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-client-request-id", "id-0"),
        ("user-agent", "ua"),
    ]


@pytest.mark.parametrize(
    ("base_url", "given", "expected"),
    [
        ("https://chatgpt.com/backend-api/codex", None, "https://chatgpt.com/backend-api"),
        ("https://chatgpt.com/backend-api/codex/", None, "https://chatgpt.com/backend-api"),
        ("https://h/v1", None, "https://h/v1"),
        ("https://h/codex", None, "https://h/codex"),
        ("https://h/v1", "https://files.example/", "https://files.example"),
    ],
)
def test_files_live_beside_the_codex_folder(
    base_url: str, given: str | None, expected: str
) -> None:
    ctx = CallContext(provider=Provider("mock", base_url))

    assert files_context(ctx, given).provider.base_url == expected


def test_a_file_over_the_limit_is_refused_before_anything_is_sent() -> None:
    source = Source()
    source.size = MAX_UPLOAD_BYTES + 1

    with pytest.raises(RequestBuildError, match=r"'a\.txt' has 536870913 bytes.* 536870912"):
        Upload(source).next()

    source.size = MAX_UPLOAD_BYTES
    assert Upload(source).sent().method == "POST"


def test_a_large_blob_gets_the_time_of_a_slow_line() -> None:
    source = Source()
    source.size = 128 * 1024 * 100

    upload = Upload(source)
    upload.to_blob()
    assert upload.timeout == 160

    strict = Upload(source, blob=5.0)
    strict.to_blob()
    assert strict.timeout == 5


@pytest.mark.parametrize(
    "result",
    [
        NetworkError(f"sending to {BLOB_URL} failed"),
        TransportTimeoutError(f"{BLOB_URL} timed out"),
        Response(500, Headers(), b""),
        Response(503, Headers({"retry-after": "1"}), BLOB_URL.encode()),
    ],
)
def test_a_failed_transfer_is_made_again_from_the_first_byte(result: Any) -> None:
    upload = Upload()
    upload.to_blob()

    pause = upload.next(result)
    again = upload.sent()

    assert isinstance(pause, Sleep)
    assert pause.delay == (1.0 if isinstance(result, Response) and result.status == 503 else 0.2)
    assert again.url == BLOB_URL
    assert again.headers["x-ms-client-request-id"] == "id-1"
    assert isinstance(again.body, StreamedBody)
    assert b"".join(again.body.open()) == b"abc"  # type: ignore[arg-type]  # the source is no async one


def test_retries_end_and_the_error_tells_the_host_only() -> None:
    upload = Upload()
    upload.to_blob()
    upload.clock.now += 0.5
    broken = NetworkError(f"no route to {BLOB_URL}")
    for _ in range(2):
        assert isinstance(upload.next(broken), Sleep)
        upload.sent()

    with pytest.raises(FileUploadError) as caught:
        upload.next(broken)

    error = caught.value
    assert str(error) == (
        "the blob upload to store.example failed after 0 ms (NetworkError, client request id=id-2)"
    )
    assert (error.stage, error.file_id, error.retryable) == ("blob", "file/1", True)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("broken", "kind"),
    [(ConnectTimeoutError("x"), "connect timeout"), (TransportTimeoutError("x"), "timeout")],
)
def test_a_timeout_is_named(broken: CodexApiError, kind: str) -> None:
    upload = Upload(Source(rewindable=False))
    upload.to_blob()

    with pytest.raises(FileUploadError, match=f"\\({kind}, client request id=id-0\\)"):
        upload.next(broken)


def test_a_refused_transfer_tells_the_stores_ids_and_neither_body_nor_url() -> None:
    upload = Upload()
    upload.to_blob()
    headers = Headers({"x-ms-request-id": "az-1", "x-ms-error-code": "AuthenticationFailed"})

    with pytest.raises(FileUploadError) as caught:
        upload.next(Response(403, headers, b"<Error>hush</Error>"))

    assert str(caught.value) == (
        "the blob upload to store.example failed with status 403 "
        "(client request id=id-0, request id=az-1, error code=AuthenticationFailed)"
    )
    assert (caught.value.status, caught.value.request_id) == (403, "az-1")
    assert not caught.value.retryable


def test_missing_ids_of_the_store_are_called_missing() -> None:
    upload = Upload()
    upload.to_blob()

    with pytest.raises(FileUploadError, match="request id=missing, error code=missing"):
        upload.next(Response(404, Headers(), b""))


def test_a_source_that_cannot_rewind_is_not_tried_again_and_the_error_says_so() -> None:
    upload = Upload(Source(rewindable=False))
    upload.to_blob()

    with pytest.raises(FileUploadError, match=r"not tried again.*cannot be read twice") as caught:
        upload.next(Response(503, Headers(), b""))

    assert caught.value.retryable


def test_a_failure_of_the_source_wins_over_what_became_of_the_connection() -> None:
    upload = Upload()
    upload.to_blob()
    upload.source.failure = KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        upload.next(NetworkError("aborted"))


def test_the_deadline_of_the_call_covers_the_transfer() -> None:
    upload = Upload(deadline=110.0)
    upload.to_blob()
    assert upload.timeout == 10
    upload.clock.now = 109.9

    with pytest.raises(FileUploadError):
        upload.next(NetworkError("cut"))

    late = Upload(deadline=110.0)
    late.sent()
    late.clock.now = 111.0
    with pytest.raises(DeadlineExceededError):
        late.next(Response(200, Headers(), CREATED))


def test_observers_hear_of_each_transfer_without_the_url() -> None:
    observer = Observer()
    upload = Upload(observer=observer)
    upload.to_blob()
    upload.next(NetworkError(BLOB_URL))
    upload.sent()
    upload.sent(Response(201, Headers(), b""))

    said = (
        "the blob upload to store.example failed after 0 ms (NetworkError, client request id=id-0)"
    )
    assert observer.heard == [
        "0 200 None 0",
        f"0 None {said} 0",
        f"retry 0 0.2 {said}",
        "1 201 None 0",
    ]


def test_the_check_is_asked_again_until_it_has_a_result() -> None:
    upload = Upload()
    upload.to_finalize()

    assert upload.next(Response(200, Headers(), b'{"status":"retry"}')) == Sleep(0.25)
    assert upload.sent().url.endswith("/uploaded")
    named = b'{"status":"success","download_url":"u","file_name":"server.txt"}'
    done = upload.ends(Response(200, Headers(), named))
    assert (done.file_name, done.mime_type) == ("server.txt", None)


def test_a_check_without_end_is_given_up_after_thirty_seconds() -> None:
    upload = Upload()
    upload.to_finalize()
    upload.clock.now += 29.9
    assert upload.next(Response(200, Headers(), b'{"status":"retry"}')) == Sleep(0.25)
    upload.sent()
    upload.clock.now += 0.2

    with pytest.raises(FileUploadError, match="'file/1' was not ready 30 s") as caught:
        upload.next(Response(200, Headers(), b'{"status":"retry"}'))

    assert (caught.value.stage, caught.value.retryable) == ("finalize", True)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (b'{"status":"error","error_message":"virus"}', "virus"),
        (b'{"status":"error"}', "answered 'error'"),
        (b'{"status":"success"}', "`download_url`"),
    ],
)
def test_a_file_that_is_not_accepted_says_why(answer: bytes, told: str) -> None:
    upload = Upload()
    upload.to_finalize()

    with pytest.raises(FileUploadError, match=told) as caught:
        upload.next(Response(200, Headers(), answer))

    assert (caught.value.stage, caught.value.retryable) == ("finalize", False)


@pytest.mark.parametrize(
    ("answer", "path"),
    [
        (b"<html>sig=hush", "$"),
        (b'{"file_id":1,"upload_url":"https://h/?sig=hush"}', "$.file_id"),
        (b'{"file_id":"f"}', "$.upload_url"),
        (b'{"file_id":"f","upload_url":"/relative?sig=hush"}', "$.upload_url"),
        (b'{"file_id":"f","upload_url":"ftp://h/?sig=hush"}', "$.upload_url"),
        (b'{"file_id":"f","upload_url":"http://h/?sig=hush"}', "$.upload_url"),
        (b'{"file_id":"f","upload_url":"https://[h/?sig=hush"}', "$.upload_url"),
    ],
)
def test_an_answer_without_a_usable_upload_url_names_the_path_and_holds_no_signature(
    answer: bytes, path: str
) -> None:
    upload = Upload()
    upload.sent()

    with pytest.raises(DecodeError) as caught:
        upload.next(Response(200, Headers(), answer))

    assert f"answer of files at `{path}`" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_on_loopback_plain_http_is_enough() -> None:
    upload = Upload(base_url="http://127.0.0.1/v1")
    upload.sent()

    put = upload.sent(
        Response(200, Headers(), b'{"file_id":"f","upload_url":"http://127.0.0.1/b"}')
    )

    assert put.url == "http://127.0.0.1/b"


def test_a_refused_announcement_is_the_plain_status_error() -> None:
    upload = Upload()
    upload.sent()

    with pytest.raises(HttpStatusError) as caught:
        upload.next(Response(403, Headers(), b"no"))

    assert caught.value.status == 403
