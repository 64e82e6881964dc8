"""A file server and blob store of plain ``http.server``, with faults on request."""

from __future__ import annotations

import hashlib
import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

SIGNATURE = "sig=very-secret"


@dataclass
class Blob:
    """One PUT, complete or not."""

    headers: dict[str, str]
    size: int = 0
    sha256: str | None = None
    path: str = ""


@dataclass
class BlobStore:
    """Starts on entry, stops on exit.

    Attributes:
        cut_after: For each PUT in turn, the byte after which the connection is reset; None lets it
            through.
        put_statuses: For each PUT in turn, its status; 201 when there is none left.
        finalize: Answers to the final request in turn, the last one again and again.
        kept: Files of complete PUTs: name to hash.
    """

    cut_after: list[int | None] = field(default_factory=list)
    put_statuses: list[int] = field(default_factory=list)
    finalize: list[dict[str, Any]] = field(default_factory=list)
    upload_url: str | None = None
    create_status: int = 200
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        store = self

        class Handler(_Handler):
            pass

        Handler.store = store
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/backend-api"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    store: BlobStore

    def do_GET(self) -> None:
        self._answer(200, {"data": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.store.requests.append(("POST", self.path, headers, body))
        if self.path.endswith("/uploaded"):
            answers = self.store.finalize or [
                {"status": "success", "download_url": "https://d.example/f?sig=down"}
            ]
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
            self._answer(200, answer)
            return
        url = self.store.upload_url or f"{self.store.url}/blob/1?se=2030&{SIGNATURE}"
        self._answer(self.store.create_status, {"file_id": "file_1", "upload_url": url})

    def do_PUT(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.store.requests.append(("PUT", self.path, headers, b""))
        blob = Blob(headers, path=self.path)
        self.store.blobs.append(blob)
        cut = self.store.cut_after.pop(0) if self.store.cut_after else None
        digest = hashlib.sha256()
        left = int(headers["content-length"])
        while left and (cut is None or blob.size < cut):
            piece = self.rfile.read1(min(left, 1 << 16))
            if not piece:
                self.close_connection = True
                return
            digest.update(piece)
            blob.size += len(piece)
            left -= len(piece)
        if left:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        blob.sha256 = digest.hexdigest()
        status = self.store.put_statuses.pop(0) if self.store.put_statuses else 201
        if status == 201:
            self.store.kept.append(blob.sha256)
        self._answer(status, None)

    def _answer(self, status: int, value: Any) -> None:
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.send_header("x-ms-request-id", "azure-1")
        if status >= 400:
            self.send_header("x-ms-error-code", "ServerBusy")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
