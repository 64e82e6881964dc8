from __future__ import annotations

import sys

import pytest
from backports import zstd as reader

from codex_api.transport._core import zstd
from codex_api.transport.errors import CompressionError


@pytest.mark.parametrize("size", [0, 1, 1000, 5_000_000])
def test_a_frame_reads_back(size: int) -> None:
    data = bytes(size)

    assert reader.decompress(zstd.compress(data)) == data


@pytest.mark.parametrize("size", [0, 10, 3_000_000])
def test_the_frame_is_that_of_the_real_client_whatever_the_size(size: int) -> None:
    """Magic number, no content size, no checksum, no dictionary, a window of 2 MiB."""
    assert zstd.compress(b"x" * size)[:6] == b"\x28\xb5\x2f\xfd\x00\x58"


def test_without_a_module_compression_is_refused_with_a_hint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert zstd.available()
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    monkeypatch.delattr("backports.zstd", raising=False)

    assert not zstd.available()
    with pytest.raises(CompressionError, match=r"codex-api\[zstd\]"):
        zstd.compress(b"x")
