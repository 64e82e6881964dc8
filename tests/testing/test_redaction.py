from __future__ import annotations

import json
import random
from typing import Literal

import pytest

from codex_api.testing import redaction
from codex_api.testing.redaction import Redactor, redacted

KEY = "sk-proj-abcdefghijklmnop1234"
BODY = (
    '{"a":1,"api_key":"s3cret\\"x","u":"https://a.b/c?sig=abc","t":"hello ' + KEY + ' bye",'
    '"inner":"{\\"password\\":\\"hunter2 \\\\\\" q\\",\\"n\\":1}","task-id":"a"}'
).encode()
CLEAN = (
    b'{"a":1,"api_key":"[redacted]","u":"https://a.b/c?[redacted]","t":"hello [redacted] bye",'
    b'"inner":"{\\"password\\":\\"[redacted]\\",\\"n\\":1}","task-id":"a"}'
)
TEXT = (
    f'h\u00e9llo "you" {KEY} and {{"api_key": "abc def", "n": 1}} see https://x.y/z?a=b&c=d end '
    "eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJSMeK done \U0001f600"
)
CLEAN_TEXT = (
    'h\u00e9llo "you" [redacted] and {"api_key": "[redacted]", "n": 1} see '
    "https://x.y/z?[redacted] end [redacted] done \U0001f600"
)
Kind = Literal["plain", "events", "messages"]


def cleaned(kind: Kind, pieces: list[bytes]) -> list[bytes]:
    """Feed all pieces, and see that each comes back once and in its place."""
    redactor = Redactor[int](kind)
    given: list[tuple[int, bytes]] = []
    for number, piece in enumerate(pieces):
        given += redactor.feed(number, piece)
    given += redactor.close()
    assert [number for number, _ in given] == list(range(len(pieces)))
    return [data for _, data in given]


def delta(text: str, item: str = "m") -> bytes:
    event = {"type": "response.output_text.delta", "item_id": item, "delta": text}
    return f"event: response.output_text.delta\ndata: {json.dumps(event)}\n\n".encode()


def told(events: bytes, item: str = "m") -> str:
    found = [json.loads(line[6:]) for line in events.split(b"\n") if line.startswith(b"data: ")]
    return "".join(each["delta"] for each in found if each["item_id"] == item)


def cut(text: bytes, at: list[int]) -> list[bytes]:
    return [text[start:end] for start, end in zip([0, *at], [*at, len(text)], strict=True)]


@pytest.mark.parametrize("at", range(1, len(BODY)))
def test_a_secret_is_found_wherever_the_body_is_cut(at: int) -> None:
    assert b"".join(cleaned("plain", [BODY[:at], BODY[at:]])) == CLEAN


def test_a_secret_is_found_in_single_bytes() -> None:
    assert b"".join(cleaned("plain", [bytes([byte]) for byte in BODY])) == CLEAN == redacted(BODY)


def test_pieces_without_a_secret_are_given_at_once_and_as_they_are() -> None:
    redactor = Redactor[int]("plain")

    assert redactor.feed(0, b'{"t":"hello ') == [(0, b'{"t":"hello ')]
    assert redactor.feed(1, b"sk-proj-abcdef") == []
    assert redactor.feed(2, b"ghijklmnop1234 and") == [(1, b"[redacted]"), (2, b" and")]
    assert redactor.close() == []


@pytest.mark.parametrize("seed", range(60))
def test_deltas_of_a_text_are_read_as_one_however_events_and_chunks_are_cut(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - to be repeated
    at = sorted(dice.sample(range(1, len(TEXT)), dice.randint(0, 30)))
    parts = [TEXT[a:b] for a, b in zip([0, *at], [*at, len(TEXT)], strict=True)]
    events = [delta(part) for part in parts]
    events.insert(dice.randint(0, len(events)), delta("other words", "q"))
    stream = b"".join(events)
    chunks = sorted(dice.sample(range(1, len(stream)), dice.choice([0, 5, 40, 200])))

    for kind, pieces in (("events", cut(stream, chunks)), ("messages", events)):
        out = b"".join(cleaned("events" if kind == "events" else "messages", pieces))
        assert (told(out), told(out, "q")) == (CLEAN_TEXT, "other words")


def test_messages_keep_their_places() -> None:
    out = cleaned("messages", [delta("say sk-proj-abc"), delta("defghijklmnop1234"), delta(" ok")])

    assert [told(each) for each in out] == ["say [redacted]", "", " ok"]


def test_the_end_of_an_item_ends_its_text() -> None:
    redactor = Redactor[int]("messages")
    over = b'{"type":"response.output_text.done","item_id":"m","text":"an sk-"}'

    assert redactor.feed(0, delta("an sk-")) == []
    assert [number for number, _ in redactor.feed(1, over)] == [0, 1]


def test_a_secret_that_was_cut_off_is_hidden_as_well() -> None:
    assert b"".join(cleaned("plain", [b'{"password":"hunt', b"er2"])) == b'{"password":"[redacted]'


def test_what_is_held_back_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "MOST_HELD_BYTES", 1000)
    redactor = Redactor[int]("plain")

    assert redactor.feed(0, b'{"password":"' + b"x" * 900) == []
    assert [number for number, _ in redactor.feed(1, b"x" * 200)] == [0, 1]


@pytest.mark.parametrize("kind", ["plain", "events"])
def test_long_bodies_do_not_pile_up(kind: Kind) -> None:
    redactor = Redactor[int](kind)
    piece = b"word " * 200 + b"\n\n"

    for number in range(200):
        assert redactor.feed(number, piece) == [(number, piece)]
    assert len(redactor._buffer) < 10


@pytest.mark.parametrize(
    "part", [b"https://", b'"a_', b'\\"password', b"sk-", b"eyJ.", b"eyJ-", b"h"]
)
def test_texts_full_of_beginnings_do_not_take_for_ever(part: bytes) -> None:
    text = part * (100_000 // len(part)) + b" end"

    out = b"".join(cleaned("plain", cut(text, [len(text) // 2])))
    assert out == redacted(text)
    assert out == (b"[redacted] end" if part == b"sk-" else text)


def test_audio_in_deltas_is_not_taken_apart() -> None:
    redactor = Redactor[int]("messages")
    event = {"type": "response.output_audio.delta", "item_id": "a", "delta": "QUJD" * 50_000}
    message = json.dumps(event).encode()

    assert redactor.feed(0, message) == [(0, message)]
    assert redactor._deltas == {}
