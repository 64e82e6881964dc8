"""Mutated answers, read by us and by ``h11``: what it refuses we refuse, what both read is alike.

``MUTATED_ANSWERS`` says how many; ``make differential`` reads 100,000.
"""

from __future__ import annotations

import os
import random
import re
from typing import NamedTuple

import h11
import pytest

from codex_api.transport._core.http1 import ResponseReader
from codex_api.transport.errors import NetworkError
from tests.transport._core.http1_answers import CHUNKED, FIXED, OK
from tests.transport._core.test_http1_response import ILLEGAL, LEGAL

COUNT = int(os.environ.get("MUTATED_ANSWERS", "4000"))
SHARDS = 4

# Where we accept what ``h11`` refuses: its complaint, and an answer that shows it.
ACCEPTED = {
    # RFC 9112, 7.1.1: white space before an extension is bad, and a recipient removes it.
    "bad white space": ("illegal chunk header", "GET", CHUNKED + b"3 ;x\r\nabc\r\n0\r\n\r\n"),
    # RFC 9110, 9.3.6: a client ignores both fields in a 2xx to CONNECT.
    "the length of a tunnel": (
        "conflicting Content-Length",
        "CONNECT",
        OK + b"Content-Length: 3, 4\r\n\r\n",
    ),
    "the bad length of a tunnel": (
        "bad Content-Length",
        "CONNECT",
        OK + b"Content-Length: x\r\n\r\n",
    ),
    "the coding of a tunnel": (
        "Only Transfer-Encoding",
        "CONNECT",
        OK + b"Transfer-Encoding: x\r\n\r\n",
    ),
    "the codings of a tunnel": (
        "multiple Transfer-Encoding",
        "CONNECT",
        OK + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n",
    ),
    # RFC 9112, 6.3: a 1xx ends with its head, whatever its fields say.
    "the length of a 1xx": (
        "conflicting Content-Length",
        "GET",
        b"HTTP/1.1 100 C\r\nContent-Length: 3, 4\r\n\r\n" + FIXED + b"abc",
    ),
    "the bad length of a 1xx": (
        "bad Content-Length",
        "GET",
        b"HTTP/1.1 100 C\r\nContent-Length: x\r\n\r\n" + FIXED + b"abc",
    ),
    "the coding of a 1xx": (
        "Only Transfer-Encoding",
        "GET",
        b"HTTP/1.1 100 C\r\nTransfer-Encoding: x\r\n\r\n" + FIXED + b"abc",
    ),
    "the codings of a 1xx": (
        "multiple Transfer-Encoding",
        "GET",
        b"HTTP/1.1 100 C\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + FIXED + b"abc",
    ),
    # RFC 9110, 6.5.1: such fields frame nothing in trailers, which we drop.
    "the bad length of trailers": (
        "bad Content-Length",
        "GET",
        CHUNKED + b"0\r\nContent-Length: x\r\n\r\n",
    ),
    "the coding of trailers": (
        "Only Transfer-Encoding",
        "GET",
        CHUNKED + b"0\r\nTransfer-Encoding: x\r\n\r\n",
    ),
}
BAD_WHITE_SPACE = re.compile(rb"[0-9A-Fa-f][ \t]+;").search
INFORMATIONAL = re.compile(rb"HTTP/1\.[01] 1").search
IN_TRAILERS = re.compile(
    rb"(?is)\n0+[ \t]*(;[^\r]*)?\r\n.*(content-length|transfer-encoding):"
).search


def is_listed(complaint: str, method: str, data: bytes) -> bool:
    if complaint.startswith("illegal chunk header"):
        return BAD_WHITE_SPACE(data) is not None
    listed = ("conflicting", "bad Content", "Only Transfer", "multiple Transfer")
    if not complaint.startswith(listed):
        return False
    return method == "CONNECT" or bool(INFORMATIONAL(data) or IN_TRAILERS(data))


TOKENS = [
    b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"\0", b" ", b"\t", b":", b",", b";", b"0", b"3", b"10",
    b"ffffffffffffffff", b"-1", b"+1", b"1_0", b"0x1", b"HTTP/1.0 ", OK, b"\xff",
    b"Content-Length: 3\r\n", b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"chunked", b"gzip", b"abc", b"\x7f",
    b"HTTP/1.1 100 C\r\n\r\n", b"3\r\nabc\r\n", b"0\r\n\r\n", b"A: b\r\n", b" c\r\n", b";x=y",
]  # fmt: skip


class Verdict(NamedTuple):
    """What was read.

    Attributes:
        fields: All but those that frame the body: ``h11`` puts these into another form.
        can_reuse: Not compared where the answer is one of HTTP/1.0, which ``h11`` never keeps.
    """

    status: int | None
    fields: list[tuple[str, str]]
    body: bytes
    has_leftover: bool
    can_reuse: bool


FRAMING = ("content-length", "transfer-encoding")


def ours(method: str, data: bytes) -> Verdict | str:
    reader = ResponseReader(method)
    try:
        body = reader.feed(data)
        can_reuse = reader.can_reuse
        reader.close()
    except NetworkError as error:
        return str(error)
    fields = [field for field in reader.headers.items() if field[0] not in FRAMING]
    return Verdict(reader.status, sorted(fields), body, reader.has_leftover, can_reuse)


def theirs(method: str, data: bytes) -> Verdict | str:
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    target = "h:1" if method == "CONNECT" else "/"
    connection.send(h11.Request(method=method, target=target, headers=[("host", "h")]))
    connection.send(h11.EndOfMessage())
    status, fields, body, closed = None, list[tuple[str, str]](), b"", False
    try:
        connection.receive_data(data)
        while not is_end(event := connection.next_event()):
            if isinstance(event, h11.Response):
                status = event.status_code
                fields = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in event.headers]
            elif isinstance(event, h11.Data):
                body += event.data
            elif event is h11.NEED_DATA:
                connection.receive_data(b"")
                closed = True
    except h11.RemoteProtocolError as error:
        return str(error)
    left = connection.trailing_data[0] != b""
    kept = not closed and not left and connection.their_state in (h11.DONE, h11.SWITCHED_PROTOCOL)
    fields = sorted(field for field in fields if field[0] not in FRAMING)
    return Verdict(status, fields, body, left, kept)


def is_end(event: object) -> bool:
    return event is h11.PAUSED or isinstance(event, h11.EndOfMessage | h11.ConnectionClosed)


def mutated(data: bytes, dice: random.Random) -> bytes:
    for _ in range(dice.randint(1, 3)):
        start = dice.randint(0, len(data))
        end = min(len(data), start + dice.choice([0, 1, 1, 2, 4, 12]))
        match dice.randint(0, 4):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:end] + data[start:]
            case 2:
                data = data[:start] + dice.choice(TOKENS) + data[start:]
            case 3:
                data = data[:start] + dice.choice(TOKENS) + data[end:]
            case _:
                data = data[:start] + bytes([dice.randint(0, 255)]) + data[start + 1 :]
    return data


@pytest.mark.timeout(600)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_nothing_is_accepted_that_h11_refuses_but_what_is_listed(shard: int) -> None:
    dice = random.Random(shard)  # noqa: S311 - the same answers every time
    seeds = [(method, data) for method, data, *_ in LEGAL.values()]
    seeds += [("GET", data) for data in ILLEGAL.values()]
    accepted = 0
    for _ in range(COUNT // SHARDS):
        method, data = dice.choice(seeds)
        data = mutated(data, dice)
        mine, other = ours(method, data), theirs(method, data)
        if isinstance(mine, str):
            continue
        accepted += 1
        if isinstance(other, str):
            assert is_listed(other, method, data), (method, data, mine, other)
            continue
        if b"HTTP/1.0" in data:
            mine = mine._replace(can_reuse=other.can_reuse)
        assert mine == other, (method, data)

    assert accepted > COUNT // SHARDS // 20


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_listed_is_refused_by_h11_and_accepted_by_us(name: str) -> None:
    complaint, method, data = ACCEPTED[name]

    refused = theirs(method, data)
    assert isinstance(refused, str)
    assert refused.startswith(complaint)
    assert is_listed(refused, method, data)
    assert isinstance(ours(method, data), Verdict)


def test_an_answer_that_is_refused_for_another_reason_is_not_listed() -> None:
    assert not is_listed("illegal header line", "CONNECT", OK)
    assert not is_listed("bad Content-Length", "GET", OK)
    assert not is_listed("illegal chunk header", "GET", CHUNKED)
