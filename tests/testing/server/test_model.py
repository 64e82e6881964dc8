"""What the model decides, without a server around it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_api.testing.server.arguments import PATCH
from codex_api.testing.server.compaction import seal, unseal
from codex_api.testing.server.model import answer
from codex_api.testing.server.plan import Answer, Call, Compacted, Output, Reasoning
from codex_api.testing.server.problems import RequestProblem
from codex_api.testing.server.tokens import PromptCache, count_tokens, pieces
from codex_api.testing.server.validation import parse_response_request

FUNCTION = {
    "type": "function",
    "name": "lookup",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
}
CUSTOM = {"type": "custom", "name": "shell"}


def plan(prompt: str = "hi", **more: Any) -> list[Output]:
    body = {"model": "m", "input": prompt, **more}
    return answer(parse_response_request(body))


def text(prompt: str, **more: Any) -> str:
    (output,) = plan(prompt, **more)
    assert isinstance(output, Answer)
    return output.text


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [
        ("low", 'You said: "hi".'),
        ("medium", 'You said: "hi". I read 1 item.'),
        ("high", 'You said: "hi". I read 1 item. The model asked for is m.'),
    ],
)
def test_verbosity_makes_the_answer_longer(verbosity: str, expected: str) -> None:
    assert text("hi", text={"verbosity": verbosity}) == expected


def test_silence_is_told() -> None:
    assert text("").startswith("You said nothing.")


def test_counting_gives_as_many_words_as_asked() -> None:
    assert text("please count to 12") == "1 2 3 4 5 6 7 8 9 10 11 12"


@pytest.mark.parametrize(
    ("reasoning", "summaries"),
    [
        ({"effort": "low"}, 0),
        ({"effort": "low", "summary": "none"}, 0),
        ({"summary": "concise"}, 1),
        ({"summary": "detailed"}, 2),
    ],
)
def test_reasoning_is_told_as_far_as_asked(reasoning: dict[str, str], summaries: int) -> None:
    first, _ = plan(reasoning=reasoning)

    assert isinstance(first, Reasoning)
    assert len(first.summaries) == summaries
    assert first.encrypted_content is None


@pytest.mark.parametrize("reasoning", [None, {}, {"effort": "none", "summary": "auto"}])
def test_no_reasoning_without_being_asked(reasoning: object) -> None:
    assert [type(output) for output in plan(reasoning=reasoning)] == [Answer]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ('lookup "cats"', Call("lookup", '{"q": "cats"}')),
        ("use the tool q=dogs", Call("lookup", '{"q": "dogs"}')),
        ("shell `ls`", Call("shell", "ls", is_custom=True)),
        ("shell: please look around", Call("shell", "", is_custom=True)),
    ],
)
def test_a_tool_that_is_asked_for_is_called(prompt: str, expected: Call) -> None:
    assert plan(prompt, tools=[FUNCTION, CUSTOM]) == [expected]


def test_a_part_of_a_word_is_no_tool() -> None:
    assert [type(output) for output in plan("eggshells", tools=[CUSTOM])] == [Answer]


def test_a_patch_tool_that_is_given_none_gets_one_that_changes_nothing() -> None:
    tool = {"type": "custom", "name": "apply_patch"}

    assert plan("apply_patch", tools=[tool]) == [Call("apply_patch", PATCH, is_custom=True)]


def test_tools_may_come_in_the_input() -> None:
    added = {
        "type": "additional_tools",
        "role": "developer",
        "tools": [{"type": "namespace", "name": "functions", "tools": [FUNCTION]}],
    }
    items = [added, {"role": "user", "content": "lookup"}]
    (call,) = answer(parse_response_request({"model": "m", "input": items}))

    assert isinstance(call, Call)
    assert (call.name, call.namespace) == ("lookup", "functions")


def test_several_results_are_told_together() -> None:
    items = [
        {"type": "function_call", "name": "a", "arguments": "{}", "call_id": "1"},
        {"type": "custom_tool_call", "name": "b", "input": "", "call_id": "2"},
        {
            "type": "function_call_output",
            "call_id": "1",
            "output": [{"type": "input_text", "text": "one"}],
        },
        {"type": "custom_tool_call_output", "call_id": "2", "output": "two"},
    ]

    assert answer(parse_response_request({"model": "m", "input": items})) == [
        Answer('a returned "one"; b returned "two".')
    ]


def test_a_json_object_is_one() -> None:
    made = text("hi", text={"format": {"type": "json_object"}})

    assert json.loads(made)["answer"].startswith("You said")


def test_a_trigger_is_answered_by_a_compaction() -> None:
    items = [{"role": "user", "content": "hi"}, {"type": "compaction_trigger"}]
    (output,) = answer(parse_response_request({"model": "m", "input": items}))

    assert isinstance(output, Compacted)
    assert unseal(output.encrypted_content).user_texts == ["hi"]


CALL = {
    "type": "function_call",
    "name": "lookup",
    "arguments": "{}",
    "call_id": "1",
}
RESULT = {"type": "function_call_output", "call_id": "1", "output": "cats"}
ASKED = {"role": "user", "content": "call lookup q=cats"}
TRIGGER = {"type": "compaction_trigger"}


def compacted(*items: Any) -> dict[str, Any]:
    (output,) = answer(parse_response_request({"model": "m", "input": [*items, TRIGGER]}))
    assert isinstance(output, Compacted)
    return {"type": "compaction", "encrypted_content": output.encrypted_content}


def answered(*items: Any) -> list[Output]:
    body = {"model": "m", "input": [*items], "tools": [FUNCTION]}
    return answer(parse_response_request(body))


def test_a_call_that_was_compacted_is_not_made_again() -> None:
    once = compacted(ASKED, CALL, RESULT)
    twice = compacted(ASKED, once)

    told = Answer('lookup returned "cats".')
    assert answered(ASKED, once) == answered(ASKED, twice) == [told]
    assert answered(ASKED, once, {"role": "developer", "content": "be kind"}) == [told]


def test_an_answer_that_was_compacted_is_not_sought_again() -> None:
    said = {"role": "assistant", "content": "No."}

    assert answered(ASKED, compacted(ASKED, said)) == [Answer("No.")]


def test_a_question_that_was_compacted_unanswered_is_answered() -> None:
    assert answered(ASKED, compacted(ASKED)) == [Call("lookup", '{"q": "cats"}')]


def test_a_question_after_a_compaction_is_new() -> None:
    once = compacted(ASKED, CALL, RESULT)

    assert answered(ASKED, once, ASKED) == [Call("lookup", '{"q": "cats"}')]


def test_a_summary_of_its_own_is_no_order_and_tells_the_results() -> None:
    asked = {"role": "user", "content": "Summarize."}
    (summary,) = answered(ASKED, CALL, RESULT, asked)
    assert isinstance(summary, Answer)
    (told,) = answered(ASKED, {"role": "user", "content": f"It was said: {summary.text}"})

    assert '"call lookup q=cats"' in summary.text
    assert isinstance(told, Answer)
    assert told.text.endswith('Earlier lookup returned "cats". Tools offered: lookup.')


def test_a_damaged_seal_is_noticed() -> None:
    sealed = seal([{"role": "user", "content": "hi"}])

    with pytest.raises(RequestProblem):
        unseal(sealed[:-6])


@pytest.mark.parametrize("words", ["", "one", " one  two\nthree ", "a, b."])
def test_pieces_put_together_are_the_text(words: str) -> None:
    assert "".join(pieces(words)) == words


def test_tokens_are_words_and_marks() -> None:
    assert count_tokens("Hello, world 42!") == 5


def test_a_cache_knows_how_a_conversation_began() -> None:
    cache = PromptCache()
    one, two = ({"role": "user", "content": text} for text in ("one word", "two"))

    assert cache.cached_tokens("k", [one]) == 0
    assert cache.cached_tokens("k", [one, two]) == 2
    assert cache.cached_tokens("k", [two, one]) == 0
    assert cache.cached_tokens("other", [one]) == 0
    assert cache.cached_tokens("", [two, one]) == 0
