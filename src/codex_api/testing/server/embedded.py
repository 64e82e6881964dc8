"""The server in a thread of this process, on an ephemeral loopback port."""

from __future__ import annotations

import asyncio
import itertools
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from codex_api.testing.loop_thread import LoopThread, stop_listening
from codex_api.testing.scenario_files import load_scenario
from codex_api.testing.server.app import create_app
from codex_api.testing.server.settings import ServerSettings
from codex_api.testing.server.state import ServerState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType
    from typing import Self

    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

    from codex_api.testing.recording import RecordedRequest
    from codex_api.testing.rules import Rules
    from codex_api.testing.scenarios import Scenario
    from codex_api.testing.server.limits import Charge
    from codex_api.testing.server.state import Disconnect

MAX_MESSAGE_BYTES = 64 << 20
MAX_HEAD_BYTES = 1 << 20
_LAST_WORDS = 1.0


# The application reaches below ASGI: it breaks connections on purpose and sends pings. What it
# needs for that comes in the state of each request's scope.
_connection_numbers = itertools.count()


class ConnectionProtocol(H11Protocol):
    """Lends the application the transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the transport and the number of the connection into the state."""
        number = next(_connection_numbers)
        self.app_state: dict[str, Any] = {
            **self.app_state,
            "transport": transport,
            "connection": number,
        }
        super().connection_made(transport)


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Lends the application a way to send pings."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Put the way into the state."""
        self.app_state: dict[str, Any] = {**self.app_state, "ping": self._ping}
        super().connection_made(transport)

    def _ping(self) -> None:
        if not self.transport.is_closing():
            self.conn.send_ping(b"")
            self.transport.write(b"".join(self.conn.data_to_send()))


class EmbeddedServer:
    """A whole server of the Responses API for tests and first steps.

    A context manager, sync and async; it may be used once. Methods that wait block the calling
    thread: an async test calls them through a worker thread.

    Args:
        settings: How it behaves.
        api_key: Shorthand for settings with this one key.
        extra_routes: Routes below the base path, before the built-in ones.
        host: Address to bind.
        port: Port to bind; 0 takes a free one.
        certificate: Files of a certificate chain and its key in PEM, for HTTPS.
        around: Wraps the application.
        scenario: Rules, or a scenario file to read; leaving the server checks what it expects.

    Raises:
        ScenarioFileError: The scenario file cannot be used.

    Attributes:
        state: Its memory; `requests`, `disconnects` and `play` are shorthands into it.
    """

    def __init__(
        self,
        settings: ServerSettings | None = None,
        *,
        api_key: str | None = None,
        extra_routes: Sequence[BaseRoute] = (),
        host: str = "127.0.0.1",
        port: int = 0,
        certificate: tuple[Path, Path] | None = None,
        around: Callable[[ASGIApp], ASGIApp] | None = None,
        scenario: Path | str | Rules | None = None,
    ) -> None:
        settings = settings or ServerSettings()
        if isinstance(scenario, (Path, str)):
            loaded = load_scenario(Path(scenario))
            settings, scenario = loaded.settings(settings), loaded.rules
        self.state: ServerState = ServerState(settings)
        if api_key is not None:
            self.state.api_keys.add(api_key)
        self.state.rules = scenario
        self._host, self._port = host, port
        self._thread = LoopThread("codex-api-embedded-server")
        self._scheme = "http" if certificate is None else "https"
        app: ASGIApp = create_app(state=self.state, extra_routes=extra_routes)
        config = uvicorn.Config(
            app if around is None else around(app),
            ssl_certfile=certificate and certificate[0],
            ssl_keyfile=certificate and certificate[1],
            http=ConnectionProtocol,
            ws=WebSocketProtocol,
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            h11_max_incomplete_event_size=MAX_HEAD_BYTES,
            ws_max_size=MAX_MESSAGE_BYTES,
            ws_ping_interval=None,
            ws_per_message_deflate=settings.deflate,
        )
        self._server = uvicorn.Server(config)

    @property
    def url(self) -> str:
        """Base URL for a provider, ending in ``/v1``."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self._port}/v1"

    @property
    def port(self) -> int:
        """The TCP port."""
        return self._port

    @property
    def requests(self) -> list[RecordedRequest]:
        """The requests so far, WebSocket handshakes included, in the order they were complete."""
        return self.state.journal.snapshot()

    @property
    def disconnects(self) -> list[Disconnect]:
        """The clients that went away before their answer was through."""
        return self.state.disconnects

    @property
    def charges(self) -> list[Charge]:
        """What requests were charged, where the settings have limits; in the order they came."""
        return [] if self.state.ledger is None else self.state.ledger.charges

    def check(self) -> None:
        """See whether what was asked is what the scenario expects.

        Raises:
            ExpectationError: It is not.
        """
        if self.state.rules is not None:
            self.state.rules.check()

    def play(self, *scenarios: Scenario, endpoint: str = "responses") -> None:
        """Script the next requests to ``endpoint``; afterwards the model answers again.

        Args:
            scenarios: One for each request, in order. One with conditions (`Scenario.when`) waits
                for a request that fits, so that callers at the same time get each their own.
            endpoint: Path below the base, without ids (``responses/compact``,
                ``files/uploaded``, ``responses/retrieve``, ``files/list``, ``blobs``);
                ``websocket`` is the handshake of one, whose requests count as ``responses``, and
                ``batches/request`` a request in the file of a batch.
        """
        self.state.script(endpoint, scenarios)

    def wait_for_requests(self, count: int, timeout: float = 5.0) -> list[RecordedRequest]:
        """Wait until ``count`` requests were received.

        Raises:
            TimeoutError: Fewer came.
        """
        return self.state.journal.wait_for(count, timeout)

    def wait_for_disconnect(self, timeout: float = 5.0, *, count: int = 1) -> Disconnect:
        """Wait until ``count`` clients went away, and give the last of these.

        Raises:
            TimeoutError: Fewer did.
        """
        return self.state.wait_for_disconnects(count, timeout)[count - 1]

    def start(self) -> Self:
        """Listen and serve."""
        self._thread.start()
        try:
            self._thread.call(self._boot())
        except BaseException:
            self._thread.stop()
            raise
        return self

    def stop(self) -> None:
        """Drop all connections and end the thread. May be called twice."""
        if self._thread.is_running:
            self._thread.call(self._shut_down())
            self._thread.stop()
            self.state.close()

    def uploaded(self, file_id: str) -> bytes:
        """Return the content of an uploaded file.

        Raises:
            FileNotFoundError: It was announced, but is not there as a whole.
        """
        if file_id in self.state.files:
            return self.state.files[file_id].content
        return self.state.uploads[file_id].path.read_bytes()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        if exc is None:
            self.check()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)

    async def _boot(self) -> None:
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        # asyncio turns Nagle's delay off only where the protocol is named.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((self._host, self._port))
        except OSError:
            listener.close()
            raise
        self._port = listener.getsockname()[1]
        self._server.config.load()
        self._server.lifespan = self._server.config.lifespan_class(self._server.config)
        await self._server.startup(sockets=[listener])

    async def _shut_down(self) -> None:
        # Not uvicorn's own shutdown: it waits for streams that hang on purpose.
        for server in self._server.servers:
            await stop_listening(server)
        state = self._server.server_state
        for connection in list(state.connections):
            connection.transport.abort()
        for close in self.state.closers:
            await close()
        tasks = list(state.tasks)
        if tasks:
            # The loss of its connection ends a request; one that is cancelled counts as a crash.
            await asyncio.wait(tasks, timeout=_LAST_WORDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for _ in range(3):
            await asyncio.sleep(0)
