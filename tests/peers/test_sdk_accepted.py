"""Every request that the official SDK can send is answered, and what it asked for is told back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import pytest
from openai.types.responses import Response
from openai.types.responses.response_input_item_param import ResponseInputItemParam

from codex_api.testing import EmbeddedServer
from codex_api.testing.server.validation import parse_response_request
from tests.peers.sdk_requests import Maker
from tests.peers.sdk_values import ValueMaker, members

if TYPE_CHECKING:
    from collections.abc import Iterator

SEEDS = range(300)
# They name what must be there; how they go on is tested elsewhere.
NAMED = ("conversation", "previous_response_id")
# Answered by a result, and by the way that was taken.
OTHERWISE = {"moderation", "image"}


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with EmbeddedServer() as server, httpx.Client(base_url=server.url) as http:
        yield http


def asked(seed: int) -> dict[str, Any]:
    parameters = Maker(seed).parameters()
    for name in NAMED:
        parameters.pop(name, None)
    if isinstance(parameters.get("input"), list):
        # Items of every kind, by chance, are no conversation; each kind is tried below.
        parameters["input"] = [{"role": "user", "content": "Hello"}]
    body: dict[str, Any] = json.loads(json.dumps(parameters))
    return body


def holds(told: Any, value: Any) -> bool:
    """Tell whether ``told`` is ``value``, perhaps with what was left open."""
    if isinstance(value, dict) and isinstance(told, dict):
        return all(holds(told.get(key), each) for key, each in value.items())
    return bool(told == value)


def test_every_request_is_answered_and_told_back(http: httpx.Client) -> None:
    for seed in SEEDS:
        body = asked(seed)
        told = http.post("responses", json=body).raise_for_status().json()
        known = {key: each for key, each in body.items() if key in Response.model_fields}

        assert Response.model_validate(told)
        assert {key for key, each in known.items() if not holds(told[key], each)} <= OTHERWISE


@pytest.mark.parametrize("kind", members(ResponseInputItemParam), ids=lambda kind: kind.__name__)
def test_every_kind_of_input_item_is_taken(kind: Any) -> None:
    for seed in range(20):
        for whole in (False, True):
            item = json.loads(json.dumps(ValueMaker(seed, whole=whole).value(kind)))

            assert parse_response_request({"model": "m", "input": [with_images(item)]})


def with_images(value: Any) -> Any:
    """Put an image where one is asked for: ``text`` is none, and either key may be missing."""
    if isinstance(value, list):
        return [with_images(each) for each in value]
    if not isinstance(value, dict):
        return value
    changed = {key: with_images(each) for key, each in value.items()}
    if changed.get("type") == "input_image":
        changed["image_url"] = "https://example.com/a.png"
    return changed
