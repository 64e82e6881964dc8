from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from codex_api.transport._core import sse
from codex_api.transport._core.sse import ServerSentEvent, SSEDecoder
from codex_api.transport.errors import ClientStateError, EventTooLargeError
from tests.models.sse_model import SSEModel, read_stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BOM = b"\xef\xbb\xbf"

# Every branch of the algorithm, and every shape that the fast path takes or must refuse.
STREAMS = [
    b"data: a\n\ndata: b\n\n",
    b"event: x\ndata: a\n\nevent: y\ndata: b\n\n",
    b"data: a\r\rdata: b\r\n\r\ndata: c\n\r",
    b"data: a\r\n\r\ndata: b\r\n\r\n",
    b"event: x\r\ndata: a\r\ndata: b\r\n\r\n\r\n",
    BOM + b"data: a\n\n" + BOM + b"data: b\n\n",
    b"data: a\n\n" + BOM + b"data: b\n\n",
    b": comment\n\ndata: a\n: inside\ndata: b\n\n:\n\n",
    b"data\n\ndata\ndata\n\ndata:",
    b"data:\n\ndata: x\n\n",
    b"data:  two\n\ndata:\tone\n\ndata :no\n\n",
    b"id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n",
    b"id: 1\n\nid: 2\nretry: 50\n",
    b"event: lost\n\ndata: a\n\n",
    b"event: x\nevent: y\ndata: a\nid: 9\n\ndata: b\nevent: late\n\n",
    b"data: \xff\xe2\x82\n\ndata: \xe2\x82\xac\n\n",
    b"event: \xc3\xa9\xc3\nid: \xf0\x9f\ndata: a\n\n",
    b"\n\n\ndata: a\n\n\n\ndata: b\n\n\n",
    b"database: x\ndata2: y\ndata: z\n\n",
    b"data: a\n\nevent: x\ndata: b\n",
    b"retry: 007\nretry: x\ndata: a\n\n",
    b":\n\ndata: abc\n\ndata: a\n\n",
    b":\n\ndata: a\rdata: b\n\n",
    b":\n\nid: 4\ndata\ndata: x\n\n",
    b"\xef\xbbdata: a\n\ndata: b\n\n",
]


def decode(chunks: Iterable[bytes], limit: int | None = None) -> tuple[SSEModel, str | None]:
    """Decode like a caller does, and tell the error by its text."""
    decoder = SSEDecoder(limit)
    events: list[ServerSentEvent] = []
    failure = None
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        events += decoder.close()
    except EventTooLargeError as error:
        failure = str(error)
    found = SSEModel(
        [(event.event, event.data, event.id) for event in events],
        decoder.last_event_id,
        decoder.retry_ms,
    )
    return found, failure


def decode_data(
    chunks: Iterable[bytes], limit: int | None = None
) -> tuple[list[bytes], str | None]:
    decoder = SSEDecoder(limit)
    payloads: list[bytes] = []
    try:
        for chunk in chunks:
            payloads += decoder.feed_data(chunk)
        payloads += decoder.close_data()
    except EventTooLargeError as error:
        return payloads, str(error)
    return payloads, None


def one_by_one(stream: bytes) -> Iterator[bytes]:
    return (stream[at : at + 1] for at in range(len(stream)))


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    ends = sorted({place % (len(stream) + 1) for place in places} | {0, len(stream)})
    return [stream[start:end] for start, end in pairwise(ends)]


def as_text(payloads: list[bytes]) -> list[str]:
    return [payload.decode(errors="replace") for payload in payloads]


lines = st.sampled_from(
    [
        b"data: {}",
        b'data: {"type":"response.output_text.delta"}',
        b"data:x",
        b"data:  y",
        b"data",
        b"data:",
        b"database: x",
        b"event: a",
        b"event:",
        b"event",
        b"event: response.output_text.delta",
        b"id: 7",
        b"id",
        b"id: a\0b",
        b"retry: 10",
        b": ping",
        b":",
        b"",
        b"",
        b"",
        BOM + b"data: bom",
        b"data: \xe2\x82",
        b"unknown: field",
    ]
)
endings = st.sampled_from([b"\n", b"\n", b"\n", b"\r", b"\r\n"])
mixed_streams = st.lists(st.tuples(lines, endings)).map(
    lambda pairs: b"".join(line + ending for line, ending in pairs)
)
plain_events = st.sampled_from(
    [
        b"data: {}\n\n",
        b"data:x\n\n",
        b"event: a\ndata: 1\n\n",
        b"event: b\ndata: 2\n\n",
        b"event:\ndata:\n\n",
        b"data: 3\ndata: 4\n\n",
        b"data: 3\rdata: 4\n\n",
        b": c\ndata\ndata: 4\n\n",
        b"id: 5\nevent: a\ndata: 5\n\n",
        b"data: 6\nid: 6\n\n",
        b"event: none\n\n",
        b": ping\n\n",
        b"\n",
    ]
)
event_streams = st.lists(plain_events).map(b"".join)
streams = st.one_of(mixed_streams, event_streams, st.binary(max_size=60))
places = st.lists(st.integers(0, 1 << 16), max_size=8)


# Every cut


@pytest.mark.parametrize("stream", STREAMS)
def test_events_do_not_depend_on_where_the_stream_is_cut(stream: bytes) -> None:
    whole = decode([stream])

    assert decode(one_by_one(stream)) == whole
    for at in range(len(stream) + 1):
        assert decode([stream[:at], stream[at:]]) == whole


@pytest.mark.parametrize("stream", STREAMS)
def test_payloads_do_not_depend_on_where_the_stream_is_cut(stream: bytes) -> None:
    whole = decode_data([stream])

    assert decode_data(one_by_one(stream)) == whole
    for at in range(len(stream) + 1):
        assert decode_data([stream[:at], stream[at:]]) == whole


@pytest.mark.parametrize("limit", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("stream", STREAMS)
def test_the_limit_does_not_depend_on_where_the_stream_is_cut(stream: bytes, limit: int) -> None:
    whole = decode([stream], limit)
    whole_data = decode_data([stream], limit)

    assert decode(one_by_one(stream), limit) == whole
    assert decode_data(one_by_one(stream), limit) == whole_data
    for at in range(len(stream) + 1):
        assert decode([stream[:at], stream[at:]], limit) == whole
        assert decode_data([stream[:at], stream[at:]], limit) == whole_data


# Oracle


@pytest.mark.parametrize("stream", STREAMS)
def test_the_model_agrees_on_the_listed_streams(stream: bytes) -> None:
    expected = read_stream(stream)

    assert decode([stream]) == (expected, None)
    assert as_text(decode_data([stream])[0]) == [data for _, data, _ in expected.events]


@settings(max_examples=300)
@given(streams, places)
def test_the_model_agrees_on_any_stream_cut_anywhere(stream: bytes, at: list[int]) -> None:
    expected = read_stream(stream)
    chunks = cut(stream, at)

    assert decode(chunks) == (expected, None)
    assert as_text(decode_data(chunks)[0]) == [data for _, data, _ in expected.events]


@settings(max_examples=300)
@given(st.lists(event_streams, max_size=6))
def test_chunks_of_whole_events_give_what_single_bytes_give(chunks: list[bytes]) -> None:
    """The expression that takes whole chunks apart against the lines read one by one."""
    stream = b":\n\n" + b"".join(chunks)
    chunks = [b":\n\n", *chunks]

    assert decode(chunks) == decode(one_by_one(stream))
    assert decode_data(chunks) == decode_data(one_by_one(stream))


@settings(max_examples=200)
@given(streams, places, st.integers(1, 12))
def test_a_limit_cuts_the_stream_of_events_short_and_alters_none(
    stream: bytes, at: list[int], limit: int
) -> None:
    expected = read_stream(stream).events
    found, failure = decode(cut(stream, at), limit)

    assert found.events == expected[: len(found.events)]
    assert failure is not None or found.events == expected
    assert decode_data(cut(stream, at), limit)[1] == failure


# Table


def test_event_without_a_blank_line_is_dropped() -> None:
    decoder = SSEDecoder()

    assert decoder.feed(b"data: a\n\ndata: b\n") == [ServerSentEvent("message", "a", "")]
    assert decoder.close() == []


def test_line_without_an_ending_sets_nothing() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"retry: 5")
    decoder.close()

    assert decoder.retry_ms is None


def test_event_is_dispatched_by_the_cr_of_a_split_cr_lf() -> None:
    decoder = SSEDecoder()

    assert decoder.feed(b"data: a\r\n\r") == [ServerSentEvent(data="a")]
    assert decoder.feed(b"\ndata: b\n\n") == [ServerSentEvent(data="b")]


def test_type_is_reset_by_a_blank_line_and_id_is_not() -> None:
    found, _ = decode([b"event: x\nid: 1\ndata: a\n\ndata: b\n\n"])

    assert found.events == [("x", "a", "1"), ("message", "b", "1")]


def test_type_of_an_event_without_data_is_not_inherited() -> None:
    assert decode([b"event: x\n\ndata: a\n\n"])[0].events == [("message", "a", "")]


def test_id_counts_for_reconnecting_only_after_its_blank_line() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"id: 1\n\nid: 2\n")

    assert decoder.last_event_id == "1"


def test_id_of_an_event_without_data_counts() -> None:
    assert decode([b"id: 1\n\ndata: a\n\n"])[0].events == [("message", "a", "1")]


def test_id_with_a_nul_is_ignored() -> None:
    assert decode([b"id: 1\nid: 2\x00\ndata: a\n\n"])[0].events == [("message", "a", "1")]


def test_empty_id_resets_the_id() -> None:
    assert decode([b"id: 1\n\nid\ndata: a\n\n"])[0].events == [("message", "a", "")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"1500", 1500),
        (b"0", 0),
        (b"000", 0),
        (b"007", 7),
        (b"0" * 5000 + b"9", 9),
        (b"9" * 18, 10**18 - 1),
        (b"9" * 19, None),
        (b"9" * 5000, None),
        (b"", None),
        (b"-1", None),
        (b"1.5", None),
        (b"1 ", None),
        (b" 1", None),
        (b"1_0", None),
        ("\u0663".encode(), None),
        ("\u00b2".encode(), None),
    ],
)
def test_retry_takes_ascii_digits_only(value: bytes, expected: int | None) -> None:
    assert decode([b"retry: " + value + b"\n"])[0].retry_ms == expected


def test_bad_retry_keeps_the_earlier_one() -> None:
    assert decode([b"retry: 5\nretry: soon\n"])[0].retry_ms == 5


@pytest.mark.parametrize(
    ("line", "data"),
    [
        (b"data: a", "a"),
        (b"data:a", "a"),
        (b"data:  a", " a"),
        (b"data:\ta", "\ta"),
        (b"data: a: b", "a: b"),
        (b"data:", ""),
        (b"data", ""),
        (b"data: \xff", "\ufffd"),
        (b"data: \xe2\x82", "\ufffd"),
        (b"data: \xed\xa0\x80", "\ufffd" * 3),
        (b"data: " + BOM, "\ufeff"),
        ("data: \u2028\x0b\x0c\x85".encode(), "\u2028\x0b\x0c\x85"),
    ],
)
def test_one_space_after_the_colon_is_no_data(line: bytes, data: str) -> None:
    assert decode([line + b"\n\n"])[0].events == [("message", data, "")]
    assert as_text(decode_data([b":\n\n", line + b"\n\n"])[0]) == [data]


@pytest.mark.parametrize("line", [b"Data: a", b" data: a", b"data : a", b"dat", b":data: a", b"\0"])
def test_other_fields_and_comments_give_nothing(line: bytes) -> None:
    assert decode([line + b"\n\n"])[0].events == []
    assert decode_data([b":\n\n", line + b"\n\n"])[0] == []


def test_byte_order_mark_is_dropped_once() -> None:
    assert decode([BOM + BOM + b"data: a\n\ndata: b\n\n"])[0].events == [("message", "b", "")]


def test_data_lines_are_joined_by_line_feeds_whatever_ended_them() -> None:
    assert decode_data([b"data: a\r\ndata: b\rdata\n\n"])[0] == [b"a\nb\n"]


def test_any_buffer_is_taken_and_none_is_kept() -> None:
    decoder = SSEDecoder()
    chunk = bytearray(b"data: a")
    decoder.feed_data(chunk)
    chunk[:] = b"xxxxxxx"

    assert decoder.feed_data(memoryview(b"b\n\n")) == [b"ab"]
    for kind in (bytearray, memoryview):
        events = SSEDecoder()
        assert [events.feed(kind(b"data: a\n\n")) for _ in range(2)] == [
            [ServerSentEvent(data="a")]
        ] * 2


@pytest.mark.parametrize("stream", STREAMS)
def test_a_chunk_of_nothing_changes_nothing(stream: bytes) -> None:
    spaced = [piece for byte in one_by_one(stream) for piece in (byte, b"")]

    assert decode(spaced) == decode([stream])
    assert decode_data(spaced) == decode_data([stream])


def test_event_matches_by_position() -> None:
    match ServerSentEvent("x", "a", "1"):
        case ServerSentEvent(event, data, event_id):
            assert (event, data, event_id) == ("x", "a", "1")


# Limits and life cycle


def test_an_event_may_have_64_mebibytes_unless_somebody_says_otherwise() -> None:
    assert SSEDecoder()._max_data == 64 * 1024 * 1024


def test_a_decoder_that_has_ended_holds_nothing_of_the_stream() -> None:
    ended, failed = SSEDecoder(), SSEDecoder(4)
    ended.feed_data(b"data: a\nevent: x")
    ended.close_data()
    with pytest.raises(EventTooLargeError):
        failed.feed_data(b"data: a\ndata: 12345\nhalf")

    for decoder in (ended, failed):
        assert (bytes(decoder._line), decoder._data) == (b"", None)


def test_data_of_exactly_the_limit_passes() -> None:
    assert decode_data([b"data: 1234\n\n"], 4) == ([b"1234"], None)
    assert decode_data([b"data: 12\ndata: 3\n\n"], 4) == ([b"12\n3"], None)
    assert decode_data([b"data: 12\ndata: 34\n\n"], 4)[1] is not None
    assert decode_data([b"data: 12345\n\n"], 4)[1] is not None


def test_many_small_events_and_comments_never_meet_the_limit() -> None:
    stream = b"event: e\n: c\ndata: 1\n\n" * 100

    assert decode_data([stream], 4) == ([b"1"] * 100, None)
    assert decode_data([b":c\n"] * 1000, 4) == ([], None)


def test_events_before_an_oversized_one_are_returned_first() -> None:
    decoder = SSEDecoder(4)

    assert decoder.feed(b"data: a\n\ndata: 12345\n\ndata: b\n\n") == [ServerSentEvent(data="a")]
    with pytest.raises(EventTooLargeError, match="4 bytes"):
        decoder.feed(b"data: c\n\n")
    with pytest.raises(EventTooLargeError):
        decoder.close()


def test_oversized_event_after_others_is_not_lost_at_the_end() -> None:
    decoder = SSEDecoder(4)
    decoder.feed_data(b"data: a\n\ndata: 12345")

    with pytest.raises(EventTooLargeError):
        decoder.close_data()


def test_oversized_event_between_whole_chunks_stops_the_decoder() -> None:
    decoder = SSEDecoder(8)
    decoder.feed_data(b":\n\n")

    with pytest.raises(EventTooLargeError):
        decoder.feed_data(b"data: 123456789\n\n")
    with pytest.raises(EventTooLargeError):
        decoder.feed_data(b"data:a\n\n")


def test_endless_line_is_refused_before_it_ends() -> None:
    decoder = SSEDecoder(1024)
    decoder.feed(b"x" * 1024)

    with pytest.raises(EventTooLargeError):
        decoder.feed(b"x" * 1024)


def test_decoder_ends_once_and_stays_ended() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"data: a\n\n")
    decoder.close()

    assert decoder.close() == []
    assert decoder.close_data() == []
    with pytest.raises(ClientStateError):
        decoder.feed(b"data: b\n\n")
    with pytest.raises(ClientStateError):
        decoder.feed_data(b"")


@pytest.mark.parametrize("limit", [0, -1])
def test_limit_below_one_byte_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match="max_event_bytes"):
        SSEDecoder(limit)


# Garbage


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=40), max_size=10), st.integers(1, 64))
def test_random_bytes_raise_nothing_but_the_documented_error(
    chunks: list[bytes], limit: int
) -> None:
    for feed in (decode, decode_data):
        assert feed(chunks, limit) == feed(one_by_one(b"".join(chunks)), limit)


# Cost


class Watched(SSEDecoder):
    """Counts the chunks that are not taken apart at once, and the bytes that are read by lines."""

    __slots__ = ("by_lines", "slow")

    def __init__(self, limit: int | None = None) -> None:
        super().__init__(limit)
        self.slow = self.by_lines = 0

    def _advance(self, data: bytes, tile: Any, make: Any) -> list[Any]:
        self.slow += 1
        return super()._advance(data, tile, make)

    def _read_lines(self, data: bytes, make: Any, out: list[Any]) -> None:
        self.by_lines += len(data)
        super()._read_lines(data, make, out)


FEEDS = pytest.mark.parametrize("feed", [SSEDecoder.feed, SSEDecoder.feed_data])
WHOLE = b"data: 12\n\nevent: e\ndata: 3\n\n"


@FEEDS
def test_chunks_of_whole_events_are_taken_apart_at_once(feed: Any) -> None:
    decoder = Watched(len(WHOLE))
    feed(decoder, WHOLE)
    before = decoder.slow

    assert [len(feed(decoder, chunk)) for chunk in (WHOLE, b"data: x\n\n", WHOLE)] == [2, 1, 2]
    assert (decoder.slow, decoder.by_lines) == (before, 0)
    feed(decoder, b"data: 1\n\r")
    feed(decoder, b"\n" + WHOLE)  # the other half of a line's end
    before = decoder.slow
    feed(decoder, WHOLE)
    assert decoder.slow == before


@FEEDS
@pytest.mark.parametrize(
    ("begun", "rest", "after"),
    [
        (b"", b"", b"data: be"),
        (b":\n\n", b"", b"data: be"),
        (b"data: a", b"b\n\n", b""),
        (b"data: a", b"b\n\n", b"data: be"),
        (b"data: ab", b"\n\n", b""),
    ],
)
def test_of_a_chunk_only_the_ends_that_were_cut_are_read_by_lines(
    feed: Any, begun: bytes, rest: bytes, after: bytes
) -> None:
    decoder = Watched(len(WHOLE))
    feed(decoder, begun)
    before = decoder.by_lines

    assert len(feed(decoder, rest + WHOLE + after)) == 2 + bool(rest)
    assert decoder.by_lines - before == len(rest + after)


def test_payloads_behind_other_fields_are_found_at_once_too() -> None:
    decoder = Watched()
    stream = b"id: 1\n: c\ndata: a\n\n"

    assert decoder.feed_data(b":\n\n" + stream) == [b"a"]
    before = decoder.by_lines
    assert decoder.feed_data(stream) == [b"a"]
    assert decoder.by_lines == before


def test_lines_of_data_are_gathered_in_one_buffer() -> None:
    decoder = SSEDecoder()
    decoder.feed(b"data: a\ndata: b\n")
    buffer = decoder._data
    decoder.feed(b"data: c\n")

    assert decoder._data is buffer


class Counted(bytes):
    """Bytes that count how many of them are looked at or copied, in all that is cut from them."""

    looked_at = 0

    def _look(self, start: int = 0, end: int | None = None) -> None:
        Counted.looked_at += max(0, (len(self) if end is None else end) - start)

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().find(sub, start, end)
        self._look(start, len(self) if found < 0 else found + len(sub))
        return found

    def rfind(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        found = super().rfind(sub, start, end)
        self._look(max(start, found))
        return found

    def __contains__(self, item: Any) -> bool:
        self._look()
        return super().__contains__(item)

    def __add__(self, other: Any) -> Counted:
        self._look()
        return Counted(super().__add__(other))

    def __radd__(self, other: Any) -> Counted:
        self._look()
        return Counted(bytes(other) + bytes(self))

    def __getitem__(self, key: Any) -> Any:
        cut = super().__getitem__(key)
        if isinstance(cut, int):
            return cut
        Counted.looked_at += len(cut)
        return Counted(cut)

    def removeprefix(self, prefix: Any) -> Counted:
        return Counted(super().removeprefix(prefix))

    def replace(self, old: Any, new: Any, count: Any = -1) -> Counted:
        self._look()
        return Counted(super().replace(old, new, count))

    def partition(self, sep: Any) -> Any:
        self._look()
        return super().partition(sep)


class CountedLine(bytearray):
    """A buffer that counts what is looked at in it; adding to its end looks at what is added."""

    def _look(self) -> None:
        Counted.looked_at += len(self)

    def __iadd__(self, more: Any) -> Any:  # type: ignore[misc]  # the same as in bytearray
        Counted.looked_at += len(more)
        return super().__iadd__(more)

    def __bytes__(self) -> bytes:
        self._look()
        return bytes(bytearray(self))

    def __getitem__(self, key: Any) -> Any:
        cut = super().__getitem__(key)
        if isinstance(cut, int):
            return cut
        Counted.looked_at += len(cut)
        return Counted(cut)

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        Counted.looked_at += len(self) - start
        return super().find(sub, start, end)

    def __contains__(self, item: Any) -> bool:
        self._look()
        return super().__contains__(item)


def bytes_looked_at(chunks: list[bytes]) -> int:
    decoder = SSEDecoder()
    decoder._line = CountedLine()
    Counted.looked_at = 0
    for chunk in chunks:
        decoder._advance(Counted(chunk), sse._tile_payloads, sse._same)
    return Counted.looked_at


@pytest.mark.parametrize(
    ("unit", "size", "step"),
    [
        (b"x", 256 << 10, 1024),
        (b"x", 16 << 10, 1),
        (b"data: x\n", 128 << 10, 1024),
        (b":\n", 64 << 10, 1024),
        (b"\n", 64 << 10, 1024),
        (b"\r", 64 << 10, 1024),
        (b"event: x\n", 64 << 10, 64 << 10),
        (b"data: x\n\n", 64 << 10, 64 << 10),
        (b"data: x\ndata: x\n\n", 64 << 10, 64 << 10),
    ],
)
def test_cost_grows_with_the_bytes_and_not_with_their_square(
    unit: bytes, size: int, step: int
) -> None:
    stream = b"data: " + unit * (size // len(unit))
    chunks = [stream[at : at + step] for at in range(0, len(stream), step)]

    # A buffer that is scanned anew for each chunk is looked at half as often as there are chunks.
    assert len(stream) < bytes_looked_at(chunks) < 20 * len(stream)


@pytest.mark.parametrize("unit", [b"x", b"data:\n", b"data: x\n", b":\n", b"event: x\n"])
@pytest.mark.parametrize("step", [1, 1000])
def test_memory_stays_near_the_limit(unit: bytes, step: int) -> None:
    limit = 32 << 10
    stream = b"data: " + unit * (2 * limit // len(unit))
    tracemalloc.start()
    try:
        decoder = SSEDecoder(limit)
        peak_before = tracemalloc.get_traced_memory()[0]
        try:
            for at in range(0, len(stream), step):
                decoder.feed_data(stream[at : at + step])
        except EventTooLargeError:
            pass
        peak = tracemalloc.get_traced_memory()[1] - peak_before
    finally:
        tracemalloc.stop()

    assert peak < 4 * limit
