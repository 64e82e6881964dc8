"""``codex-api record`` and ``codex-api replay``: cassettes for programs in any language."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from importlib import import_module
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from cyclopts import Parameter
from rich.console import Console

from codex_api.cli import exit_codes
from codex_api.cli.console import complain, note
from codex_api.cli.request_log import RequestLog
from codex_api.cli.serve import announce, started
from codex_api.testing.cassettes import Cassette
from codex_api.testing.replaying import CassetteMismatchError, ReplayServer
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp

    from codex_api.testing.server import EmbeddedServer
    from codex_api.testing.server.watching import ServedRequest

LOOPBACK = "127.0.0.1"


def record(
    *,
    upstream: Annotated[str, Parameter(help="Base URL of the server, as https://host/v1.")],
    out: Annotated[Path, Parameter(help="The cassette to write.")],
    port: Annotated[int, Parameter(help="TCP port on the loopback address; 0 takes any.")] = 8321,
    overwrite: Annotated[
        bool, Parameter(negative="", help="Replace a file that is there.")
    ] = False,
) -> int:
    """Record what any program asks a server, until Ctrl-C."""
    checked_upstream(upstream, "--upstream")
    if out.exists() and not overwrite:
        message = f"{out} is there already; replace it with --overwrite"
        raise RequestBuildError(message)
    is_new = not out.exists()
    lines = RequestLog(Console(stderr=True, highlight=False))
    with ExitStack() as stack:
        server = recording_server(upstream, Cassette(out), port, lines.tell)
        ending = started(stack, server, LOOPBACK, port)
        if ending is None:
            if is_new:  # else the next attempt would find it in its way
                out.unlink()
            return exit_codes.FAILED
        announce(server.url, LOOPBACK, None)
        ending.wait()
    note(f"recorded {lines.count} request{'' if lines.count == 1 else 's'} in {out}")
    return exit_codes.OK


def checked_upstream(url: str, option: str) -> None:
    """Refuse what is no base URL.

    Raises:
        RequestBuildError: It is none, or the extra is missing that passes requests on.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        message = f"{option} needs a base URL such as https://api.openai.com/v1"
        raise RequestBuildError(message)
    try:
        import_module("codex_api.testing.server")
    except ModuleNotFoundError as exc:
        message = "this needs: pip install 'codex-api[server]'"
        raise RequestBuildError(message) from exc


def recording_server(
    upstream: str,
    cassette: Cassette,
    port: int,
    tell: Callable[[ServedRequest], None] | None = None,
) -> EmbeddedServer:
    """Return a server, not started, that passes everything on and records it."""
    from codex_api.testing.server import EmbeddedServer  # noqa: PLC0415 - extra
    from codex_api.testing.server.doorman import Doorman  # noqa: PLC0415 - extra
    from codex_api.testing.server.record_proxy import RecordProxy  # noqa: PLC0415 - extra

    proxy = RecordProxy(upstream, cassette)

    def around(app: ASGIApp) -> ASGIApp:
        del app
        return Doorman(proxy, tell=tell)

    server = EmbeddedServer(port=port, around=around)
    server.state.closers.append(proxy.aclose)
    return server


def replay(
    path: Annotated[Path, Parameter(help="The cassette.")],
    /,
    *,
    port: Annotated[int, Parameter(help="TCP port on the loopback address; 0 takes any.")] = 8321,
    speed: Annotated[
        float | None, Parameter(help="Wait as long as was recorded, this many times faster.")
    ] = None,
    match: Annotated[
        Literal["request", "order"], Parameter(help="Match requests, or take them as they come.")
    ] = "request",
    ignore: Annotated[
        tuple[str, ...],
        Parameter(help="Path in the body that is not compared; may be repeated.", negative=""),
    ] = (),
    repeat: Annotated[bool, Parameter(negative="", help="Give answers again and again.")] = False,
) -> int:
    """Answer any program from a cassette, until Ctrl-C; exit with 1 if a request had no answer."""
    if speed is not None and not speed > 0:
        message = "--speed must be more than 0"
        raise RequestBuildError(message)
    try:
        server = ReplayServer(
            path,
            is_timed=speed is not None,
            speed=speed or 1.0,
            repeat_last=repeat,
            match=match,
            ignore=ignore,
            port=port,
            tell=partial(_tell, path.name),
        )
    except ValueError as exc:
        raise RequestBuildError(str(exc)) from exc
    if not server.left:
        message = f"{path} is empty: nothing was recorded"
        raise RequestBuildError(message)
    try:
        with ExitStack() as stack:
            ending = started(stack, server, LOOPBACK, port)
            if ending is None:
                return exit_codes.FAILED
            announce(server.url, LOOPBACK, None)
            ending.wait()
    except CassetteMismatchError:
        missed = len(server.errors)
        complain(f"{missed} request{'' if missed == 1 else 's'} had no answer in {path}")
        return exit_codes.FAILED
    note(f"{len(server.left)} exchanges of {path} were not asked for")
    return exit_codes.OK


def _tell(name: str, mismatch: str | None, line: str) -> None:
    if mismatch is None:
        note(f"{line}: from {name}")
    else:
        complain(mismatch)
