"""What can be uploaded: paths, bytes, binary files, and iterables of bytes.

Bytes are read as they are sent, a chunk at a time. The number of bytes is announced before the
first one goes out, so it has to be known, and a source that then gives another number fails the
upload instead of storing a file that is not the one announced.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeAlias, runtime_checkable

from codex_api.errors import FileUploadError
from codex_api.transport.errors import RequestBuildError

CHUNK_BYTES = 256 * 1024
DEFAULT_NAME = "upload.bin"

Progress: TypeAlias = Callable[[int, int], object]


@runtime_checkable
class BinaryFile(Protocol):
    """A file that was opened for reading bytes."""

    def read(self, size: int = ..., /) -> bytes:
        """Return up to ``size`` bytes, none at the end."""
        ...


Uploadable: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | BinaryFile | Iterable[bytes]"
)
AsyncUploadable: TypeAlias = "Uploadable | AsyncIterable[bytes]"


class UploadStream:
    """Bytes to upload, counted and reported while they go out.

    Attributes:
        file_name: Name to announce.
        size: Bytes in all.
        rewindable: Whether ``open`` may be called again.
        failure: What went wrong on our side while the bytes were read, or None.
    """

    def __init__(
        self,
        start: Callable[[], Iterable[bytes] | AsyncIterable[bytes]],
        *,
        file_name: str,
        size: int,
        rewindable: bool,
        on_progress: Progress | None,
        asynchronous: bool,
    ) -> None:
        self.file_name = file_name
        self.size = size
        self.rewindable = rewindable
        self.failure: Exception | None = None
        self._start = start
        self._asynchronous = asynchronous
        self._on_progress = on_progress
        self._attempt: _Attempt | None = None

    def open(self) -> Iterable[bytes] | AsyncIterable[bytes]:
        """Return the bytes from the first one on. What was given before ends."""
        attempt = self._attempt = _Attempt(self)
        chunks = self._start()
        if isinstance(chunks, AsyncIterable):
            return attempt.counted_async(chunks)
        if self.size == 0:
            # No engine asks for the bytes of an empty body: that there are none is seen here.
            return list(attempt.counted(chunks))
        # An engine reads a blocking source in a thread of its own.
        return (
            attempt.counted_async(_pulled(chunks))
            if self._asynchronous
            else attempt.counted(chunks)
        )

    def report(self, attempt: _Attempt, sent: int) -> None:
        """Report the progress of ``attempt``, and end it when another has begun."""
        if attempt is not self._attempt:
            message = "this attempt was given up; another one has begun"
            raise FileUploadError(message, stage="blob")
        if self._on_progress is not None:
            self._on_progress(sent, self.size)

    def fail(self, attempt: _Attempt, error: Exception) -> None:
        """Keep what went wrong: an engine may put an error of its own in its place."""
        if attempt is self._attempt:
            self.failure = error


class _Attempt:
    """The bytes on their way out, once.

    An engine stops asking when it has the announced number of bytes. What is to be noticed after
    the last chunk has to be noticed before it: each chunk waits until the next one is there.
    """

    def __init__(self, stream: UploadStream) -> None:
        self._stream = stream
        self._read = 0
        self._handed_over = 0

    def counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        try:
            self._report(b"")
            held = b""
            for chunk in chunks:
                self._count(chunk)
                if held:
                    self._report(held)
                    yield held
                held = chunk
            self._check_end()
            if held:
                self._report(held)
                yield held
        except OSError as exc:
            raise self._failed(self._unreadable(exc)) from exc
        except Exception as exc:
            self._failed(exc)
            raise

    async def counted_async(self, chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
        try:
            self._report(b"")
            held = b""
            async for chunk in chunks:
                self._count(chunk)
                if held:
                    self._report(held)
                    yield held
                held = chunk
            self._check_end()
            if held:
                self._report(held)
                yield held
        except OSError as exc:
            raise self._failed(self._unreadable(exc)) from exc
        except Exception as exc:
            self._failed(exc)
            raise

    def _report(self, chunk: bytes) -> None:
        self._handed_over += len(chunk)
        self._stream.report(self, self._handed_over)

    def _count(self, chunk: bytes) -> None:
        if not isinstance(chunk, bytes | bytearray | memoryview):  # pyright: ignore[reportUnnecessaryIsInstance]  # the caller's code gives it
            kind = type(chunk).__name__
            what = f"its source gives {kind} where bytes are expected"
            raise self._wrong(what)
        self._read += len(chunk)
        if self._read > self._stream.size:
            what = f"its source gives more than the announced {self._stream.size} bytes"
            raise self._wrong(what)

    def _check_end(self) -> None:
        if self._read != self._stream.size:
            what = f"its source ended after {self._read} of {self._stream.size} bytes"
            raise self._wrong(what)

    def _wrong(self, what: str) -> FileUploadError:
        message = f"file {self._stream.file_name!r} cannot be sent: {what}"
        return FileUploadError(message, stage="blob")

    def _unreadable(self, error: OSError) -> FileUploadError:
        return self._wrong(f"reading it failed ({_reason(error)})")

    def _failed(self, error: Exception) -> Exception:
        self._stream.fail(self, error)
        return error


def open_upload(
    source: AsyncUploadable,
    *,
    name: str | None = None,
    size: int | None = None,
    on_progress: Progress | None = None,
    asynchronous: bool = False,
) -> UploadStream:
    """Find out what there is to upload.

    Args:
        source: A path, bytes, a file opened for reading, or an iterable of bytes.
        name: Name to announce; None takes the path's, else ``upload.bin``.
        size: Bytes in all; needed for an iterable, and checked where it is known anyway.
        on_progress: Called with the bytes handed over so far and the bytes in all. A retry starts
            again from 0.
        asynchronous: Whether an event loop reads it. Then the source is read in worker threads, and
            ``on_progress`` called by the loop; else both happen in a thread of the engine.

    Raises:
        RequestBuildError: The source cannot be read or used; the error names the field or file.
    """
    start, known, found, rewindable = _opened(source, asynchronous=asynchronous)
    if size is not None and (not isinstance(size, int) or size < 0):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every caller has a type checker
        message = f"`size` is {size!r}; expected the number of bytes"
        raise RequestBuildError(message)
    if known is None and size is None:
        message = "`size` is needed for a stream; give the number of bytes that it will yield"
        raise RequestBuildError(message)
    if known is not None and size is not None and known != size:
        message = f"`size` is {size}, but the source has {known} bytes"
        raise RequestBuildError(message)
    file_name = found if name is None else name
    _check_name(file_name)
    return UploadStream(
        start,
        file_name=file_name,
        size=known if known is not None else size or 0,
        rewindable=rewindable,
        on_progress=on_progress,
        asynchronous=asynchronous,
    )


def _check_name(name: str) -> None:
    problem = None
    if not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every caller has a type checker
        problem = f"is {type(name).__name__}"
    elif not name.strip():
        problem = "is blank"
    elif any("\ud800" <= char <= "\udfff" for char in name):
        # What a file system holds that is not UTF-8.
        problem = f"cannot be written as UTF-8: {name!r}"
    if problem is not None:
        message = f"`name` {problem}; expected a file name"
        raise RequestBuildError(message)


_Start: TypeAlias = "Callable[[], Iterable[bytes] | AsyncIterable[bytes]]"


def _opened(source: AsyncUploadable, *, asynchronous: bool) -> tuple[_Start, int | None, str, bool]:
    """Return how to start reading, the size and name if known, and whether it can start again."""
    if isinstance(source, str | os.PathLike):
        return _path(Path(source))
    if isinstance(source, bytes | bytearray | memoryview):
        whole = memoryview(source)
        data = (whole if whole.c_contiguous else memoryview(bytes(whole))).cast("B")
        return (lambda: _sliced(data)), len(data), DEFAULT_NAME, True
    # A file of asyncio has a method ``read`` too.
    if isinstance(source, BinaryFile) and not isinstance(source, AsyncIterable):
        return _file(source)
    if isinstance(source, AsyncIterable):
        if not asynchronous:
            message = "`source` is an async iterable, which needs AsyncClient; give a blocking one"
            raise RequestBuildError(message)
        again = not isinstance(source, AsyncIterator)
        return (lambda: source), None, DEFAULT_NAME, again
    if isinstance(source, Iterable):  # pyright: ignore[reportUnnecessaryIsInstance]  # not every caller has a type checker
        return (lambda: source), None, DEFAULT_NAME, not isinstance(source, Iterator)
    message = (
        f"`source` is {type(source).__name__}; expected a path, bytes, a file opened for reading, "
        "or an iterable of bytes"
    )
    raise RequestBuildError(message)


def _path(path: Path) -> tuple[_Start, int | None, str, bool]:
    try:
        status = path.stat()
        # A pipe would not open before it has a writer.
        if stat.S_ISREG(status.st_mode):
            path.open("rb").close()
    except (OSError, ValueError) as exc:
        message = f"`{path}` cannot be read: {_reason(exc)}; expected a file"
        raise RequestBuildError(message) from exc
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
        message = f"`{path}` is {kind}; expected a file, or an open one with its `size`"
        raise RequestBuildError(message)
    return (lambda: _read_path(path)), status.st_size, path.name, True


def _file(file: BinaryFile) -> tuple[_Start, int | None, str, bool]:
    if isinstance(file, io.TextIOBase):
        message = "`source` is a file opened as text; open it with mode 'rb'"
        raise RequestBuildError(message)
    named = getattr(file, "name", None)
    name = Path(named).name if isinstance(named, str) else DEFAULT_NAME
    try:
        start, size = _rest(file)
    except (OSError, ValueError) as exc:
        message = f"`source` cannot be read: {_reason(exc)}; expected a file opened for reading"
        raise RequestBuildError(message) from exc
    if start is None:
        return (lambda: _read(file)), None, name, False
    if size == 0 and start > 0:
        # It was written, and nobody went back to its start.
        message = f"`source` is at its end, byte {start}: seek to where the upload is to begin"
        raise RequestBuildError(message)
    begin, lock = start, Lock()
    return (lambda: _read_from(file, begin, lock)), size, name, True


def _rest(file: BinaryFile) -> tuple[int, int] | tuple[None, None]:
    """Return the position of ``file`` and how many bytes follow, if it can be reread from there."""
    seek, tell = getattr(file, "seek", None), getattr(file, "tell", None)
    if seek is None or tell is None or not getattr(file, "seekable", lambda: True)():
        return None, None
    start = tell()
    size = max(0, seek(0, os.SEEK_END) - start)
    seek(start)
    return start, size


def _reason(error: OSError | ValueError) -> str:
    return str((error.strerror if isinstance(error, OSError) else None) or error)


def _sliced(data: memoryview) -> Iterator[bytes]:
    for offset in range(0, len(data), CHUNK_BYTES):
        yield bytes(data[offset : offset + CHUNK_BYTES])


def _read(file: BinaryFile) -> Iterator[bytes]:
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def _read_from(file: BinaryFile, offset: int, lock: Lock) -> Iterator[bytes]:
    # An attempt that was given up may still be reading; each keeps its own place.
    seek = getattr(file, "seek")  # noqa: B009 - the protocol of a file that cannot seek lacks it
    while True:
        with lock:
            seek(offset)
            chunk = file.read(CHUNK_BYTES)
        if not chunk:
            return
        offset += len(chunk)
        yield chunk


def _read_path(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from _read(file)


async def _pulled(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Read a blocking source from an event loop, which goes on meanwhile."""
    iterator = iter(chunks)
    while (chunk := await asyncio.to_thread(next, iterator, None)) is not None:
        yield chunk
