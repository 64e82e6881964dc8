from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from codex_api.testing import EmbeddedServer, ServerSettings
from codex_api.testing.scenarios import Scenario, http_error

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    with EmbeddedServer(ServerSettings(files_dir=tmp_path, upload_retries=2)) as server:
        yield server


@pytest.fixture
def http(server: EmbeddedServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url) as http:
        yield http


def announce(http: httpx2.Client, size: int = len(CONTENT)) -> dict[str, Any]:
    body = {"file_name": "notes.txt", "file_size": size, "use_case": "codex"}
    answer: dict[str, Any] = http.post("/files", json=body).json()
    return answer


def put(url: str, content: bytes = CONTENT, **headers: str) -> httpx2.Response:
    return httpx2.put(url, content=content, headers={"x-ms-blob-type": "BlockBlob", **headers})


def finalize(http: httpx2.Client, file_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = http.post(f"/files/{file_id}/uploaded", json={}).json()
    return answer


def test_an_upload_lands_byte_for_byte_after_some_retries(
    server: EmbeddedServer, http: httpx2.Client, tmp_path: Path
) -> None:
    upload = announce(http)
    assert put(upload["upload_url"]).status_code == 201

    answers = [finalize(http, upload["file_id"]) for _ in range(3)]
    assert [answer["status"] for answer in answers] == ["retry", "retry", "success"]
    assert (answers[2]["file_name"], answers[2]["mime_type"]) == ("notes.txt", "text/plain")
    assert server.uploaded(upload["file_id"]) == CONTENT
    assert httpx2.get(answers[2]["download_url"]).content == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == [upload["file_id"]]


def test_finalizing_without_content_is_an_error(http: httpx2.Client) -> None:
    answer = finalize(http, announce(http)["file_id"])

    assert answer["status"] == "error"
    assert "was not uploaded" in answer["error_message"]


@pytest.mark.parametrize(
    ("headers", "content", "code"),
    [
        ({"authorization": "Bearer k"}, CONTENT, "InvalidAuthenticationInfo"),
        ({"x-ms-blob-type": "PageBlob"}, CONTENT, "MissingRequiredHeader"),
        ({}, CONTENT[:-1], "InvalidHeaderValue"),
    ],
)
def test_a_blob_that_is_put_wrongly_is_refused(
    http: httpx2.Client, tmp_path: Path, headers: dict[str, str], content: bytes, code: str
) -> None:
    reply = put(announce(http)["upload_url"], content, **headers)

    assert (reply.status_code, reply.headers["x-ms-error-code"]) == (400, code)
    assert list(tmp_path.iterdir()) == []


def test_a_blob_needs_its_signature(http: httpx2.Client) -> None:
    url, _, _ = announce(http)["upload_url"].partition("sig=")

    assert put(f"{url}sig=00").status_code == 403


def test_a_client_that_dies_half_way_leaves_nothing(
    server: EmbeddedServer, http: httpx2.Client, tmp_path: Path
) -> None:
    url = httpx2.URL(announce(http)["upload_url"])
    head = (
        f"PUT {url.raw_path.decode()} HTTP/1.1\r\nhost: x\r\nx-ms-blob-type: BlockBlob\r\n"
        f"content-length: {len(CONTENT)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port)) as sock:
        sock.sendall(head.encode() + CONTENT[:100_000])
    server.wait_for_disconnect()

    assert list(tmp_path.iterdir()) == []


def test_a_connection_that_is_cut_half_way_can_be_tried_again(
    server: EmbeddedServer, http: httpx2.Client, tmp_path: Path
) -> None:
    server.play(Scenario(cut_upload_after=100_000), endpoint="blobs")
    upload = announce(http)
    with pytest.raises(httpx2.TransportError):
        put(upload["upload_url"])
    assert list(tmp_path.iterdir()) == []

    assert put(upload["upload_url"]).status_code == 201
    assert server.uploaded(upload["file_id"]) == CONTENT


def test_steps_can_be_scripted(server: EmbeddedServer, http: httpx2.Client) -> None:
    server.play(http_error(500), endpoint="blobs")
    server.play(http_error(503), endpoint="files/uploaded")
    upload = announce(http)

    assert [put(upload["upload_url"]).status_code for _ in range(2)] == [500, 201]
    assert http.post(f"/files/{upload['file_id']}/uploaded", json={}).status_code == 503


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"file_size": 1, "use_case": "codex"}, "file_name"),
        ({"file_name": "a", "use_case": "codex"}, "file_size"),
        ({"file_name": "a", "file_size": 1 << 40, "use_case": "codex"}, "file_size"),
        ({"file_name": "a", "file_size": 1}, "use_case"),
    ],
)
def test_a_bad_announcement_is_refused(
    http: httpx2.Client, body: dict[str, Any], param: str
) -> None:
    reply = http.post("/files", json=body)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_an_unknown_file_is_not_found(http: httpx2.Client) -> None:
    assert http.post("/files/file_x/uploaded", json={}).status_code == 404


def test_a_directory_of_its_own_goes_with_the_server() -> None:
    with EmbeddedServer() as server:
        with httpx2.Client(base_url=server.url) as http:
            upload = announce(http)
            put(upload["upload_url"])
        path = server.state.uploads[upload["file_id"]].path
        assert path.exists()

    assert not path.parent.exists()


def test_the_key_is_asked_for_everywhere_but_at_the_blob_store() -> None:
    with EmbeddedServer(api_key="k") as server:
        assert httpx2.post(f"{server.url}/files", json={}).status_code == 401
        with httpx2.Client(base_url=server.url, headers={"authorization": "Bearer k"}) as http:
            upload = announce(http)

        assert put(upload["upload_url"]).status_code == 201


def test_the_urls_of_the_backend_work_too(server: EmbeddedServer) -> None:
    root = server.url.removesuffix("/v1")
    with httpx2.Client(base_url=f"{root}/backend-api") as http:
        assert "/backend-api/blobs/" in announce(http)["upload_url"]
        assert http.get("/codex/models").status_code == 200
