"""One response over a WebSocket, from messages to events.

Mapping, clocks and outcome are those of a response over HTTP; what differs is told here. A message
is one payload; a binary one is an error. Pings keep the liveness clock going, and only that one.
What is left over of responses before, on a connection that carried some, is none of this one's.
The answer to the handshake belongs to the connection, so its events open every response of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from codex_api import events
from codex_api._logic.incoming.direct_events import direct_lines
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.machine import NEVER, ResponseStreamMachine
from codex_api._logic.incoming.terminal import TERMINAL_TYPES
from codex_api.errors import (
    EventTooLargeError,
    IdleTimeoutError,
    StreamError,
    TransportTimeoutError,
)
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import EventTooLargeError as TransportEventTooLargeError

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from codex_api._logic.outgoing.websocket_handshake import HandshakeFacts
    from codex_api.events import ResponseEvent
    from codex_api.transport.errors import CodexApiError
    from codex_api.types.turn_state import TurnState

_CREATED = "response.created"
_RESPONSE = '"response"'
_FAILED = "response.failed"


class _Head(msgspec.Struct):
    type: str = ""
    response: msgspec.Raw = msgspec.Raw()


class _Response(msgspec.Struct):
    id: str | None = None


class WebSocketStreamMachine(ResponseStreamMachine):
    """Read one response. Instants are seconds of one clock that never runs backwards.

    Args:
        facts: What the handshake said.
        idle_timeout: As for ``ResponseStreamMachine``, and so are the others.

    Attributes:
        taken: How many messages the last ``feed_all`` took.
    """

    def __init__(
        self,
        facts: HandshakeFacts,
        *,
        idle_timeout: float | None = None,
        liveness_timeout: float | None = None,
        first_event_timeout: float | None = None,
        started_at: float = 0.0,
        now: float = 0.0,
        other_events: bool = False,
        all_events: bool = False,
        turn_state: TurnState | None = None,
    ) -> None:
        super().__init__(
            Headers(),
            idle_timeout=idle_timeout,
            liveness_timeout=liveness_timeout,
            first_event_timeout=first_event_timeout,
            started_at=started_at,
            now=now,
            other_events=other_events,
            all_events=all_events,
            turn_state=turn_state,
        )
        self.taken: int = 0
        self._header_model = facts.server_model
        self.initial = facts.events()
        self._history = facts.history
        self._left_before = facts.history.leftovers
        # On a fresh connection there is nothing that could be left over.
        self._is_begun = not facts.history.has_carried

    @property
    def leftovers(self) -> int:
        """How many frames of responses before came and were left alone."""
        return self._history.leftovers - self._left_before

    def feed_all(self, messages: list[str | bytes], now: float) -> list[ResponseEvent]:
        """Decode messages that came together, up to the one that ends the response.

        ``taken`` says how many of them that were.
        """
        direct = None if len(messages) == 1 else self._all_direct(messages, now)
        if direct is not None:
            self.taken = len(messages)
            return direct
        found: list[ResponseEvent] = []
        self.taken = 0
        for message in messages:
            found += self.feed(message, now)
            self.taken += 1
            if self.done or self.failure is not None:
                break
        return found

    def _all_direct(self, messages: list[str | bytes], now: float) -> list[ResponseEvent] | None:
        """Decode messages in one go; None where one of them has to be looked at by itself."""
        if not self._is_begun or self._raws is not None or self.done or self.failure is not None:
            return None
        if not self._mapper.takes_direct:
            return None
        texts = [message for message in messages if isinstance(message, str)]
        if len(texts) < len(messages):
            return None
        lines = "\n".join(texts)
        if self._history.ids and _RESPONSE in lines:
            return None
        found = direct_lines(lines, len(messages))
        if found is not None:
            self._mapper.take_direct(found)
            self._head = None
            self._progress_at = self._alive_at = now
            self.deadline = None if self._step == NEVER else now + self._step
        return found

    def feed(self, chunk: Buffer | str, now: float) -> list[ResponseEvent]:
        """Decode a message, arrived at ``now``; text is a ``str``, anything else was binary."""
        if self.done or self.failure is not None:
            return []
        if not isinstance(chunk, str):
            message = "the server sent a binary WebSocket message, and responses are text"
            return self._stop(StreamError(message, **self._mapper.context))
        self._alive_at = now
        if self._may_be_left_over(chunk) and self._is_left_over(chunk):
            self._set_deadline()
            return []
        mapper = self._mapper
        mapper.progressed = False
        if self._raws is None:
            found = mapper.feed_one(chunk)
        else:
            found = self._feed_kept((chunk.encode("utf-8", "surrogatepass"),))
        if mapper.progressed:
            self._head = None
            self._progress_at = now
            self.deadline = None if self._step == NEVER else now + self._step
        else:
            self._set_deadline()
        if mapper.done or mapper.failure is not None:
            self._remember()
            self._end()
        elif found and isinstance(found[-1], events.Created):
            self._history.begins_with_created = True
        return found

    def _may_be_left_over(self, message: str) -> bool:
        # Most events do not say which response they are of.
        return not self._is_begun or (_RESPONSE in message and bool(self._history.ids))

    def _is_left_over(self, message: str) -> bool:
        """Distinguish a frame of a previous response from the first one of this response.

        Errors are this request's, and so is a beginning, also of a server that gives every response
        the same id. What names a response before is not. Where the server says when a response
        begins, nothing else is, either, but the failure of a response that is new.
        """
        head = read_as(_Head, message)
        if head is None or not head.type.startswith("response."):
            return False
        response = read_as(_Response, head.response)
        named = None if response is None else response.id
        if self._is_begun:
            if named not in self._history.ids:
                return False
        elif self._is_first(head.type, named):
            self._is_begun = True
            return False
        self._history.leftovers += 1
        if head.type in TERMINAL_TYPES:
            self._history.is_unusable = True
        return True

    def _is_first(self, tag: str, response_id: str | None) -> bool:
        if tag == _CREATED:
            self._history.ids.discard(response_id or "")
            return True
        if response_id in self._history.ids:
            return False
        if not self._history.begins_with_created:
            return True
        return tag == _FAILED and response_id is not None

    def _remember(self) -> None:
        self._history.has_carried = True
        if self._mapper.response_id is not None:
            self._history.ids.add(self._mapper.response_id)

    def _trace(self) -> str:
        left = self.leftovers
        told = f"; {left} frames of responses before it came and were left alone" if left else ""
        return told + super()._trace()

    def received(self, at: float) -> None:
        """Take note that bytes of any kind came at ``at``."""
        if at > self._alive_at:
            self._alive_at = at
            self._set_deadline()

    def lost(self, error: CodexApiError) -> StreamError:
        """Return the failure for a connection that ended with ``error``; sets ``failure``."""
        context = self._mapper.context
        failure: StreamError
        if isinstance(error, TransportEventTooLargeError):
            failure = EventTooLargeError(str(error), **context)
        elif isinstance(error, TransportTimeoutError):
            failure = IdleTimeoutError(str(error), **context)
        else:
            failure = self._closed(f"the WebSocket ended before the response was complete: {error}")
        self._stop(failure, error)
        return failure
