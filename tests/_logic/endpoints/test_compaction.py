from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from codex_api import errors, items
from codex_api._logic.calling.operation import CallContext
from codex_api._logic.calling.policy import CallSettings
from codex_api._logic.endpoints.compaction import (
    compact,
    compacted,
    compaction_options,
    compaction_request,
    compaction_settings,
    falls_back,
    pause_before_retry,
    resolved_timeout,
    routes,
)
from codex_api._logic.outgoing.body import encode_request
from codex_api.clock import SystemClock
from codex_api.errors import (
    CodexApiError,
    DeadlineExceededError,
    DecodeError,
    IdleTimeoutError,
    InvalidRequestError,
    NetworkError,
    RateLimitError,
    RequestBuildError,
    TransportTimeoutError,
    UnexpectedStatusError,
)
from codex_api.provider import Provider
from codex_api.telemetry import Telemetry
from codex_api.transport._core.flow import Sleep
from codex_api.types.compaction import CompactionInput
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesOptions
from codex_api.types.text import TextControls
from codex_api.types.turn_state import TurnState
from tests._logic.operations import CONTEXT, answered, body_of

if TYPE_CHECKING:
    from codex_api.types.compaction import CompactionRoute

HELLO = items.Message.user("hello")
HELLO_WIRE = b'{"type":"message","role":"user","content":[{"type":"input_text","text":"hello"}]}'
COMPACTION = items.Compaction(encrypted_content="enc")
INPUT = CompactionInput("gpt-5", [HELLO])
POLICY = CallSettings(context=CONTEXT, clock=SystemClock(), telemetry=None).unary_policy(
    None, frozenset()
)


def test_the_least_that_goes_out() -> None:
    operation = compact(CONTEXT, INPUT)

    assert operation.request.method == "POST"
    assert operation.request.url == "https://h/v1/responses/compact"
    assert list(operation.request.headers.items()) == []
    assert body_of(operation) == (
        b'{"model":"gpt-5","input":[' + HELLO_WIRE + b'],"tools":[],"parallel_tool_calls":true}'
    )


def test_everything_goes_out_in_order() -> None:
    given = CompactionInput(
        model="m",
        input=[HELLO, msgspec.Raw(b'{"type" : "kept"}')],
        instructions="be short",
        tools=[{"type": "function", "name": "f"}],
        parallel_tool_calls=False,
        reasoning=Reasoning(effort="high", summary="auto"),
        service_tier="priority",
        prompt_cache_key="t1",
        text=TextControls(verbosity="low"),
    )

    assert body_of(compact(CONTEXT, given)) == (
        b'{"model":"m","input":[' + HELLO_WIRE + b',{"type" : "kept"}],"instructions":"be short",'
        b'"tools":[{"type":"function","name":"f"}],"parallel_tool_calls":false,'
        b'"reasoning":{"effort":"high","summary":"auto"},"service_tier":"priority",'
        b'"prompt_cache_key":"t1","text":{"verbosity":"low"}}'
    )


def test_tools_of_none_are_left_out() -> None:
    body = body_of(compact(CONTEXT, CompactionInput("m", [HELLO], tools=None)))

    assert body == b'{"model":"m","input":[' + HELLO_WIRE + b'],"parallel_tool_calls":true}'


def test_a_string_is_one_message_of_the_user() -> None:
    assert b'"input":[' + HELLO_WIRE + b"]" in body_of(
        compact(CONTEXT, CompactionInput("gpt-5", "hello"))
    )


def test_ids_go_out_only_when_they_are_kept() -> None:
    given = CompactionInput("m", [items.Compaction(id="cmp_1", encrypted_content="e")])

    kept = body_of(compact(CONTEXT, given, options=ResponsesOptions(item_ids="keep")))

    assert b'"cmp_1"' not in body_of(compact(CONTEXT, given))
    assert b'"id":"cmp_1"' in kept


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (CompactionInput("m", []), "input"),
        (CompactionInput("m", " "), "input"),
        (CompactionInput(" ", [HELLO]), "model"),
        (CompactionInput(None, [HELLO]), "model"),  # type: ignore[arg-type]  # without a checker
        (CompactionInput("m", iter([HELLO])), "input"),  # type: ignore[arg-type]  # as above
        (CompactionInput("m", msgspec.Raw(b"{}")), "input"),  # type: ignore[arg-type]  # as above
    ],
)
def test_an_empty_history_and_a_blank_model_are_refused(given: CompactionInput, field: str) -> None:
    with pytest.raises(RequestBuildError, match=f"`{field}`"):
        compact(CONTEXT, given)
    with pytest.raises(RequestBuildError, match=f"`{field}`"):
        compaction_request(given)


def test_session_headers_go_out_without_a_client_request_id() -> None:
    options = ResponsesOptions(
        session_id="s1",
        thread_id="t1",
        session_source="compact",
        turn_state=TurnState("sticky"),
        extra_headers={"x-codex-window-id": "t1:0"},
    )

    headers = compact(CONTEXT, INPUT, options=options).request.headers

    assert list(headers.items()) == [
        ("x-codex-turn-state", "sticky"),
        ("x-codex-window-id", "t1:0"),
        ("x-openai-subagent", "compact"),
        ("session-id", "s1"),
        ("thread-id", "t1"),
    ]


def test_the_limit_is_four_idle_timeouts_unless_one_is_given() -> None:
    operation = compact(CONTEXT, INPUT)
    assert (operation.timeout, operation.request.timeout) == (1200.0, 1200.0)

    given = compact(CONTEXT, INPUT, timeout=7)
    assert (given.timeout, given.request.timeout) == (7, 7)

    patient = Provider("mock", "https://h", stream_idle_timeout=None)
    assert resolved_timeout(patient, None) is None
    assert compact(CallContext(provider=patient), INPUT).request.timeout is None


def test_the_items_of_the_answer_replace_the_history() -> None:
    body = (
        b'{"id":"r","object":"x","output":['
        + HELLO_WIRE
        + b',{"type":"compaction_summary","encrypted_content":"enc"}],"usage":{}}'
    )

    assert answered(compact(CONTEXT, INPUT), body) == [HELLO, COMPACTION]


@pytest.mark.parametrize("element", [b'{"type":"new","x":[1]}', b'{"type":"compaction"}', b"5"])
def test_an_undecodable_item_is_kept_raw_and_costs_no_other(element: bytes) -> None:
    body = b'{"output":[' + element + b"," + HELLO_WIRE + b"]}"

    first, second = answered(compact(CONTEXT, INPUT), body)

    assert isinstance(first, items.UnknownItem)
    assert bytes(first.raw) == element
    assert second == HELLO
    assert body_of(compact(CONTEXT, CompactionInput("m", [first]))).startswith(
        b'{"model":"m","input":[' + element + b"]"
    )


def test_an_item_that_is_no_text_costs_no_other() -> None:
    body = b'{"output":[{"type":"message","role":"\xff"},' + HELLO_WIRE + b"]}"

    first, second = answered(compact(CONTEXT, INPUT), body)

    assert isinstance(first, items.UnknownItem)
    assert second == HELLO


def test_the_turn_state_of_the_answer_is_kept_once() -> None:
    cell = TurnState()
    operation = compact(CONTEXT, INPUT, options=ResponsesOptions(turn_state=cell))

    kept = '{"output":[{"type":"compaction","encrypted_content":"E"}]}'
    answered(operation, kept, headers={"x-codex-turn-state": "first"})
    answered(operation, kept, headers={"x-codex-turn-state": "second"})

    assert cell.get() == "first"


def test_a_summary_beside_the_output_is_the_compaction() -> None:
    body = '{"output":[],"compaction_summary":{"encrypted_content":"e"}}'
    operation = compact(CONTEXT, CompactionInput("m", "hi"))

    assert answered(operation, body) == [items.Compaction(encrypted_content="e")]


def test_a_compaction_to_nothing_is_no_success() -> None:
    with pytest.raises(DecodeError, match="nothing"):
        answered(compact(CONTEXT, INPUT), '{"output":[]}')


def test_a_page_instead_of_json_names_the_endpoint() -> None:
    with pytest.raises(
        DecodeError, match=r"responses/compact at `\$`: it is an HTML page"
    ) as caught:
        answered(compact(CONTEXT, INPUT), "<html>" + "x" * 5000, headers={"x-request-id": "r1"})

    assert len(str(caught.value)) < 400
    assert (caught.value.status, caught.value.request_id) == (200, "r1")
    assert pickle.loads(pickle.dumps(caught.value)).request_id == "r1"  # noqa: S301 - our own bytes


def test_by_stream_the_input_ends_in_a_trigger() -> None:
    given = CompactionInput(
        "m",
        [HELLO],
        instructions="short",
        reasoning=Reasoning(effort="low"),
        prompt_cache_key="t1",
        service_tier="flex",
    )

    assert encode_request(compaction_request(given), keep_ids=False) == (
        b'{"model":"m","instructions":"short","input":[' + HELLO_WIRE + b","
        b'{"type":"compaction_trigger"}],"tools":[],"tool_choice":"auto",'
        b'"parallel_tool_calls":true,"reasoning":{"effort":"low"},"store":false,"stream":true,'
        b'"include":["reasoning.encrypted_content"],"service_tier":"flex","prompt_cache_key":"t1"}'
    )


@pytest.mark.parametrize(
    "trigger", [items.CompactionTrigger(), msgspec.Raw(b'{ "type":"compaction_trigger"}')]
)
def test_a_trigger_that_is_there_is_not_doubled(trigger: Any) -> None:
    given = CompactionInput("m", [HELLO, trigger])

    assert list(compaction_request(given).input) == [HELLO, trigger]


def test_raw_items_that_a_server_cut_badly_do_not_cost_the_compaction() -> None:
    half = msgspec.Raw(
        rb'{"type":"message","role":"user","content":[{"type":"input_text","text":"a\ud83d"}]}'
    )
    given = CompactionInput("m", [half, msgspec.Raw(b"{")])

    assert len(compaction_request(given).input) == 3
    assert compacted(given, [COMPACTION]) == [items.Message.user("a\ufffd"), COMPACTION]


def test_a_compaction_by_stream_has_the_same_limit() -> None:
    settings = CallSettings(context=CONTEXT, clock=SystemClock(), telemetry=None)

    assert compaction_settings(settings, None).context.timeouts.total == 1200.0
    assert compaction_settings(settings, 3.0).context.timeouts.total == 3.0
    assert settings.context.timeouts.total is None


def test_by_stream_the_users_messages_are_kept_before_the_compaction() -> None:
    raw = msgspec.Raw(b'{"type":"message","role":"user","content":[]}')
    given = CompactionInput(
        "m",
        [items.Message.developer("rules"), HELLO, items.Message.assistant("ok"), raw, COMPACTION],
    )

    left = compacted(given, [items.Message.assistant("noise"), COMPACTION])

    assert left == [HELLO, items.Message(role="user", content=[]), COMPACTION]


def test_by_stream_the_users_messages_are_known_in_mappings_too() -> None:
    given: list[Any] = [{"role": "user", "content": "hi"}, {"type": "reasoning", "summary": []}]
    made = items.Compaction(encrypted_content="e")

    kept, last = compacted(CompactionInput("m", given), [made])

    assert isinstance(kept, items.Message)
    assert (kept.role, kept.text, last) == ("user", "hi", made)


def test_a_stream_without_a_compaction_item_is_an_error() -> None:
    with pytest.raises(DecodeError, match="`compaction`"):
        compacted(INPUT, [items.Message.assistant("I do not know this trigger")])


@pytest.mark.parametrize(
    ("name", "base", "expected"),
    [
        ("OpenAI", "https://h", ("stream", "endpoint")),
        ("x", "https://r.openai.azure.com/openai", ("stream", "endpoint")),
        ("mock", "https://h", ("endpoint", "stream")),
    ],
)
def test_auto_begins_with_what_the_server_is_known_for(
    name: str, base: str, expected: tuple[str, ...]
) -> None:
    assert routes(Provider(name, base), "auto") == expected


def test_a_named_route_is_the_only_one() -> None:
    provider = Provider("OpenAI", "https://h")

    assert routes(provider, "endpoint") == ("endpoint",)
    assert routes(provider, "stream") == ("stream",)


def test_an_unknown_route_is_refused() -> None:
    via: Any = "pigeon"

    with pytest.raises(RequestBuildError, match=r"`via`.*endpoint, stream, auto"):
        routes(Provider("mock", "https://h"), via)


@pytest.mark.parametrize(
    ("route", "error", "expected"),
    [
        ("endpoint", UnexpectedStatusError("gone", status=404), True),
        ("endpoint", UnexpectedStatusError("no", status=405), True),
        ("endpoint", NetworkError("cut"), True),
        ("endpoint", TransportTimeoutError("late"), True),
        ("endpoint", DeadlineExceededError("over"), False),
        ("endpoint", UnexpectedStatusError("busy", status=503), False),
        ("endpoint", InvalidRequestError("bad", status=400), False),
        ("stream", InvalidRequestError("unknown item", status=400), True),
        ("stream", DecodeError("no item"), True),
        ("stream", UnexpectedStatusError("gone", status=404), True),
        ("stream", RateLimitError("slow", status=429), False),
        ("stream", NetworkError("cut"), False),
    ],
)
def test_only_a_route_that_is_not_there_leads_to_the_other(
    route: CompactionRoute, error: CodexApiError, expected: object
) -> None:
    assert route != "auto"
    assert falls_back(route, error) is expected


def test_a_broken_stream_is_made_again_twice() -> None:
    cut = IdleTimeoutError()

    first = next(pause_before_retry(cut, 0, POLICY))
    second = next(pause_before_retry(cut, 1, POLICY))

    assert isinstance(first, Sleep)
    assert isinstance(second, Sleep)
    assert 0.18 <= first.delay < 0.22
    assert 0.36 <= second.delay < 0.44
    with pytest.raises(IdleTimeoutError):
        next(pause_before_retry(cut, 2, POLICY))


def test_the_servers_own_wait_counts_up_to_the_bound() -> None:
    told = RateLimitError("slow", retry_after=3.0)

    assert next(pause_before_retry(told, 0, POLICY)) == Sleep(3.0)
    with pytest.raises(RateLimitError):
        next(pause_before_retry(RateLimitError("slow", retry_after=999.0), 0, POLICY))


def test_a_final_error_is_not_waited_for() -> None:
    with pytest.raises(InvalidRequestError):
        next(pause_before_retry(InvalidRequestError("no"), 0, POLICY))


def test_a_call_lays_its_own_headers_and_turn_state_over_the_options() -> None:
    cell = TurnState()
    options = ResponsesOptions(extra_headers={"a": "1", "b": "2"}, thread_id="t")

    settled = compaction_options(options, {"B": "3"}, cell)

    assert settled.thread_id == "t"
    assert dict(settled.extra_headers.items()) == {"a": "1", "b": "3"}  # type: ignore[union-attr]  # just set
    assert settled.turn_state is cell


def test_without_headers_and_turn_state_the_options_stay() -> None:
    options = ResponsesOptions(thread_id="t", turn_state=TurnState("x"))

    settled = compaction_options(options, None, None)

    assert (settled.thread_id, settled.turn_state) == ("t", options.turn_state)


def test_a_turn_state_as_a_string_is_sent() -> None:
    settled = compaction_options(ResponsesOptions(), None, "ts-1")

    assert compact(CONTEXT, INPUT, options=settled).request.headers["x-codex-turn-state"] == "ts-1"


def test_a_pause_is_told_to_the_observer() -> None:
    told: list[tuple[int, float]] = []

    class Ear(Telemetry):
        def on_retry(self, attempt: int, delay: float, error: CodexApiError) -> None:
            assert isinstance(error, IdleTimeoutError)
            told.append((attempt, delay))

    settings = CallSettings(context=CONTEXT, clock=SystemClock(), telemetry=Ear())
    policy = settings.unary_policy(None, frozenset())

    next(pause_before_retry(IdleTimeoutError(retry_after=2.0), 1, policy))

    assert told == [(1, 2.0)]


def test_a_summary_beside_an_empty_list_is_the_compaction() -> None:
    body = '{"output":[],"compaction_summary":{"encrypted_content":"enc"}}'

    assert answered(compact(CONTEXT, INPUT), body) == [COMPACTION]


def test_an_empty_list_beside_an_error_is_that_error() -> None:
    body = '{"status":"failed","error":{"code":"server_error","message":"boom"},"output":[]}'

    with pytest.raises(errors.RetryableError, match="boom") as caught:
        answered(compact(CONTEXT, INPUT), body)

    assert caught.value.code == "server_error"


def test_by_stream_messages_given_as_mappings_are_kept_too() -> None:
    given = CompactionInput(
        "gpt-5",
        [{"role": "user", "content": "hello"}, {"type": "reasoning", "summary": []}],
    )

    first, last = compacted(given, [COMPACTION])

    assert isinstance(first, items.Message)
    assert first.text == "hello"
    assert last == COMPACTION
