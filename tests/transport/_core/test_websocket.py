from __future__ import annotations

import random
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import SERVER, Protocol, State
from websockets.utils import apply_mask

from codex_api.transport._core.deflate import DeflateParameters, MessageDeflate
from codex_api.transport._core.websocket import WebSocketMachine
from codex_api.transport.errors import EventTooLargeError, NetworkError, WebSocketClosedError

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = b"\x01\x02\x03\x04"
BOMB_BYTES = 8 << 20


def mask(payload: bytes) -> bytes:
    return KEY + apply_mask(payload, KEY)


def machine(*, deflate: bool = False, **options: Any) -> WebSocketMachine:
    packed = MessageDeflate(DeflateParameters()) if deflate else None
    return WebSocketMachine(mask, deflate=packed, **options)


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False, extra: int = 0
) -> bytes:
    """Make a frame of a server."""
    first = (0x80 if fin else 0) | (0x40 if rsv1 else 0) | extra | opcode
    if len(payload) < 126:
        return bytes((first, len(payload))) + payload
    if len(payload) < 1 << 16:
        return bytes((first, 126)) + len(payload).to_bytes(2, "big") + payload
    return bytes((first, 127)) + len(payload).to_bytes(8, "big") + payload


def close(code: int, reason: str = "") -> bytes:
    return frame(8, code.to_bytes(2, "big") + reason.encode())


def read(
    found: WebSocketMachine, data: bytes, size: int | None = None
) -> tuple[list[str | bytes], bytes]:
    """Feed in pieces, and return messages and what went out."""
    messages: list[str | bytes] = []
    sent = b""
    step = size or max(1, len(data))
    for start in range(0, len(data), step):
        found.feed(data[start : start + step])
        sent += found.take_outgoing()
        while (message := found.next_message()) is not None:
            messages.append(message)
            sent += found.take_outgoing()
    return messages, sent


def frames_of(data: bytes) -> list[Frame]:
    """Read what we send as a server of ``websockets`` does."""
    peer = Protocol(SERVER, state=State.OPEN, max_size=None)
    peer.receive_data(data)
    return [event for event in peer.events_received() if isinstance(event, Frame)]


EVERYTHING = b"".join(
    (
        frame(1, b"text"),
        frame(9, b"ping"),
        frame(2, b"\x00\xff"),
        frame(1, b"", fin=False),
        frame(0, b"frag", fin=False),
        frame(10, b"pong"),
        frame(0, b"ments"),
        frame(1, "käse".encode() * 50),
        frame(1, b"x" * 70_000),
        frame(2, b"", fin=True),
        close(1001, "bye"),
    )
)
MESSAGES = ["text", b"\x00\xff", "fragments", "käse" * 50, "x" * 70_000, b""]


@pytest.mark.parametrize("size", [None, 1, 2, 3, 7, 64, 65_536])
def test_every_cut_gives_the_same(size: int | None) -> None:
    found = machine()

    messages, sent = read(found, EVERYTHING, size)

    assert messages == MESSAGES
    assert [item.opcode for item in frames_of(sent)] == [Opcode.PONG, Opcode.CLOSE]
    assert frames_of(sent)[0].data == b"ping"
    assert isinstance(found.failure, WebSocketClosedError)
    assert (found.failure.code, found.failure.reason) == (1001, "bye")


def test_each_cut_in_two_gives_the_same() -> None:
    short = EVERYTHING.replace(frame(1, b"x" * 70_000), frame(1, b"x" * 130))
    for cut in range(len(short)):
        found = machine()
        messages = read(found, short[:cut])[0] + read(found, short[cut:])[0]

        assert messages == ["x" * 130 if len(m) == 70_000 else m for m in MESSAGES], cut


@pytest.mark.parametrize("text", ["", "hi", "ä" * 70, "x" * 65_535, "x" * 70_000])
@pytest.mark.parametrize("deflate", [False, True])
def test_what_we_send_is_read_by_another_implementation(text: str, *, deflate: bool) -> None:
    peer = Protocol(SERVER, state=State.OPEN, max_size=None)
    if deflate:
        peer.extensions = [
            PerMessageDeflate(
                remote_no_context_takeover=False,
                local_no_context_takeover=False,
                remote_max_window_bits=15,
                local_max_window_bits=15,
            )
        ]
    found = machine(deflate=deflate)

    for message in (text, text.encode()):
        peer.receive_data(found.text(message))

    received = [event.data for event in peer.events_received() if isinstance(event, Frame)]
    assert received == [text.encode()] * 2


def test_pings_and_close_frames_are_sent_as_the_protocol_says() -> None:
    found = machine()

    sent = frames_of(found.ping() + found.close(1000, "r" * 200))

    assert [item.opcode for item in sent] == [Opcode.PING, Opcode.CLOSE]
    assert sent[1].data == b"\x03\xe8" + b"r" * 123
    assert found.close() == b""


def test_our_own_close_is_not_answered_twice() -> None:
    found = machine()
    found.close()

    _, sent = read(found, close(1000))

    assert sent == b""


@pytest.mark.parametrize("begun", [b"", frame(1, b"half", fin=False)])
def test_close_in_the_midst_of_a_message_says_so(begun: bytes) -> None:
    found = machine()

    read(found, begun + close(1000))

    assert isinstance(found.failure, WebSocketClosedError)
    assert (found.failure.code, found.failure.is_cut) == (1000, bool(begun))
    assert ("midst" in found.failure.message) is bool(begun)


ILLEGAL = {
    "masked": b"\x81\x85" + mask(b"hello"),
    "masked and long": b"\x81\xfe\x00\x80" + mask(b"h" * 128),
    "RSV1 without compression": frame(1, b"x", rsv1=True),
    "RSV2": frame(1, b"x", extra=0x20),
    "RSV3": frame(2, b"x", extra=0x10),
    "opcode 3": frame(3, b"x"),
    "opcode 11": frame(11),
    "a fragment of nothing": frame(0, b"x"),
    "a message inside another": frame(1, b"a", fin=False) + frame(1, b"b"),
    "a fragmented ping": frame(9, b"x", fin=False),
    "a long ping": frame(9, b"x" * 126),
    "a close of one byte": frame(8, b"\x03"),
    "a close code that is reserved": close(1005),
    "a close code that is too small": close(999),
    "a close code that is too large": close(5000),
    "a close reason that is no text": frame(8, b"\x03\xe8\xff"),
    "text that is no UTF-8": frame(1, b"\xff"),
    "fragments that are no UTF-8": frame(1, b"\xc3", fin=False) + frame(0, b"x"),
}


@pytest.mark.parametrize("data", ILLEGAL.values(), ids=ILLEGAL.keys())
@pytest.mark.parametrize("size", [None, 1])
def test_what_the_protocol_forbids_ends_everything(data: bytes, size: int | None) -> None:
    found = machine()

    messages, sent = read(found, frame(1, b"before") + data + frame(1, b"after"), size)

    assert messages == ["before"]
    assert isinstance(found.failure, WebSocketClosedError)
    assert found.failure.code is None
    assert "broke the WebSocket protocol" in str(found.failure)
    (goodbye,) = frames_of(sent)
    assert goodbye.opcode is Opcode.CLOSE
    assert int.from_bytes(goodbye.data[:2], "big") in {1002, 1007}


@pytest.mark.parametrize(
    "head",
    [b"\xc1\x7f", b"\xa1\x10", b"\x83\x10", b"\x80\x10", b"\x89\x7e"],
    ids=["RSV1", "RSV2", "opcode", "fragment", "ping"],
)
def test_an_illegal_frame_is_refused_before_its_payload_comes(head: bytes) -> None:
    found = machine()

    found.feed(head + (1 << 16).to_bytes(8, "big"))

    assert isinstance(found.failure, WebSocketClosedError)


def test_a_length_past_the_limit_is_refused_before_its_payload_comes() -> None:
    found = machine(max_message_bytes=100)

    found.feed(b"\x81\x7f" + (1 << 40).to_bytes(8, "big"))

    assert isinstance(found.failure, EventTooLargeError)
    assert frames_of(found.take_outgoing())[0].data[:2] == (1009).to_bytes(2, "big")


@pytest.mark.parametrize("cuts", [1, 2, 101])
def test_a_message_is_measured_over_all_its_fragments(cuts: int) -> None:
    def sent(total: int) -> bytes:
        step = -(-total // cuts)
        pieces = [b"x" * min(step, total - at) for at in range(0, total, step)]
        return b"".join(
            frame(0 if at else 1, piece, fin=at == len(pieces) - 1)
            for at, piece in enumerate(pieces)
        )

    fits, over = machine(max_message_bytes=1000), machine(max_message_bytes=1000)

    assert read(fits, sent(1000))[0] == ["x" * 1000]
    assert read(over, sent(1001))[0] == []
    assert isinstance(over.failure, EventTooLargeError)


def packed(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_compressed_messages_may_refer_to_those_before_them() -> None:
    server = MessageDeflate(DeflateParameters())
    found = machine(deflate=True)
    texts = ["hello " * 20, "hello " * 20, "other"]
    frames = [server.compress(text.encode()) for text in texts]

    messages, _ = read(found, b"".join(frame(1, data, rsv1=True) for data in frames), 5)

    assert messages == texts
    assert len(frames[1]) < len(frames[0])


def test_compressed_and_plain_messages_may_alternate() -> None:
    found = machine(deflate=True)
    data = packed(b"fragmented and compressed")
    stream = b"".join(
        (
            frame(1, data[:5], fin=False, rsv1=True),
            frame(9),
            frame(0, data[5:]),
            frame(1, b"plain"),
            frame(2, packed(b"\x00\x01"), rsv1=True),
        )
    )

    assert read(found, stream)[0] == ["fragmented and compressed", "plain", b"\x00\x01"]


@pytest.mark.parametrize(
    "parameters",
    [
        DeflateParameters(keeps_incoming=False, keeps_outgoing=False),
        DeflateParameters(incoming_bits=10, outgoing_bits=10),
    ],
)
def test_both_sides_keep_to_what_was_agreed_on(parameters: DeflateParameters) -> None:
    ours, theirs = MessageDeflate(parameters), MessageDeflate(parameters)

    for text in (b"one " * 500, b"one " * 500, b""):
        assert theirs.decompress(ours.compress(text), None) == text


def test_a_block_that_says_it_is_the_last_ends_only_its_message() -> None:
    compressor = zlib.compressobj(wbits=-15)
    last = compressor.compress(b"bye") + compressor.flush(zlib.Z_FINISH)
    found = MessageDeflate(DeflateParameters())

    assert found.decompress(last + b"\x00", None) == b"bye"
    assert found.decompress(packed(b"again"), None) == b"again"


@pytest.mark.parametrize("fin", [True, False])
def test_damaged_compression_ends_everything(*, fin: bool) -> None:
    found = machine(deflate=True)
    stream = frame(1, b"\xff\xff", fin=fin, rsv1=True) + (b"" if fin else frame(0, b"\xff"))

    read(found, stream)

    assert isinstance(found.failure, WebSocketClosedError)


def test_a_control_frame_and_a_continuation_are_never_compressed() -> None:
    for illegal in (
        frame(9, b"", rsv1=True),
        frame(1, packed(b"a"), fin=False, rsv1=True) + frame(0, b"", rsv1=True),
    ):
        found = machine(deflate=True)
        read(found, illegal)

        assert isinstance(found.failure, WebSocketClosedError)


@pytest.mark.parametrize("limit", [1000, 1 << 20])
def test_a_bomb_makes_no_more_than_the_limit(limit: int) -> None:
    found = machine(deflate=True, max_message_bytes=limit)

    read(found, frame(1, packed(b"\0" * BOMB_BYTES), rsv1=True))

    assert isinstance(found.failure, EventTooLargeError)


def test_data_that_cannot_be_compressed_may_fill_the_limit() -> None:
    noise = random.Random(1).randbytes(5000)  # noqa: S311 - test data
    found = machine(deflate=True, max_message_bytes=len(noise))

    assert read(found, frame(2, packed(noise), rsv1=True))[0] == [noise]


def test_small_frames_that_grow_wait_until_there_is_room() -> None:
    large = b"\0" * (1 << 20)
    found = machine(deflate=True, max_queued_bytes=1 << 16)
    server = MessageDeflate(DeflateParameters())
    found.feed(b"".join(frame(1, server.compress(large), rsv1=True) for _ in range(64)))

    waiting = [len(found._messages)]
    received = 0
    while (message := found.next_message()) is not None:
        received += len(message)
        waiting.append(len(found._messages))

    assert max(waiting) == 1
    assert received == 64 << 20


def test_a_full_machine_says_so_and_goes_on_later() -> None:
    found = machine(max_queued_bytes=10)
    found.feed(frame(1, b"x" * 10) + frame(1, b"y") + frame(9, b"p"))

    assert found.is_full
    assert not found.has_outgoing
    found.feed(frame(1, b"z"))
    assert [found.next_message() for _ in range(4)] == ["x" * 10, "y", "z", None]
    assert not found.is_full
    assert found.has_outgoing


def test_nothing_is_taken_after_the_end() -> None:
    found = machine()
    found.lose(None)
    found.lose(NetworkError("second"))

    found.feed(frame(1, b"x"))

    assert found.next_message() is None
    assert str(found.failure) == "the WebSocket was lost without a close frame"


def test_the_end_says_what_broke_the_connection() -> None:
    found = machine()
    cause = NetworkError("reset")

    found.lose(cause)

    assert found.failure is not None
    assert "reset" in str(found.failure)
    assert found.failure.__cause__ is cause


def test_a_frame_in_many_pieces_is_looked_at_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = 0
    parse = WebSocketMachine._parse

    def counted(found: WebSocketMachine) -> None:
        nonlocal looks
        looks += 1
        parse(found)

    monkeypatch.setattr(WebSocketMachine, "_parse", counted)
    messages, _ = read(machine(), frame(1, b"x" * 100_000), 10)

    assert messages == ["x" * 100_000]
    assert looks == 2


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300), st.integers(1, 50), st.booleans())
def test_garbage_ends_with_a_documented_error_or_not_at_all(
    data: bytes,
    size: int,
    deflate: bool,  # noqa: FBT001 - drawn
) -> None:
    found = machine(deflate=deflate, max_message_bytes=100)

    read(found, data, size)

    assert found.failure is None or isinstance(
        found.failure, WebSocketClosedError | EventTooLargeError
    )


_FRAMES = st.lists(
    st.tuples(
        st.sampled_from([0, 1, 1, 2, 8, 9, 10, 3]),
        st.one_of(st.binary(max_size=5), st.text(max_size=5).map(str.encode)),
        st.booleans(),
    ),
    max_size=6,
)


@settings(max_examples=500, deadline=None)
@given(_FRAMES, st.integers(1, 40))
def test_another_implementation_reads_the_same(
    parts: Sequence[tuple[int, bytes, bool]], size: int
) -> None:
    data = b"".join(frame(opcode, payload, fin=fin) for opcode, payload, fin in parts)
    found = machine()
    messages, _ = read(found, data, size)

    assert messages == _read_by_websockets(data)


def _read_by_websockets(data: bytes) -> list[str | bytes]:
    """Read the same with ``websockets``: whole messages before the first failure."""
    from websockets.client import ClientProtocol  # noqa: PLC0415 - only here
    from websockets.uri import parse_uri  # noqa: PLC0415 - only here

    peer = ClientProtocol(parse_uri("ws://x/"), state=State.OPEN, max_size=None)
    peer.receive_data(data)
    messages: list[str | bytes] = []
    pieces: list[bytes] = []
    is_text = False
    for event in peer.events_received():
        assert isinstance(event, Frame)
        if event.opcode in {Opcode.TEXT, Opcode.BINARY}:
            pieces, is_text = [], event.opcode is Opcode.TEXT
        elif event.opcode is not Opcode.CONT:
            continue
        pieces.append(bytes(event.data))
        if event.fin:
            try:
                whole = b"".join(pieces)
                messages.append(whole.decode() if is_text else whole)
            except UnicodeDecodeError:
                break
    return messages


@pytest.mark.parametrize("count", [0, 1, 2, 3, 9])
def test_messages_that_wait_are_looked_at_and_taken(count: int) -> None:
    found = machine(max_queued_bytes=10)
    texts: list[str | bytes] = ["a" * 4, "b" * 4, "c" * 4, "d" * 4, "e"]
    found.feed(b"".join(frame(1, str(text).encode()) for text in texts))

    assert found.waiting == texts[:3]
    assert found.is_full
    found.take(count)

    assert found.is_full is (count == 0)
    assert found.waiting == (texts[count:3] if count < 3 else texts[3:])


@pytest.mark.parametrize("deflate", [False, True])
@pytest.mark.parametrize(
    ("bad", "text"),
    [(frame(1, b"\xff"), "not UTF-8"), (frame(1, b"\x07", rsv1=True), "compressed")],
)
def test_texts_before_a_frame_that_must_not_be_are_delivered(
    bad: bytes, text: str, *, deflate: bool
) -> None:
    found = machine(deflate=deflate)
    found.feed(frame(1, b"a") + frame(1, b"b" * 200) + bad + frame(1, b"c"))

    assert found.waiting == ["a", "b" * 200]
    assert text in str(found.failure)
