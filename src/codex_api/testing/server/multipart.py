"""Forms with files, ``multipart/form-data`` (RFC 7578), taken apart."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import Message
from typing import TYPE_CHECKING

from codex_api.testing.server.problems import RequestProblem

if TYPE_CHECKING:
    from codex_api.testing.recording import RecordedRequest

MEDIA_TYPE = "multipart/form-data"


@dataclass(frozen=True, slots=True)
class FormField:
    """One field of a form.

    Attributes:
        file_name: None where it is no file.
    """

    name: str
    file_name: str | None
    data: bytes

    @property
    def text(self) -> str:
        """Its content as text."""
        return self.data.decode("utf-8", "replace")


def is_form(request: RecordedRequest) -> bool:
    """Return whether a body is a form."""
    kind = (request.header("content-type") or "").partition(";")[0]
    return kind.strip().lower() == MEDIA_TYPE


def form_fields(request: RecordedRequest) -> list[FormField]:
    """Return the fields of a form in order.

    Raises:
        RequestProblem: Status 400, it is none or ends too early.
    """
    head = Message()
    head["content-type"] = request.header("content-type") or ""
    boundary = head.get_param("boundary")
    if not isinstance(boundary, str) or not boundary:
        raise _broken("it names no boundary")
    # The first boundary has no line before it.
    first, *parts = (b"\r\n" + request.content).split(b"\r\n--" + boundary.encode())
    if first or not parts or not parts[-1].startswith(b"--"):
        raise _broken("its last boundary is missing")
    return [_field(part) for part in parts[:-1]]


def _field(part: bytes) -> FormField:
    lines, gap, data = part.partition(b"\r\n\r\n")
    if not gap:
        raise _broken("a part has no end of its headers")
    headers = Message()
    for line in lines.strip().split(b"\r\n"):
        header, _, value = line.decode("utf-8", "replace").partition(":")
        headers[header.strip()] = value.strip()
    name = headers.get_param("name", header="content-disposition")
    if not isinstance(name, str):
        raise _broken("a part has no name")
    file_name = headers.get_param("filename", header="content-disposition")
    return FormField(name, file_name if isinstance(file_name, str) else None, data)


def _broken(why: str) -> RequestProblem:
    message = f"The form cannot be read: {why}."
    return RequestProblem(400, message, "invalid_form")
