from __future__ import annotations

import pytest

from codex_api.testing.recording import RecordedRequest
from codex_api.testing.server.multipart import FormField, form_fields, is_form
from codex_api.testing.server.problems import RequestProblem

PURPOSE = b'content-disposition: form-data; name="purpose"\r\n\r\nbatch'
FILE = b'Content-Disposition: form-data; name="file"; filename="a \\"b\\".bin"\r\n\r\n'


def form(body: bytes, content_type: str = "multipart/form-data; boundary=xyz") -> RecordedRequest:
    return RecordedRequest(
        method="POST", target="/v1/files", headers=[("content-type", content_type)], body=body
    )


def of(*parts: bytes) -> bytes:
    return b"".join(b"--xyz\r\n" + part + b"\r\n" for part in parts) + b"--xyz--\r\n"


def test_content_comes_through_whatever_it_holds() -> None:
    data = bytes(range(256)) + b"\r\n--xy\r\n\r\n--\r\n"

    assert form_fields(form(of(PURPOSE, FILE + data))) == [
        FormField("purpose", None, b"batch"),
        FormField("file", 'a "b".bin', data),
    ]


def test_a_file_may_be_empty_and_what_follows_the_form_is_left() -> None:
    body = b"--xyz\r\n" + FILE + b"\r\n--xyz--\r\nepilogue"

    assert form_fields(form(body)) == [FormField("file", 'a "b".bin', b"")]


def test_a_form_may_have_no_fields() -> None:
    assert form_fields(form(b"--xyz--")) == []


def test_a_boundary_may_be_quoted() -> None:
    request = form(of(PURPOSE), 'Multipart/Form-Data; charset=utf-8; boundary="xyz"')

    assert is_form(request)
    assert [field.text for field in form_fields(request)] == ["batch"]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "last boundary"),
        (b"preamble" + of(PURPOSE), "last boundary"),
        (of(PURPOSE)[:-6], "last boundary"),
        (b"--xyz\r\nno headers end\r\n--xyz--\r\n", "end of its headers"),
        (of(b"x-other: 1\r\n\r\nbody"), "no name"),
    ],
)
def test_what_is_no_whole_form_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(RequestProblem, match=why):
        form_fields(form(body))


def test_a_form_without_boundary_is_refused() -> None:
    with pytest.raises(RequestProblem, match="boundary"):
        form_fields(form(b"", "multipart/form-data"))


def test_json_is_no_form() -> None:
    assert not is_form(form(b"{}", "application/json"))
