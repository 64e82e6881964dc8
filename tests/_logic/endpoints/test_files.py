from __future__ import annotations

import msgspec
import pytest

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.endpoints.files import (
    MAX_UPLOAD_BYTES,
    _Created,
    files_context,
    upload_start,
)
from codex_api.errors import (
    DecodeError,
    FileUploadError,
    HttpStatusError,
    RequestBuildError,
)
from codex_api.provider import Provider
from codex_api.transport._core.flow import Sleep
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Response, StreamedBody
from codex_api.types.files import UploadedFile
from tests._logic.endpoints.upload_flow import BLOB_URL, CREATED, DONE, Source, Upload, body_of


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


def test_an_upload_begins_with_its_announcement() -> None:
    start = upload_start(CallContext(provider=Provider("mock", "https://user:pw@h/v1?key=k")))

    assert (start.method, start.endpoint, start.url) == ("POST", "files", "https://h/v1/files")


def test_a_file_over_the_limit_is_refused_before_anything_is_sent() -> None:
    source = Source()
    source.size = MAX_UPLOAD_BYTES + 1

    with pytest.raises(RequestBuildError, match=r"'a\.txt' has 536870913 bytes.* 536870912"):
        Upload(source).next()

    source.size = MAX_UPLOAD_BYTES
    assert Upload(source).sent().method == "POST"


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
        (b'{"status":"error","error_message":"no https://h/f?sig=hush"}', r"h/f\?\[hidden\]$"),
        (b'{"status":"error","error_message":"%s"}' % (b"x" * 5000), r"x\.\.\.$"),
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


def test_who_prints_the_announcement_does_not_print_the_right_to_write() -> None:
    created = msgspec.json.decode(CREATED, type=_Created)

    assert repr(created) == "_Created('file/1')"


def test_an_upload_is_told_by_where_it_is_announced() -> None:
    provider = Provider("mock", "https://h/v1", query_params={"key": "s3cret"})
    start = upload_start(CallContext(provider=provider))

    assert (start.endpoint, start.method) == ("files", "POST")
    assert start.url.startswith("https://h/v1/files")
    assert "s3cret" not in start.url
