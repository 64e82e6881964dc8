"""Calls of endpoints that the library does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from codex_api.transport._core.messages import JsonBody, RawBody
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from typing_extensions import Buffer

    from codex_api._logic.calling.operation import CallContext, Operation
    from codex_api.transport._core.headers import Headers, HeaderSource
    from codex_api.transport._core.messages import Body, Response

# RFC 9110, 9.2.2: doing these twice is as good as once.
_IDEMPOTENT: Final = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})


def request(
    ctx: CallContext,
    method: str,
    path: str,
    body: object = None,
    *,
    query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    extra_headers: HeaderSource | Headers | None = None,
    timeout: float | None = None,
    is_repeatable: bool | None = None,
) -> Operation[Response]:
    """Call an endpoint that has no method here, with the credentials, retries and errors of all.

    Args:
        method: Such as ``GET``.
        path: Below the provider's base URL.
        body: Encoded as JSON; bytes of any kind go out as they are, with a ``content-type`` of
            ``extra_headers``. None sends no body.
        query: After the provider's own parameters; pairs where one comes several times.
        extra_headers: For this call.
        timeout: Limit in seconds on the whole call, or None.
        is_repeatable: Whether the request may be sent again when its bytes had gone out and the
            connection broke; None says so of the methods that HTTP calls idempotent.

    Returns:
        The answer as it came, its status 200 to 299; ``body`` has its exact bytes.

    Raises:
        RequestBuildError: The method or a header is illegal, or the body has no form in JSON.
        CodexApiError: The call failed, mapped as every failure.
    """
    verb = method.upper()
    if not (verb.isascii() and verb.isalpha()):
        message = f"illegal method {method!r}"
        raise RequestBuildError(message)
    sent: Body | None = None
    if isinstance(body, bytes | bytearray | memoryview):
        sent = RawBody(bytes(cast("Buffer", body)))
    elif body is not None:
        sent = JsonBody(body)
    return ctx.operation(
        verb,
        path,
        path.strip("/"),
        _as_it_came,
        body=sent,
        query=query,
        extra_headers=extra_headers,
        timeout=timeout,
        is_repeatable=verb in _IDEMPOTENT if is_repeatable is None else is_repeatable,
    )


def _as_it_came(answer: Response) -> Response:
    return answer
