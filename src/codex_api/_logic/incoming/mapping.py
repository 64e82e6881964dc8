"""From one JSON payload of a response stream to events (wire.md, Events).

Two ways lead to an event. Deltas, nearly all of a stream, are decoded straight into their class, a
whole chunk of them in one call. Everything else, and every payload that the first way refuses, is
read field by field: a field that does not fit is absent and costs no other.

The payload that ends the stream is the last one looked at: ``done`` after ``Completed``,
``failure`` after an error. Nothing that follows can change that outcome.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec import Raw

from codex_api import events
from codex_api._logic.incoming import repair
from codex_api._logic.incoming.cut_characters import CutCharacters
from codex_api._logic.incoming.direct_events import (
    ABSENT,
    DIRECT_TYPES,
    PART_TAGS,
    UNREADABLE,
    Fields,
    Part,
    Skipped,
    Told,
    ToolInput,
    direct_decoder,
    is_sign_of_life,
    lenient_event,
    sequence_number,
)
from codex_api._logic.incoming.error_body import read_as
from codex_api._logic.incoming.excerpt import excerpt
from codex_api._logic.incoming.failed_response import body_error, event_error, terminal_error
from codex_api._logic.incoming.failure_body import is_failure
from codex_api._logic.incoming.item_events import READERS, is_told, tool_input
from codex_api._logic.incoming.side_events import SideChannel
from codex_api._logic.incoming.terminal import TERMINAL_TYPES, Terminal, read_terminal
from codex_api._logic.incoming.told_events import completed, read_told
from codex_api._logic.outgoing.surrogates import may_hold_halves
from codex_api.errors import DecodeError
from codex_api.rate_limits import DEFAULT_LIMIT_ID, parse_rate_limit_event
from codex_api.types.turn_state import TurnState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from codex_api.errors import ErrorContext
    from codex_api.events import ResponseEvent
    from codex_api.rate_limits import RateLimitSnapshot
    from codex_api.transport._core.headers import Headers
    from codex_api.transport.errors import CodexApiError

_decode_fields: Final = msgspec.json.Decoder(dict[str, Raw]).decode


class EventMapper:
    """Map the payloads of one response.

    Args:
        other_events: Give ``OtherEvent`` for what has no class, instead of nothing.
        all_events: Give every public event in its class, not only those that Codex reads.
        safety_headers: Headers of the HTTP answer; they may name a faster model.
        emit_rate_limits: Give ``RateLimits`` for ``codex.rate_limits``; False only remembers them.
        request_id: Put on every error.
        turn_state: Cell that gets the turn state when the stream sends it; None for one of its own.
        seen_through: Events up to this sequence number are left out, of a response whose start was
            read before; None leaves none out.

    Attributes:
        done: The response is complete.
        failure: What ended it instead, or None.
        limits: The newest snapshot of each limit, by its id.
        last_sequence_number: Of the newest event that had one, ``seen_through`` before, or None.
        skipped: How many payloads were no JSON object with a type; ``unread`` is the newest.
        progressed: Whether a payload since the last look was more than a sign of life. Whoever
            looks sets it back.
        terminal: What the response's end says, once it is there.
        turn_state_cell: The cell of the turn state.
    """

    def __init__(
        self,
        *,
        other_events: bool = False,
        all_events: bool = False,
        safety_headers: Headers | None = None,
        emit_rate_limits: bool = True,
        request_id: str | None = None,
        turn_state: TurnState | None = None,
        seen_through: int | None = None,
    ) -> None:
        self.done = False
        self.failure: CodexApiError | None = None
        self.limits: dict[str, RateLimitSnapshot] = {}
        self.last_sequence_number = self._seen_through = seen_through
        self.skipped = 0
        self.unread: bytes = b""
        self.progressed = False
        # Parts of items that were sent as a whole: how many events came before, and the payload.
        self._parts: list[tuple[int, bytes]] = []
        self._told = 0
        self.terminal: Terminal | None = None
        self._in_progress = False
        self.turn_state_cell = TurnState() if turn_state is None else turn_state
        self._sides = SideChannel(self.turn_state_cell, safety_headers)
        self._cut = CutCharacters()
        self._other_events = other_events
        self._further: Callable[[str, Fields], ResponseEvent | None] | None = None
        if all_events:
            from codex_api._logic.incoming.further_events import further_event  # noqa: PLC0415 - rare

            self._further = further_event
        # Whether what would be passed by is read as well.
        self._reads_all = other_events or all_events
        self._emit_rate_limits = emit_rate_limits
        self._request_id = request_id
        self._decoder = direct_decoder()

    @property
    def response_id(self) -> str | None:
        """Id of the response, once an event named it."""
        return self._sides.response_id

    @property
    def server_model(self) -> str | None:
        """The model that the last event to name one named, or None."""
        return self._sides.server_model

    @property
    def turn_state(self) -> str | None:
        """The sticky-routing value of this turn, or None."""
        return self.turn_state_cell.get()

    @property
    def rate_limits(self) -> RateLimitSnapshot | None:
        """The newest snapshot of the default limit, or None."""
        return self.limits.get(DEFAULT_LIMIT_ID)

    @property
    def parts(self) -> list[tuple[int, bytes]]:
        """Parts of items that were sent as a whole: how many events followed, and the payload."""
        return [(self._told - before, payload) for before, payload in self._parts]

    @property
    def context(self) -> ErrorContext:
        """What is known about the stream, for an error that ends it."""
        return {"request_id": self._request_id, "rate_limits": self.rate_limits}

    @property
    def takes_direct(self) -> bool:
        """Whether events that were decoded elsewhere can be given to ``take_direct``."""
        return self._seen_through is None and not self._cut.are_held

    def feed_one(self, data: bytes | str) -> list[ResponseEvent]:
        """Map one payload, as ``feed_all`` does."""
        if self.done or self.failure is not None:
            return []
        event: Any
        try:
            event = self._decoder.decode(data)
        except UNREADABLE:
            event = None
            self._decoder = direct_decoder(whole=True)
        if type(event) in DIRECT_TYPES and self._seen_through is None and not self._cut.are_held:
            self._told += 1
            self.progressed = True
            if event.sequence_number is not None:
                self.last_sequence_number = event.sequence_number
            return [event]
        found: list[ResponseEvent] = []
        payload = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
        if self._seen_through is None or not self._was_seen(payload):
            self._one(event, payload, found)
        self._told += len(found)
        return found

    def feed_all(self, payloads: Sequence[bytes]) -> list[ResponseEvent]:
        """Map payloads in order, up to the one that ends the response.

        Never raises: a failure is left in ``failure``, and the events before it are returned.
        """
        if len(payloads) == 1:
            return self.feed_one(payloads[0])
        if self._seen_through is not None:
            payloads = [data for data in payloads if not self._was_seen(data)]
        if self.done or self.failure is not None or not payloads:
            return []
        found: list[ResponseEvent] = []
        direct: list[Any] = []
        try:
            if not self._cut.are_held:
                direct = self._decoder.decode_lines(b"\n".join(payloads))
        except UNREADABLE:
            self._decoder = direct_decoder(whole=True)
        # A payload may hold a line feed, or two objects: then lines are no payloads.
        if len(direct) != len(payloads):
            self._each(payloads, found)
        elif not DIRECT_TYPES.issuperset(map(type, direct)):
            self._mixed(direct, payloads, found)
        else:
            return self.take_direct(direct)
        self._told += len(found)
        return found

    def take_direct(self, direct: list[Any]) -> list[ResponseEvent]:
        """Take note of events that were decoded straight into their classes, and return them."""
        self._told += len(direct)
        self.progressed = True
        for event in reversed(direct):
            if event.sequence_number is not None:
                self.last_sequence_number = event.sequence_number
                break
        return direct

    def _was_seen(self, data: bytes) -> bool:
        return (number := sequence_number(data)) is not None and number <= (self._seen_through or 0)

    def _each(self, payloads: Iterable[bytes], found: list[ResponseEvent]) -> None:
        for data in payloads:
            try:
                event = self._decoder.decode(data)
            except UNREADABLE:
                event = None
            self._one(event, data, found)
            if self.done or self.failure is not None:
                break

    def _one(self, event: object, data: bytes, found: list[ResponseEvent]) -> None:
        """Map a payload that was decoded to ``event``, or could not be for None."""
        if event is None or self._cut.are_held:
            self._read(data, found)
        else:
            self._mixed((event,), (data,), found)

    def _mixed(
        self, direct: Iterable[Any], payloads: Iterable[bytes], found: list[ResponseEvent]
    ) -> None:
        for event, data in zip(direct, payloads, strict=True):
            if event.sequence_number is not None:
                self.last_sequence_number = event.sequence_number
            if type(event) in DIRECT_TYPES:
                self.progressed = True
                found.append(event)
            elif isinstance(event, ToolInput):
                self.progressed = True
                told = (event.delta, event.item_id, event.call_id, event.output_index)
                found.append(tool_input(*told))
            elif isinstance(event, Part) and not self._reads_all:
                self.progressed = True
                self._parts.append((self._told + len(found), data))
            elif not self._is_read_at_once(event, data, found):
                self._read(data, found)
            if self.done or self.failure is not None:
                break

    def _is_read_at_once(self, event: object, data: bytes, found: list[ResponseEvent]) -> bool:
        """Map what is as servers mostly send it; False for what has to be read field by field."""
        if not isinstance(event, Told):
            return not self._reads_all and self._passes_by(event, data)
        read = read_told(event, data, self.response_id)
        if read is None:
            return False
        self.progressed = True
        if read.response_id is not None:
            self._sides.response_id = read.response_id
        if read.terminal is not None:
            self.terminal, self.done = read.terminal, True
        found.append(read.event)
        return True

    def _passes_by(self, event: object, data: bytes) -> bool:
        """Take note of an event that nobody is shown; False when it has to be read."""
        # Headers inside the response may name another model.
        if not isinstance(event, Skipped) or _HEADERS in data:
            return False
        self._progress(str(type(event).__struct_config__.tag))
        return True

    def _progress(self, tag: str) -> None:
        """Take note of an event that is more than a sign of life."""
        if tag != _IN_PROGRESS:
            self.progressed = True
        elif not self._in_progress:  # sent again and again by servers that have nothing to say
            self.progressed = self._in_progress = True

    def _read(self, payload: bytes, found: list[ResponseEvent]) -> None:
        """Map one payload field by field."""
        if self._cut.are_held or may_hold_halves(payload):
            payload = self._cut.joined(payload)
        try:
            # msgspec validates UTF-8 only in strings that it builds; fields kept Raw would pass
            # unchecked.
            str(payload, "utf-8")
            fields = _decode_fields(payload)
        except UnicodeDecodeError:
            self._fail_unread("an event of the stream is not valid UTF-8")
            return
        except (msgspec.DecodeError, RecursionError):
            self._unreadable(payload, found)
            return
        tag = read_as(str, fields.get("type", ABSENT))
        if is_failure(fields, tag):
            self._fail(event_error(fields, payload, self.context))
        elif tag is None:
            self._skip(payload, found)
        else:
            self._map(tag, fields, payload, found)

    def _unreadable(self, payload: bytes, found: list[ResponseEvent]) -> None:
        """Read what is JSON to others, or several payloads in one; else leave a trace."""
        if (mended := repair.repaired(payload)) is not None:
            self._read(mended, found)
        elif several := repair.payloads_in(payload):
            self._each(several, found)
        elif (failure := body_error(payload, self.context)) is not None:
            self._fail(failure)
        elif repair.is_decisive(payload):
            # Without the item or the outcome in it the rest would be a success that is none.
            self._fail_unread(f"an event of the stream is no JSON: {excerpt(payload)}")
        else:
            if repair.may_be_part(payload):  # which the whole would lack
                self._parts.append((self._told + len(found), payload))
            self._skip(payload, found)

    def _skip(self, payload: bytes, found: list[ResponseEvent]) -> None:
        self.skipped += 1
        if payload in repair.END_MARKS:
            return
        self.unread = payload
        if self._other_events:
            found.append(events.OtherEvent("", Raw(payload)))

    def _map(self, tag: str, fields: Fields, payload: bytes, found: list[ResponseEvent]) -> None:
        for lone in self._cut.lone_at(tag, fields):
            self._read(lone, found)
        number = read_as(int, fields.get("sequence_number", ABSENT))
        if number is not None:
            self.last_sequence_number = number
        if not is_sign_of_life(tag):
            self._progress(tag)
        if tag in PART_TAGS:
            self._parts.append((self._told + len(found), payload))
        if tag == "codex.rate_limits":
            event = self._rate_limits(payload)
        else:
            found.extend(self._sides.read(tag, fields))
            event = self._own_event(tag, fields, payload)
        if event is not None:
            found.append(event)
        elif self._other_events and self.failure is None:
            found.append(events.OtherEvent(tag, Raw(payload)))

    def _own_event(self, tag: str, fields: Fields, payload: bytes) -> ResponseEvent | None:
        if tag in TERMINAL_TYPES:
            return self._end(tag, fields, payload)
        if reading := READERS.get(tag):
            return reading(fields)
        if (event := lenient_event(tag, fields)) is not None or self._further is None:
            return event
        return self._further(tag, fields)

    def _end(self, tag: str, fields: Fields, payload: bytes) -> ResponseEvent | None:
        response = fields.get("response", ABSENT)
        is_bare = tag in {"response.completed", "response.done"} and not is_told(response)
        if is_bare and self.response_id is None:  # the end of nothing
            self.unread = payload
            return None
        terminal = read_terminal(tag, response, fields.get("error", ABSENT))
        self.terminal = terminal
        if terminal.outcome == "completed":
            self.done = True
            return completed(terminal, self.response_id)
        self.failure = terminal_error(terminal, self.response_id, self.context, payload)
        return None

    def _rate_limits(self, payload: bytes) -> ResponseEvent | None:
        if (snapshot := parse_rate_limit_event(payload)) is None:
            return None
        self.limits[snapshot.limit_id or DEFAULT_LIMIT_ID] = snapshot
        return events.RateLimits(snapshot) if self._emit_rate_limits else None

    def _fail(self, failure: CodexApiError | None) -> None:
        self.progressed, self.failure = True, failure

    def _fail_unread(self, message: str) -> None:
        # Unlike a whole answer of the wrong form, a stream gone wrong is worth a retry.
        error = DecodeError(message, **self.context)
        error.retryable = True
        self._fail(error)


_HEADERS: Final = b'"headers"'
_IN_PROGRESS: Final = "response.in_progress"
