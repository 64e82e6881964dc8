"""``GET /models``: the catalogue in the shape of the Codex backend, and in that of the public API.

Who asks with ``client_version`` gets the first, everybody else the second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.server.answer_headers import models_etag
from codex_api.testing.server.problems import RequestProblem

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.server.state import ServerState
    from codex_api.testing.wire import JsonObject

CREATED_AT = 1_760_000_000
CONTEXT_WINDOW = 272_000


class Models:
    """The endpoints of the catalogue."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    def routes(self) -> list[BaseRoute]:
        """Return the routes below the base path."""
        return [
            Route("/models", self.listed, methods=["GET"]),
            Route("/models/{slug}", self.one, methods=["GET"]),
        ]

    async def listed(self, http: Request) -> Response:
        """Return all models, or 304 when the client has them."""
        tag = models_etag(self._state)
        headers = {"etag": tag}
        known = http.headers.get("if-none-match", "")
        if tag in (each.strip() for each in known.split(",")):
            return Response(status_code=304, headers=headers)
        slugs = self._state.settings.models
        if "client_version" in http.query_params:
            infos = [model_info(slug, priority) for priority, slug in enumerate(slugs)]
            return JSONResponse({"models": infos}, headers=headers)
        data = [_public_model(slug) for slug in slugs]
        return JSONResponse({"object": "list", "data": data}, headers=headers)

    async def one(self, http: Request) -> Response:
        """Return one model of the public API."""
        slug: str = http.path_params["slug"]
        if slug not in self._state.settings.models:
            message = f"The model '{slug}' does not exist."
            raise RequestProblem(404, message, "model_not_found", "model")
        return JSONResponse(_public_model(slug))


def model_info(slug: str, priority: int) -> JsonObject:
    """Describe a model as the Codex backend does."""
    efforts = ("low", "medium", "high")
    return {
        "slug": slug,
        "display_name": slug,
        "description": f"Built-in model that answers as {slug}.",
        "default_reasoning_level": "medium",
        "supported_reasoning_levels": [
            {"effort": effort, "description": f"Thinks with {effort} effort."} for effort in efforts
        ],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": priority,
        "additional_speed_tiers": [],
        "service_tiers": [{"id": "priority", "name": "Fast", "description": "Answers sooner."}],
        "availability_nux": None,
        "upgrade": None,
        "base_instructions": "You are a coding agent.",
        "supports_reasoning_summaries": True,
        "default_reasoning_summary": "auto",
        "support_verbosity": True,
        "default_verbosity": "medium",
        "apply_patch_tool_type": "freeform",
        "web_search_tool_type": "text",
        "truncation_policy": {"mode": "tokens", "limit": 10_000},
        "supports_parallel_tool_calls": True,
        "supports_image_detail_original": False,
        "context_window": CONTEXT_WINDOW,
        "max_context_window": CONTEXT_WINDOW,
        "auto_compact_token_limit": CONTEXT_WINDOW * 9 // 10,
        "effective_context_window_percent": 95,
        "experimental_supported_tools": [],
        "input_modalities": ["text", "image"],
        "supports_search_tool": False,
    }


def _public_model(slug: str) -> JsonObject:
    return {"id": slug, "object": "model", "created": CREATED_AT, "owned_by": "codex-api"}
