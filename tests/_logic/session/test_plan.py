from __future__ import annotations

import json
from typing import Any

import pytest

from codex_api import ApiKeyAuth, NoAuth
from codex_api._logic.calling.policy import CallSettings
from codex_api._logic.session.effects import PostRequest, SendFrame
from codex_api._logic.session.plan import SessionPlan, asked_for, owner_of
from codex_api._logic.session.request_forms import RequestForms
from codex_api._logic.session.settings import SessionSettings
from codex_api.transport.errors import RequestBuildError
from codex_api.types.request import ResponsesApiRequest, ResponsesOptions
from codex_api.types.turn_state import TurnState
from tests._logic.operations import CONTEXT

REQUEST = ResponsesApiRequest(model="m", input="hi")


class Still:
    """A clock that stands."""

    def monotonic(self) -> float:
        return 5.0

    def wall(self) -> float:
        return 1000.0

    def draw(self) -> float:
        return 0.5


def session(**settings: Any) -> SessionPlan:
    clock: Any = Still()  # nobody waits by it here
    calls = CallSettings(context=CONTEXT, clock=clock, telemetry=None)
    return SessionPlan(calls, SessionSettings(**settings), ResponsesOptions(session_id="s"))


@pytest.mark.parametrize(("transport", "named"), [("auto", "websocket"), ("http", "http")])
def test_a_session_says_what_the_next_request_goes_over(transport: str, named: str) -> None:
    assert session(transport=transport).transport == named


def test_a_request_over_http_is_posted_with_its_input() -> None:
    plan = session(transport="http").plan(REQUEST, new_turn=None)
    steps = plan.steps()
    next(steps)  # who is asking
    steps.send("me")  # no socket is left open

    posted = steps.send(None)

    assert isinstance(posted, PostRequest)
    assert posted.kept == []


def test_a_frame_holds_the_request_and_the_turns_state() -> None:
    plan = session().plan(REQUEST, new_turn=True, generate=False)
    cell = TurnState()
    cell.offer("state")

    effect = SendFrame(
        bytes(plan.forms.input), previous_response_id="r0", generate=False, cell=cell
    )
    frame = json.loads(plan.frame(effect))

    assert (frame["model"], frame["previous_response_id"]) == ("m", "r0")
    assert frame["generate"] is False
    assert "state" in str(frame["client_metadata"])


@pytest.mark.parametrize("named", [{"conversation": "c"}, {"previous_response_id": "r"}], ids=str)
def test_a_request_in_a_conversation_names_none(named: dict[str, Any]) -> None:
    with pytest.raises(RequestBuildError, match="names the conversation itself"):
        session(chain="conversation").plan(REQUEST.replace(**named), new_turn=None)


@pytest.mark.parametrize(
    ("store", "settings", "generate", "stored", "is_repeatable", "is_held"),
    [
        (False, {}, None, False, True, False),
        (True, {}, None, True, False, False),
        (True, {"resume": False}, None, False, False, False),
        (False, {"chain": "response"}, None, False, True, False),
        (True, {"chain": "response"}, None, True, False, True),
        (True, {"chain": "response"}, False, True, False, False),
        (False, {"chain": "conversation"}, None, False, False, True),
        (True, {"chain": "conversation"}, False, True, False, True),
    ],
)
def test_what_the_server_keeps_is_known_of_a_request(
    *,
    store: bool,
    settings: dict[str, Any],
    generate: bool | None,
    stored: bool,
    is_repeatable: bool,
    is_held: bool,
) -> None:
    forms = RequestForms(REQUEST.replace(store=store), ResponsesOptions(session_id="s"))

    asked = asked_for(forms, SessionSettings(**settings), new_turn=None, generate=generate)

    assert (asked.stored, asked.is_repeatable, asked.is_held) == (stored, is_repeatable, is_held)
    assert asked.generate is generate


OUTPUT = {"type": "function_call_output", "call_id": "c", "output": "o"}


@pytest.mark.parametrize(
    ("given", "new_turn", "starts"),
    [("hi", None, True), ("hi", False, False), ([OUTPUT], None, False), ([OUTPUT], True, True)],
)
def test_a_turn_starts_with_words_or_where_the_caller_says(
    given: str | list[Any], *, new_turn: bool | None, starts: bool
) -> None:
    forms = RequestForms(REQUEST.replace(input=given), ResponsesOptions(session_id="s"))

    asked = asked_for(forms, SessionSettings(), new_turn=new_turn, generate=None)

    assert asked.starts_turn is starts


def test_nothing_is_warmed_up_where_there_is_no_socket() -> None:
    assert list(session(transport="http").plan(REQUEST, new_turn=None).prewarm()) == []


def test_the_options_of_a_request_have_the_cell_of_its_turn() -> None:
    plan, cell = session().plan(REQUEST, new_turn=False), TurnState()

    assert (plan.options(cell).turn_state, plan.options(cell).session_id) == (cell, "s")
    assert (plan.answer, plan.keeps_raw, plan.raws) == (None, False, [])


def test_an_owner_is_known_by_the_credentials_and_not_told_by_them() -> None:
    mine = owner_of(ApiKeyAuth("s3cret"))

    assert mine == owner_of(ApiKeyAuth("s3cret"))
    assert mine != owner_of(ApiKeyAuth("other"))
    assert mine != owner_of(NoAuth())
    assert "s3cret" not in mine


def test_a_request_of_a_session_with_a_conversation_names_nothing_itself() -> None:
    request = ResponsesApiRequest(model="m", input="hi", previous_response_id="r0")

    assert session(chain="response").plan(request, new_turn=None)
    with pytest.raises(RequestBuildError, match="conversation"):
        session(chain="conversation").plan(request, new_turn=None)
