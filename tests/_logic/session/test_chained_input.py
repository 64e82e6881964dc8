from __future__ import annotations

import json
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_api._logic.session.chained_input import ChainedInput, Continuation
from codex_api._logic.session.input_json import InputJson

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = b'{"model":"m"}'
USER = b'{"type":"message","role":"user","content":"a"}'
CALL = b'{"type":"function_call","id":"fc_1","call_id":"c1"}'
CALL_WITHOUT_ID = b'{"type":"function_call","call_id":"c1"}'
OUTPUT = b'{"type":"function_call_output","call_id":"c1"}'


def array(*items: bytes) -> InputJson:
    return InputJson(b"[" + b",".join(items) + b"]")


def finished(*sent: bytes, outputs: tuple[tuple[bytes, ...], ...] = ()) -> ChainedInput:
    chain = ChainedInput()
    chain.begin(FIELDS, array(*sent))
    for forms in outputs:
        chain.add_output(*forms)
    chain.complete("resp_1")
    return chain


@pytest.mark.parametrize(
    ("chain", "request_input", "remainder"),
    [
        pytest.param(
            finished(USER, outputs=((CALL, CALL_WITHOUT_ID),)),
            array(USER, CALL, OUTPUT),
            array(OUTPUT),
            id="raw-output",
        ),
        pytest.param(
            finished(USER, outputs=((CALL, CALL_WITHOUT_ID),)),
            array(USER, CALL_WITHOUT_ID, OUTPUT),
            array(OUTPUT),
            id="typed-output",
        ),
        pytest.param(
            finished(USER, outputs=((CALL,),)), array(USER, CALL), array(), id="nothing-new"
        ),
        pytest.param(finished(), array(USER), array(USER), id="after-an-empty-prewarm"),
        pytest.param(finished(), array(), array(), id="empty-after-empty"),
        pytest.param(
            finished(outputs=((CALL,),)), array(CALL, OUTPUT), array(OUTPUT), id="only-outputs"
        ),
        pytest.param(finished(USER, outputs=((CALL,),)), array(USER), None, id="output-left-out"),
        pytest.param(
            finished(USER, outputs=((CALL,),)), array(USER, OUTPUT), None, id="output-replaced"
        ),
        pytest.param(finished(USER), array(OUTPUT), None, id="history-rewritten"),
        pytest.param(finished(USER, OUTPUT), array(USER), None, id="history-cut"),
        pytest.param(finished(USER), array(USER + USER), None, id="no-item-boundary"),
    ],
)
def test_only_what_the_server_lacks_is_sent(
    chain: ChainedInput, request_input: InputJson, remainder: InputJson | None
) -> None:
    expected = None if remainder is None else Continuation("resp_1", bytes(remainder))

    assert chain.continuation(FIELDS, request_input) == expected


def test_a_changed_field_sends_the_whole_input() -> None:
    assert finished(USER).continuation(b'{"model":"other"}', array(USER, OUTPUT)) is None


def test_a_response_that_did_not_finish_is_not_continued() -> None:
    chain = finished(USER)
    chain.begin(FIELDS, array(USER, OUTPUT))

    assert chain.continuation(FIELDS, array(USER, OUTPUT, USER)) is None


def test_before_the_first_response_the_whole_input_is_sent() -> None:
    assert ChainedInput().continuation(FIELDS, array(USER)) is None


def test_a_reset_chain_sends_the_whole_input() -> None:
    chain = finished(USER)
    chain.reset()

    assert chain.continuation(FIELDS, array(USER, OUTPUT)) is None


items = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=4), max_size=3)


def encoded(values: list[Any]) -> InputJson:
    return InputJson(json.dumps(values, separators=(",", ":")).encode())


@given(
    sent=st.lists(items, max_size=4),
    outputs=st.lists(items, max_size=3),
    new=st.lists(items, max_size=5),
)
def test_bytes_decide_as_comparing_items_would(
    sent: list[Any], outputs: list[Any], new: list[Any]
) -> None:
    chain = ChainedInput()
    chain.begin(FIELDS, encoded(sent))
    for item in outputs:
        chain.add_output(bytes(encoded([item]))[1:-1])
    chain.complete("r")

    for request in (new, sent + outputs + new, sent + new):
        found = chain.continuation(FIELDS, encoded(request))
        known = sent + outputs
        texts = [bytes(encoded([item])) for item in request]
        if texts[: len(known)] == [bytes(encoded([item])) for item in known]:
            assert found == Continuation("r", bytes(encoded(request[len(known) :])))
        else:
            assert found is None


def calls_of(work: Callable[[], object]) -> int:
    """Count the calls, of Python and of C, that ``work`` makes."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return calls


def test_comparing_looks_at_no_item_of_the_history_by_itself() -> None:
    calls = []
    for size in (10, 1000):
        history = [USER] * size
        chain = finished(*history, outputs=((CALL,),))
        request = array(*history, CALL, OUTPUT)
        assert chain.continuation(FIELDS, request) == Continuation("resp_1", bytes(array(OUTPUT)))
        calls.append(calls_of(partial(chain.continuation, FIELDS, request)))

    assert calls[0] == calls[1] > 0
