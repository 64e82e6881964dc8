from __future__ import annotations

from codex_api import Provider, ResponsesOptions, Telemetry, Timeouts, TurnState
from codex_api._logic.calling.operation import CallContext
from codex_api._logic.calling.resume import resume_call


def test_the_rest_of_a_response_is_asked_for_behind_what_was_seen() -> None:
    provider = Provider("mock", "https://h/v1", query_params={"v": "1"}, stream_idle_timeout=4.0)
    limits = Timeouts(first_event=1.0, liveness=2.0, total=3.0)
    telemetry = Telemetry()
    options = ResponsesOptions(session_id="s", thread_id="t", turn_state=TurnState("ts"))
    call = resume_call(
        CallContext(provider=provider, timeouts=limits), "resp/1?", 41, options, telemetry
    )

    assert call.request.method == "GET"
    assert call.request.url == (
        "https://h/v1/responses/resp%2F1%3F?v=1&stream=true&starting_after=41"
    )
    assert call.request.body is None
    assert list(call.request.headers.items()) == [
        ("x-codex-turn-state", "ts"),
        ("x-client-request-id", "t"),
        ("session-id", "s"),
        ("thread-id", "t"),
        ("accept", "text/event-stream"),
    ]
    assert (call.first_event_timeout, call.liveness_timeout) == (1.0, 2.0)
    assert (call.total_timeout, call.idle_timeout) == (3.0, 4.0)
    assert (call.seen_through, call.options, call.telemetry) == (41, options, telemetry)


def test_of_a_response_of_which_nothing_was_seen_everything_is_asked_for() -> None:
    context = CallContext(provider=Provider("mock", "https://h/v1"), timeouts=Timeouts())
    call = resume_call(context, "resp_1", None, ResponsesOptions())

    assert call.request.url == "https://h/v1/responses/resp_1?stream=true"
    assert call.seen_through is None
