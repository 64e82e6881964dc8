"""Sessions that leave out what the server keeps, over HTTP and on new connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from codex_api import (
    ApiKeyAuth,
    AsyncClient,
    Client,
    Network,
    Provider,
    errors,
)
from codex_api.items import FunctionCallOutput, Message
from codex_api.session import SessionSettings
from codex_api.testing import EmbeddedServer
from codex_api.testing.actions import Hang, answer
from codex_api.testing.scripted import ScriptedServer
from tests.session.conversation import (
    ACCEPT,
    USER,
    ask,
    bodies,
    call_item,
    client,
    frames,
    posted,
    text_item,
    turn,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.front import Front

pytestmark = pytest.mark.anyio

ONE, TWO = text_item("one"), text_item("two")
OUTPUT = FunctionCallOutput(call_id="c1", output="ok")
OVER_HTTP = SessionSettings(transport="http", chain="response")
IN_CONVERSATION = SessionSettings(transport="http", chain="conversation")
MODES = ("auto", "http")


def wire(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "role": "user", "content": content}


def refusal(status: int = 400, **fields: Any) -> Sequence[Any]:
    error = {"message": "not found", "type": "invalid_request_error", **fields}
    return answer(status, body={"error": error}, headers=[("connection", "close")])


LOST = refusal(code="previous_response_not_found", param="previous_response_id")


def begun(conversation: str) -> Sequence[Any]:
    shown = {"id": conversation, "object": "conversation", "created_at": 1, "metadata": {}}
    return answer(body=shown, headers=[("connection", "close")])


class Talk:
    """A session whose input grows by what is said and answered."""

    def __init__(self, front: Front, session: Any, **fields: Any) -> None:
        self._front = front
        self.session = session
        self._fields = fields
        self.history: list[Any] = []

    async def say(self, *items: Any) -> Any:
        self.history += items
        request = ask(*self.history, **self._fields)
        response = await self._front(self.session.stream(request).collect)
        self.history += response.items
        return response


async def talked(
    front: Front,
    settings: SessionSettings,
    script: Sequence[Any],
    *said: Sequence[Any],
    **fields: Any,
) -> list[dict[str, Any]]:
    """Return the bodies that went out while all of it was said."""
    fields.setdefault("store", True)
    with ScriptedServer(script) as peer:
        async with front.entering(client(front, peer)) as api:
            talk = Talk(front, api.session(settings), **fields)
            for items in said:
                await talk.say(*items)
        return bodies(peer)


async def test_only_what_is_new_is_posted_after_a_stored_response(front: Front) -> None:
    script = [posted("r1", call_item()), posted("r2", ONE), posted("r3", TWO)]

    first, second, third = await talked(
        front, OVER_HTTP, script, [USER], [OUTPUT], [Message.user("b")]
    )

    assert (first["input"], "previous_response_id" in first) == ([wire("hi")], False)
    assert (second["input"][0]["call_id"], second["previous_response_id"]) == ("c1", "r1")
    assert (third["input"], third["previous_response_id"]) == ([wire("b")], "r2")


async def test_all_is_posted_where_responses_are_not_stored(front: Front) -> None:
    script = [posted("r1", ONE), posted("r2", TWO)]

    _, second = await talked(front, OVER_HTTP, script, [USER], [Message.user("b")], store=False)

    assert "previous_response_id" not in second
    assert len(second["input"]) == 3


async def test_all_is_posted_by_default(front: Front) -> None:
    script = [posted("r1", ONE), posted("r2", TWO)]

    _, second = await talked(
        front, SessionSettings(transport="http"), script, [USER], [Message.user("b")]
    )

    assert "previous_response_id" not in second
    assert len(second["input"]) == 3


@pytest.mark.parametrize("refused", [LOST, refusal(404)])
async def test_a_response_that_the_server_forgot_costs_one_more_request(
    front: Front, refused: Any
) -> None:
    script = [posted("r1", ONE), refused, posted("r2", TWO), posted("r3", ONE)]

    _, asked, again, after = await talked(
        front, OVER_HTTP, script, [USER], [Message.user("b")], [Message.user("c")]
    )

    assert asked["previous_response_id"] == "r1"
    assert "previous_response_id" not in again
    assert len(again["input"]) == 3
    assert (after["previous_response_id"], after["input"]) == ("r2", [wire("c")])


async def test_what_is_refused_without_a_name_stays_refused(front: Front) -> None:
    with pytest.raises(errors.ApiError):
        await talked(front, OVER_HTTP, [refusal(404)], [USER])


async def test_a_stored_response_is_continued_on_another_websocket(front: Front) -> None:
    script = [[ACCEPT, *turn("r1", ONE)], [ACCEPT, *turn("r2", TWO), Hang()]]
    settings = SessionSettings(transport="websocket", chain="response")
    with ScriptedServer(connections=script) as peer:
        async with front.entering(client(front, peer)) as api:
            talk = Talk(front, api.session(settings), store=True)
            await talk.say(USER)
            await front(talk.session.close)
            await talk.say(Message.user("b"))
            await front(talk.session.close)
        (frame,) = frames(peer, 1)

    assert (frame["previous_response_id"], frame["input"]) == ("r1", [wire("b")])


# --- conversations ------------------------------------------------------------------------------


async def test_a_conversation_is_begun_and_given_what_is_new(front: Front) -> None:
    script = [begun("conv_1"), posted("r1", ONE), posted("r2", TWO)]

    made, first, second = await talked(
        front, IN_CONVERSATION, script, [USER], [Message.user("b")], store=False
    )

    assert made == {}
    assert (first["conversation"], first["input"]) == ("conv_1", [wire("hi")])
    assert (second["conversation"], second["input"]) == ("conv_1", [wire("b")])
    assert "previous_response_id" not in second


async def test_a_conversation_of_the_caller_is_added_to(front: Front) -> None:
    settings = SessionSettings(transport="http", chain="conversation", conversation="conv_9")

    (body,) = await talked(front, settings, [posted("r1", ONE)], [USER])

    assert (body["conversation"], body["input"]) == ("conv_9", [wire("hi")])


async def test_a_conversation_that_is_gone_is_begun_anew_with_all(front: Front) -> None:
    gone = refusal(404, param="conversation")
    script = [begun("c1"), posted("r1", ONE), gone, begun("c2"), posted("r2", TWO)]

    *_, asked, _, again = await talked(front, IN_CONVERSATION, script, [USER], [Message.user("b")])

    assert (asked["conversation"], asked["input"]) == ("c1", [wire("b")])
    assert (again["conversation"], len(again["input"])) == ("c2", 3)


async def test_a_conversation_of_the_caller_that_is_gone_is_an_error(front: Front) -> None:
    settings = SessionSettings(transport="http", chain="conversation", conversation="conv_9")

    with pytest.raises(errors.UnexpectedStatusError) as caught:
        await talked(front, settings, [refusal(404, param="conversation")], [USER])

    assert caught.value.status == 404


@pytest.mark.parametrize("conversation", [None, "conv_9"])
async def test_a_response_left_early_does_not_double_what_a_conversation_holds(
    front: Front, conversation: str | None
) -> None:
    settings = SessionSettings(transport="http", chain="conversation", conversation=conversation)
    left = posted("r1", ONE)
    script = [*([] if conversation else [begun("c1")]), left, begun("c2"), posted("r2", ONE)]
    with ScriptedServer(script) as peer:
        async with front.entering(client(front, peer)) as api:
            talk = Talk(front, api.session(settings))
            async with front.entering(talk.session.stream(ask())) as stream:
                await front(stream.next_events)

            if conversation is None:
                await talk.say(USER)
                assert talk.session.conversation == "c2"
            else:
                with pytest.raises(errors.ClientStateError, match="conv_9"):
                    await talk.say(USER)


@pytest.mark.parametrize(
    "named", [{"conversation": "conv_1"}, {"previous_response_id": "r0"}], ids=str
)
async def test_a_request_in_a_conversation_names_none(front: Front, named: dict[str, Any]) -> None:
    with ScriptedServer([]) as peer:
        async with front.entering(client(front, peer)) as api:
            session = api.session(IN_CONVERSATION)

            with pytest.raises(errors.RequestBuildError, match="names the conversation itself"):
                session.stream(ask(**named))


async def test_a_request_that_names_its_conversation_is_not_chained(front: Front) -> None:
    script = [ACCEPT, *turn("r1", ONE), *turn("r2", TWO), Hang()]
    with ScriptedServer(connections=[script]) as peer:
        async with front.entering(client(front, peer)) as api:
            talk = Talk(front, api.session(), conversation="conv_1")
            await talk.say(USER)
            await talk.say(Message.user("b"))
            await front(talk.session.close)
        _, frame = frames(peer)

    assert "previous_response_id" not in frame


# --- against a server that keeps them -----------------------------------------------------------


@pytest.mark.parametrize("transport", MODES)
@pytest.mark.parametrize("chain", ["response", "conversation"])
async def test_a_server_answers_as_if_all_had_been_sent(
    front: Front, transport: Any, chain: Any
) -> None:
    with EmbeddedServer() as server:
        provider = Provider("embedded", server.url)
        options: dict[str, Any] = {"auth": ApiKeyAuth("sk-test"), "network": Network(proxy=None)}
        async with front.entering(front.pick(Client, AsyncClient)(provider, **options)) as api:
            settings = SessionSettings(transport=transport, chain=chain)
            async with front.entering(api.session(settings)) as session:
                chained = Talk(front, session, store=True)
                told = [await chained.say(Message.user(text)) for text in ("a", "b", "c")]
                held = session.conversation
                assert session.transport == ("http" if transport == "http" else "websocket")
            plain = api.session(SessionSettings(transport=transport))
            async with front.entering(plain) as session:
                whole = Talk(front, session, store=True)
                assert [response.text for response in told] == [
                    (await whole.say(Message.user(text))).text for text in ("a", "b", "c")
                ]
            if chain == "conversation":
                items = [item async for item in front.iterate(api.conversations.items(held))]
                assert len(items) == 6
            else:
                assert held is None


def test_the_settings_of_a_chain_are_checked() -> None:
    with pytest.raises(errors.RequestBuildError, match="chain must be one of connection"):
        SessionSettings(chain="thread")  # type: ignore[arg-type]  # what is tested
    with pytest.raises(errors.RequestBuildError, match="needs chain='conversation'"):
        SessionSettings(conversation="conv_1")
