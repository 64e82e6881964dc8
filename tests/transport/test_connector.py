"""Connections in both worlds, made to real peers on loopback."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from codex_api.testing.actions import Close, Hang, Pause, Reset, Send, StopReading, WaitFor
from codex_api.testing.gate import Gate
from codex_api.testing.scripted import ScriptedServer
from codex_api.transport._core.route import parse_target, route_to
from codex_api.transport.connector import open_channel
from codex_api.transport.connector_async import open_async_channel
from codex_api.transport.errors import (
    ClientStateError,
    ConnectTimeoutError,
    NetworkError,
    RequestBuildError,
    TransportTimeoutError,
)
from codex_api.transport.network import Network
from tests.transport.socks_peer import socks_proxy
from tests.transport.tls_peers import connect_proxy, http_server, server_context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from codex_api.transport.channel import Channel
    from tests.front import Front

PATIENCE = 10.0
REQUEST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\nhi"


def open_handles() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def soon() -> float:
    return time.monotonic() + PATIENCE


def connected(url: str, network: Network, proxy: str | None = None) -> Channel:
    return open_channel(route_to(parse_target(url), proxy), network, soon())


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def network(ca: trustme.CA, tmp_path: Path) -> Network:
    path = tmp_path / "ca.pem"
    ca.cert_pem.write_to_path(str(path))
    return Network(ca_bundle=path, proxy=None)


class Dialogue:
    """One request and its answer over a channel, the same for both worlds."""

    def __init__(self, front: Front) -> None:
        self.front = front

    async def __call__(
        self,
        url: str,
        network: Network,
        proxy: str | None = None,
        *,
        until: bytes = b"hi",
        seconds: float = PATIENCE,
    ) -> bytes:
        route = route_to(parse_target(url), proxy)
        deadline = time.monotonic() + seconds
        if self.front.is_async:
            return await self._async(await open_async_channel(route, network, deadline), until)
        return await asyncio.to_thread(
            lambda: self._sync(open_channel(route, network, deadline), until)
        )

    def _sync(self, channel: Channel, until: bytes) -> bytes:
        try:
            channel.send(REQUEST, soon())
            answer = b""
            while not answer.endswith(until) and (data := channel.receive(soon())):
                answer += data
            return answer
        finally:
            channel.close()

    async def _async(self, channel: Any, until: bytes) -> bytes:
        inbox, answer = channel.inbox, b""
        try:
            channel.write(REQUEST)
            await channel.drain()
            while not answer.endswith(until) and (data := await inbox.read()):
                answer += data
            return answer
        finally:
            channel.abort()
            await asyncio.sleep(0)  # where asyncio closes the socket


@pytest.fixture
def dialogue(front: Front) -> Dialogue:
    return Dialogue(front)


# Ways to a server


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_plain_connection_carries_bytes_both_ways(dialogue: Dialogue, host: str) -> None:
    with http_server(None) as (port, seen):
        answer = await dialogue(f"http://{host}:{port}/", Network())

    assert answer.endswith(b"\r\n\r\nhi")
    assert [body for _, _, body in seen.requests] == [b"hi"]


@pytest.mark.anyio
async def test_tls_connection_is_checked_and_carries_bytes(
    dialogue: Dialogue, network: Network, ca: trustme.CA
) -> None:
    with http_server(server_context(ca)) as (port, seen):
        answer = await dialogue(f"https://localhost:{port}/", network)

    assert answer.endswith(b"\r\n\r\nhi")
    assert seen.tls_versions == ["TLSv1.3"]


@pytest.mark.anyio
@pytest.mark.parametrize("host", ["localhost.", "[fe80::1%25lo]"])
async def test_certificate_has_neither_the_dot_of_the_root_nor_an_interface(
    dialogue: Dialogue, network: Network, ca: trustme.CA, host: str
) -> None:
    with (
        http_server(server_context(ca, "localhost", "fe80::1")) as (port, _),
        connect_proxy(stand_in=port) as (proxy_port, _),
    ):
        answer = await dialogue(f"https://{host}/", network, f"http://127.0.0.1:{proxy_port}")

    assert answer.endswith(b"hi")


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_tunnel_is_asked_for_with_credentials(
    dialogue: Dialogue, network: Network, ca: trustme.CA, scheme: str
) -> None:
    outside = server_context(ca) if scheme == "https" else None
    with (
        http_server(server_context(ca)) as (port, _),
        connect_proxy(outside=outside) as (proxy_port, proxy),
    ):
        url = f"https://localhost:{port}/"
        answer = await dialogue(url, network, f"{scheme}://us%40er:p%3Aw@localhost:{proxy_port}")

    assert answer.endswith(b"hi")
    assert proxy.tunnels == [f"localhost:{port}"]
    assert proxy.proxy_authorization == ["Basic dXNAZXI6cDp3"]


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["socks5", "socks5h", "socks4", "socks4a"])
async def test_socks_proxy_carries_the_connection(
    dialogue: Dialogue, network: Network, ca: trustme.CA, scheme: str
) -> None:
    with http_server(server_context(ca)) as (port, _), socks_proxy() as (proxy_port, asked):
        proxy = f"{scheme}://127.0.0.1:{proxy_port}"
        answer = await dialogue(f"https://localhost:{port}/", network, proxy)

    by_name = scheme in {"socks5h", "socks4a"}
    assert answer.endswith(b"hi")
    assert asked == [("localhost" if by_name else "127.0.0.1", port)]


@pytest.mark.anyio
async def test_socks_proxy_without_its_library_says_what_to_install(
    dialogue: Dialogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("python_socks", "python_socks.sync", "python_socks.async_.asyncio"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(RequestBuildError, match=r"pip install codex-api\[socks\]"):
        await dialogue("https://x.test/", Network(), "socks5://127.0.0.1:1")


@pytest.mark.anyio
async def test_socks_proxy_that_answers_in_drops_obeys_the_limit_of_the_whole(
    dialogue: Dialogue, network: Network
) -> None:
    # A byte of the greeting, then of the refusal, each well within the limit.
    script: list[Any] = [Pause(0.15), Send(b"\x05"), Pause(0.15), Send(b"\x00"), Pause(0.15)]
    script += [Send(b"\x05\x01\x00\x01" + bytes(6))]
    with ScriptedServer(connections=[script]) as server:
        proxy = f"socks5h://127.0.0.1:{server.port}"
        with pytest.raises(ConnectTimeoutError) as caught:
            await dialogue("http://x.test/", network, proxy, seconds=0.25)

    assert caught.value.sent == "no"


# Who failed


@pytest.fixture
def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


@pytest.mark.anyio
async def test_refusing_server_is_named_with_its_address(
    dialogue: Dialogue, closed_port: int
) -> None:
    with pytest.raises(NetworkError) as caught:
        await dialogue(f"http://127.0.0.1:{closed_port}/x?key=s3cret", Network())

    assert f"the server 127.0.0.1:{closed_port} could not be connected to" in str(caught.value)
    assert "refused" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert caught.value.sent == "no"
    assert caught.value.retryable


@pytest.mark.anyio
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_dead_proxy_is_told_from_a_dead_server(
    dialogue: Dialogue, closed_port: int, scheme: str
) -> None:
    proxy = f"{scheme}://user:s3cret@127.0.0.1:{closed_port}"
    with pytest.raises(NetworkError) as caught:
        await dialogue("https://x.test/", Network(), proxy)

    assert f"the proxy {scheme}://***@127.0.0.1:{closed_port} could not" in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.mark.anyio
async def test_dead_socks_proxy_is_named_without_its_password(
    dialogue: Dialogue, closed_port: int
) -> None:
    proxy = f"socks5h://user:s3cret@127.0.0.1:{closed_port}"
    with pytest.raises(NetworkError, match=r"the proxy socks5h://\*\*\*@127") as caught:
        await dialogue("https://x.test/", Network(), proxy)

    assert "s3cret" not in str(caught.value)


@pytest.mark.anyio
async def test_failed_name_look_up_is_named(
    dialogue: Dialogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)

    with pytest.raises(NetworkError, match=r"name look-up of 'x\.test' failed: Name or service"):
        await dialogue("http://x.test/", Network())
    with pytest.raises(NetworkError, match=r"look-up of 'p\.test' of the proxy failed"):
        await dialogue("http://x.test/", Network(), "http://p.test:1")


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "retryable", "text"),
    [(407, False, "status 407; put its user"), (403, False, "403"), (502, True, "502")],
)
async def test_status_of_a_refused_tunnel_is_told(
    dialogue: Dialogue, status: int, retryable: object, text: str
) -> None:
    head = f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n".encode()
    with ScriptedServer(connections=[[Send(head), Hang()]]) as proxy:
        with pytest.raises(NetworkError, match=text) as caught:
            await dialogue("https://x.test/", Network(), f"http://u:pw@127.0.0.1:{proxy.port}")
        await asyncio.to_thread(proxy.wait_for_disconnect, timeout=PATIENCE)

    assert caught.value.retryable is retryable
    assert caught.value.sent == "no"


@pytest.mark.anyio
@pytest.mark.parametrize(
    "script",
    [
        [Close()],
        [Send(b"SSH-2.0-x\r\n\r\n"), Hang()],
        [Send(b"HTTP/1.1 200 OK\r\n\r\nearly"), Hang()],
        [Send(b"HTTP/1.1 200 OK\r\nx: " + b"x" * 1_000_000), Hang()],
    ],
    ids=["closes", "is none", "speaks first", "never ends"],
)
async def test_proxy_that_does_not_answer_as_one_is_an_error(
    dialogue: Dialogue, script: list[Any]
) -> None:
    with (
        ScriptedServer(connections=[script]) as proxy,
        pytest.raises(NetworkError, match="proxy"),
    ):
        await dialogue("https://x.test/", Network(), f"http://127.0.0.1:{proxy.port}")


@pytest.mark.anyio
async def test_untrusted_certificate_is_final_and_names_the_remedy(
    dialogue: Dialogue, ca: trustme.CA
) -> None:
    with (
        http_server(server_context(ca)) as (port, seen),
        pytest.raises(NetworkError, match="CODEX_CA_CERTIFICATE") as caught,
    ):
        await dialogue(f"https://localhost:{port}/", Network())

    assert not caught.value.retryable
    assert f"the certificate of the server localhost:{port} is not trusted" in str(caught.value)
    assert seen.requests == []


@pytest.mark.anyio
async def test_certificate_of_another_host_is_refused(
    dialogue: Dialogue, network: Network, ca: trustme.CA
) -> None:
    with (
        http_server(server_context(ca, "other.test")) as (port, _),
        pytest.raises(NetworkError, match="not trusted") as caught,
    ):
        await dialogue(f"https://localhost:{port}/", network)

    assert not caught.value.retryable


@pytest.mark.anyio
@pytest.mark.parametrize("script", [[Close()], [Send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Hang()]])
async def test_server_that_does_not_speak_tls_is_an_error(
    dialogue: Dialogue, script: list[Any]
) -> None:
    with (
        ScriptedServer(connections=[script]) as server,
        pytest.raises(NetworkError, match="TLS handshake"),
    ):
        await dialogue(f"https://127.0.0.1:{server.port}/", Network())


# Time


@pytest.mark.anyio
@pytest.mark.parametrize("silent", ["server", "proxy", "proxy's TLS", "socks"])
async def test_every_phase_of_connecting_obeys_the_limit(dialogue: Dialogue, silent: str) -> None:
    with ScriptedServer(connections=[[Hang()]]) as server:
        here = f"127.0.0.1:{server.port}"
        scheme = {"proxy": "http", "proxy's TLS": "https", "socks": "socks5"}.get(silent)
        url = f"https://{here}/" if scheme is None else "https://1.2.3.4/"
        proxy = scheme and f"{scheme}://u:s3cret@{here}"
        with pytest.raises(ConnectTimeoutError) as caught:
            await dialogue(url, Network(), proxy, seconds=0.05)
        await asyncio.to_thread(server.wait_for_disconnect, timeout=PATIENCE)

    assert caught.value.sent == "no"
    assert "s3cret" not in str(caught.value)


@pytest.mark.anyio
async def test_name_look_up_obeys_the_limit(
    dialogue: Dialogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def stall(*_args: object, **_options: object) -> list[Any]:
        release.wait(PATIENCE)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stall)
    try:
        with pytest.raises(ConnectTimeoutError):
            await dialogue("http://x.test/", Network(), seconds=0.05)
    finally:
        release.set()


@pytest.fixture
def deaf_port() -> Iterator[int]:
    """Give a port where connections wait in vain for being accepted."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        waiting = [socket.socket() for _ in range(4)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]
        for client in waiting:
            client.close()


def resolving_to(*ports: int) -> Callable[..., list[Any]]:
    def look_up(*_args: object, **_options: object) -> list[Any]:
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", port)) for port in ports]

    return look_up


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let some more in")
@pytest.mark.anyio
async def test_silent_address_does_not_hold_up_the_next(
    dialogue: Dialogue, deaf_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_server(None) as (port, _):
        monkeypatch.setattr(socket, "getaddrinfo", resolving_to(deaf_port, port))
        answer = await dialogue("http://x.test/", Network())

    assert answer.endswith(b"hi")


@pytest.mark.anyio
async def test_refusing_address_gives_way_to_the_next_at_once(
    dialogue: Dialogue, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with http_server(None) as (port, _):
        monkeypatch.setattr(socket, "getaddrinfo", resolving_to(closed_port, port, closed_port))
        answer = await dialogue("http://x.test/", Network())

    assert answer.endswith(b"hi")


@pytest.mark.anyio
async def test_every_address_that_refused_is_told(
    dialogue: Dialogue, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(closed_port, closed_port))

    with pytest.raises(NetworkError) as caught:
        await dialogue("http://x.test/", Network())

    assert str(caught.value).count(f"127.0.0.1:{closed_port}") == 2


@pytest.mark.skipif(sys.platform != "linux", reason="other systems let some more in")
@pytest.mark.anyio
async def test_cancelled_connection_leaves_no_socket_behind(
    deaf_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", resolving_to(deaf_port, deaf_port))
    before = open_handles()
    task = asyncio.create_task(
        open_async_channel(route_to(parse_target("http://x.test/"), None), Network(), None)
    )
    await asyncio.sleep(0.3)  # two attempts are under way by then
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert open_handles() == before


# The channel in blocking code


def test_receive_that_times_out_loses_nothing() -> None:
    gate = Gate()
    with ScriptedServer(connections=[[WaitFor(gate), Send(b"late"), Close()]]) as server:
        channel = connected(server.url, Network())
        with pytest.raises(TransportTimeoutError):
            channel.receive(time.monotonic() + 0.01)
        assert not channel.is_readable()
        gate.set()

        assert channel.receive(soon()) == b"late"
        assert channel.receive(soon()) == b""
        assert channel.is_readable()
        channel.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_close_from_another_thread_ends_the_wait(
    scheme: str, network: Network, ca: trustme.CA
) -> None:
    context = server_context(ca) if scheme == "https" else None
    with ScriptedServer(connections=[[Hang()]], ssl_context=context) as server:
        channel = connected(f"{scheme}://localhost:{server.port}", network)
        closer = threading.Timer(0.02, channel.close)
        closer.start()
        with pytest.raises(ClientStateError, match="closed"):
            channel.receive(soon())
        closer.join()

        for use in (channel.receive, lambda: channel.send(b"x")):
            with pytest.raises(ClientStateError, match="closed"):
                use()
        assert server.wait_for_disconnect(timeout=PATIENCE)


def test_close_from_another_thread_ends_a_send_that_nobody_reads() -> None:
    with ScriptedServer(connections=[[StopReading(), Hang()]]) as server:
        channel = connected(server.url, Network())
        closer = threading.Timer(0.05, channel.close)
        closer.start()
        with pytest.raises(ClientStateError, match="closed"):
            channel.send(b"x" * (64 << 20), soon())
        closer.join()


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent to a thread")
def test_ctrl_c_ends_a_wait() -> None:
    with ScriptedServer(connections=[[Hang()]]) as server:
        channel = connected(server.url, Network())
        main = threading.main_thread().ident
        assert main is not None
        interrupt = threading.Timer(0.05, lambda: signal.pthread_kill(main, signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):  # noqa: PT012 - it may come before the wait
            interrupt.start()
            channel.receive()
        interrupt.join()
        channel.close()


def test_send_that_is_not_read_times_out_and_ends_sending() -> None:
    with ScriptedServer(connections=[[StopReading(), Hang()]]) as server:
        channel = connected(server.url, Network())
        with pytest.raises(TransportTimeoutError):
            channel.send(b"x" * (64 << 20), time.monotonic() + 0.05)
        with pytest.raises(NetworkError, match="cut short"):
            channel.send(b"y")
        channel.close()


def test_send_gives_way_to_an_early_answer() -> None:
    script = [StopReading(), Send(b"HTTP/1.1 413 Too Large\r\n\r\n"), Hang()]
    with ScriptedServer(connections=[script]) as server:
        channel = connected(server.url, Network())

        assert not channel.send(b"x" * (64 << 20), soon(), until_readable=True)
        assert channel.receive(soon()).startswith(b"HTTP/1.1 413")
        channel.close()


def test_connection_that_is_reset_is_a_network_error() -> None:
    gate = Gate()
    with ScriptedServer(connections=[[WaitFor(gate), Reset()]]) as server:
        channel = connected(server.url, Network())
        gate.set()
        with pytest.raises(NetworkError, match="the connection broke"):
            channel.receive(soon())
        channel.close()


@pytest.mark.anyio
async def test_end_without_goodbye_of_tls_is_a_cut(
    dialogue: Dialogue, network: Network, ca: trustme.CA
) -> None:
    with (
        ragged_tls_server(server_context(ca)) as port,
        pytest.raises(NetworkError, match="close_notify"),
    ):
        await dialogue(f"https://localhost:{port}/", network, until=b"never")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # fork in a process with threads
def test_forked_child_lets_go_of_a_connection_and_the_parent_keeps_it() -> None:
    gate = Gate()
    with ScriptedServer(connections=[[WaitFor(gate), Send(b"for the parent"), Hang()]]) as server:
        channel = connected(server.url, Network())
        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            try:
                channel.receive(soon())
            except ClientStateError as exc:
                os._exit(0 if "parent process" in str(exc) else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        gate.set()

        assert channel.receive(soon()) == b"for the parent"
        channel.close()


# The channel under asyncio


@pytest.mark.anyio
async def test_drain_waits_while_the_peer_does_not_read_and_ends_with_the_connection() -> None:
    with ScriptedServer(connections=[[StopReading(), Hang()]]) as server:
        route = route_to(parse_target(server.url), None)
        channel = await open_async_channel(route, Network(), soon())
        inbox = channel.inbox
        channel.write(b"x" * (64 << 20))
        drained = asyncio.create_task(channel.drain())
        await asyncio.sleep(0.02)

        assert not drained.done()
        channel.abort()
        await drained
        await channel.drain()
        channel.write(b"lost")
        channel.pause_reading()
        channel.resume_reading()
        assert channel.is_closed
        assert inbox.take() == b""


@pytest.mark.anyio
async def test_nothing_is_read_while_reading_is_paused() -> None:
    gate = Gate()
    with ScriptedServer(connections=[[WaitFor(gate), Send(b"x"), Hang()]]) as server:
        route = route_to(parse_target(server.url), None)
        channel = await open_async_channel(route, Network(), soon())
        inbox = channel.inbox
        channel.pause_reading()
        gate.set()
        await asyncio.to_thread(
            server.wait_until,
            lambda: sum(c.actions_played for c in server.connections) == 2,
            PATIENCE,
        )
        await asyncio.sleep(0)
        await asyncio.sleep(0)

        assert inbox.take() == b""
        channel.resume_reading()
        assert await inbox.read() == b"x"
        channel.abort()


@pytest.mark.anyio
async def test_reset_is_told_to_the_receiver() -> None:
    gate = Gate()
    with ScriptedServer(connections=[[WaitFor(gate), Reset()]]) as server:
        route = route_to(parse_target(server.url), None)
        channel = await open_async_channel(route, Network(), soon())
        inbox = channel.inbox
        gate.set()
        with pytest.raises(NetworkError, match="the connection broke"):
            await inbox.read()


# Peers


@contextmanager
def ragged_tls_server(context: Any) -> Iterator[int]:
    """Answer over TLS, then end the connection below it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listener.accept()
        secured = context.wrap_socket(sock, server_side=True)
        secured.recv(1000)
        secured.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        socket.socket(fileno=secured.detach()).close()

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1]
    thread.join()
    listener.close()
