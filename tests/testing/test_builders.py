from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from codex_api import Client, Provider, ResponsesApiRequest, RetryConfig, errors, items
from codex_api.testing import (
    EmbeddedServer,
    ExpectationError,
    Rule,
    Rules,
    call,
    call_custom,
    draw,
    faults,
    refuse,
    say,
    scenarios,
    think,
)
from codex_api.testing.matching import Match
from codex_api.testing.rules import Expectation


def asked(server: EmbeddedServer, *texts: str) -> items.ResponseItem:
    """Ask with so many messages of a user, and give the last item of the answer."""
    provider = Provider(name="t", base_url=server.url, retry=RetryConfig(max_attempts=0))
    with Client(provider) as client:
        request = ResponsesApiRequest(model="m", input=[items.Message.user(each) for each in texts])
        return client.responses.stream(request).collect().items[-1]


def text_of(item: items.ResponseItem) -> str:
    assert isinstance(item, items.Message)
    return item.text


def test_answers_are_a_line_each() -> None:
    with EmbeddedServer() as server:
        server.play(
            say("Hello."),
            call("get_weather", city="Paris"),
            think("A poem.") + say("Roses."),
            call_custom("apply_patch", "*** Begin Patch"),
            call("broken", ["{", "no json"]),
        )
        assert text_of(asked(server, "hi")) == "Hello."
        made = asked(server, "hi")
        assert isinstance(made, items.FunctionCall)
        assert (made.name, made.arguments) == ("get_weather", '{"city": "Paris"}')
        assert text_of(asked(server, "hi")) == "Roses."
        patch, broken = asked(server, "hi"), asked(server, "hi")
        assert isinstance(patch, items.CustomToolCall)
        assert isinstance(broken, items.FunctionCall)
        assert (patch.input, broken.arguments) == ("*** Begin Patch", "{no json")


def test_the_second_question_is_answered_so() -> None:
    with EmbeddedServer() as server:
        server.play(say("Once more?").when(turn=2))
        assert text_of(asked(server, "hello")) != "Once more?"
        assert text_of(asked(server, "hello", "hello")) == "Once more?"


def test_callers_at_the_same_time_get_each_their_own() -> None:
    names = [f"caller {number} of 20" for number in range(20)]
    with EmbeddedServer() as server:
        server.play(*(say(f"for {name}").when(text=name) for name in reversed(names)))
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda name: text_of(asked(server, f"I am {name}")), names))

    assert answers == [f"for {name}" for name in names]


def test_what_has_no_condition_is_for_the_next_request() -> None:
    with EmbeddedServer() as server:
        server.play(say("later").when(text=re.compile("^never$")), say("next"))
        assert text_of(asked(server, "hello")) == "next"
        assert text_of(asked(server, "never")) == "later"


def test_an_output_of_a_tool_is_answered_over_http_and_websocket() -> None:
    with EmbeddedServer() as server, Client(Provider(name="t", base_url=server.url)) as client:
        for is_socket in (False, True):
            server.play(
                say("It is sunny.").when(tool="get_weather", tool_output="sun"),
                call("get_weather", city="Paris").when(text="weather"),
            )
            question = items.Message.user("the weather?")
            stream = client.responses.stream
            socket = client.responses.connect() if is_socket else None
            if socket is not None:
                stream = socket.stream  # type: ignore[assignment]  # called with one argument
            first = stream(ResponsesApiRequest(model="m", input=[question])).collect()
            made = first.items[-1]
            assert isinstance(made, items.FunctionCall)
            output = items.FunctionCallOutput(call_id=made.call_id, output="Sunny, 20 degrees")
            history: list[items.ResponseItem] = [question, made, output]
            second = stream(ResponsesApiRequest(model="m", input=history)).collect()
            assert second.text == "It is sunny."
            if socket is not None:
                socket.close()


def test_a_conversation_that_the_server_keeps_counts_its_turns() -> None:
    with EmbeddedServer() as server, Client(Provider(name="t", base_url=server.url)) as client:
        server.play(say("second").when(turn=2))
        first = client.responses.create(ResponsesApiRequest(model="m", input="one", store=True))
        again = ResponsesApiRequest(model="m", input="two", previous_response_id=first.id)
        assert client.responses.create(again).text == "second"


def test_faults_go_with_an_answer() -> None:
    with EmbeddedServer() as server:
        server.play(say("never whole").fails(faults.cut(after=3)))
        with pytest.raises(errors.StreamClosedError):
            asked(server, "hi")


def test_joined_answers_keep_what_each_has() -> None:
    joined = say("a").when(turn=2) + scenarios.Scenario(headers={"x": "1"}) + refuse("b")

    assert joined.outputs is not None
    assert len(joined.outputs) == 2
    assert (joined.match, dict(joined.headers)) == (Match(turn=2), {"x": "1"})


def test_an_image_is_put_out() -> None:
    with EmbeddedServer() as server:
        server.play(draw(b"\x89PNG", prompt="a cat"))
        image = asked(server, "draw a cat")

    assert isinstance(image, items.ImageGenerationCall)
    assert image.result == "iVBORw=="


def test_rules_stand_and_expectations_are_checked() -> None:
    rules = Rules(
        [Rule(name="hi", match=Match(text="hi"), replies=(scenarios.overloaded(), say("yes")))],
        otherwise="refuse",
        expectations=[Expectation(rule="hi", at_least=2)],
    )

    def run(*texts: str) -> None:
        with EmbeddedServer(scenario=rules) as server:
            for text in texts:
                with pytest.raises(errors.CodexApiError):
                    asked(server, text)

    with pytest.raises(ExpectationError, match=r"(?s)at least 2 requests.*no rule fits") as caught:
        run("hi", "bye")
    assert '  model: POST /v1/responses m "bye"' in str(caught.value)
