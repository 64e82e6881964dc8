from __future__ import annotations

import os
import signal
import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings

from tests.front import Front, FrontName

if TYPE_CHECKING:
    from collections.abc import Iterator

# The same examples in every run: what passes here passes in CI. `--hypothesis-profile search` looks
# at others.
settings.register_profile("same", deadline=None, derandomize=True)
settings.register_profile("search", deadline=None)
# Coverage must not hang on what random examples happen to reach.
settings.register_profile("coverage", deadline=None, derandomize=True, max_examples=3)
settings.load_profile("same")

# A shell's background job begins with Ctrl-C ignored, and so would every program that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A developer's own settings must not decide whether a test passes.
_FOREIGN_PREFIXES = ("OPENAI_", "CODEX_", "AWS_", "SSL_CERT_")
_FOREIGN_NAMES = {"http_proxy", "https_proxy", "all_proxy", "no_proxy"}


class OutsideWorldError(AssertionError):
    """A test tried to leave the machine."""


@pytest.fixture(scope="session", autouse=True)
def _own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))
        for name in list(os.environ):
            if name.startswith(_FOREIGN_PREFIXES) or name.lower() in _FOREIGN_NAMES:
                patch.delenv(name)
        yield


def _is_loopback(address: object) -> bool:
    if not isinstance(address, tuple):
        return True  # A Unix socket.
    host = str(address[0]).partition("%")[0]
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host in {"", "localhost"}


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Stop Python sockets that leave the machine; engines written in Rust are beyond its reach."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def guard(address: object) -> None:
        if not _is_loopback(address):
            message = f"tests talk to loopback only, not to {address!r}"
            raise OutsideWorldError(message)

    def guarded_connect(self: socket.socket, address: Any) -> None:
        guard(address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        guard(address)
        return connect_ex(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        yield


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=["sync", "async"])
def front(request: pytest.FixtureRequest) -> Front:
    name: FrontName = request.param
    return Front(name)
