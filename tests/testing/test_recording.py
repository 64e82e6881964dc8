from __future__ import annotations

import threading

import pytest
from backports import zstd

from codex_api.testing.recording import (
    Journal,
    RecordedRequest,
    UndecodableBodyError,
    decode_content,
    wait_until,
)


def recorded(target: str = "/v1/x?a=1&b", **headers: str) -> RecordedRequest:
    return RecordedRequest(method="POST", target=target, headers=list(headers.items()), body=b"{}")


def test_headers_are_found_whatever_their_case() -> None:
    request = recorded(Zeta="1", alpha="2")

    assert (request.header("ZETA"), request.header("nope")) == ("1", None)
    assert request.header_names() == ["Zeta", "alpha"]


def test_the_target_is_taken_apart() -> None:
    assert recorded().path == "/v1/x"
    assert recorded().query == [("a", "1"), ("b", "")]


@pytest.mark.parametrize("encoding", [None, "identity", " Identity "])
def test_a_plain_body_is_left_alone(encoding: str | None) -> None:
    assert decode_content(b"x", encoding) == b"x"


def test_zstd_is_undone() -> None:
    assert decode_content(zstd.compress(b"x" * 1000), "zstd") == b"x" * 1000


@pytest.mark.parametrize("encoding", ["zstd", "gzip", "br"])
def test_what_cannot_be_undone_is_an_error(encoding: str) -> None:
    with pytest.raises(UndecodableBodyError):
        decode_content(b"not compressed", encoding)


def test_a_journal_can_be_waited_on() -> None:
    journal = Journal()
    threading.Thread(target=journal.add, args=(recorded(),)).start()

    assert journal.wait_for(1, 5) == [recorded()]
    with pytest.raises(TimeoutError):
        journal.wait_for(2, 0.01)


def test_waiting_looks_again_at_the_end() -> None:
    wait_until(threading.Condition(), lambda: True, 0)
    with pytest.raises(TimeoutError, match=r"not within 0\.01 s"):
        wait_until(threading.Condition(), lambda: False, 0.01)
