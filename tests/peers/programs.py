"""Starts servers and proxies that others wrote, each on a free port with its own settings."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0
ROTEL = Path(__file__).parents[2] / ".peers/collector/rotel/rotel-agent"
USER, PASSWORD = "peer", "s3cret"
# Debian keeps servers where only root looks.
_PATH = os.environ.get("PATH", "") + os.pathsep + "/usr/sbin"


def program(name: str) -> str:
    """Return the path of a program; skip the test when it is not installed."""
    found = shutil.which(name, path=_PATH)
    if found is None:
        pytest.skip(f"{name} is not installed: run `make peers`")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    """Run a server in the foreground until the block ends; enter when it takes connections."""
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 - ours
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process,
    ):
        try:
            _wait_until_it_listens(process, port, log)
            yield
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the server to end until it does: nginx can miss a signal just before it waits."""
    while process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.0)


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        except ConnectionRefusedError:
            time.sleep(0.01)
        else:
            return
    pytest.fail(f"{process.args!r} did not start: {log.read_text(errors='replace')}")


@contextmanager
def nginx(
    folder: Path, upstream: int, *, buffering: bool = False, chain: Path | None = None
) -> Iterator[int]:
    """Run nginx as a reverse proxy.

    Args:
        folder: For its configuration and temporary files.
        upstream: Port that requests are passed to.
        buffering: Whether nginx collects the answer before it passes it on, its default.
        chain: PEM file with key and certificates; None for no TLS.
    """
    port = free_port()
    tls = f"ssl_certificate {chain}; ssl_certificate_key {chain};" if chain else ""
    paths = " ".join(
        f"{kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(f"""
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr info;
events {{}}
http {{
  access_log off; {paths}
  map $http_upgrade $connection_header {{ default upgrade; "" ""; }}
  server {{
    listen 127.0.0.1:{port}{" ssl" if chain else ""}; {tls}
    location / {{
      proxy_pass http://127.0.0.1:{upstream}; proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_header;
      proxy_buffering {"on" if buffering else "off"};
    }}
  }}
}}
""")
    command = [program("nginx"), "-p", str(folder), "-c", str(configuration), "-e", "stderr"]
    with running(command, port, folder / "nginx.log"):
        yield port


@contextmanager
def rotel(folder: Path, behind: str) -> Iterator[tuple[str, Path]]:
    """Run a collector of OpenTelemetry that prints all that it gets, and passes it on.

    Args:
        folder: For its log.
        behind: URL of another collector.

    Returns:
        Its URL, and the file that it prints to.
    """
    if not ROTEL.exists():
        pytest.skip("no collector is installed: run `make peers`")
    port, other = free_port(), free_port()
    printed = folder / "rotel.log"
    command = [
        *(str(ROTEL), "start", "--disable-batching", "--log-format", "json"),
        *("--pid-file", str(folder / "rotel.pid"), "--log-file", str(folder / "rotel.more")),
        *("--otlp-http-endpoint", f"127.0.0.1:{port}"),
        *("--otlp-grpc-endpoint", f"127.0.0.1:{other}"),
        *("--exporter", "otlp", "--otlp-exporter-protocol", "http"),
        *("--otlp-exporter-endpoint", behind),
        *("--debug-log", "traces", "--debug-log", "metrics", "--debug-log-verbosity", "detailed"),
    ]
    with running(command, port, printed):
        yield f"http://127.0.0.1:{port}", printed


@contextmanager
def haproxy(folder: Path, upstream: int) -> Iterator[int]:
    """Run haproxy as a reverse proxy."""
    port = free_port()
    configuration = folder / "haproxy.cfg"
    configuration.write_text(f"""
defaults
  mode http
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout tunnel 60s
  retries 0
frontend in
  bind 127.0.0.1:{port}
  default_backend out
backend out
  server one 127.0.0.1:{upstream}
""")
    command = [program("haproxy"), "-db", "-f", str(configuration)]
    with running(command, port, folder / "haproxy.log"):
        yield port


@contextmanager
def tinyproxy(folder: Path) -> Iterator[int]:
    """Run tinyproxy as a forward proxy that asks for ``USER`` and ``PASSWORD``."""
    port = free_port()
    configuration = folder / "tinyproxy.conf"
    configuration.write_text(f"""
Port {port}
Listen 127.0.0.1
Timeout 60
BasicAuth {USER} {PASSWORD}
""")
    command = [program("tinyproxy"), "-d", "-c", str(configuration)]
    with running(command, port, folder / "tinyproxy.log"):
        yield port


@contextmanager
def microsocks(folder: Path) -> Iterator[int]:
    """Run microsocks as a SOCKS5 proxy that asks for ``USER`` and ``PASSWORD``."""
    port = free_port()
    command = [program("microsocks"), "-i", "127.0.0.1", "-p", str(port)]
    with running([*command, "-u", USER, "-P", PASSWORD], port, folder / "microsocks.log"):
        yield port
