"""``codex-api serve``: the embedded server in the foreground, for any client in any language."""

from __future__ import annotations

import errno
import random
import shlex
import signal
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path  # noqa: TC003 - cyclopts reads the annotations
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.console import Console

from codex_api.cli import exit_codes
from codex_api.cli.certificates import VARIABLES, made_certificate
from codex_api.cli.console import Output, complain, note
from codex_api.cli.request_log import RequestLog
from codex_api.testing.fault_names import FaultSpecError, parse_fault
from codex_api.testing.rules import ExpectationError
from codex_api.testing.scenario_files import load_scenario
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager
    from types import FrameType, TracebackType
    from typing import Self

    from codex_api.testing.server import Latency, Limits

DEFAULT_PORT = 8321
_LAST_PORT = 65_535
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - not bound here


@Parameter(name="*")
@dataclass(frozen=True)
class LimitOptions:
    """Limits of each model that are enforced with 429; default: none."""

    rpm: Annotated[int | None, Parameter(help="Requests per minute.")] = None
    tpm: Annotated[int | None, Parameter(help="Tokens per minute.")] = None
    burst: Annotated[
        int | None, Parameter(help="Requests at once. Default: those of a minute.")
    ] = None
    concurrent: Annotated[
        int | None, Parameter(help="Responses at the same time, of all models; more are 503.")
    ] = None

    def chosen(self) -> Limits | None:
        """Return the limits, or None when there is none.

        Raises:
            ValueError: A limit is below 1.
        """
        from codex_api.testing.server import Limits  # noqa: PLC0415 - extra

        if self == LimitOptions():
            return None
        return Limits(
            requests_per_minute=self.rpm,
            tokens_per_minute=self.tpm,
            burst_requests=self.burst,
            concurrent=self.concurrent,
        )


@Parameter(name="*")
@dataclass(frozen=True)
class PaceOptions:
    """How long responses take; default: as little as may be."""

    first_token_ms: Annotated[
        float, Parameter(help="Milliseconds before the first event of a response.")
    ] = 0.0
    tokens_per_second: Annotated[
        float | None, Parameter(help="Pace of the text. Default: as fast as it goes.")
    ] = None
    spread: Annotated[
        float,
        Parameter(help="Of both by chance: 0 is none, 0.7 often twice or half, 1 a long tail."),
    ] = 0.0

    def chosen(self, seed: int) -> Latency | None:
        """Return the latency, or None when none was asked for.

        Raises:
            ValueError: A value is out of its range.
        """
        from codex_api.testing.server import Latency  # noqa: PLC0415 - extra

        if self == PaceOptions():
            return None
        return Latency(
            first_event=self.first_token_ms / 1000,
            tokens_per_second=self.tokens_per_second,
            spread=self.spread,
            seed=seed,
        )


def serve(
    *,
    port: Annotated[int, Parameter(help="TCP port; 0 takes a free one.")] = DEFAULT_PORT,
    host: Annotated[
        str, Parameter(help="Address to bind. The default lets in this machine only.")
    ] = "127.0.0.1",
    allow_host: Annotated[
        tuple[str, ...],
        Parameter(
            help="Another name in URLs that means this server; may be repeated.",
            negative="",
            show_default=False,
        ),
    ] = (),
    api_key: Annotated[
        tuple[str, ...],
        Parameter(
            help="A key that is let in; may be repeated. Default: every one, or none.",
            negative="",
            show_default=False,
        ),
    ] = (),
    faults: Annotated[
        tuple[str, ...],
        Parameter(
            help="What goes wrong with each response, such as 'cut:after=3,how=reset' or "
            "'stall:after=2@0.1' for one in ten; may be repeated.",
            negative="",
            show_default=False,
        ),
    ] = (),
    scenario: Annotated[
        Path | None,
        Parameter(
            help="File in TOML or JSON that says how requests are answered, and what of it "
            "is expected: what is not as expected ends with 1."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        Parameter(help="Of all that is left to chance. Default: that of the file, or 0."),
    ] = None,
    pace: PaceOptions = PaceOptions(),
    limits: LimitOptions = LimitOptions(),
    log: Annotated[
        Path | None, Parameter(help="Also append a JSON line for each request to this file.")
    ] = None,
    quiet: Annotated[bool, Parameter(negative="", help="Print no line for each request.")] = False,
    tls: Annotated[
        bool,
        Parameter(negative="", help="HTTPS with a certificate made for this run; needs [tls]."),
    ] = False,
    tls_cert: Annotated[Path | None, Parameter(help="Certificate chain in PEM, for HTTPS.")] = None,
    tls_key: Annotated[Path | None, Parameter(help="Its private key in PEM.")] = None,
) -> int:
    """Serve the Responses API with a small built-in model until Ctrl-C."""
    try:
        from codex_api.testing.server import (  # noqa: PLC0415 - extra
            EmbeddedServer,
            ServerSettings,
        )
        from codex_api.testing.server.chance import Chance  # noqa: PLC0415 - extra
        from codex_api.testing.server.doorman import Doorman  # noqa: PLC0415 - extra
    except ModuleNotFoundError as exc:
        message = "serve needs: pip install 'codex-api[server]'"
        raise RequestBuildError(message) from exc
    if not 0 <= port <= _LAST_PORT:
        message = f"--port must be from 0 to {_LAST_PORT}"
        raise RequestBuildError(message)
    if (tls_cert is None) != (tls_key is None):
        message = "--tls-cert and --tls-key belong together"
        raise RequestBuildError(message)
    if tls and tls_cert is not None:
        message = "--tls makes a certificate: leave it out beside --tls-cert"
        raise RequestBuildError(message)
    try:
        dice = random.Random(seed or 0)  # noqa: S311 - to be repeated
        chance = Chance([parse_fault(spec) for spec in faults], dice)
        loaded = None if scenario is None else load_scenario(scenario, seed)
        settings = ServerSettings() if loaded is None else loaded.settings(ServerSettings())
        settings = replace(
            settings,
            api_keys=frozenset(api_key) or settings.api_keys,
            latency=pace.chosen(seed or 0) or settings.latency,
            limits=limits.chosen() or settings.limits,
        )
    except FaultSpecError as exc:
        message = f"--faults: {exc}"
        raise RequestBuildError(message) from exc
    except ValueError as exc:
        raise RequestBuildError(str(exc)) from exc
    with ExitStack() as stack:
        expected = stack.enter_context(_Expectations())
        file = None if log is None else stack.enter_context(log.open("a", encoding="utf-8"))
        lines = RequestLog(None if quiet else Console(stderr=True, highlight=False), file)
        certificate = None if tls_cert is None or tls_key is None else (tls_cert, tls_key)
        authority: Path | None = None
        if tls:
            made = stack.enter_context(made_certificate([host, *allow_host]))
            certificate, authority = (made.chain, made.key), made.authority
        server = EmbeddedServer(
            settings,
            host=host,
            port=port,
            certificate=certificate,
            around=partial(Doorman, host=host, names=allow_host, tell=lines.tell),
            scenario=None if loaded is None else loaded.rules,
        )
        server.state.by_default = chance.scenario
        ending = started(stack, server, host, port)
        if ending is None:
            return exit_codes.FAILED
        key = next(iter(api_key or sorted(settings.api_keys)), None)
        announce(server.url, host, key, authority)
        ending.wait()
    note(f"stopped after {lines.count} request{'' if lines.count == 1 else 's'}")
    return exit_codes.OK if expected.are_met else exit_codes.FAILED


class _Expectations:
    """Tells what of a scenario was not met, when the server inside of it has ended."""

    def __init__(self) -> None:
        self.are_met = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if isinstance(exc, ExpectationError):
            self.are_met = False
            complain(str(exc))
        return not self.are_met


@contextmanager
def _told_to_end() -> Generator[threading.Event]:
    """Yield what is set by Ctrl-C and by a request to terminate."""
    ending = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return

    def end(number: int, frame: FrameType | None) -> None:
        del number, frame
        ending.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def started(
    stack: ExitStack, server: AbstractContextManager[object], host: str, port: int
) -> threading.Event | None:
    """Enter ``server`` into ``stack``.

    Returns:
        What Ctrl-C and a request to terminate set; None when it cannot listen, which is complained
        of.
    """
    ending = stack.enter_context(_told_to_end())
    try:
        stack.enter_context(server)
    except OSError as exc:
        complain(_refused(exc, host, port))
        return None
    return ending


def _refused(exc: OSError, host: str, port: int) -> str:
    """Say why a server cannot listen."""
    if exc.errno == errno.EADDRINUSE:
        return f"port {port} of {host} is in use; choose another with --port, or 0 for a free one"
    return f"cannot listen at port {port} of {host}: {exc.strerror or exc}"


def announce(url: str, host: str, key: str | None, authority: Path | None = None) -> None:
    """Say where a server is, and print the lines that tell other programs so.

    Args:
        authority: File of the authority that has signed its certificate, where nobody knows it.
    """
    if host in _ANY:
        shown = f"[{host}]" if ":" in host else host
        near = _ANY[host]
        url = url.replace(f"//{shown}:", f"//{f'[{near}]' if ':' in near else near}:", 1)
    note(f"serving {url}")
    output = Output(soft_wrap=True, markup=False, highlight=False, emoji=False)
    output.print(f"export OPENAI_BASE_URL={shlex.quote(url)}")
    output.print(f"export OPENAI_API_KEY={shlex.quote(key or 'unused')}")
    if authority is not None:
        for variable in VARIABLES:
            output.print(f"export {variable}={shlex.quote(str(authority))}")
        note(f"clients trust it by {authority}, as long as it runs")
    output.file.flush()
    note("stop with Ctrl-C")
