from __future__ import annotations

from typing import Any

import pytest

from codex_api.errors import (
    CodexApiError,
    ConnectTimeoutError,
    DeadlineExceededError,
    FileUploadError,
    NetworkError,
    TransportTimeoutError,
)
from codex_api.transport._core.flow import Sleep
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response, StreamedBody
from tests._logic.endpoints.upload_flow import BLOB_URL, CREATED, Observer, Source, Upload


def test_the_blob_store_gets_no_credential_and_no_header_of_the_provider() -> None:
    assert list(Upload().to_blob().headers.items()) == [
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-client-request-id", "id-0"),
        ("user-agent", "ua"),
    ]


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
    assert observer.received == [
        "0 200 None 0",
        f"0 None {said} 0",
        f"retry 0 0.2 {said}",
        "1 201 None 0",
    ]


def test_a_stored_blob_is_followed_by_the_check() -> None:
    assert Upload().to_finalize().url.endswith("/uploaded")


def test_a_transfer_is_not_begun_after_the_deadline() -> None:
    upload = Upload(deadline=110.0)
    upload.sent()
    upload.clock.now = 110.0

    with pytest.raises(DeadlineExceededError):
        upload.next(Response(200, Headers(), CREATED))


def test_without_a_user_agent_of_ours_none_is_set() -> None:
    assert "user-agent" not in Upload(defaults=Headers()).to_blob().headers


def test_a_failure_of_the_source_wins_over_an_answer_that_came_meanwhile() -> None:
    upload = Upload()
    upload.to_blob()
    upload.source.failure = KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        upload.next(Response(201, Headers(), b""))


def test_observers_hear_what_the_store_answered_before_the_next_try() -> None:
    observer = Observer()
    upload = Upload(observer=observer)
    upload.to_blob()
    upload.next(Response(503, Headers(), BLOB_URL.encode()))

    _, refused, again = observer.received
    assert refused.startswith("0 503 the blob upload to store.example failed with status 503")
    assert again.startswith("retry 0 0.2 the blob upload")
    assert "hush" not in refused + again
