from __future__ import annotations

import pytest

from codex_api import errors
from codex_api.cli.exit_codes import exit_code
from codex_api.transport.errors import CodexApiError


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CodexApiError("x"), 1),
        (errors.DecodeError("x"), 1),
        (errors.InternalServerError("x"), 1),
        (errors.ResponseIncompleteError(reason="max_output_tokens"), 1),
        (errors.RequestBuildError("x"), 2),
        (errors.InvalidRequestError("x"), 2),
        (errors.InvalidImageError("x"), 2),
        (errors.ContextWindowExceededError("x"), 2),
        (errors.AuthBuildError("x"), 3),
        (errors.AuthenticationError("x", status=401), 3),
        (errors.UnexpectedStatusError("x", status=403), 3),
        (errors.UsageNotIncludedError("x"), 3),
        (errors.UnexpectedStatusError("x", status=404), 1),
        (errors.RateLimitError("x"), 4),
        (errors.UsageLimitReachedError("x"), 4),
        (errors.QuotaExceededError("x"), 4),
        (errors.ServerOverloadedError("x"), 4),
        (errors.NetworkError("x"), 5),
        (errors.ConnectTimeoutError("x"), 5),
        (errors.DeadlineExceededError("x"), 5),
        (errors.FirstEventTimeoutError("x"), 5),
        (errors.IdleTimeoutError("x"), 5),
        (errors.StreamClosedError("x"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_failures_can_be_told_apart(error: BaseException, code: int) -> None:
    assert exit_code(error) == code
