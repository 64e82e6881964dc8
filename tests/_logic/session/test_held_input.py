from __future__ import annotations

import pytest

from codex_api._logic.session.held_input import ChainMode, HeldInput, Outgoing
from codex_api._logic.session.input_json import InputJson
from codex_api.transport.errors import ClientStateError, RequestBuildError

FIELDS, OTHER = b'{"model":"m"}', b'{"model":"n"}'
A, B, C = b'{"a":1}', b'{"b":1}', b'{"c":1}'


def array(*items: bytes) -> InputJson:
    return InputJson(text(*items))


def text(*items: bytes) -> bytes:
    return b"[" + b",".join(items) + b"]"


def answered(held: HeldInput, *items: bytes, output: bytes = B, is_kept: bool) -> HeldInput:
    held.begin(FIELDS, array(*items), is_kept=is_kept)
    held.complete("resp_1", [(output,)])
    return held


def test_nothing_is_held_at_first() -> None:
    assert HeldInput().outgoing(FIELDS, array(A)) == Outgoing(text(A))


@pytest.mark.parametrize("mode", ["connection", "response"])
def test_only_a_conversation_has_to_be_begun(mode: ChainMode) -> None:
    assert not HeldInput(mode).wants_conversation(array(A))


@pytest.mark.parametrize("fields", [FIELDS, OTHER])
def test_what_a_server_keeps_holds_over_connections_and_other_settings(fields: bytes) -> None:
    held = answered(HeldInput("response"), A, is_kept=True)

    held.connection_lost()

    assert held.outgoing(fields, array(A, B, C)) == Outgoing(text(C), "resp_1")


def test_what_only_a_connection_holds_goes_with_it_and_with_other_settings() -> None:
    held = answered(HeldInput(), A, is_kept=False)

    assert held.outgoing(OTHER, array(A, B, C)) == Outgoing(text(A, B, C))
    assert held.outgoing(FIELDS, array(A, B, C)) == Outgoing(text(C), "resp_1")
    held.connection_lost()
    assert held.outgoing(FIELDS, array(A, B, C)) == Outgoing(text(A, B, C))


def test_a_kept_response_is_continued_again_after_a_request_that_failed() -> None:
    held = answered(HeldInput("response"), A, is_kept=True)

    held.begin(FIELDS, array(A, B, C), is_kept=True)
    held.failed(is_clear=True)

    assert held.outgoing(FIELDS, array(A, B, C)) == Outgoing(text(C), "resp_1")


def test_a_connection_holds_nothing_of_a_request_that_failed() -> None:
    held = answered(HeldInput(), A, is_kept=False)

    held.begin(FIELDS, array(A, B, C), is_kept=False)

    assert held.outgoing(FIELDS, array(A, B, C)) == Outgoing(text(A, B, C))


def test_a_forgotten_name_is_used_no_more() -> None:
    held = answered(HeldInput("response"), A, is_kept=True)

    held.forget()

    assert held.may_be_lost
    assert held.outgoing(FIELDS, array(A, B, C)) == Outgoing(text(A, B, C))


# --- conversations ------------------------------------------------------------------------------


def test_a_conversation_is_begun_once_and_given_what_is_new() -> None:
    held = HeldInput("conversation")
    assert held.may_be_lost
    assert held.wants_conversation(array(A))

    held.conversation = "conv_1"
    assert not held.wants_conversation(array(A))
    assert held.outgoing(FIELDS, array(A)) == Outgoing(text(A), None, "conv_1")
    answered(held, A, is_kept=True)

    assert not held.wants_conversation(array(A, B, C))
    assert held.outgoing(OTHER, array(A, B, C)) == Outgoing(text(C), None, "conv_1")


def test_a_history_that_was_changed_begins_another_conversation() -> None:
    held = HeldInput("conversation")
    held.conversation = "conv_1"
    answered(held, A, is_kept=True)

    assert held.wants_conversation(array(C))
    assert held.conversation is None
    held.conversation = "conv_2"
    assert held.outgoing(FIELDS, array(C)) == Outgoing(text(C), None, "conv_2")


def test_a_history_that_was_changed_is_refused_for_a_conversation_of_the_caller() -> None:
    held = answered(HeldInput("conversation", "conv_9"), A, is_kept=True)

    with pytest.raises(RequestBuildError, match="conv_9 was given"):
        held.wants_conversation(array(C))
    assert not held.may_be_lost


@pytest.mark.parametrize("is_clear", [True, False])
def test_a_conversation_goes_on_where_its_end_is_known(is_clear: bool) -> None:  # noqa: FBT001  # a parameter of pytest
    held = HeldInput("conversation")
    held.conversation = "conv_1"
    answered(held, A, is_kept=True)

    held.begin(FIELDS, array(A, B, C), is_kept=True)
    held.failed(is_clear=is_clear)

    assert held.wants_conversation(array(A, B, C)) is not is_clear


def test_a_conversation_of_the_caller_whose_end_is_unknown_is_left_alone() -> None:
    held = HeldInput("conversation", "conv_9")

    held.begin(FIELDS, array(A), is_kept=True)  # and its reader went away

    with pytest.raises(ClientStateError, match="conv_9"):
        held.wants_conversation(array(A))
