"""What a response of a session has told so far, whatever answer it came from last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.calling.reading import NOT_OPEN
from codex_api.transport.errors import ClientStateError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import Raw

    from codex_api._logic.calling.stream_call import StreamFacts
    from codex_api._logic.incoming.terminal import Terminal
    from codex_api._logic.session.plan import RequestPlan
    from codex_api.items import ResponseItem
    from codex_api.rate_limits import ApiRateLimits, RateLimitSnapshot
    from codex_api.transport._core.headers import Headers


class AnswerFacts:
    """The part of a session's stream that needs no I/O. The fronts derive from it.

    A retry replaces the answer, so what is told here may change until the response is complete.
    """

    def __init__(self, plan: RequestPlan) -> None:
        self._plan = plan

    @property
    def headers(self) -> Headers:
        """Header fields of the answer; over a WebSocket those of its handshake.

        Raises:
            ClientStateError: There is no answer yet.
        """
        if self._answer is None:
            raise ClientStateError(NOT_OPEN)
        return self._answer.headers

    @property
    def request_id(self) -> str | None:
        """Value of ``x-request-id`` of the answer, or None, as over a WebSocket."""
        return None if self._answer is None else self._answer.request_id

    @property
    def rate_limits(self) -> RateLimitSnapshot | None:
        """The newest snapshot of the default limit, or None when none came."""
        return None if self._answer is None else self._answer.rate_limits

    @property
    def rate_limits_by_id(self) -> Mapping[str, RateLimitSnapshot]:
        """The newest snapshot of each limit, by its id."""
        return {} if self._answer is None else self._answer.rate_limits_by_id

    @property
    def api_rate_limits(self) -> ApiRateLimits | None:
        """The ``x-ratelimit-*`` limits of the answer, or None, as over a WebSocket."""
        return None if self._answer is None else self._answer.api_rate_limits

    @property
    def server_model(self) -> str | None:
        """The model that the server says it runs, or None."""
        return None if self._answer is None else self._answer.server_model

    @property
    def turn_state(self) -> str | None:
        """The sticky-routing value of this turn, or None."""
        return None if self._answer is None else self._answer.turn_state

    @property
    def response_id(self) -> str | None:
        """Id of the response, once an event named it."""
        return self._plan.progress.response_id

    @property
    def parts(self) -> Sequence[tuple[int, bytes]]:
        """Parts of items that the last answer sent as a whole: see ``EventMapper.parts``."""
        return () if self._answer is None else self._answer.parts

    @property
    def terminal(self) -> Terminal | None:
        """What the end of the response says, once it is there."""
        return None if self._answer is None else self._answer.terminal

    @property
    def _answer(self) -> StreamFacts | None:
        return self._plan.answer

    def supply(self, *outputs: ResponseItem | Raw) -> None:
        """Add the outputs of tools that were run while the response went on.

        With its output a tool call survives a retry; without, the model has to make it again.
        """
        self._plan.progress.supply(outputs)
