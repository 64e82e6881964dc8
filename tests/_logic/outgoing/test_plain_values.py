from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest

from codex_api import tools
from codex_api._logic.outgoing.body import encode_request
from codex_api._logic.outgoing.plain_values import as_request, as_value
from codex_api.types.memories import MemorySummarizeInput
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesApiRequest


def test_a_request_stays_itself() -> None:
    request = ResponsesApiRequest(model="m")

    assert as_request(request) is request


def test_a_mapping_says_nothing_but_what_is_in_it() -> None:
    given = {"model": "m", "input": "hi", "later": 1, "extra_body": {"more": 2}}

    assert as_request(given) == ResponsesApiRequest.public(
        model="m", input="hi", extra_body={"later": 1, "more": 2}
    )
    assert as_request({"model": "m"}).extra_body is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("hi", "not str"),
        (None, "not NoneType"),
        ({1: "m"}, "names, not int"),
        ({"model": "m", "extra_body": 5}, "extra_body is a mapping, not int"),
    ],
)
def test_what_is_no_request_is_refused(given: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        as_request(given)


def test_a_value_stays_itself_and_a_mapping_becomes_one() -> None:
    value = Reasoning(effort="low")

    assert as_value(Reasoning, value, "reasoning") is value
    assert as_value(Reasoning, {"effort": "low"}, "reasoning") == value


@pytest.mark.parametrize("name", ["traces", "raw_memories"])
def test_a_field_goes_by_both_of_its_names(name: str) -> None:
    made = as_value(MemorySummarizeInput, {"model": "m", name: []}, "input")

    assert made == MemorySummarizeInput("m", [])


@pytest.mark.parametrize(
    ("given", "told"),
    [("low", "a Reasoning or a mapping, not str"), ({"efort": "low"}, "no key 'efort'")],
)
def test_what_is_no_value_is_refused(given: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        as_value(Reasoning, given, "reasoning")


def test_every_tool_there_is_may_be_asked_for() -> None:
    later = MappingProxyType({"type": "later"})
    asked: list[tools.Tool] = [tools.FileSearch(vector_store_ids=["v"]), later]

    body = encode_request(ResponsesApiRequest.public(model="m", input="hi", tools=asked))

    assert b'"tools":[{"type":"file_search","vector_store_ids":["v"]},{"type":"later"}]' in body
