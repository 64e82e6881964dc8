"""The quick reading of a response object says the same as the careful one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from codex_api._logic.incoming import error_body
from codex_api._logic.incoming import terminal as module

COUNTS: list[Any] = [None, 0, 1, 2.0, 1.5, -1, "3", 2**53, 2**60, True, [], {}]
COUNTS += [{"cached_tokens": 3}, {"cached_tokens": None}, {"reasoning_tokens": 2.0}]
COUNTS += [{"cached_tokens": "x", "cache_write_tokens": 4}]
USAGE = ["input_tokens", "output_tokens", "total_tokens", "input_tokens_details", "prompt_tokens"]
USAGE += ["output_tokens_details", "prompt_tokens_details", "completion_tokens_details"]
USAGE += ["completion_tokens", "codex_rollout_budget_units"]
VALUES: list[Any] = [None, "a", "", 1, 1.5, True, {}, [], [1], ["x", {}], {"reason": "r"}]
VALUES += [{"reason": None}, {"reason": 1, "error": {"m": 1}}, {"error": None}]
MEMBERS = ["id", "status", "incomplete_details", "status_details", "error", "usage", "end_turn"]
MEMBERS += ["output", "service_tier", "created_at"]


def careful(kind: Any, data: Any) -> Any:
    if kind in {module.UsualResponse, module._UsualUsage}:
        return None
    return READ_AS(kind, data)


READ_AS = error_body.read_as


@pytest.mark.parametrize("seed", range(4))
def test_both_readings_agree(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    draw = random.Random(seed)  # noqa: S311 - test data

    def object_of(names: list[str], values: list[Any]) -> bytes:
        told = [name for name in names if draw.random() > 0.5]
        return json.dumps({name: draw.choice(values) for name in told}).encode()

    usages = [object_of(USAGE, COUNTS) for _ in range(1000)]
    responses = [object_of(MEMBERS, VALUES) for _ in range(1000)]
    quick = [module.token_usage(usage) for usage in usages]
    quick_terminals = [module.read_terminal("response", response) for response in responses]
    monkeypatch.setattr(module, "read_as", careful)

    assert quick == [module.token_usage(usage) for usage in usages]
    assert quick_terminals == [module.read_terminal("response", one) for one in responses]
