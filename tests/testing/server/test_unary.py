from __future__ import annotations

import base64
import struct
import zlib
from typing import TYPE_CHECKING, Any

import httpx2
import openai
import pytest

from codex_api.testing import EmbeddedServer, scenarios
from codex_api.testing.server.compaction import unseal

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def http(shared: EmbeddedServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=shared.url, timeout=10) as http:
        yield http


def user(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def test_the_catalogue_has_the_shape_of_the_backend_for_clients_with_a_version(
    http: httpx2.Client,
) -> None:
    reply = http.get("/models", params={"client_version": "1.0"})

    (first, *_) = reply.json()["models"]
    assert (first["slug"], first["supports_reasoning_summaries"]) == ("gpt-5.1-codex", True)
    assert reply.headers["etag"]


def test_the_catalogue_has_the_public_shape_for_everybody_else(shared: EmbeddedServer) -> None:
    with openai.OpenAI(api_key="k", base_url=shared.url) as client:
        slugs = [model.id for model in client.models.list()]
        assert client.models.retrieve(slugs[0]).id == slugs[0]
        with pytest.raises(openai.NotFoundError):
            client.models.retrieve("nope")

    assert slugs == ["gpt-5.1-codex", "gpt-5.1", "gpt-5.1-codex-mini"]


def test_a_known_catalogue_is_not_sent_again(http: httpx2.Client) -> None:
    tag = http.get("/models").headers["etag"]
    again = http.get("/models", headers={"if-none-match": tag})
    other = http.get("/models", headers={"if-none-match": 'W/"other"'})

    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert other.status_code == 200
    assert http.post("/responses", json={"model": "m", "input": "hi"}).headers["x-models-etag"] == (
        tag
    )


def test_a_compaction_keeps_user_messages_and_can_be_read_back(http: httpx2.Client) -> None:
    assistant = {"role": "assistant", "content": [{"type": "output_text", "text": "hello"}]}
    request = {"model": "m", "input": [user("my name is Ada"), assistant, user("bye")]}
    reply = http.post("/responses/compact", json=request)

    output = reply.json()["output"]
    assert [item["type"] for item in output] == ["message", "message", "compaction"]
    assert reply.headers["x-codex-turn-state"]
    memory = unseal(output[-1]["encrypted_content"])
    assert (memory.items, memory.user_texts) == (3, ["my name is Ada", "bye"])

    later = http.post("/responses", json={"model": "m", "input": [output[-1], user("who am I?")]})
    text = later.json()["output"][0]["content"][0]["text"]
    assert 'I remember 3 compacted items: "my name is Ada"; "bye".' in text


def test_a_compaction_of_a_compaction_remembers_both(http: httpx2.Client) -> None:
    def compact(*items: dict[str, Any]) -> dict[str, Any]:
        reply = http.post("/responses/compact", json={"model": "m", "input": list(items)})
        item: dict[str, Any] = reply.json()["output"][-1]
        return item

    memory = unseal(compact(compact(user("one")), user("two"))["encrypted_content"])
    assert (memory.items, memory.user_texts) == (2, ["one", "two"])


def test_a_trigger_compacts_on_the_normal_stream(http: httpx2.Client) -> None:
    request = {"model": "m", "input": [user("one"), {"type": "compaction_trigger"}]}
    (item,) = http.post("/responses", json=request).json()["output"]

    assert item["type"] == "compaction"
    assert unseal(item["encrypted_content"]).user_texts == ["one"]


@pytest.mark.parametrize("content", ["made-up", "cxc1-AAAA", ""])
def test_a_compaction_from_elsewhere_is_refused(http: httpx2.Client, content: str) -> None:
    item = {"type": "compaction", "encrypted_content": content}
    reply = http.post("/responses", json={"model": "m", "input": [item, user("hi")]})

    assert reply.status_code == 400
    expected = "invalid_encrypted_content" if content else "invalid_value"
    assert reply.json()["error"]["code"] == expected


def test_the_official_sdk_compacts(shared: EmbeddedServer) -> None:
    with openai.OpenAI(api_key="k", base_url=shared.url) as client:
        compacted = client.responses.compact(model="gpt-5.1", input="my name is Ada")

    assert [item.type for item in compacted.output] == ["message", "compaction"]
    assert compacted.usage.total_tokens > 0


def test_memories_are_one_for_each_trace(http: httpx2.Client) -> None:
    trace = {"id": "t1", "metadata": {"source_path": "/a.jsonl"}, "items": [user("be brief")]}
    reply = http.post("/memories/trace_summarize", json={"model": "m", "traces": [trace, trace]})

    assert reply.json()["output"] == 2 * [
        {
            "trace_summary": "Trace t1 of /a.jsonl has 1 item(s): be brief.",
            "memory_summary": "Remember from /a.jsonl: be brief.",
        }
    ]


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m"}, "traces"),
        ({"model": "m", "traces": []}, "traces"),
        ({"model": "m", "raw_memories": []}, "raw_memories"),
        ({"model": "m", "traces": [{"id": "x"}]}, "traces[0].metadata"),
        (
            {"model": "m", "traces": [{"id": "x", "metadata": {"source_path": "p"}}]},
            "traces[0].items",
        ),
    ],
)
def test_a_bad_memory_request_is_refused(
    http: httpx2.Client, body: dict[str, Any], param: str
) -> None:
    reply = http.post("/memories/trace_summarize", json=body)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def decode_png(data: bytes) -> tuple[int, int, int, bytes]:
    """Give width, height, colour type and the unfiltered rows, checking every checksum."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    at, chunks = 8, {}
    while at < len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        kind, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack(">I", data[at + 8 + size : at + 12 + size])
        assert checksum == zlib.crc32(kind + content)
        chunks[kind] = content
        at += 12 + size
    width, height, depth, colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (depth, list(chunks)[-1]) == (8, b"IEND")
    return width, height, colour, zlib.decompress(chunks[b"IDAT"])


@pytest.mark.parametrize(
    ("size", "background", "expected"),
    [
        ("64x32", "opaque", (64, 32, 2)),
        ("3x5", "transparent", (3, 5, 6)),
        ("1x1", "auto", (1, 1, 2)),
        ("auto", "auto", (1024, 1024, 2)),
    ],
)
def test_images_are_real_png_files_of_the_size_asked_for(
    http: httpx2.Client, size: str, background: str, expected: tuple[int, int, int]
) -> None:
    body = {"prompt": "a cat", "model": "m", "size": size, "background": background, "n": 2}
    reply = http.post("/images/generations", json=body).json()

    first, second = (base64.b64decode(each["b64_json"]) for each in reply["data"])
    assert first != second
    width, height, colour, rows = decode_png(first)
    assert (width, height, colour) == expected
    assert len(rows) == height * (1 + width * (4 if colour == 6 else 3))
    assert reply["size"] == f"{width}x{height}"


def test_an_edit_has_the_size_of_its_first_image(http: httpx2.Client) -> None:
    made = http.post("/images/generations", json={"prompt": "x", "size": "20x10"}).json()
    url = f"data:image/png;base64,{made['data'][0]['b64_json']}"
    reply = http.post("/images/edits", json={"prompt": "bluer", "images": [{"image_url": url}]})

    assert decode_png(base64.b64decode(reply.json()["data"][0]["b64_json"]))[:2] == (20, 10)


def test_an_image_behind_an_address_is_taken_unseen(http: httpx2.Client) -> None:
    images = [{"image_url": "https://example.com/cat.png"}]
    reply = http.post("/images/edits", json={"prompt": "x", "images": images, "size": "8x8"})

    assert decode_png(base64.b64decode(reply.json()["data"][0]["b64_json"]))[:2] == (8, 8)


def test_an_edit_of_another_format_has_the_usual_size(http: httpx2.Client) -> None:
    jpeg = base64.b64encode(b"\xff\xd8\xff\xe0").decode()
    images = [{"image_url": f"data:image/jpeg;base64,{jpeg}"}]

    reply = http.post("/images/edits", json={"prompt": "x", "images": images})
    assert reply.json()["size"] == "1024x1024"


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("generations", {}, "prompt"),
        ("generations", {"prompt": "x", "size": "big"}, "size"),
        ("generations", {"prompt": "x", "size": "9999x1"}, "size"),
        ("generations", {"prompt": "x", "quality": "best"}, "quality"),
        ("generations", {"prompt": "x", "background": "red"}, "background"),
        ("generations", {"prompt": "x", "n": 11}, "n"),
        ("edits", {"prompt": "x"}, "images"),
        (
            "edits",
            {"prompt": "x", "images": [{"image_url": "data:image/png;base64,AAAA"}]},
            "images[0].image_url",
        ),
    ],
)
def test_a_bad_image_request_is_refused(
    http: httpx2.Client, path: str, body: dict[str, Any], param: str
) -> None:
    reply = http.post(f"/images/{path}", json=body)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_the_official_sdk_generates_images(shared: EmbeddedServer) -> None:
    with openai.OpenAI(api_key="k", base_url=shared.url) as client:
        made = client.images.generate(prompt="a cat", model="gpt-image-1", size="1024x1024")

    assert made.data
    assert decode_png(base64.b64decode(made.data[0].b64_json or ""))[:2] == (1024, 1024)


def search(http: httpx2.Client, commands: dict[str, Any], **more: object) -> dict[str, Any]:
    body = {"id": "t", "model": "m", "commands": commands, **more}
    reply = http.post("/alpha/search", json=body)
    assert reply.status_code == 200, reply.text
    answer: dict[str, Any] = reply.json()
    return answer


def test_a_search_is_gone_through_from_query_to_find(http: httpx2.Client) -> None:
    found = search(http, {"search_query": [{"q": "exponential backoff"}]})
    assert found["results"][0]["title"] == "Backoff and jitter"
    reference = found["results"][0]["ref_id"]

    opened = search(http, {"open": [{"ref_id": reference, "lineno": 1}]})["output"]
    assert "L0:" not in opened
    assert "L1: Exponential backoff" in opened

    clicked = search(http, {"click": [{"ref_id": reference, "id": 0}]})["output"]
    assert clicked.startswith("Server-sent events")

    hits = search(http, {"find": [{"ref_id": reference, "pattern": "jitter"}]})
    assert hits["results"][0]["matches"] == 1


@pytest.mark.parametrize(
    ("query", "settings", "hosts"),
    [
        ({"q": "events http tomatoes"}, {}, 3),
        ({"q": "events http tomatoes", "domains": ["example.com"]}, {}, 2),
        ({"q": "events http tomatoes"}, {"filters": {"blocked_domains": ["example.com"]}}, 1),
        ({"q": "events http tomatoes"}, {"filters": {"allowed_domains": ["example.org"]}}, 1),
        ({"q": "events http tomatoes", "recency": 100}, {}, 1),
        ({"q": "zzz"}, {}, 0),
    ],
)
def test_a_search_is_narrowed(
    http: httpx2.Client, query: dict[str, Any], settings: dict[str, Any], hosts: int
) -> None:
    assert len(search(http, {"search_query": [query]}, settings=settings)["results"]) == hosts


def test_a_page_is_opened_by_its_address_too(http: httpx2.Client) -> None:
    opened = search(http, {"open": [{"ref_id": "https://docs.example.com/websocket"}]}, input="hi")

    assert opened["results"][0]["ref_id"] == "turn0search1"
    assert search(http, {})["output"] == "No command was given."


def test_several_commands_are_answered_in_one_go(http: httpx2.Client) -> None:
    commands = {
        "time": [{"utc_offset": "+03:00"}],
        "weather": [{"location": "Oslo", "start": "2026-01-01", "duration": 2}],
        "finance": [{"ticker": "ACME", "type": "equity"}],
        "sports": [{"fn": "standings", "league": "nba", "team": "LAL"}],
        "screenshot": [{"ref_id": "turn0search0", "pageno": 0}],
        "image_query": [{"q": "cat"}],
    }
    output = search(http, commands)["output"]

    assert "Time at UTC+03:00: 2026-06-01 15:00" in output
    assert "2026-01-02:" in output
    assert output == search(http, commands)["output"]


def test_a_short_answer_is_shorter(http: httpx2.Client) -> None:
    query = [{"q": "events http websocket tomatoes python"}]
    short = search(http, {"search_query": query, "response_length": "short"})
    long = search(http, {"search_query": query, "response_length": "long"})

    assert (len(short["results"]), len(long["results"])) == (1, 4)
    assert len(search(http, {"search_query": query}, max_output_tokens=3)["output"].split()) == 3


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"model": "m"}, "id"),
        ({"id": "t", "model": "m", "commands": {"dance": []}}, "dance"),
        ({"id": "t", "model": "m", "input": 5}, "input"),
        *(
            ({"id": "t", "model": "m", "commands": {name: [command]}}, f"commands.{name}[0].{key}")
            for name, command, key in [
                ("weather", {"location": "x", "start": "May"}, "start"),
                ("weather", {"location": "x", "duration": 99}, "duration"),
                ("sports", {"fn": "scores", "league": "nba"}, "fn"),
                ("sports", {"fn": "schedule", "league": "chess"}, "league"),
                ("click", {"ref_id": "turn0search0", "id": 9}, "id"),
                ("screenshot", {"ref_id": "turn0search0", "pageno": 1}, "pageno"),
                ("open", {"ref_id": "turn0search99"}, "ref_id"),
            ]
        ),
        ({"id": "t", "model": "m", "commands": {"open": [{}]}}, "commands.open[0].ref_id"),
        (
            {"id": "t", "model": "m", "commands": {"open": [{"ref_id": "turn9"}]}},
            "commands.open[0].ref_id",
        ),
        (
            {"id": "t", "model": "m", "commands": {"time": [{"utc_offset": "3"}]}},
            "commands.time[0].utc_offset",
        ),
        (
            {"id": "t", "model": "m", "commands": {"finance": [{"ticker": "A", "type": "x"}]}},
            "commands.finance[0].type",
        ),
    ],
)
def test_a_bad_search_is_refused(http: httpx2.Client, body: dict[str, Any], param: str) -> None:
    reply = http.post("/alpha/search", json=body)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_any_endpoint_can_be_scripted() -> None:
    with EmbeddedServer() as server, httpx2.Client(base_url=server.url) as http:
        server.play(scenarios.overloaded(), endpoint="models")
        server.play(scenarios.html_page(), endpoint="alpha/search")

        assert [http.get("/models").status_code for _ in range(2)] == [503, 200]
        assert http.post("/alpha/search").headers["content-type"].startswith("text/html")
