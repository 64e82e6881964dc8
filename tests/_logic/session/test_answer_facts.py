from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from codex_api._logic.session.answer_facts import AnswerFacts
from codex_api._logic.session.progress import Progress
from codex_api.errors import ClientStateError
from codex_api.items import FunctionCallOutput
from codex_api.transport import Headers


def plan(answer: Any = None) -> Any:
    return SimpleNamespace(answer=answer, progress=Progress(keep_ids=False))


def told(facts: AnswerFacts) -> list[Any]:
    return [
        facts.request_id,
        facts.rate_limits,
        dict(facts.rate_limits_by_id),
        facts.api_rate_limits,
        facts.server_model,
        facts.turn_state,
        facts.response_id,
        facts.parts,
        facts.terminal,
    ]


def test_nothing_is_told_before_there_is_an_answer() -> None:
    facts = AnswerFacts(plan())

    assert told(facts) == [None, None, {}, None, None, None, None, (), None]
    with pytest.raises(ClientStateError, match="not open"):
        _ = facts.headers


def test_what_is_told_is_the_answers() -> None:
    values = {
        "request_id": "req_1",
        "rate_limits": "limits",
        "rate_limits_by_id": {"codex": "limits"},
        "api_rate_limits": "api limits",
        "server_model": "m",
        "turn_state": "TS-1",
    }
    end = {"parts": [(1, b"{}")], "terminal": "end"}
    answer = SimpleNamespace(headers=Headers({"x": "1"}), **values, **end)
    facts = AnswerFacts(plan(answer))

    assert told(facts) == [*values.values(), None, *end.values()]
    assert facts.headers["x"] == "1"


def test_supplied_outputs_go_to_the_progress() -> None:
    made = plan()
    AnswerFacts(made).supply(FunctionCallOutput(call_id="c1", output="ok"))

    assert made.progress.split().length == 0
    assert list(made.progress._supplied) == ["c1"]
