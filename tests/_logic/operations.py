"""Helpers to look at an operation without a transport."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from codex_api._logic.calling.operation import CallContext, Operation
from codex_api.provider import Provider
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import RawBody, Response, prepare

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from codex_api.transport._core.flow import Effect

T = TypeVar("T")

CONTEXT = CallContext(provider=Provider("mock", "https://h/v1"))


def body_of(operation: Operation[Any]) -> bytes:
    body = prepare(operation.request).body
    assert isinstance(body, RawBody)
    return body.data


def answered(
    operation: Operation[T],
    body: bytes | str,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> T:
    data = body.encode() if isinstance(body, str) else body
    return operation.decode(Response(status, Headers(headers), data))


def finish(flow: Generator[Effect, object, T], sent: object = None) -> T:
    """Send the last result and give what the flow returns."""
    try:
        effect = flow.send(sent)
    except StopIteration as stop:
        result: T = stop.value
        return result
    message = f"the flow goes on with {effect}"
    raise AssertionError(message)
