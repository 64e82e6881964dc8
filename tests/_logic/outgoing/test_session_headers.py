from __future__ import annotations

import pytest

from codex_api._logic.outgoing.session_headers import (
    build_session_headers,
    identity_headers,
    subagent_header,
)
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import RequestBuildError
from codex_api.types.request import ResponsesOptions
from codex_api.types.session_source import SessionSource


@pytest.mark.parametrize(
    ("session_id", "thread_id", "expected"),
    [
        (None, None, []),
        ("s", None, [("session-id", "s")]),
        (None, "t", [("thread-id", "t")]),
        ("s", "t", [("session-id", "s"), ("thread-id", "t")]),
    ],
)
def test_each_id_is_sent_only_when_known(
    session_id: str | None, thread_id: str | None, expected: list[tuple[str, str]]
) -> None:
    assert list(build_session_headers(session_id, thread_id).items()) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (None, None),
        (SessionSource(), None),
        (SessionSource("cli"), None),
        (SessionSource("unknown"), None),
        (SessionSource.custom("review"), None),
        (SessionSource.internal("memory_consolidation"), None),
        (SessionSource.subagent("review"), "review"),
        (SessionSource.subagent("compact"), "compact"),
        (SessionSource.subagent("memory_consolidation"), "memory_consolidation"),
        (SessionSource.subagent("thread_spawn"), "collab_spawn"),
        (SessionSource.subagent("critic"), "critic"),
        ("review", "review"),
        ("thread_spawn", "collab_spawn"),
        ("subagent:critic", "critic"),
        ("exec", None),
        ("my program", None),
    ],
)
def test_only_sub_agents_are_named(
    source: SessionSource | str | None, expected: str | None
) -> None:
    assert subagent_header(source) == expected


def test_identity_headers_stand_in_wire_order() -> None:
    options = ResponsesOptions(session_id="s", thread_id="t", session_source="review")

    assert list(Headers(identity_headers(options)).items()) == [
        ("x-openai-subagent", "review"),
        ("x-client-request-id", "t"),
        ("session-id", "s"),
        ("thread-id", "t"),
    ]


def test_a_conversation_id_stands_for_each_id_that_is_not_given() -> None:
    both = Headers(identity_headers(ResponsesOptions(conversation_id="c")))
    one = Headers(identity_headers(ResponsesOptions(conversation_id="c", session_id="s")))

    assert list(both.items()) == [
        ("x-client-request-id", "c"),
        ("session-id", "c"),
        ("thread-id", "c"),
    ]
    assert (one["session-id"], one["thread-id"]) == ("s", "c")


def test_nothing_known_sends_nothing() -> None:
    assert identity_headers(ResponsesOptions()) is None


def test_an_id_that_is_no_header_value_is_refused() -> None:
    with pytest.raises(RequestBuildError, match="session-id"):
        build_session_headers("a\nb")
