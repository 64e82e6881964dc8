"""A recorded event stream, read again: for tests, and for looking into what a server sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from codex_api._logic.incoming.machine import ResponseStreamMachine
from codex_api.transport._core.headers import Headers
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from os import PathLike

    from codex_api.events import ResponseEvent
    from codex_api.transport._core.headers import HeaderSource

_CHUNK_BYTES = 64 << 10


def stream_from_file(
    path: str | PathLike[str],
    *,
    headers: HeaderSource | None = None,
    other_events: bool = False,
    all_events: bool = False,
) -> Iterator[ResponseEvent]:
    """Replay the body of a recorded stream as the events of a live one.

    The file is read piece by piece while the events are taken, and closed at the end or when the
    iterator is closed. No limit on time applies.

    Args:
        path: The body as it was on the wire.
        headers: Headers of the recorded answer, for the events that are made of them; None makes
            none but the empty rate limits.
        other_events: As in ``ResponsesOptions``.
        all_events: As in ``ResponsesOptions``.

    Raises:
        RequestBuildError: The file cannot be opened.
        CodexApiError: What the recorded stream ended with, as a live one would raise it.
    """
    try:
        file = Path(path).open("rb")  # noqa: SIM115 - closed by the generator below
    except OSError as exc:
        message = f"the recorded stream {str(path)!r} cannot be read: {exc.strerror}"
        raise RequestBuildError(message) from exc
    machine = ResponseStreamMachine(
        Headers(headers), other_events=other_events, all_events=all_events
    )

    def events() -> Iterator[ResponseEvent]:
        with file:
            yield from machine.initial
            while not machine.done:
                chunk = file.read(_CHUNK_BYTES)
                yield from machine.feed(chunk, 0.0) if chunk else machine.close()
                if machine.failure is not None:
                    raise machine.failure

    return events()
