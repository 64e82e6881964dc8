"""File uploads under asyncio."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from codex_api._async.pages import paged
from codex_api._async.unary import Endpoints, unary
from codex_api._async.waits import ASYNCHRONOUS, off_loop
from codex_api._logic.endpoints import files as core
from codex_api._logic.endpoints import kept_files as kept
from codex_api._logic.endpoints.file_store import create_file
from codex_api._logic.outgoing.header_arguments import hides_headers
from codex_api.local.upload_source import open_upload
from codex_api.types.files import UploadLimits

if TYPE_CHECKING:
    from codex_api.local.upload_source import AsyncUploadable, Progress, UploadStream
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.types.files import FileObject, UploadedFile

_LIMITS = UploadLimits()


class AsyncFiles(Endpoints):
    """``client.files``."""

    @unary(kept.retrieve)
    def retrieve(self) -> None:
        """Retrieve."""

    @unary(kept.content)
    def content(self) -> None:
        """Yield the content."""

    @unary(kept.delete)
    def delete(self) -> None:
        """Delete."""

    @paged(kept.list_files)
    def list(self) -> None:
        """List."""

    @hides_headers
    async def upload(
        self,
        source: AsyncUploadable,
        name: str | None = None,
        size: int | None = None,
        on_progress: Progress | None = None,
        *,
        base_url: str | None = None,
        extra_headers: HeaderSource | Headers | None = None,
        limits: UploadLimits = _LIMITS,
    ) -> UploadedFile:
        """Upload a file to the Codex backend, in constant memory, and wait until it is usable.

        Args:
            source: A path, bytes, a file opened for reading, or an iterable of bytes; where
                there is an event loop also an asynchronous one.
            name: Name to announce; None takes the path's, else ``upload.bin``.
            size: Bytes in all, at most 512 MiB; needed for an iterable.
            on_progress: Called with the bytes handed over so far and the bytes in all, by the
                event loop or by the thread that reads the source. A retry starts again from 0.
            base_url: Of the server that keeps files; None takes the provider's, less ``/codex``.
            extra_headers: For this call, but never for the blob store.
            limits: Seconds that the parts of the upload may take.

        Raises:
            RequestBuildError: The source cannot be read or is too large; nothing was sent.
            FileUploadError: The transfer or the server's check of the file failed.
            DecodeError: An answer is not what was promised.
            CodexApiError: The call failed.
        """
        upload = await _opened(source, name, size, on_progress)
        runner, settings = self._runner, self._runner.settings
        context = core.files_context(settings.context, base_url)
        return await runner.watched(
            core.upload_start(context),
            lambda observer: runner.drive(
                core.upload_file(
                    context,
                    upload,
                    settings.unary_policy(None, frozenset(), observer),
                    new_id=_new_id,
                    limits=limits,
                    extra_headers=extra_headers,
                )
            ),
        )

    @hides_headers
    async def create(
        self,
        source: AsyncUploadable,
        purpose: str = "user_data",
        *,
        name: str | None = None,
        size: int | None = None,
        on_progress: Progress | None = None,
        extra_headers: HeaderSource | Headers | None = None,
        limits: UploadLimits = _LIMITS,
    ) -> FileObject:
        """Upload a file to the store of the public API, in one request and constant memory.

        Args:
            source: As for ``upload``, and so are the other arguments.
            purpose: What the file is for, such as ``user_data``, ``vision`` or ``batch``.

        Raises:
            RequestBuildError: The source cannot be read or is too large; nothing was sent.
            FileUploadError: Reading the source failed.
            DecodeError: The answer is not what was promised.
            CodexApiError: The call failed.
        """
        upload = await _opened(source, name, size, on_progress)
        runner, settings = self._runner, self._runner.settings
        return await runner.watched(
            core.upload_start(settings.context),
            lambda observer: runner.drive(
                create_file(
                    settings.context,
                    upload,
                    settings.unary_policy(None, frozenset(), observer),
                    purpose=purpose,
                    boundary=_new_id(),
                    limits=limits,
                    extra_headers=extra_headers,
                )
            ),
        )


async def _opened(
    source: AsyncUploadable, name: str | None, size: int | None, on_progress: Progress | None
) -> UploadStream:
    return await off_loop(
        open_upload,
        source,
        name=name,
        size=size,
        on_progress=on_progress,
        asynchronous=ASYNCHRONOUS,
    )


def _new_id() -> str:
    return str(uuid.uuid4())
