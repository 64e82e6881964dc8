# Generated from src/codex_api/_async/client.py by tools/generate_sync.py; do not edit.
"""The client for blocking code."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Self

from msgspec import structs

from codex_api._logic.calling.operation import CallContext
from codex_api._logic.calling.policy import CallSettings, check_arguments, client_defaults
from codex_api._logic.endpoints import any_call
from codex_api._sync.authorizer import Authorizer
from codex_api._sync.runner import Runner
from codex_api._sync.unary import Endpoints, unary
from codex_api.auth import NoAuth
from codex_api.clock import SystemClock, new_key
from codex_api.provider import Timeouts
from codex_api.transport._core.headers import Headers

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from codex_api._sync.files import Files
    from codex_api._sync.images import Images
    from codex_api._sync.kept import Batches, Conversations
    from codex_api._sync.memories import Memories
    from codex_api._sync.models import Models
    from codex_api._sync.realtime import Realtime
    from codex_api._sync.responses import Responses
    from codex_api._sync.search import Search
    from codex_api.auth import AuthProvider
    from codex_api.clock import Clock
    from codex_api.provider import Provider
    from codex_api.session import ResponsesSession, SessionSettings
    from codex_api.telemetry import Telemetry
    from codex_api.transport._core.headers import HeaderSource
    from codex_api.transport._core.messages import Response
    from codex_api.transport._core.retry import RetryConfig
    from codex_api.transport.network import Network
    from codex_api.transport.protocols import Transport
    from codex_api.types.request import ResponsesOptions


class Client(Endpoints):
    """Typed access to one provider.

    Threads may share it; so
    may a forked child. Nothing is connected until the first call. Close it, or use it in an
    ``with`` block.

    Args:
        provider: Where requests go, and how they are retried.
        auth: Credentials; None sends none.
        timeouts: Limits in seconds.
        network: TLS, proxy and connection settings, the same for HTTP and WebSocket.
        transport: Performs HTTP instead of the built-in one; the client does not close it.
        telemetry: Hears of attempts, waits and polls.
        default_headers: Sent where nothing else sets a header of that name, such as ``originator``.
        clock: Time and jitter, for tests; None is the machine's own.

    Raises:
        RequestBuildError: A default header is illegal.
        TypeError: ``provider`` or ``auth`` is something else, such as a text.
    """

    def __init__(
        self,
        provider: Provider,
        auth: AuthProvider | None = None,
        *,
        timeouts: Timeouts | None = None,
        network: Network | None = None,
        transport: Transport | None = None,
        telemetry: Telemetry | None = None,
        default_headers: HeaderSource | None = None,
        clock: Clock | None = None,
    ) -> None:
        from codex_api.transport.network import Network  # noqa: PLC0415 - not needed to import us

        check_arguments(provider, auth)
        self._network = network or Network()
        limits = timeouts or Timeouts()
        settings = CallSettings(
            context=CallContext(provider=provider, timeouts=limits, new_key=new_key),
            clock=clock or SystemClock(),
            telemetry=telemetry,
            defaults=client_defaults(Headers(default_headers)),
        )
        self._owned = None if transport is not None else _engine(self._network, settings)
        active = transport or self._owned
        assert active is not None  # noqa: S101 - one of the two is there
        super().__init__(Runner(active, Authorizer(auth or NoAuth()), settings))

    @property
    def provider(self) -> Provider:
        """Where requests go."""
        return self._runner.settings.context.provider

    @cached_property
    def responses(self) -> Responses:
        """Responses: made, kept and followed; compaction and WebSocket connections."""
        from codex_api._sync.responses import Responses  # noqa: PLC0415 - loaded on first use

        return Responses(self._runner, self._network)

    @cached_property
    def batches(self) -> Batches:
        """Batches: many requests in a file."""
        from codex_api._sync.kept import Batches  # noqa: PLC0415 - loaded on first use

        return Batches(self._runner)

    @cached_property
    def conversations(self) -> Conversations:
        """Conversations that the server keeps."""
        from codex_api._sync.kept import Conversations  # noqa: PLC0415 - loaded on first use

        return Conversations(self._runner)

    @cached_property
    def files(self) -> Files:
        """Files: uploads, and what is kept."""
        from codex_api._sync.files import Files  # noqa: PLC0415 - loaded on first use

        return Files(self._runner)

    @cached_property
    def images(self) -> Images:
        """Images, drawn and changed."""
        from codex_api._sync.images import Images  # noqa: PLC0415 - loaded on first use

        return Images(self._runner)

    @cached_property
    def memories(self) -> Memories:
        """Summaries of recorded traces."""
        from codex_api._sync.memories import Memories  # noqa: PLC0415 - loaded on first use

        return Memories(self._runner)

    @cached_property
    def models(self) -> Models:
        """The model list."""
        from codex_api._sync.models import Models  # noqa: PLC0415 - loaded on first use

        return Models(self._runner)

    @cached_property
    def realtime(self) -> Realtime:
        """Realtime calls and sessions."""
        from codex_api._sync.realtime import Realtime  # noqa: PLC0415 - loaded on first use

        return Realtime(self._runner, self._network)

    @cached_property
    def search(self) -> Search:
        """Search on behalf of a conversation; call it with a ``SearchRequest``."""
        from codex_api._sync.search import Search  # noqa: PLC0415 - loaded on first use

        return Search(self._runner)

    @unary(any_call.request)
    def request(self) -> None:
        """Call."""

    def with_options(
        self,
        *,
        auth: AuthProvider | None = None,
        timeouts: Timeouts | None = None,
        retry: RetryConfig | None = None,
        telemetry: Telemetry | None = None,
        default_headers: HeaderSource | None = None,
        on_answer: Callable[[Response], object] | None = None,
    ) -> Self:
        """Return a client with other settings that shares this one's connections.

        Args:
            auth: Other credentials; None keeps these, as everywhere here.
            timeouts: Other limits.
            retry: How requests are retried.
            telemetry: Hears of calls instead.
            default_headers: Laid over those of this client.
            on_answer: Given the answer of each call that is no stream and no upload, before it is
                read: status, headers, exact body and attempts, for what a typed result does not
                show. Such as ``answers.append``; what it raises is raised.

        Returns:
            A client that need not be closed: its connections are those of this one.

        Raises:
            ClientStateError: This client is closed.
            RequestBuildError: A default header is illegal.
            TypeError: ``auth`` is something else, such as a text.
        """
        mine = self._runner.settings
        mine.check_open()
        check_arguments(mine.context.provider, auth)
        context = mine.context
        if timeouts is not None:
            context = structs.replace(context, timeouts=timeouts)
        if retry is not None:
            context = structs.replace(context, provider=replace(context.provider, retry=retry))
        settings = structs.replace(
            mine,
            context=context,
            telemetry=telemetry or mine.telemetry,
            defaults=mine.defaults.copy(),
            on_answer=on_answer or mine.on_answer,
        )
        settings.defaults.merge(default_headers)
        authorizer = self._runner.auth if auth is None else Authorizer(auth)
        other = copy(self)
        other.__dict__ = {
            "_network": self._network,
            "_owned": None,
            "_runner": Runner(self._runner.transport, authorizer, settings),
        }
        return other

    def session(
        self,
        settings: SessionSettings | None = None,
        options: ResponsesOptions | None = None,
    ) -> ResponsesSession:
        """Begin a conversation: response after response, over WebSocket or HTTP.

        Args:
            settings: None takes the default of each.
            options: For all its requests. Their ``turn_state`` is the session's own business.
        """
        from codex_api.session import ResponsesSession, SessionSettings  # noqa: PLC0415 - loaded on first use
        from codex_api.types.request import ResponsesOptions  # noqa: PLC0415 - loaded on first use

        return ResponsesSession(
            self._runner,
            self._network,
            settings or SessionSettings(),
            options or ResponsesOptions(),
        )

    def close(self) -> None:
        """Close idle connections and refuse further calls. May be called twice.

        Streams and WebSockets that are open stay open.
        """
        self._runner.settings.closed = True
        if self._owned is not None:
            self._owned.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Client({self.provider!r})"


def _engine(network: Network, settings: CallSettings) -> Transport:
    limit = settings.context.timeouts.connect
    if network.http2:
        from codex_api.transport.http2 import Http2Transport  # noqa: PLC0415 - an extra

        return Http2Transport(network, connect_timeout=limit)
    from codex_api.transport.http import HttpTransport  # noqa: PLC0415 - on first use

    return HttpTransport(network, connect_timeout=limit)
