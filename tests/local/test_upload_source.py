from __future__ import annotations

import asyncio
import io
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from codex_api.errors import FileUploadError, RequestBuildError
from codex_api.local.upload_source import CHUNK_BYTES, UploadStream, open_upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

DATA = bytes(range(256)) * 2500  # Two whole chunks and a part.


def read(stream: UploadStream) -> bytes:
    return b"".join(stream.open())  # type: ignore[arg-type]  # blocking in these tests


async def read_async(stream: UploadStream) -> bytes:
    chunks = stream.open()
    if hasattr(chunks, "__aiter__"):
        return b"".join([chunk async for chunk in chunks])
    return b"".join(chunks)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    target = tmp_path / "a.bin"
    target.write_bytes(DATA)
    return target


async def later(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def test_a_path_has_name_and_size_and_can_start_again(path: Path) -> None:
    for source in (path, str(path)):
        stream = open_upload(source)

        assert (stream.file_name, stream.size, stream.rewindable) == ("a.bin", len(DATA), True)
        assert read(stream) == read(stream) == DATA


def test_bytes_of_every_kind_can_start_again() -> None:
    for source in (DATA, bytearray(DATA), memoryview(DATA)):
        stream = open_upload(source)

        assert (stream.file_name, stream.size, stream.rewindable) == ("upload.bin", len(DATA), True)
        assert read(stream) == read(stream) == DATA


def test_an_open_file_is_read_from_where_it_stands(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(100)
        stream = open_upload(file)

        assert (stream.file_name, stream.size, stream.rewindable) == (
            "a.bin",
            len(DATA) - 100,
            True,
        )
        assert read(stream) == read(stream) == DATA[100:]


def test_a_pipe_needs_its_size_and_cannot_start_again() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    stream = open_upload(Pipe(DATA), size=len(DATA))

    assert not stream.rewindable
    assert read(stream) == DATA
    with pytest.raises(RequestBuildError, match="`size` is needed"):
        open_upload(Pipe(DATA))


def test_an_iterable_can_start_again_and_an_iterator_cannot() -> None:
    again = open_upload([b"ab", b"c"], size=3)
    once = open_upload(iter([b"ab", b"c"]), size=3)

    assert again.rewindable
    assert not once.rewindable
    assert read(again) == read(again) == read(once) == b"abc"


def test_a_name_that_is_given_wins(path: Path) -> None:
    assert open_upload(path, name="report.pdf").file_name == "report.pdf"


def test_nothing_is_read_in_pieces_larger_than_a_chunk(path: Path) -> None:
    sizes = [len(chunk) for chunk in open_upload(path).open()]  # type: ignore[union-attr]  # blocking

    assert sizes == [CHUNK_BYTES, CHUNK_BYTES, len(DATA) - 2 * CHUNK_BYTES]


@pytest.mark.parametrize(
    ("source", "options", "told"),
    [
        ("/nowhere/a.bin", {}, "/nowhere/a.bin.*No such file.*expected a file"),
        ("/", {}, "`/` is a directory"),
        (3, {}, "`source` is int; expected a path, bytes"),
        ([b"a"], {}, "`size` is needed"),
        (b"a", {"size": 2}, "`size` is 2, but the source has 1 bytes"),
        ([b"a"], {"size": -1}, "`size` is -1"),
        ([b"a"], {"size": 1.0}, "`size` is 1.0"),
        (b"a", {"name": " "}, "`name` is blank"),
        (b"a", {"name": Path("a")}, "`name` is PosixPath|`name` is WindowsPath"),
        (b"a", {"name": "a\udcff"}, "`name` cannot be written as UTF-8: 'a.udcff'"),
        ("a\0b", {}, "embedded null"),
        (os.devnull, {}, "is no regular file"),
        (io.StringIO("a"), {}, "opened as text"),
        (later(b"a"), {"size": 1}, "needs AsyncClient"),
    ],
)
def test_what_cannot_be_uploaded_is_refused(
    source: Any, options: dict[str, Any], told: str
) -> None:
    with pytest.raises(RequestBuildError, match=told):
        open_upload(source, **options)


def test_a_pipe_is_refused_without_waiting_for_its_writer(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    with pytest.raises(RequestBuildError, match="is no regular file"):
        open_upload(pipe)


def test_a_closed_file_is_refused() -> None:
    file = io.BytesIO(DATA)
    file.close()

    with pytest.raises(RequestBuildError, match="`source` cannot be read: I/O operation on closed"):
        open_upload(file)


@pytest.mark.parametrize("beyond", [0, 1])
def test_a_file_that_was_written_and_stands_at_its_end_is_refused(beyond: int) -> None:
    file = io.BytesIO()
    file.write(DATA)
    file.seek(len(DATA) + beyond)

    with pytest.raises(RequestBuildError, match=f"at its end, byte {len(DATA) + beyond}: seek"):
        open_upload(file)


def test_a_file_that_holds_nothing_is_an_empty_one() -> None:
    stream = open_upload(io.BytesIO())

    assert (stream.size, read(stream)) == (0, b"")


def test_a_view_with_gaps_is_what_it_shows() -> None:
    assert read(open_upload(memoryview(b"a-b-c-")[::2])) == b"abc"


@pytest.mark.parametrize("asynchronous", [True, False])
def test_bytes_of_a_source_announced_as_empty_are_noticed_although_nobody_asks_for_them(
    *, asynchronous: bool
) -> None:
    stream = open_upload([b"abc"], size=0, asynchronous=asynchronous)

    with pytest.raises(FileUploadError, match="more than the announced 0 bytes"):
        stream.open()
    assert isinstance(stream.failure, FileUploadError)


def test_an_empty_file_is_all_there_at_once() -> None:
    told: list[tuple[int, int]] = []
    stream = open_upload(b"", on_progress=lambda sent, size: told.append((sent, size)))

    assert read(stream) == b""
    assert told == [(0, 0)]


@pytest.mark.anyio
async def test_a_file_of_asyncio_is_an_asynchronous_source() -> None:
    class File:
        async def read(self, size: int = -1) -> bytes:
            raise NotImplementedError

        def __aiter__(self) -> AsyncIterator[bytes]:
            return later(b"a", b"b")

    with pytest.raises(RequestBuildError, match="needs AsyncClient"):
        open_upload(File(), size=2)
    assert await read_async(open_upload(File(), size=2, asynchronous=True)) == b"ab"


def test_an_unreadable_file_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(path), "open", refuse)

    with pytest.raises(RequestBuildError, match="Permission denied"):
        open_upload(path)


@pytest.mark.parametrize(
    ("chunks", "size", "told"),
    [
        ([b"abc"], 4, "ended after 3 of 4 bytes"),
        ([b"abc", b"de"], 4, "more than the announced 4 bytes"),
        (["abc"], 3, "gives str where bytes are expected"),
    ],
)
def test_a_source_that_gives_another_number_of_bytes_fails(
    chunks: list[Any], size: int, told: str
) -> None:
    stream = open_upload(chunks, size=size, name="n")

    with pytest.raises(FileUploadError, match=f"'n' cannot be sent: .*{told}") as caught:
        read(stream)

    assert stream.failure is caught.value
    assert caught.value.stage == "blob"


def test_a_source_that_goes_on_past_the_announced_size_is_noticed_before_its_last_byte() -> None:
    """An engine that has the announced number of bytes asks no further."""
    stream = open_upload([b"ab", b"cd", b"e"], size=4)
    got: list[bytes] = []

    with pytest.raises(FileUploadError, match="more than the announced 4"):
        got.extend(stream.open())  # type: ignore[arg-type]  # blocking

    assert got == [b"ab"]


def test_a_disk_that_fails_fails_the_upload() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"a"
        raise OSError(5, "Input/output error")

    stream = open_upload(chunks(), size=2)

    with pytest.raises(FileUploadError, match="Input/output error") as caught:
        read(stream)

    assert isinstance(caught.value.__cause__, OSError)
    assert stream.failure is caught.value


def test_progress_is_told_from_nothing_to_all_and_anew_on_each_try() -> None:
    told: list[tuple[int, int]] = []
    stream = open_upload([b"ab", b"c"], size=3, on_progress=lambda *args: told.append(args))

    read(stream)
    read(stream)

    assert told == [(0, 3), (2, 3), (3, 3)] * 2


def test_an_error_of_the_callback_is_the_callers_own() -> None:
    def fail(_sent: int, _total: int) -> None:
        raise ZeroDivisionError

    stream = open_upload(b"a", on_progress=fail)

    with pytest.raises(ZeroDivisionError):
        read(stream)
    assert isinstance(stream.failure, ZeroDivisionError)


@pytest.mark.anyio
async def test_an_event_loop_reads_paths_files_and_iterables(path: Path) -> None:
    class Again:
        def __aiter__(self) -> AsyncIterator[bytes]:
            return later(DATA[:5], DATA[5:])

    with path.open("rb") as file:
        streams = [
            open_upload(path, asynchronous=True),
            open_upload(file, asynchronous=True),
            open_upload(io.BytesIO(DATA), asynchronous=True),
            open_upload(DATA, asynchronous=True),
            open_upload(Again(), size=len(DATA), asynchronous=True),
        ]
        for stream in streams:
            assert stream.rewindable
            assert await read_async(stream) == DATA
            assert await read_async(stream) == DATA

    once = open_upload(later(DATA), size=len(DATA), asynchronous=True)
    assert not once.rewindable
    assert await read_async(once) == DATA


@pytest.mark.anyio
async def test_an_asynchronous_source_is_counted_too() -> None:
    told: list[int] = []
    short = open_upload(
        later(b"ab"), size=3, asynchronous=True, on_progress=lambda sent, _: told.append(sent)
    )

    with pytest.raises(FileUploadError, match="ended after 2 of 3"):
        await read_async(short)
    assert told == [0]

    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise OSError(5, "Input/output error")

    with pytest.raises(FileUploadError, match="Input/output error"):
        await read_async(open_upload(broken(), size=3, asynchronous=True))


@pytest.mark.anyio
async def test_an_event_loop_goes_on_while_a_blocking_source_is_read() -> None:
    loop = asyncio.get_running_loop()
    begun, gate = asyncio.Event(), threading.Event()

    def blocking() -> Iterator[bytes]:
        assert threading.current_thread() is not threading.main_thread()
        loop.call_soon_threadsafe(begun.set)
        assert gate.wait(10)
        yield b"abc"

    def told(_sent: int, _total: int) -> None:
        assert threading.current_thread() is threading.main_thread()

    stream = open_upload(blocking(), size=3, asynchronous=True, on_progress=told)
    reading = asyncio.create_task(read_async(stream))
    await begun.wait()
    gate.set()

    assert await reading == b"abc"


def test_an_attempt_that_was_given_up_disturbs_the_next_one_in_nothing(path: Path) -> None:
    told: list[int] = []
    with path.open("rb") as file:
        stream = open_upload(file, on_progress=lambda sent, _: told.append(sent))
        given_up = iter(stream.open())  # type: ignore[arg-type]  # blocking
        assert len(next(given_up)) == CHUNK_BYTES
        current = iter(stream.open())  # type: ignore[arg-type]  # blocking
        first = next(current)

        with pytest.raises(FileUploadError, match="given up"):
            next(given_up)
        assert first + b"".join(current) == DATA
    assert stream.failure is None
    assert told == [0, CHUNK_BYTES, 0, CHUNK_BYTES, 2 * CHUNK_BYTES, len(DATA)]
