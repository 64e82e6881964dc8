"""Values of file uploads (wire.md, Files)."""

from __future__ import annotations

import msgspec

# A blob gets time for a slow line on top: 512 MiB within the 60 s alone would need 72 Mbit/s.
SLOWEST_BYTES_PER_SECOND = 128 * 1024


class UploadedFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file that the server has taken and finished checking.

    Attributes:
        uri: ``sediment://<file_id>``, which input items refer to.
        download_url: Signed: whoever has it can read the file. Not part of the repr.
        file_name: The server's name for it, else the one it was uploaded with.
        mime_type: What the server took it for, or None.
    """

    file_id: str
    uri: str
    download_url: str
    file_name: str
    file_size_bytes: int
    mime_type: str | None = None

    def __repr__(self) -> str:
        return (
            f"UploadedFile(file_id={self.file_id!r}, uri={self.uri!r}, download_url=<signed>, "
            f"file_name={self.file_name!r}, file_size_bytes={self.file_size_bytes}, "
            f"mime_type={self.mime_type!r})"
        )


class FileObject(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the public API's store.

    Attributes:
        bytes: Size of the file.
        created_at: Unix time in seconds.
    """

    id: str
    filename: str
    bytes: int
    purpose: str
    object: str = "file"
    created_at: int | None = None
    status: str | None = None


class UploadLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that the parts of an upload may take.

    Attributes:
        request: Each request; the blob gets more when it is large, unless ``blob`` says else.
        blob: The transfer of the bytes, or None for ``request`` and the time of a slow line.
        finalize: From the end of the transfer until the server has checked the file.
    """

    request: float = 60.0
    blob: float | None = None
    finalize: float = 30.0

    def blob_timeout(self, size: int) -> float:
        """Return the limit for a transfer of ``size`` bytes."""
        if self.blob is not None:
            return self.blob
        return self.request + size / SLOWEST_BYTES_PER_SECOND
