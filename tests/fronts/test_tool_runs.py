"""Runs of tools through both fronts: what goes out, what is called, and how a run ends."""

from __future__ import annotations

import asyncio
import json
import threading
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest
from anyio import fail_after

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Client,
    Network,
    Provider,
    ResponsesApiRequest,
    errors,
    events,
)
from codex_api.items import FunctionCall, FunctionCallOutput
from codex_api.session import SessionSettings, ToolAnswered
from codex_api.testing import EmbeddedServer
from codex_api.testing.actions import answer, stream
from codex_api.testing.scripted import ScriptedServer
from codex_api.tools import ToolError
from tests.session.conversation import bodies, client, payloads, posted, text_item

if TYPE_CHECKING:
    from collections.abc import Sequence

    from codex_api.session import RunEvent
    from tests.front import Front

pytestmark = pytest.mark.anyio

PATIENCE = 20.0
REQUEST = ResponsesApiRequest(model="m", input="weather?")
OVER_HTTP = SessionSettings(transport="http", stream_max_retries=0)
BROKEN = answer(500, body={"error": {"message": "no"}}, headers=[("connection", "close")])
WHO: ContextVar[str] = ContextVar("WHO", default="nobody")


def asked(name: str, call_id: str = "c1", **arguments: Any) -> dict[str, Any]:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "status": "completed",
        "name": name,
        "arguments": json.dumps(arguments),
        "call_id": call_id,
    }


def usage(response_id: str, *items: dict[str, Any]) -> Sequence[Any]:
    counts = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    *first, last = payloads(response_id, *items)
    last["response"]["usage"] = counts
    return stream([*first, last], [("connection", "close")])


ANSWERED = posted("r2", text_item("fine"))


async def ran(
    front: Front, script: Sequence[Any], *tools: Any, **options: Any
) -> tuple[Any, list[dict[str, Any]]]:
    """Return the result of a run and the bodies that it sent."""
    with ScriptedServer(script) as peer:
        async with front.entering(client(front, peer)) as api:
            session = api.session(options.pop("settings", OVER_HTTP))
            with fail_after(PATIENCE):
                result = await front(session.run, REQUEST, tools=tools, **options)
        return result, bodies(peer)


def weather(city: str) -> dict[str, Any]:
    """Tell the weather.

    Args:
        city: Name of a city.
    """
    return {"city": city, "degrees": 21}


async def test_a_call_is_made_and_its_output_goes_back(front: Front) -> None:
    script = [usage("r1", asked("weather", city="Paris")), usage("r2", text_item("21 degrees"))]

    result, (first, second) = await ran(front, script, weather)

    assert first["tools"][0]["name"] == "weather"
    assert [item["type"] for item in second["input"]] == [
        "message",
        "function_call",
        "function_call_output",
    ]
    assert json.loads(second["input"][-1]["output"]) == {"city": "Paris", "degrees": 21}
    assert (result.ended, result.text, result.turns) == ("completed", "21 degrees", 2)
    assert result.usage.total_tokens == 14
    assert [response.id for response in result.responses] == ["r1", "r2"]


async def test_every_event_is_seen_in_its_order(front: Front) -> None:
    seen: list[RunEvent] = []
    script = [posted("r1", asked("weather", city="Paris")), ANSWERED]

    await ran(front, script, weather, on_event=seen.append)

    kinds = [type(event) for event in seen]
    assert [kind for kind in kinds if kind in {events.Completed, ToolAnswered}] == [
        events.Completed,
        ToolAnswered,
        events.Completed,
    ]
    assert kinds.count(events.OutputItemDone) == 2
    (told,) = (event for event in seen if isinstance(event, ToolAnswered))
    assert (told.name, told.error) == ("weather", None)


async def test_calls_of_one_response_run_at_once(front: Front) -> None:
    met = threading.Barrier(2)

    def meet(city: str) -> str:
        met.wait(PATIENCE)
        return f"{city} {WHO.get()}"

    script = [posted("r1", asked("meet", "c1", city="A"), asked("meet", "c2", city="B")), ANSWERED]

    result, (_, body) = await ran(front, script, meet)

    assert [item["output"] for item in body["input"][-2:]] == ["A nobody", "B nobody"]
    assert [each.call.call_id for each in result.answers] == ["c1", "c2"]


async def test_calls_are_made_in_turn_where_they_should_be(front: Front) -> None:
    going = 0
    most = 0

    def count() -> int:
        nonlocal going, most
        going += 1
        most = max(most, going)
        going -= 1
        return most

    script = [posted("r1", *(asked("count", f"c{number}") for number in range(5))), ANSWERED]

    result, _ = await ran(front, script, count, parallel=False)

    assert [each.output.text for each in result.answers] == ["1"] * 5


async def test_a_tool_that_fails_is_told_to_the_model(front: Front) -> None:
    def fail() -> None:
        message = "password=x"
        raise OSError(message)

    def refuse() -> None:
        message = "ask for another city"
        raise ToolError(message)

    script = [posted("r1", asked("fail", "c1"), asked("refuse", "c2")), ANSWERED]

    result, (_, body) = await ran(front, script, fail, refuse)

    assert [item["output"] for item in body["input"][-2:]] == [
        "Error: the tool failed (OSError)",
        "Error: ask for another city",
    ]
    assert [type(each.error) for each in result.answers] == [OSError, ToolError]


async def test_a_tool_whose_iterator_ran_out_is_a_tool_that_failed(front: Front) -> None:
    """No future takes such an exception: the run would wait for ever."""

    def first() -> int:
        return next(iter([]))

    result, (_, body) = await ran(front, [posted("r1", asked("first")), ANSWERED], first)

    assert body["input"][-1]["output"] == "Error: the tool failed (StopIteration)"
    assert isinstance(result.answers[0].error, StopIteration)


async def test_arguments_that_do_not_fit_are_told_to_the_model(front: Front) -> None:
    script = [posted("r1", asked("weather", town="Paris")), ANSWERED]

    _, (_, body) = await ran(front, script, weather)

    assert body["input"][-1]["output"].startswith("Error: the arguments of weather do not fit")


async def test_a_tool_that_fails_ends_the_run_where_it_should(front: Front) -> None:
    def fail() -> None:
        raise OSError

    script = [posted("r1", asked("fail"))]

    result, _ = await ran(front, script, fail, tool_errors="end")

    assert (result.ended, type(result.error), result.turns) == ("tool_failed", OSError, 1)


async def test_a_call_without_a_function_is_left_to_the_caller(front: Front) -> None:
    declared = {"type": "function", "name": "ask_person"}

    result, sent = await ran(front, [posted("r1", asked("ask_person"))], declared)

    assert (result.ended, len(sent), result.answers) == ("open_calls", 1, [])
    assert result.open_calls[0].name == "ask_person"


async def test_limits_end_a_run_that_would_not(front: Front) -> None:
    script = [posted(f"r{number}", asked("weather", city="A")) for number in range(3)]

    result, sent = await ran(front, script, weather, max_turns=3)

    assert (result.ended, len(sent), len(result.answers)) == ("max_turns", 3, 2)
    assert len(result.open_calls) == 1


async def test_what_was_done_before_a_failure_is_kept(front: Front) -> None:
    with ScriptedServer([posted("r1", asked("weather", city="A")), BROKEN]) as peer:
        async with front.entering(client(front, peer)) as api:
            session = api.session(OVER_HTTP)
            before = session.last_run
            with pytest.raises(errors.CodexApiError):
                await front(session.run, REQUEST, tools=[weather])

            kept = session.last_run

    assert before is None
    assert (kept.ended, kept.turns) == (None, 1)
    assert [type(item) for item in kept.items] == [FunctionCall, FunctionCallOutput]


async def test_what_on_event_raises_ends_the_run(front: Front) -> None:
    class StopError(Exception):
        pass

    def stop(event: RunEvent) -> None:
        if isinstance(event, events.OutputItemDone):
            raise StopError

    script = [posted("r1", asked("weather", city="A")), ANSWERED]
    with ScriptedServer(script) as peer:
        async with front.entering(client(front, peer)) as api:
            session = api.session(OVER_HTTP)
            with pytest.raises(StopError):
                await front(session.run, REQUEST, tools=[weather], on_event=stop)

            # The session is free again.
            result = await front(session.run, REQUEST)

    assert result.text == "fine"


async def test_what_is_raised_between_calls_leaves_none_running(front: Front) -> None:
    class StopError(Exception):
        pass

    going: set[int] = set()

    def work(number: int) -> int:
        going.add(number)
        going.discard(number)
        return number

    def stop(event: RunEvent) -> None:
        if isinstance(event, ToolAnswered):
            raise StopError

    calls = [asked("work", f"c{number}", number=number) for number in range(6)]
    with ScriptedServer([posted("r1", *calls)]) as peer:
        async with front.entering(client(front, peer)) as api:
            session = api.session(OVER_HTTP)
            with pytest.raises(StopError):
                await front(session.run, REQUEST, tools=[work], on_event=stop, parallel=2)

            assert going == set()
            assert len(session.last_run.answers) == 1
            assert len(session.last_run.open_calls) == 5
    names = [thread.name for thread in threading.enumerate()]
    assert not any(name.startswith("codex-api-tool") for name in names)


async def test_a_run_leaves_the_history_to_the_server(front: Front) -> None:
    settings = SessionSettings(transport="http", chain="response")
    script = [posted("r1", asked("weather", city="A")), ANSWERED]
    with ScriptedServer(script) as peer:
        async with front.entering(client(front, peer)) as api:
            request = REQUEST.replace(store=True)
            await front(api.session(settings).run, request, tools=[weather])
        _, second = bodies(peer)

    assert second["previous_response_id"] == "r1"
    assert [item["type"] for item in second["input"]] == ["function_call_output"]


@pytest.mark.parametrize("transport", ["auto", "http"])
async def test_a_run_against_the_embedded_server(front: Front, transport: Any) -> None:
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    request = ResponsesApiRequest(model="gpt-5.1", input='add {"a": 2, "b": 40}')
    with EmbeddedServer() as server:
        api = front.pick(Client, AsyncClient)(
            Provider("embedded", server.url),
            auth=ApiKeyAuth("sk-test"),
            network=Network(proxy=None),
        )
        async with (
            front.entering(api),
            front.entering(api.session(SessionSettings(transport=transport))) as session,
        ):
            result = await front(session.run, request, tools=[add])

    assert result.ended == "completed"
    assert "42" in result.text


# --- what only one front can do -----------------------------------------------------------------


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_async_tools_and_observers_are_awaited() -> None:
    front = _front("async")
    seen: list[str] = []
    together = asyncio.Event()

    async def first() -> str:
        await together.wait()
        return WHO.get()

    async def second() -> str:
        together.set()
        return "b"

    async def observe(event: RunEvent) -> None:
        await asyncio.sleep(0)
        seen.append(type(event).__name__)

    WHO.set("me")
    script = [posted("r1", asked("first", "c1"), asked("second", "c2")), ANSWERED]

    result, _ = await ran(front, script, first, second, on_event=observe)

    assert [each.output.text for each in result.answers] == ["me", "b"]
    assert seen.count("ToolAnswered") == 2


async def test_a_cancelled_run_cancels_its_tools() -> None:
    front = _front("async")
    began = asyncio.Event()
    ends: list[str] = []

    async def wait() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cancelled")

    before = asyncio.all_tasks()
    with ScriptedServer([posted("r1", asked("wait", "c1"), asked("wait", "c2"))]) as peer:
        async with front.entering(client(front, peer)) as api:
            session = api.session(OVER_HTTP)
            run = asyncio.create_task(session.run(REQUEST, tools=[wait]))
            await began.wait()
            run.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run

            assert ends == ["cancelled"] * 2
            assert session.last_run.turns == 1
        assert asyncio.all_tasks() - before == set()


async def test_a_cancelled_run_waits_for_functions_that_cannot_be_cancelled() -> None:
    front = _front("async")
    began, goes_on = threading.Event(), threading.Event()
    ends: list[str] = []

    def work() -> None:
        began.set()
        goes_on.wait(PATIENCE)
        ends.append("done")

    with ScriptedServer([posted("r1", asked("work"))]) as peer:
        async with front.entering(client(front, peer)) as api:
            run = asyncio.create_task(api.session(OVER_HTTP).run(REQUEST, tools=[work]))
            await asyncio.to_thread(began.wait, PATIENCE)
            run.cancel()
            await asyncio.sleep(0)
            assert not run.done()
            goes_on.set()
            with pytest.raises(asyncio.CancelledError):
                await run

    assert ends == ["done"]


async def test_a_tool_that_is_cancelled_from_inside_is_a_failure() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    script = [posted("r1", asked("give_up")), ANSWERED]

    _, (_, body) = await ran(_front("async"), script, give_up)

    assert body["input"][-1]["output"] == "Error: it was cancelled"


async def test_blocking_runs_refuse_what_would_have_to_be_awaited() -> None:
    front = _front("sync")

    async def look() -> None: ...

    async def observe(event: RunEvent) -> None: ...

    def hidden() -> Any:
        return look()

    with pytest.raises(TypeError, match="look is async"):
        await ran(front, [], look)
    with pytest.raises(TypeError, match="on_event is async"):
        await ran(front, [], weather, on_event=observe)
    result, _ = await ran(front, [posted("r1", asked("hidden")), ANSWERED], hidden)
    assert isinstance(result.answers[0].error, TypeError)


async def test_two_runs_do_not_share_a_session() -> None:
    front = _front("async")
    script = [stream(payloads("r1")[:1], end="hang")]
    with ScriptedServer(script) as peer:
        async with front.entering(client(front, peer)) as api:
            session = api.session(OVER_HTTP)
            begun = asyncio.Event()
            first = asyncio.create_task(
                session.run(REQUEST, tools=[weather], on_event=lambda _: begun.set())
            )
            await begun.wait()
            with pytest.raises(errors.ClientStateError, match="one response at a time"):
                await session.run(REQUEST, tools=[weather])
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first


async def test_an_interrupt_in_a_tool_ends_a_blocking_run() -> None:
    front = _front("sync")

    def interrupted() -> None:
        raise KeyboardInterrupt

    calls = [asked("interrupted", f"c{number}") for number in range(3)]
    for count in (1, 3):
        with ScriptedServer([posted("r1", *calls[:count]), ANSWERED]) as peer:
            async with front.entering(client(front, peer)) as api:
                session = api.session(OVER_HTTP)
                with pytest.raises(KeyboardInterrupt):
                    session.run(REQUEST, tools=[interrupted])

                assert len(session.last_run.open_calls) == count
                assert session.run(REQUEST).text == "fine"


def _front(name: Any) -> Front:
    from tests.front import Front  # noqa: PLC0415 - its type is needed above only

    return Front(name)
