"""File uploads in three steps: announce, put the blob, finalize.

A blob is written to a part file and gets its name only when it is whole, so that a client that dies
half way leaves nothing behind. The URL of a blob is signed and takes no API key: one that comes all
the same is refused, for it should not have been sent there.
"""

from __future__ import annotations

import hmac
import mimetypes
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.server.checks import json_body, known_keys, non_empty, required
from codex_api.testing.server.event_stream import sever
from codex_api.testing.server.multipart import is_form
from codex_api.testing.server.problems import RequestProblem, invalid_value, not_found
from codex_api.testing.server.recorder import base_path
from codex_api.testing.server.state import Disconnect

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.server.file_store import FileStore
    from codex_api.testing.server.state import ServerState


@dataclass(slots=True)
class Upload:
    """One announced file.

    Attributes:
        path: Where it lands; nothing is there before the blob is whole.
        retries: How often finalizing it still says ``retry``.
    """

    name: str
    size: int
    path: Path
    retries: int
    signature: str = field(default_factory=lambda: secrets.token_hex(16))
    puts: int = 0

    @property
    def is_whole(self) -> bool:
        """Whether the content is there."""
        return self.path.exists()


class Part:
    """A blob on its way; what is not kept is removed."""

    def __init__(self, upload: Upload) -> None:
        upload.puts += 1
        self._upload = upload
        self._path = upload.path.with_name(f"{upload.path.name}.{upload.puts}.part")
        self._file = self._path.open("wb")
        self.received: int = 0

    def write(self, data: bytes) -> None:
        """Append ``data``."""
        self._file.write(data)
        self.received += len(data)

    def keep(self) -> bool:
        """Return the file its name if it has the size that was announced."""
        self._file.close()
        if self.received != self._upload.size:
            return False
        self._path.replace(self._upload.path)
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._file.close()
        self._path.unlink(missing_ok=True)


class Files:
    """The endpoints of uploads, and the blob store behind them."""

    def __init__(self, state: ServerState, store: FileStore) -> None:
        self._state = state
        self._store = store

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the base path."""
        return [
            Route("/files", self.announce, methods=["POST"]),
            Route("/files/{file_id}/uploaded", self.finalize, methods=["POST"]),
            Route("/blobs/{file_id}", self.put, methods=["PUT"]),
            Route("/blobs/{file_id}", self.get, methods=["GET"]),
        ]

    async def announce(self, http: Request) -> Response:
        """Take name and size, and say where to put the content; a form brings it along."""
        if is_form(http.state.recorded):
            return self._store.create(http)
        body = json_body(http.state.recorded)
        known_keys(body, {"file_name", "file_size", "use_case"})
        name = non_empty(body, "file_name")
        size: int = required(body, "file_size", int)
        non_empty(body, "use_case")
        if not 0 <= size <= self._state.settings.max_upload_bytes:
            param, message = "file_size", "it is out of range."
            raise invalid_value(param, message)
        file_id = self._state.new_id("file")
        path = self._state.files_dir() / file_id
        upload = Upload(name, size, path, self._state.settings.upload_retries)
        self._state.uploads[file_id] = upload
        return JSONResponse({"file_id": file_id, "upload_url": _blob_url(http, file_id, upload)})

    async def put(self, http: Request) -> Response:
        """Take the content of a file."""
        upload = self._signed(http)
        if "authorization" in http.headers:
            return _blob_error(400, "InvalidAuthenticationInfo")
        if http.headers.get("x-ms-blob-type") != "BlockBlob":
            return _blob_error(400, "MissingRequiredHeader")
        if http.headers.get("content-length") != str(upload.size):
            return _blob_error(400, "InvalidHeaderValue")
        if not await self._receive(http, upload):
            return _blob_error(400, "IncompleteBody")
        return Response(status_code=201, headers={"x-ms-request-id": self._state.new_id("blob")})

    async def finalize(self, http: Request) -> Response:
        """Say whether the file is there."""
        json_body(http.state.recorded)
        file_id: str = http.path_params["file_id"]
        upload = self._upload(file_id)
        if not upload.is_whole:
            message = "The content of the file was not uploaded."
            return JSONResponse({"status": "error", "error_message": message})
        if upload.retries > 0:
            upload.retries -= 1
            return JSONResponse({"status": "retry"})
        return JSONResponse(
            {
                "status": "success",
                "download_url": _blob_url(http, file_id, upload),
                "file_name": upload.name,
                "mime_type": mimetypes.guess_type(upload.name)[0],
                "error_message": None,
            }
        )

    async def get(self, http: Request) -> Response:
        """Return the content back."""
        upload = self._signed(http)
        if not upload.is_whole:
            return _blob_error(404, "BlobNotFound")
        return FileResponse(upload.path)

    async def _receive(self, http: Request, upload: Upload) -> bool:
        try:
            with Part(upload) as part:
                await self._fill(http, part)
                return part.keep()
        except ClientDisconnect:
            # Told only now, when the part is gone: who waits for it may look at the directory.
            self._state.note_disconnect(Disconnect(http.state.recorded, 0, None))
            return False

    async def _fill(self, http: Request, part: Part) -> None:
        cut_after = http.state.scenario.cut_upload_after
        async for chunk in http.stream():
            part.write(chunk)
            if cut_after is not None and part.received >= cut_after:
                sever(http.scope, is_reset=True)
                return

    def _upload(self, file_id: str) -> Upload:
        if file_id not in self._state.uploads:
            what = "File"
            raise not_found(what, file_id)
        return self._state.uploads[file_id]

    def _signed(self, http: Request) -> Upload:
        upload = self._upload(http.path_params["file_id"])
        if not hmac.compare_digest(http.query_params.get("sig", ""), upload.signature):
            message = "The signature of the URL does not fit."
            raise RequestProblem(403, message, headers={"x-ms-error-code": "AuthenticationFailed"})
        return upload


def _blob_url(http: Request, file_id: str, upload: Upload) -> str:
    path = f"{base_path(http.url.path)}/blobs/{file_id}"
    return str(http.url.replace(path=path, query=f"sv=2025-01-01&sig={upload.signature}"))


def _blob_error(status: int, code: str) -> Response:
    text = f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code></Error>'
    return Response(text, status, {"x-ms-error-code": code}, media_type="application/xml")
