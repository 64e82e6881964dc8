"""Request compression with zstd at level 3, through the standard library or its backport.

The frame carries no content size and no checksum, as the reference client's does.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from codex_api.transport.errors import CompressionError

if TYPE_CHECKING:
    from types import ModuleType

LEVEL = 3


def available() -> bool:
    """Return whether a zstd module is installed."""
    return _module() is not None


def compress(data: bytes) -> bytes:
    """Compress ``data`` into one frame.

    Raises:
        CompressionError: Python is older than 3.14 and ``backports.zstd`` is not installed.
    """
    module = _module()
    if module is None:
        message = "zstd compression needs Python 3.14 or the extra codex-api[zstd]"
        raise CompressionError(message)
    parameter = module.CompressionParameter
    options = {parameter.compression_level: LEVEL, parameter.content_size_flag: 0}
    # In two steps: told the size, the encoder would shrink level 3's window of 2 MiB to fit it.
    compressor = module.ZstdCompressor(options=options)
    frame: bytes = compressor.compress(data) + compressor.flush()
    return frame


def _module() -> ModuleType | None:
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - loaded when a body is compressed
        else:
            from backports import zstd  # noqa: PLC0415 - loaded when a body is compressed
    except ImportError:
        return None
    return zstd
