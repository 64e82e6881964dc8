"""Uploads through both fronts, to a blob store of another make."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codex_api import ApiKeyAuth, AsyncClient, Client, Network, Provider, RetryConfig, errors
from codex_api.testing.actions import answer
from codex_api.testing.scripted import ScriptedServer
from tests.blob_store import SIGNATURE, BlobStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from codex_api.types.files import UploadedFile
    from tests.front import Front

pytestmark = pytest.mark.anyio

DATA = bytes(range(256)) * 8000
HASH = hashlib.sha256(DATA).hexdigest()


def client_of(front: Front, store: BlobStore, **options: Any) -> Any:
    provider = Provider(
        "mock", store.url, headers={"x-secret": "p"}, retry=RetryConfig(base_delay=0.0)
    )
    return front.pick(Client, AsyncClient)(
        provider, ApiKeyAuth("sk-1"), network=Network(proxy=None), **options
    )


async def upload(front: Front, store: BlobStore, *args: Any, **options: Any) -> UploadedFile:
    async with front.entering(client_of(front, store)) as client:
        result: UploadedFile = await front(client.files.upload, *args, **options)
        return result


def pieces() -> Iterator[bytes]:
    for start in range(0, len(DATA), 100_000):
        yield DATA[start : start + 100_000]


async def later() -> AsyncIterator[bytes]:
    for piece in pieces():
        await asyncio.sleep(0)
        yield piece


async def test_a_file_arrives_whole_and_without_credentials_in_the_blob_store(
    front: Front, tmp_path: Path
) -> None:
    path = tmp_path / "report.pdf"
    path.write_bytes(DATA)
    with BlobStore() as store:
        result = await upload(front, store, path)

    create, put, check = store.requests
    assert result.uri == "sediment://file_1"
    assert (result.file_name, result.file_size_bytes) == ("report.pdf", len(DATA))
    assert create[3] == b'{"file_name":"report.pdf","file_size":2048000,"use_case":"codex"}'
    assert create[2]["authorization"] == check[2]["authorization"] == "Bearer sk-1"
    assert check[1].endswith("/files/file_1/uploaded")
    assert put[2]["content-length"] == str(len(DATA))
    assert put[2]["x-ms-blob-type"] == "BlockBlob"
    assert {"authorization", "x-secret", "traceparent", "transfer-encoding"}.isdisjoint(put[2])
    assert store.kept == [HASH]


@pytest.mark.parametrize("kind", ["bytes", "str path", "file", "memory file", "generator"])
async def test_every_kind_of_source_arrives(front: Front, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(DATA)
    with BlobStore() as store, path.open("rb") as file:
        source = {
            "bytes": DATA,
            "str path": str(path),
            "file": file,
            "memory file": io.BytesIO(DATA),
            "generator": pieces(),
        }[kind]
        size = len(DATA) if kind == "generator" else None
        await upload(front, store, source, "n.bin", size)

    assert store.kept == [HASH]


async def test_an_async_iterable_arrives_under_asyncio() -> None:
    with BlobStore() as store:
        provider = Provider("mock", store.url)
        async with AsyncClient(provider, network=Network(proxy=None)) as client:
            await client.files.upload(later(), "n.bin", len(DATA))

    assert store.kept == [HASH]


async def test_progress_is_told_up_to_the_end(front: Front) -> None:
    told: list[tuple[int, int]] = []
    with BlobStore() as store:
        await upload(front, store, DATA, on_progress=lambda *args: told.append(args))

    assert told[0] == (0, len(DATA))
    assert told[-1] == (len(DATA), len(DATA))
    assert told == sorted(told)


async def test_a_connection_cut_half_way_is_made_again_from_the_start(front: Front) -> None:
    sent: list[int] = []
    with BlobStore(cut_after=[len(DATA) // 2]) as store:
        await upload(front, store, DATA, on_progress=lambda done, _: sent.append(done))

    assert [blob.sha256 for blob in store.blobs] == [None, HASH]
    assert store.kept == [HASH]
    assert sent.count(0) == 2


async def test_a_source_that_cannot_rewind_fails_once_and_says_so(front: Front) -> None:
    with (
        BlobStore(cut_after=[len(DATA) // 2]) as store,
        pytest.raises(errors.FileUploadError, match="cannot be read twice") as caught,
    ):
        await upload(front, store, pieces(), "n.bin", len(DATA))

    assert caught.value.stage == "blob"
    assert len(store.blobs) == 1
    assert store.kept == []


@pytest.mark.parametrize(("statuses", "puts"), [([503, 500], 3), ([403], 1)])
async def test_only_what_a_retry_can_mend_is_tried_again(
    front: Front, statuses: list[int], puts: int
) -> None:
    with BlobStore(put_statuses=list(statuses)) as store:
        if statuses == [403]:
            with pytest.raises(errors.FileUploadError, match="status 403"):
                await upload(front, store, DATA)
        else:
            await upload(front, store, DATA)

    assert len(store.blobs) == puts


async def test_no_error_of_an_unreachable_store_holds_the_signature(front: Front) -> None:
    url = f"http://127.0.0.1:1/blob/1?{SIGNATURE}"
    with BlobStore(upload_url=url) as store, pytest.raises(errors.FileUploadError) as caught:
        await upload(front, store, DATA)

    chain: list[BaseException] = [caught.value]
    while (cause := chain[-1].__cause__ or chain[-1].__context__) is not None:
        chain.append(cause)
    assert all("very-secret" not in repr(error) + str(error) for error in chain)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize(("size", "told"), [(10, "more than"), (10**7, "ended after")])
async def test_a_source_of_another_size_fails_and_nothing_is_kept(
    front: Front, size: int, told: str
) -> None:
    with BlobStore() as store, pytest.raises(errors.FileUploadError, match=told):
        await upload(front, store, pieces(), "n.bin", size)

    assert store.kept == []
    assert len(store.blobs) <= 1


async def test_what_the_callback_raises_ends_the_upload(front: Front) -> None:
    def stop(sent: int, _total: int) -> None:
        if sent:
            raise ZeroDivisionError

    with BlobStore() as store, pytest.raises(ZeroDivisionError):
        await upload(front, store, DATA, on_progress=stop)

    assert store.kept == []


async def test_a_cancelled_upload_leaves_nothing_behind() -> None:
    begun = asyncio.Event()
    with BlobStore() as store:
        async with AsyncClient(Provider("mock", store.url), network=Network(proxy=None)) as client:

            async def endless() -> AsyncIterator[bytes]:
                yield DATA
                begun.set()
                await asyncio.sleep(60)

            task = asyncio.create_task(client.files.upload(endless(), "n", 10**8))
            await asyncio.wait_for(begun.wait(), 10)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    assert store.kept == []


async def test_the_check_is_waited_for(front: Front) -> None:
    answers: list[dict[str, Any]] = [
        {"status": "retry"},
        {"status": "success", "download_url": "u", "mime_type": "text/plain"},
    ]
    with BlobStore(finalize=answers) as store:
        result = await upload(front, store, b"abc")

    assert result.mime_type == "text/plain"
    assert [request[0] for request in store.requests] == ["POST", "PUT", "POST", "POST"]


async def test_a_refused_announcement_is_a_typed_error(front: Front) -> None:
    with BlobStore(create_status=400) as store, pytest.raises(errors.InvalidRequestError):
        await upload(front, store, DATA)

    assert store.blobs == []


async def test_the_public_api_takes_one_multipart_request(front: Front) -> None:
    stored = {"id": "file-1", "filename": "a.txt", "bytes": 3, "purpose": "user_data"}
    with ScriptedServer([answer(503), answer(200, stored)]) as server:
        provider = Provider("mock", server.url, retry=RetryConfig(base_delay=0.0))
        made = front.pick(Client, AsyncClient)(provider, network=Network(proxy=None))
        async with front.entering(made) as client:
            result = await front(client.files.create, b"abc", name="a.txt")

    assert (result.id, result.bytes) == ("file-1", 3)
    first, second = server.requests
    assert first.body == second.body
    assert b'name="purpose"\r\n\r\nuser_data\r\n' in first.body
    assert b'filename="a.txt"' in first.body
    assert b"\r\n\r\nabc\r\n--" in first.body


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["sync", "async", "iterable"])
async def test_a_large_upload_takes_constant_memory(mode: str) -> None:
    """Measured in a process of its own, beside the server's."""
    with BlobStore() as store:
        script = Path(__file__).with_name("upload_memory.py")
        command = [sys.executable, str(script), mode, store.url]
        done = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, check=True, timeout=50
        )

    measured = json.loads(done.stdout)
    assert store.blobs[-1].size == measured["sent_bytes"] == 160 << 20
    assert store.kept[-1] == measured["sha256"]
    assert measured["peak_growth_bytes"] < 32 << 20
