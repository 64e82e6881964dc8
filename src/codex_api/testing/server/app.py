"""The Starlette application."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import Mount

from codex_api.testing.server.admission import Admission
from codex_api.testing.server.batches import Batches
from codex_api.testing.server.chat import Chat
from codex_api.testing.server.file_store import FileStore
from codex_api.testing.server.files import Files
from codex_api.testing.server.images import Images
from codex_api.testing.server.memories import memory_routes
from codex_api.testing.server.models import Models
from codex_api.testing.server.problems import RequestProblem, answer_problem
from codex_api.testing.server.realtime.routes import realtime_routes
from codex_api.testing.server.recorder import BASE_PATHS, Recorder
from codex_api.testing.server.responses import Responses
from codex_api.testing.server.search import search_routes
from codex_api.testing.server.settings import ServerSettings
from codex_api.testing.server.state import ServerState
from codex_api.testing.server.threads import Threads
from codex_api.testing.server.websocket import websocket_routes

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute


def create_app(
    settings: ServerSettings | None = None,
    *,
    state: ServerState | None = None,
    extra_routes: Sequence[BaseRoute] = (),
) -> Starlette:
    """Build the application; its memory is ``app.state.server``.

    Args:
        settings: How it behaves.
        state: A memory to use in place of a new one; it has settings of its own.
        extra_routes: Routes below each base path, before the built-in ones.
    """
    state = state or ServerState(settings or ServerSettings())
    files = FileStore(state)
    routes: list[BaseRoute] = [
        *extra_routes,
        *websocket_routes(state),
        *realtime_routes(state),
        *Responses(state).routes(),
        *Chat(state).routes(),
        *Models(state).routes(),
        *memory_routes(),
        *search_routes(),
        *Images(state).routes(),
        *Files(state, files).routes(),
        *files.routes(),
        *Batches(state).routes(),
        *Threads(state).routes(),
    ]

    middleware = [Middleware(Recorder, state=state)]
    if state.ledger is not None:
        middleware.append(Middleware(Admission, state=state, ledger=state.ledger))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        state.close()

    app = Starlette(
        lifespan=lifespan,
        routes=[Mount(base, routes=routes) for base in BASE_PATHS],
        middleware=middleware,
        exception_handlers={RequestProblem: answer_problem, HTTPException: _answer_http_exception},
    )
    app.state.server = state
    return app


async def _answer_http_exception(request: Request, exc: Exception) -> Response:
    if not isinstance(exc, HTTPException):
        raise exc
    message = f"Invalid URL ({request.method} {request.url.path})"
    error = RequestProblem(exc.status_code, message).error()
    return JSONResponse({"error": error}, exc.status_code, exc.headers)
