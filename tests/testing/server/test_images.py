"""Pictures: what a form may hold, pictures that are kept, and streams."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from codex_api.testing import EmbeddedServer, faults, scenarios
from codex_api.testing.server.drawing import drawn

if TYPE_CHECKING:
    from collections.abc import Iterator

PICTURE = base64.b64decode(drawn("a cat", (40, 20)))


@pytest.fixture
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer() as server:
        yield server


@pytest.fixture
def http(server: EmbeddedServer) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=server.url) as http:
        yield http


def edited(http: httpx2.Client, fields: dict[str, str], *, name: str = "image") -> httpx2.Response:
    files = {name: ("a.png", PICTURE, "image/png")}
    return http.post("/images/edits", data={"prompt": "x", **fields}, files=files)


def test_a_kept_file_is_edited(http: httpx2.Client) -> None:
    upload = {"file": ("a.png", PICTURE, "image/png")}
    kept = http.post("/files", data={"purpose": "vision"}, files=upload).json()
    body = {"prompt": "x", "images": [{"file_id": kept["id"]}]}
    missing = {"prompt": "x", "images": [{"file_id": "file-x"}]}

    assert http.post("/images/edits", json=body).json()["size"] == "40x20"
    assert http.post("/images/edits", json=missing).status_code == 404


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": "two"}, "n"),
        ({"n": "99"}, "n"),
        ({"partial_images": "4"}, "partial_images"),
        ({"colour": "red"}, "colour"),
        ({"quality": "best"}, "quality"),
    ],
)
def test_a_bad_field_is_refused(http: httpx2.Client, fields: dict[str, str], param: str) -> None:
    reply = edited(http, fields)

    assert (reply.status_code, reply.json()["error"]["param"]) == (400, param)


def test_a_form_without_a_picture_is_refused(http: httpx2.Client) -> None:
    assert edited(http, {}, name="mask").json()["error"]["param"] == "images"


def test_a_field_of_several_parts_is_taken(http: httpx2.Client) -> None:
    fields = {"svg[model]": "m", "svg[reasoning]": "low", "stream": "false"}

    assert edited(http, fields, name="image[]").json()["size"] == "40x20"


def test_older_names_of_qualities_stand_for_newer_ones(http: httpx2.Client) -> None:
    reply = http.post("/images/generations", json={"prompt": "x", "size": "8x8", "quality": "hd"})

    assert reply.json()["quality"] == "high"


def test_a_stream_may_fail(http: httpx2.Client, server: EmbeddedServer) -> None:
    server.play(scenarios.faulty(faults.cut(after=1)), endpoint="images/generations")
    body = {"prompt": "x", "size": "8x8", "stream": True, "partial_images": 3}
    seen: list[Any] = []

    def read() -> None:
        with http.stream("POST", "/images/generations", json=body) as reply:
            for line in reply.iter_lines():
                kind, _, data = line.partition(": ")
                seen.extend([json.loads(data)] if kind == "data" else [])

    with pytest.raises(httpx2.TransportError):
        read()
    assert [each["type"] for each in seen] == ["image_generation.partial_image"]
