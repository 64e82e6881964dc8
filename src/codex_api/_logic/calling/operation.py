"""An endpoint's call as a value: the request, and how its answer is read."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from msgspec import Struct, field

from codex_api.provider import Provider, Timeouts
from codex_api.transport._core.headers import Headers
from codex_api.transport._core.messages import Body, Compression, Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from codex_api.transport._core.headers import HeaderSource

IDEMPOTENCY_KEY = "idempotency-key"
# Of requests that get no key: those that have one, and those of the Codex client, whose wire has no
# such field.
_KEYLESS = frozenset({IDEMPOTENCY_KEY, "session-id", "thread-id", "originator", "version"})
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Operation(Struct, Generic[T_co], frozen=True, kw_only=True):
    """One unary call.

    Attributes:
        name: The endpoint, as errors and telemetry name it.
        decode: Reads an accepted answer; raises ``DecodeError`` when it makes no sense.
        timeout: Limit in seconds on the whole call, retries included; None takes
            ``Timeouts.total``.
        accept: Statuses besides 200-299 that ``decode`` wants to see.
    """

    name: str
    request: Request
    decode: Callable[[Response], T_co]
    timeout: float | None = None
    accept: frozenset[int] = frozenset()


class CallContext(Struct, frozen=True, kw_only=True):
    """What the calls of one client share.

    Raises:
        RequestBuildError: A header of the provider is illegal.
    """

    provider: Provider
    timeouts: Timeouts = field(default_factory=Timeouts)
    # Makes the key of a request that creates something; None sends none.
    new_key: Callable[[], str] | None = None
    # The provider's headers, checked once.
    base_headers: Headers = field(default_factory=Headers)

    def __post_init__(self) -> None:
        if not self.base_headers and self.provider.headers:
            self.base_headers.merge(self.provider.headers)

    def layered(self, *layers: HeaderSource | Headers | None) -> Headers:
        """Lay header fields over the provider's, each layer replacing the names of those below.

        The client's defaults come below all of these, the credentials above; a call adds both when
        it is made.

        Raises:
            RequestBuildError: A header is illegal.
        """
        headers = self.base_headers.copy()
        for layer in layers:
            if layer is not None:
                headers.merge(layer)
        return headers

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Body | None = None,
        extra_headers: HeaderSource | Headers | None = None,
        id_headers: Headers | None = None,
        forced_headers: HeaderSource | Headers | None = None,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        compression: Compression = "none",
        timeout: float | None = None,
        is_repeatable: bool = True,
    ) -> Request:
        """Make a request to the provider with the header layers of wire.md, Requests, lowest first.

        Args:
            extra_headers: The caller's, for this call.
            id_headers: Session, subagent and client request ids.
            forced_headers: What the endpoint insists on, such as ``accept`` for a stream.
            query: After the provider's own parameters.
            timeout: Limit in seconds on one attempt; None takes the provider's idle limit, so that
                no call waits forever for a peer that went silent.
            is_repeatable: Whether doing it twice does no harm.

        Raises:
            RequestBuildError: A header is illegal or the URL cannot be built.
        """
        headers = self.layered(extra_headers, id_headers, forced_headers)
        if method == "POST" and self.new_key is not None and _takes_key(headers):
            headers.set(IDEMPOTENCY_KEY, self.new_key())
        return Request(
            method=method,
            url=self.provider.url_for_path(path, query),
            headers=headers,
            body=body,
            compression=compression,
            timeout=self.provider.stream_idle_timeout if timeout is None else timeout,
            is_repeatable=is_repeatable,
        )

    def operation(
        self,
        method: str,
        path: str,
        name: str,
        decode: Callable[[Response], T],
        *,
        body: Body | None = None,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        extra_headers: HeaderSource | Headers | None = None,
        id_headers: Headers | None = None,
        compression: Compression = "none",
        timeout: float | None = None,
        is_repeatable: bool = True,
    ) -> Operation[T]:
        """Make the call of an endpoint that is answered at once.

        Args:
            path: Below the provider's base URL.
            name: As errors and telemetry name the endpoint.
            decode: Reads the answer.
            timeout: Limit in seconds on the whole call, or None.

        Raises:
            RequestBuildError: A header is illegal or the URL cannot be built.
        """
        return Operation(
            name=name,
            request=self.request(
                method,
                path,
                body=body,
                query=query,
                extra_headers=extra_headers,
                id_headers=id_headers,
                compression=compression,
                timeout=timeout,
                is_repeatable=is_repeatable,
            ),
            decode=decode,
            timeout=timeout,
        )


def as_method(
    method: Callable[..., Any], endpoint: Callable[..., Any], named: Callable[..., Any]
) -> None:
    """Give ``method`` the signature and the docstring of ``endpoint``, and the name of ``named``.

    Args:
        endpoint: Its first parameter is the context, and it returns an ``Operation`` of what the
            method returns, or a ``Listing`` of its elements.
    """
    signature = inspect.signature(endpoint)
    _, *parameters = signature.parameters.values()
    owner = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    result = str(signature.return_annotation).replace("Listing[", "Pages[")
    if result.startswith("Operation["):
        result = result.removeprefix("Operation[").removesuffix("]")
    method.__name__, method.__qualname__ = named.__name__, named.__qualname__
    method.__module__, method.__doc__ = named.__module__, endpoint.__doc__
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what inspect reads
        parameters=[owner, *parameters], return_annotation=result
    )


def _takes_key(headers: Headers) -> bool:
    for name in headers.names():  # noqa: SIM110 - a generator would cost more than its few turns
        if name in _KEYLESS or name.startswith("x-codex-"):
            return False
    return True
