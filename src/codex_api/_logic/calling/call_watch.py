"""What is reported to an observer of one call whose answer comes whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codex_api._logic.incoming.observe import asked_of, failure_of
from codex_api.telemetry import CallEnd, CallStart
from codex_api.transport._core.messages import public_url
from codex_api.types.usage import TokenUsage

if TYPE_CHECKING:
    from codex_api.telemetry import Telemetry, UnaryObserver
    from codex_api.transport._core.messages import Request


class CallWatch:
    """Tells an observer how one call ends; one of its methods is called, once."""

    __slots__ = ("observer",)

    def __init__(self, observer: UnaryObserver) -> None:
        self.observer: UnaryObserver = observer

    def answered(self, result: object) -> None:
        """Report the result. A result that is no response of a model has no id and no usage."""
        told = _Told(result)
        self.observer.on_end(
            CallEnd(
                response_id=told.text("response_id") or told.text("id"),
                server_model=told.text("server_model") or told.text("model"),
                service_tier=told.text("service_tier"),
                usage=told.usage,
            )
        )

    def failed(self, error: BaseException) -> None:
        """Report the error that ended the call; one that was cancelled did not fail."""
        told = _Told(error)
        self.observer.on_end(
            CallEnd(
                response_id=told.text("response_id"),
                usage=told.usage,
                error=failure_of(error),
                is_complete=False,
            )
        )


class _Told:
    """The members of a result or an error that telemetry has a place for."""

    def __init__(self, value: object) -> None:
        self._value = value

    def text(self, name: str) -> str | None:
        value = getattr(self._value, name, None)
        return value if isinstance(value, str) else None

    @property
    def usage(self) -> TokenUsage | None:
        value = getattr(self._value, "usage", None)
        return value if isinstance(value, TokenUsage) else None


def call_start(name: str, request: Request) -> CallStart:
    """Describe the call of endpoint ``name`` that ``request`` makes, or begins with."""
    asked = asked_of(request.body)
    return CallStart(
        endpoint=name,
        method=request.method,
        url=public_url(request.url),
        model=asked.model,
        service_tier=asked.service_tier,
    )


def watch_call(telemetry: Telemetry | None, start: CallStart) -> CallWatch | None:
    """Report a call that begins to ``telemetry``; return the watch of its end, or None."""
    observer = None if telemetry is None else telemetry.on_call(start)
    return None if observer is None else CallWatch(observer)
