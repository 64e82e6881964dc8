from __future__ import annotations

import math
import pickle
from typing import Any

import pytest

from codex_api._logic.session.errors import ReplayRefusedError
from codex_api._logic.session.settings import SessionSettings
from codex_api.transport.errors import RequestBuildError


@pytest.mark.parametrize(
    "wrong",
    [
        {"transport": "carrier pigeon"},
        {"replay": "sometimes"},
        {"stream_max_retries": -1},
        {"stream_base_delay": math.nan},
        {"cool_down": -0.1},
        {"rotate_after": -1.0},
        {"chain": "of thought"},
        {"conversation": "conv_1"},
    ],
    ids=str,
)
def test_a_setting_that_makes_no_sense_is_named(wrong: dict[str, Any]) -> None:
    with pytest.raises(RequestBuildError, match=next(iter(wrong))):
        SessionSettings(**wrong)


def test_a_session_retries_and_resumes_unless_told_otherwise() -> None:
    settings = SessionSettings()

    assert (settings.transport, settings.chain, settings.replay) == ("auto", "connection", "always")
    assert (settings.stream_max_retries, settings.stream_base_delay) == (5, 0.2)
    assert settings.resume is True


def test_nothing_may_be_waited_for() -> None:
    settings = SessionSettings(
        stream_max_retries=0, stream_base_delay=0.0, cool_down=0.0, rotate_after=0.0
    )

    assert settings.stream_max_retries == 0


def test_a_refused_replay_names_the_item_and_pickles() -> None:
    error = ReplayRefusedError("function_call")

    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own
    assert "after a function_call was handed out" in str(error)
    assert (again.item_type, again.retryable, str(again)) == ("function_call", False, str(error))
