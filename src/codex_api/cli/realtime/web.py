"""``codex-api realtime web``: a page from which a browser calls the model.

The browser holds the peer connection; this process creates the call, so that no credential reaches
the page, and joins the sideband, whose events it passes on.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from codex_api.cli.connection import Connection, Endpoint
from codex_api.cli.console import notes
from codex_api.cli.realtime.clients import call_clients
from codex_api.cli.realtime.options import SessionOptions
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from codex_api.types.realtime import RealtimeSessionConfig


def web(
    *,
    port: Annotated[int, Parameter(help="Port on the loopback address; 0 takes a free one.")] = 0,
    open_browser: Annotated[
        bool, Parameter(name="--open", negative="", help="Open the page in the default browser.")
    ] = False,
    version: Annotated[Literal["v1", "v3"], Parameter(help="Protocol version.")] = "v1",
    connection: Connection = Connection(),  # noqa: B008 - frozen
    session: SessionOptions = SessionOptions(),  # noqa: B008 - frozen
) -> None:
    """Serve a page from which a browser on this machine calls the model."""
    config = session.config(version)
    with connection.endpoint() as endpoint:
        asyncio.run(_serve(endpoint, config, port, open_browser=open_browser))


async def _serve(
    endpoint: Endpoint, config: RealtimeSessionConfig, port: int, *, open_browser: bool
) -> None:
    try:
        from codex_api.cli.realtime.page_server import PageServer  # noqa: PLC0415 - another extra
    except ModuleNotFoundError as exc:
        message = "the page needs: pip install 'codex-api[server]'"
        raise RequestBuildError(message) from exc
    async with call_clients(endpoint) as clients:
        server = PageServer(clients.caller, config, sideband_client=clients.sideband, port=port)

        def ready(url: str) -> None:
            notes().print(f"Call from {url}")
            notes().print("Stop with Ctrl-C.", style="dim")
            if open_browser:
                import webbrowser  # noqa: PLC0415 - rarely wanted

                webbrowser.open(url)

        await server.run(ready)
