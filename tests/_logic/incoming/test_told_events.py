"""Reading an event in one go says the same as reading it field by field."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from codex_api import events
from codex_api._logic.incoming import mapping
from codex_api._logic.incoming.direct_events import Told, direct_decoder
from codex_api._logic.incoming.told_events import read_told

ITEMS: list[Any] = [None, "a", 1, [], {}, {"type": "message", "role": "user", "content": []}]
ITEMS += [{"type": "reasoning", "id": 1, "summary": []}, {"type": "odd", "é": "\ud83d"}]
RESPONSES: list[Any] = [None, "r", [], {}, {"id": None}, {"id": ""}, {"id": 1}, {"id": "r1"}]
RESPONSES += [{"id": "r2", "headers": headers} for headers in (None, {}, {"openai-model": "m2"})]
RESPONSES += [{"id": "r3", "status": status} for status in ("completed", "failed", "odd", 1)]
RESPONSES += [{"id": "r4", "error": error} for error in (None, {}, {"code": "x"})]
RESPONSES += [{"id": "r5", "usage": {"input_tokens": 1, "output_tokens": 2}, "end_turn": False}]
RESPONSES += [{"usage": {"prompt_tokens": 1}}, {"usage": "x", "id": "é"}, {"id": "\ud83d"}]
VALUES: dict[str, list[Any]] = {
    "response": RESPONSES,
    "item": ITEMS,
    "output_index": [None, 0, 3, "1", 1.5],
    "error": [None, {}, {"code": "server_error"}],
    "headers": [None, {"openai-model": "m"}],
    "safety_buffering": [None, {"use_cases": ["u"]}],
    "sequence_number": [None, 7, "7"],
}
TAGS = ["response.created", "response.completed"]
TAGS += ["response.output_item.added", "response.output_item.done"]
DELTA = b'{"type":"response.output_text.delta","delta":"d"}'


def payload(draw: random.Random) -> bytes:
    members: dict[str, Any] = {"type": draw.choice(TAGS)}
    # Mostly as servers send it, so that what is odd is often the only oddity.
    usual = "response" if members["type"] in TAGS[:2] else "item"
    told = [usual] if draw.random() > 0.1 else []
    told += [name for name in VALUES if draw.random() > 0.8 and name != usual]
    draw.shuffle(told)
    members |= {name: draw.choice(VALUES[name]) for name in told}
    text = json.dumps(members, ensure_ascii=draw.random() > 0.3)
    data = text.encode("utf-8", "surrogatepass")
    return data[:-2] + b"\xff" + data[-2:] if draw.random() > 0.95 else data


def outcome(payloads: list[bytes], *, others: bool) -> list[object]:
    mapper = mapping.EventMapper(other_events=others)
    found = mapper.feed_all(payloads)
    shown = [(event, getattr(event, "raw", None), vars_of(event)) for event in found]
    failure = None if mapper.failure is None else (type(mapper.failure), str(mapper.failure))
    told = mapper.response_id, mapper.server_model, mapper.last_sequence_number, mapper.progressed
    return [shown, failure, mapper.done, mapper.terminal, told, mapper.parts, mapper.skipped]


def vars_of(event: events.ResponseEvent) -> object:
    return getattr(event, "__dict__", None)


@pytest.mark.parametrize("seed", range(4))
def test_both_readings_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)  # noqa: S311 - test data
    streams = [[payload(draw) for _ in range(draw.randrange(1, 4))] for _ in range(1500)]
    for stream in streams:
        stream.insert(draw.randrange(len(stream) + 1), DELTA)
    streams += [stream[-1:] for stream in streams]
    quick = [outcome(stream, others=others) for stream in streams for others in (False, True)]
    monkeypatch.setattr(mapping, "read_told", lambda *_: None)

    careful = [outcome(stream, others=others) for stream in streams for others in (False, True)]
    assert quick == careful


@pytest.mark.parametrize(
    "data",
    [
        b'{"type":"response.created","response":{"id":"r"}}',
        b'{"type":"response.completed","response":{"id":"r","error":null,"usage":null}}',
        b'{"type":"response.output_item.done","item":{"type":"message","role":"user"}}',
        '{"type":"response.output_item.added","item":{"type":"é"},"output_index":1}'.encode(),
    ],
)
def test_what_servers_mostly_send_is_read_in_one_go(data: bytes) -> None:
    event = direct_decoder(whole=True).decode(data)

    assert isinstance(event, Told)
    assert read_told(event, data, None) is not None


def test_what_is_kept_of_an_event_does_not_hold_its_neighbours_in_memory() -> None:
    item = b'{"type":"message","role":"user","content":[]}'
    data = b'{"type":"response.output_item.done","item":%b}' % item
    (_, event) = mapping.EventMapper().feed_all([DELTA, data])

    assert isinstance(event, events.OutputItemDone)
    assert memoryview(event.raw).obj is not data
    assert bytes(event.raw) == item
