from __future__ import annotations

import pytest

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.outgoing.unary_request import post, session_identity, with_headers
from codex_api.errors import RequestBuildError
from codex_api.provider import Provider
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import JsonBody, Response
from codex_api.types.request import ResponsesOptions
from codex_api.types.session_source import SessionSource
from codex_api.types.turn_state import TurnState


def _body(response: Response) -> bytes:
    return response.body


def test_headers_are_layered_provider_options_call_identity() -> None:
    context = CallContext(provider=Provider("mock", "https://h", headers={"a": "0", "p": "0"}))
    options = ResponsesOptions(
        extra_headers={"a": "1", "b": "1", "session-id": "fake"},
        session_id="real",
        turn_state=TurnState("ts"),
    )

    operation = post(
        context, "x", JsonBody({}), _body, extra_headers={"b": "2"}, options=options, timeout=3
    )

    assert list(operation.request.headers.items()) == [
        ("a", "1"),
        ("p", "0"),
        ("x-codex-turn-state", "ts"),
        ("b", "2"),
        ("session-id", "real"),
    ]
    assert (operation.name, operation.timeout, operation.request.timeout) == ("x", 3, 3)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("review", "review"),
        ("compact", "compact"),
        ("memory_consolidation", "memory_consolidation"),
        ("thread_spawn", "collab_spawn"),
        (SessionSource.subagent("mine"), "mine"),
        ("cli", None),
        ("vscode", None),
        ("exec", None),
        ("mcp", None),
        (SessionSource.custom("app"), None),
        (None, None),
    ],
)
def test_only_sub_agents_are_named(
    source: SessionSource | str | None, expected: str | None
) -> None:
    headers = Headers(session_identity(ResponsesOptions(session_source=source)))

    assert headers.get("x-openai-subagent") == expected
    assert "x-openai-memgen-request" not in headers


def test_memory_consolidation_inside_the_application_says_so() -> None:
    source = SessionSource.internal("memory_consolidation")

    headers = Headers(session_identity(ResponsesOptions(session_source=source)))

    assert list(headers.items()) == [("x-openai-memgen-request", "true")]


def test_a_conversation_stands_for_both_ids() -> None:
    headers = Headers(session_identity(ResponsesOptions(conversation_id="c", thread_id="t")))

    assert list(headers.items()) == [("session-id", "c"), ("thread-id", "t")]


def test_headers_of_the_call_replace_those_of_the_options() -> None:
    options = ResponsesOptions(extra_headers=Headers([("a", "1"), ("a", "2")]))

    assert with_headers(options, {"A": "3"}).extra_headers == Headers({"a": "3"})
    assert with_headers(options, None).extra_headers == options.extra_headers


def test_an_illegal_header_is_refused() -> None:
    with pytest.raises(RequestBuildError):
        with_headers(ResponsesOptions(), {"a": "x\r\ny"})
