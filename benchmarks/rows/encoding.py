"""Encoding a request with a history of 500 items: typed, and as the raw bytes that came."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
from openai import OpenAI

from benchmarks.harness import Table, Variant, measure
from codex_api import ResponsesApiRequest
from codex_api._logic.outgoing.body import encode_request
from codex_api.types.item import KnownItem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.server import Origins

_ITEMS = 500


def _history() -> list[dict[str, Any]]:
    """A working agent's history: a question, then calls, their outputs and what was said."""
    text = "Look at the failing test in the parser and mend it, then run the suite again. "
    found: list[dict[str, Any]] = []
    for number in range(_ITEMS // 5):
        call = f"call_{number:024d}"
        arguments = (
            '{"cmd":["bash","-lc","python -m pytest -q tests/test_parser.py"],"workdir":"."}'
        )
        found += [
            _message("user", "input_text", text * 3),
            {
                "type": "reasoning",
                "summary": [{"type": "summary_text", "text": "**Looking at the parser**"}],
                "encrypted_content": "gAAAAAB" + "x" * 600,
            },
            {"type": "function_call", "name": "shell", "arguments": arguments, "call_id": call},
            {
                "type": "function_call_output",
                "call_id": call,
                "output": "1 failed, 41 passed\n" * 100,
            },
            _message("assistant", "output_text", text * 2),
        ]
    return found


def _message(role: str, kind: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def tables(origins: Origins, repetitions: int) -> Iterator[Table]:
    del origins
    plain = _history()
    raw = [msgspec.Raw(msgspec.json.encode(item)) for item in plain]
    typed = [msgspec.json.decode(item, type=KnownItem) for item in raw]
    body = {"model": "bench", "input": plain, "tools": [], "stream": True}

    def answer(request: httpx2.Request) -> httpx2.Response:
        request.read()
        return httpx2.Response(200, json={"id": "resp_bench", "output": []})

    official = OpenAI(
        api_key="bench",
        base_url="http://127.0.0.1:9/v1",
        http_client=httpx2.Client(transport=httpx2.MockTransport(answer)),
    )

    def encode(history: list[Any]) -> int:
        encode_request(ResponsesApiRequest(model="bench", input=history))
        return 1

    def floor() -> int:
        msgspec.json.encode(body)
        return 1

    def create() -> int:
        official.responses.create(model="bench", input=plain)  # type: ignore[arg-type]
        return 1

    def times(run: Callable[[], int], count: int) -> Callable[[], int]:
        return lambda: sum(run() for _ in range(count))

    figures = measure(
        [
            Variant("msgspec of dicts", times(floor, 50)),
            Variant("codex-api, typed", times(lambda: encode(typed), 50)),
            Variant("codex-api, raw", times(lambda: encode(raw), 50)),
            Variant("openai, call on a mock", times(create, 1)),
        ],
        repetitions=repetitions,
    )
    table = Table(f"Request with {_ITEMS} items, encoding, CPU", "us", figures)
    table.bound("codex-api, typed", "msgspec of dicts", 1.5)
    table.bound("codex-api, raw", "msgspec of dicts", 0.2)
    yield table
