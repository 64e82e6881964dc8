from __future__ import annotations

from codex_api import ChatGptAuth, Provider, ResponsesOptions, Timeouts
from codex_api._logic.calling.operation import CallContext
from codex_api._logic.outgoing.websocket_handshake import BETA, HandshakeFacts, handshake
from codex_api.events import ModelsEtag, ServerModel, ServerReasoningIncluded
from codex_api.transport import Headers


def context(**headers: str) -> CallContext:
    provider = Provider("mock", "https://h/v1", headers=headers)
    return CallContext(provider=provider, timeouts=Timeouts())


def test_credentials_come_first_in_the_order_of_the_real_client() -> None:
    made = handshake(context(version="1"), ResponsesOptions(session_id="s", thread_id="t"))
    signed = made.request.headers.copy()
    ChatGptAuth("token", "account").add_auth_headers(signed)
    signed.fill({"user-agent": "ua", "originator": "o"})

    assert made.request.url == "wss://h/v1/responses"
    assert list(made.in_order(signed)) == [
        "chatgpt-account-id",
        "authorization",
        "user-agent",
        "originator",
        "openai-beta",
        "version",
        "x-client-request-id",
        "session-id",
        "thread-id",
    ]


def test_each_layer_beats_the_one_below() -> None:
    made = handshake(
        context(a="provider", b="provider", c="provider"),
        ResponsesOptions(extra_headers={"b": "options", "c": "options"}),
        {"c": "extra", "openai-beta": "mine"},
    )

    assert dict(made.request.headers.items()) == {
        "openai-beta": "mine",
        "a": "provider",
        "b": "options",
        "c": "extra",
    }


def test_what_belongs_to_one_request_stays_out() -> None:
    extra = {
        "x-codex-turn-state": "TS-1",
        "x-openai-internal-codex-responses-lite": "true",
        "accept": "text/event-stream",
        "content-type": "application/json",
        "content-encoding": "zstd",
    }
    made = handshake(context(), ResponsesOptions(extra_headers=extra))

    assert dict(made.request.headers.items()) == {"openai-beta": BETA}


def test_the_facts_of_an_answer_are_the_first_events() -> None:
    headers = Headers({"openai-model": "m", "x-models-etag": "e", "x-reasoning-included": ""})
    bare = HandshakeFacts.of(101, Headers())

    assert HandshakeFacts.of(101, headers).events() == [
        ServerModel("m"),
        ModelsEtag("e"),
        ServerReasoningIncluded(included=True),
    ]
    assert bare.events() == []
