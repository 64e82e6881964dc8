"""``/files`` of the public API: one form in, and the content out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.server.multipart import form_fields
from codex_api.testing.server.pages import page
from codex_api.testing.server.problems import invalid_type, invalid_value, missing, not_found

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.server.multipart import FormField
    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

PURPOSES = frozenset({"assistants", "batch", "fine-tune", "vision", "user_data", "evals"})
MAX_LISTED = 10_000
_FIELDS = frozenset({"file", "purpose", "expires_after[anchor]", "expires_after[seconds]"})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file.

    Attributes:
        expires_at: Unix seconds, or None; only told, never carried out.
    """

    file_id: str
    name: str
    purpose: str
    content: bytes
    created_at: int
    expires_at: int | None = None

    def shown(self) -> JsonObject:
        """Return the object that answers show."""
        return {
            "id": self.file_id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "filename": self.name,
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


def keep_file(
    state: ServerState, name: str, purpose: str, content: bytes, seconds: int | None = None
) -> StoredFile:
    """Keep a file.

    Args:
        seconds: How long it should live, or None.
    """
    now = int(state.clock())
    file = StoredFile(
        file_id=state.new_id("file"),
        name=name,
        purpose=purpose,
        content=content,
        created_at=now,
        expires_at=None if seconds is None else now + seconds,
    )
    state.files[file.file_id] = file
    return file


class FileStore:
    """The endpoints of files that are kept."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the base path, but for ``POST /files``."""
        return [
            Route("/files", self.list, methods=["GET"]),
            Route("/files/{file_id}", self.retrieve, methods=["GET"]),
            Route("/files/{file_id}", self.delete, methods=["DELETE"]),
            Route("/files/{file_id}/content", self.content, methods=["GET"]),
        ]

    def create(self, http: Request) -> Response:
        """Take a form with a file."""
        fields = {field.name: field for field in form_fields(http.state.recorded)}
        for name in fields:
            if name not in _FIELDS:
                raise invalid_value(name, "the form has no such field.")
        file = fields.get("file")
        if file is None or file.file_name is None:
            raise missing("file")
        purpose = fields["purpose"].text if "purpose" in fields else ""
        if not purpose:
            raise missing("purpose")
        if purpose not in PURPOSES:
            message = f"'{purpose}' is none of {', '.join(sorted(PURPOSES))}."
            raise invalid_value("purpose", message)
        if len(file.data) > self._state.settings.max_upload_bytes:
            raise invalid_value("file", "it is too large.")
        seconds = _seconds(fields.get("expires_after[seconds]"))
        stored = keep_file(self._state, file.file_name, purpose, file.data, seconds)
        return JSONResponse(stored.shown())

    async def list(self, http: Request) -> Response:
        """List the files."""
        purpose = http.query_params.get("purpose")
        shown = [
            file.shown()
            for file in self._state.files.values()
            if purpose is None or file.purpose == purpose
        ]
        return page(http, shown, default=MAX_LISTED, most=MAX_LISTED)

    async def retrieve(self, http: Request) -> Response:
        """Say what is known of a file."""
        return JSONResponse(self._file(http).shown())

    async def delete(self, http: Request) -> Response:
        """Forget a file."""
        file = self._file(http)
        del self._state.files[file.file_id]
        return JSONResponse({"id": file.file_id, "object": "file", "deleted": True})

    async def content(self, http: Request) -> Response:
        """Return the content back."""
        return Response(self._file(http).content, media_type="application/octet-stream")

    def _file(self, http: Request) -> StoredFile:
        file_id: str = http.path_params["file_id"]
        if file_id not in self._state.files:
            raise not_found("File", file_id)
        return self._state.files[file_id]


def _seconds(field: FormField | None) -> int | None:
    if field is None:
        return None
    if not field.text.isdigit():
        raise invalid_type("expires_after.seconds", "an integer", field.text)
    return int(field.text)
