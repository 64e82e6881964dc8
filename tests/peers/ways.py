"""The ways from a client to a scripted server: directly, and through what others wrote."""

from __future__ import annotations

import ssl
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trustme

from codex_api import AsyncClient, Client, Network, Provider, RetryConfig
from codex_api.testing.scripted import ScriptedServer
from tests.fronts.simple_calls import REQUEST
from tests.peers import programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from codex_api.testing.scripted import Script
    from tests.front import Front

CREDENTIALS = f"{programs.USER}:{programs.PASSWORD}"
_RETRY = RetryConfig(max_attempts=1, base_delay=0.0)


@dataclass(frozen=True)
class Way:
    """What a client has to be told to reach the server.

    Attributes:
        url: Base URL, ending in ``/v1``.
        server: The scripted server at the end.
    """

    url: str
    network: Network
    server: ScriptedServer

    def client(self, front: Front, network: Network | None = None) -> Any:
        """Make a client that tries once, with the way's network unless another is given."""
        return client_of(front, self.url, network or self.network)


def client_of(front: Front, url: str, network: Network) -> Any:
    return front.pick(Client, AsyncClient)(Provider("test", url, retry=_RETRY), network=network)


async def call(front: Front, client: Any, how: str) -> None:
    """Stream a response over HTTP, or connect a WebSocket."""
    if how == "connect":
        await front(client.responses.connect)
    else:
        await front(client.responses.stream(REQUEST).collect)


@dataclass(frozen=True)
class Keys:
    """An authority of our own, and a certificate of it for 127.0.0.1.

    Attributes:
        ca: PEM file of the root.
        chain: PEM file of key and certificates.
    """

    ca: Path
    chain: Path

    @classmethod
    def make(cls, folder: Path) -> Keys:
        """Write both into ``folder``."""
        authority = trustme.CA()
        keys = cls(folder / "ca.pem", folder / "chain.pem")
        authority.cert_pem.write_to_path(keys.ca)
        certificate = authority.issue_cert("127.0.0.1", "localhost")
        certificate.private_key_and_cert_chain_pem.write_to_path(keys.chain)
        return keys

    def context(self) -> ssl.SSLContext:
        """Return what a server speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain)
        return context


class _Builder:
    """Starts what a way needs; the stack stops it."""

    def __init__(
        self, folder: Path, answers: Sequence[Script], stack: ExitStack, **options: Any
    ) -> None:
        self.folder, self.stack = folder, stack
        self._answers, self._options = answers, options

    def server(self, context: ssl.SSLContext | None = None) -> ScriptedServer:
        server = ScriptedServer(self._answers, ssl_context=context, **self._options)
        return self.stack.enter_context(server)

    def forward(self, proxy: str, *, tls: bool) -> Way:
        """Go through a proxy that the client knows of."""
        if not tls:
            server = self.server()
            return Way(server.url, Network(proxy=proxy), server)
        keys = Keys.make(self.folder)
        server = self.server(keys.context())
        return Way(server.url, Network(proxy=proxy, ca_bundle=keys.ca), server)

    def reverse(self, port: int, server: ScriptedServer, keys: Keys | None = None) -> Way:
        """Go to a proxy that looks like the server."""
        scheme, bundle = ("https", keys.ca) if keys else ("http", None)
        network = Network(proxy=None, ca_bundle=bundle)
        return Way(f"{scheme}://127.0.0.1:{port}/v1", network, server)


def _direct(build: _Builder) -> Way:
    server = build.server()
    return Way(server.url, Network(proxy=None), server)


def _nginx(build: _Builder) -> Way:
    server = build.server()
    port = build.stack.enter_context(programs.nginx(build.folder, server.port))
    return build.reverse(port, server)


def _nginx_that_buffers(build: _Builder) -> Way:
    server = build.server()
    running = programs.nginx(build.folder, server.port, buffering=True)
    return build.reverse(build.stack.enter_context(running), server)


def _nginx_over_tls(build: _Builder) -> Way:
    server, keys = build.server(), Keys.make(build.folder)
    running = programs.nginx(build.folder, server.port, chain=keys.chain)
    return build.reverse(build.stack.enter_context(running), server, keys)


def _haproxy(build: _Builder) -> Way:
    server = build.server()
    port = build.stack.enter_context(programs.haproxy(build.folder, server.port))
    return build.reverse(port, server)


def _absolute_form(build: _Builder) -> Way:
    port = build.stack.enter_context(programs.tinyproxy(build.folder))
    return build.forward(f"http://{CREDENTIALS}@127.0.0.1:{port}", tls=False)


def _connect(build: _Builder) -> Way:
    port = build.stack.enter_context(programs.tinyproxy(build.folder))
    return build.forward(f"http://{CREDENTIALS}@127.0.0.1:{port}", tls=True)


def _socks(build: _Builder) -> Way:
    port = build.stack.enter_context(programs.microsocks(build.folder))
    return build.forward(f"socks5://{CREDENTIALS}@127.0.0.1:{port}", tls=False)


def _socks_over_tls(build: _Builder) -> Way:
    port = build.stack.enter_context(programs.microsocks(build.folder))
    return build.forward(f"socks5h://{CREDENTIALS}@127.0.0.1:{port}", tls=True)


UNBUFFERED: dict[str, Callable[[_Builder], Way]] = {
    "direct": _direct,
    "nginx": _nginx,
    "nginx over TLS": _nginx_over_tls,
    "haproxy": _haproxy,
    "tinyproxy": _absolute_form,
    "tinyproxy, CONNECT": _connect,
    "microsocks": _socks,
    "microsocks, TLS": _socks_over_tls,
}
WAYS = UNBUFFERED | {"nginx that buffers": _nginx_that_buffers}


@contextmanager
def opened(
    name: str, folder: Path, answers: Sequence[Script] = (), **options: Any
) -> Iterator[Way]:
    """Start everything on the way ``name``; ``options`` are those of ``ScriptedServer``."""
    with ExitStack() as stack:
        yield WAYS[name](_Builder(folder, answers, stack, **options))
