"""What a failure is called, whatever envelope it comes in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import CompactionInput, RetryConfig, errors, items
from codex_api.session import SessionSettings
from codex_api.testing.actions import (
    AcceptWebSocket,
    Close,
    Hang,
    Pause,
    ReadMessage,
    ReadRequest,
    Send,
    SendMessage,
)
from codex_api.testing.scripted import ScriptedServer
from tests.cases.inputs import (
    CASES,
    HEAD,
    REQUEST,
    client,
    collected,
    opened,
    over_http,
    payloads,
    stream,
)

if TYPE_CHECKING:
    from codex_api.testing.actions import Action
    from tests.front import Front

pytestmark = pytest.mark.anyio


def answer(name: str) -> bytes:
    return (CASES / name / "response.http").read_bytes()


async def refused(front: Front, name: str) -> Any:
    script = [ReadRequest(), Send(answer(name)), Close()]
    with ScriptedServer(connections=[script]) as peer:
        async with front.entering(client(front, peer)) as api:
            with pytest.raises(errors.ApiError) as caught:
                await front(api.responses.stream(REQUEST).collect)
    return caught.value


@pytest.mark.parametrize("transport", ["http", "websocket"])
@pytest.mark.parametrize(
    ("name", "kind", "words", "retryable", "retry_after"),
    [
        (
            "k3_error_object_without_type",
            errors.InvalidRequestError,
            "Context length exceeded",
            False,
            None,
        ),
        (
            "k3_failed_with_outer_error",
            errors.ContextWindowExceededError,
            "too long",
            False,
            None,
        ),
        ("k3_fastapi_detail", errors.RetryableError, "engine died", True, None),
        ("k3_named_error_event", errors.RateLimitError, "slow down", True, 3.0),
        ("k3_openrouter_chunk_error", errors.RetryableError, "Provider disconnected", True, None),
        ("k7_bad_image_in_stream", errors.InvalidImageError, "valid image", False, None),
        (
            "k7_invalid_request_with_code",
            errors.InvalidRequestError,
            "Unsupported parameter",
            False,
            None,
        ),
        ("k7_stream_rate_limit_class", errors.RateLimitError, "Rate limit", True, 1.898),
        ("k7_text_status_code", errors.InvalidRequestError, "not found", False, None),
    ],
)
async def test_a_failure_within_a_stream_keeps_its_words_and_class(
    front: Front,
    name: str,
    kind: type[errors.ApiError],
    words: str,
    retryable: bool,  # noqa: FBT001 - a parameter
    retry_after: float | None,
    transport: str,
) -> None:
    with pytest.raises(kind, match=words) as caught:
        await collected(front, name, transport)

    assert caught.value.retryable is retryable
    assert caught.value.retry_after == retry_after
    assert caught.value.server_message is not None


@pytest.mark.parametrize(
    ("name", "kind", "retryable", "retry_after"),
    [
        ("k7_404_is_final", errors.UnexpectedStatusError, False, None),
        ("k7_422_is_final", errors.UnexpectedStatusError, False, None),
        ("k7_429_azure_header", errors.RateLimitError, True, 55.0),
        ("k7_429_plain", errors.RateLimitError, True, None),
        ("k7_429_reset_headers", errors.RateLimitError, True, 360.0),
        ("k7_llamacpp_context", errors.ContextWindowExceededError, False, None),
    ],
)
async def test_a_refusal_follows_the_facts(
    front: Front,
    name: str,
    kind: type[errors.ApiError],
    retryable: bool,  # noqa: FBT001 - a parameter
    retry_after: float | None,
) -> None:
    error = await refused(front, name)

    assert type(error) is kind
    assert (error.retryable, error.retry_after) == (retryable, retry_after)


async def test_a_session_asks_once_when_the_answer_is_final(front: Front) -> None:
    body = stream("k7_session_retries_permanent")
    for connections in (
        over_http(body, body),
        [[ReadRequest(), Send(answer("k7_404_is_final")), Close()] for _ in range(2)],
    ):
        with ScriptedServer(connections=connections) as peer:
            async with front.entering(client(front, peer, retry=RetryConfig())) as api:
                session = api.session(SessionSettings(transport="http"))
                with pytest.raises(errors.ApiError):
                    await front(session.stream(REQUEST).collect)
                await front(session.close)

            assert len(peer.requests) == 1


async def test_a_compaction_without_output_is_what_its_summary_says(front: Front) -> None:
    name = "k18_compaction_with_empty_output"
    with ScriptedServer(connections=[[ReadRequest(), Send(answer(name)), Close()]]) as peer:
        async with front.entering(client(front, peer)) as api:
            history = CompactionInput(model="m", input=[items.Message.user("hi")])
            found = await front(api.responses.compact, history)

    assert found == [items.Compaction(encrypted_content="E")]


@pytest.mark.parametrize("name", ["k8_keepalive_event_masks_stall", "k8_ping_event_masks_stall"])
@pytest.mark.parametrize("transport", ["http", "websocket"])
async def test_signs_of_life_do_not_hide_a_stall(front: Front, name: str, transport: str) -> None:
    """They come for longer than the limit on the silence between events."""
    created = b'{"type":"response.created","response":{"id":"r"}}'
    alive = payloads(name)
    assert alive
    script: list[Action]
    if transport == "http":
        sent = [Send(b"data: " + payload + b"\n\n") for payload in [*alive] * 12]
        first: list[Action] = [Send(HEAD + b"data: " + created + b"\n\n")]
        script = [ReadRequest(), *first, *_paced(sent), Hang()]
    else:
        frames = [SendMessage(payload.decode()) for payload in [*alive] * 12]
        begun = [AcceptWebSocket(), ReadMessage(), SendMessage(created.decode())]
        script = [*begun, *_paced(frames), Hang()]

    async def ask(api: Any) -> None:
        if transport == "http":
            await front(api.responses.stream(REQUEST).collect)
            return
        async with front.entering(await opened(front, api)) as socket:
            await front(socket.stream(REQUEST).collect)

    with ScriptedServer(connections=[script]) as peer:
        async with front.entering(client(front, peer, stream_idle_timeout=0.1)) as api:
            with pytest.raises(errors.IdleTimeoutError) as caught:
                await ask(api)

    assert caught.value.partial.text == ""  # type: ignore[union-attr]  # made by collect


def _paced(actions: list[Any]) -> list[Action]:
    """Send one every 20 ms."""
    return [step for action in actions for step in (action, Pause(0.02))]
