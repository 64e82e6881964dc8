"""How the bytes of a stream leave the server."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import httpx2
import pytest

from codex_api.testing import EmbeddedServer, Gate, faults
from codex_api.testing.scenarios import Scenario, faulty, html_page, scripted
from codex_api.testing.wire import sse_comment, sse_event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codex_api.testing.steps import Fault

REQUEST = {"model": "m", "input": "hi", "stream": True}
DONE = {"type": "response.completed", "response": {"id": "r"}}
NOTE = {"type": "x.note", "n": 1}


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


def body_of(server: EmbeddedServer, *applied: Fault) -> bytes:
    server.play(scripted(NOTE, DONE, faults=applied))
    return httpx2.post(f"{server.url}/responses", json=REQUEST).content


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (faults.in_pieces(1), sse_event(NOTE) + sse_event(DONE)),
        (faults.commented(), sse_comment() + sse_event(NOTE) + sse_comment() + sse_event(DONE)),
        (faults.cut(after=1, how="clean"), sse_event(NOTE)),
        (faults.close_frame(after=1, code=1000), sse_event(NOTE)),
        (
            faults.garbage(b"data: x\n\n", after=0),
            b"data: x\n\n" + sse_event(NOTE) + sse_event(DONE),
        ),
        (faults.slow(0.001), sse_event(NOTE) + sse_event(DONE)),
    ],
)
def test_faults_leave_their_mark_on_the_body(
    server: EmbeddedServer, fault: Fault, expected: bytes
) -> None:
    assert body_of(server, fault) == expected


def test_each_piece_is_a_chunk_of_its_own(server: EmbeddedServer) -> None:
    server.play(scripted(NOTE, faults=(faults.in_pieces(10),)))
    request = httpx2.Request("POST", f"{server.url}/responses", json=REQUEST)
    head = "POST /v1/responses HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
    head += f"content-type: application/json\r\ncontent-length: {len(request.content)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        sock.sendall(head.encode() + request.content)
        got = b"".join(iter(lambda: sock.recv(65536), b""))

    data = sse_event(NOTE)
    pieces = [data[start : start + 10] for start in range(0, len(data), 10)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    assert got.partition(b"\r\n\r\n")[2] == chunks + b"0\r\n\r\n"


def test_only_comments_come_until_the_client_leaves(server: EmbeddedServer) -> None:
    server.play(scripted(NOTE, DONE, faults=(faults.comments_only(0.001, after=1),)))
    expected = sse_event(NOTE) + 3 * sse_comment()
    with httpx2.stream("POST", f"{server.url}/responses", json=REQUEST) as reply:
        got, chunks = b"", reply.iter_raw()
        while len(got) < len(expected):
            got += next(chunks)

    assert got.startswith(expected)
    assert server.wait_for_disconnect().last_event == "x.note"


def test_a_stream_that_is_kept_open_is_left_by_the_client(server: EmbeddedServer) -> None:
    server.play(scripted(NOTE, DONE, faults=(faults.keep_open(),)))
    with httpx2.stream("POST", f"{server.url}/responses", json=REQUEST) as reply:
        got, chunks = b"", reply.iter_raw()
        while not got.endswith(sse_event(DONE)):
            got += next(chunks)

    assert server.wait_for_disconnect().last_event == "response.completed"


def test_the_head_can_be_held_back(server: EmbeddedServer) -> None:
    gate = Gate()
    server.play(faulty(), Scenario(head_gate=gate), Scenario(head_gate=gate))
    url = f"{server.url}/responses"
    assert httpx2.post(url, json=REQUEST, timeout=0.5).status_code == 200
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(url, json=REQUEST, timeout=0.1)
    assert server.wait_for_disconnect().events_sent == 0

    gate.set()
    assert httpx2.post(url, json=REQUEST).status_code == 200


def test_an_answer_in_one_piece_can_be_held_back(server: EmbeddedServer) -> None:
    gate = Gate()
    server.play(Scenario(head_gate=gate))
    timer = threading.Timer(0.05, gate.set)
    timer.start()

    reply = httpx2.post(f"{server.url}/responses", json={**REQUEST, "stream": False})
    assert gate.is_set()
    assert reply.json()["status"] == "completed"
    timer.join()


def test_the_head_of_a_scripted_status_can_be_held_back(server: EmbeddedServer) -> None:
    server.play(Scenario(status=503, head_gate=Gate()))
    with pytest.raises(httpx2.ReadTimeout):
        httpx2.post(f"{server.url}/responses", json=REQUEST, timeout=0.1)

    assert server.wait_for_disconnect().events_sent == 0


def test_headers_can_be_added_replaced_and_left_out(server: EmbeddedServer) -> None:
    headers = {"X-Codex-Turn-State": "mine", "x-new": "1", "content-type": "text/plain"}
    server.play(Scenario(headers=headers, omitted_headers=frozenset({"x-models-etag"})))
    got = httpx2.post(f"{server.url}/responses", json=REQUEST).headers

    assert (got["x-codex-turn-state"], got["x-new"]) == ("mine", "1")
    assert got["content-type"] == "text/plain"
    assert "x-models-etag" not in got


def test_a_page_in_place_of_a_stream_is_no_stream(server: EmbeddedServer) -> None:
    server.play(html_page())
    reply = httpx2.post(f"{server.url}/responses", json=REQUEST)

    assert reply.headers["content-type"] == "text/html; charset=utf-8"


def test_without_stream_a_scripted_failure_is_the_answer(server: EmbeddedServer) -> None:
    server.play(faulty(faults.failed("server_error", "Broken.")))
    reply = httpx2.post(f"{server.url}/responses", json={**REQUEST, "stream": False})

    assert reply.json()["status"] == "failed"
    assert reply.json()["error"]["message"] == "Broken."
