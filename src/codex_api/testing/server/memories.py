"""``POST /memories/trace_summarize``: one summary and one memory for each trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from codex_api.testing.server.checks import as_objects, json_body, known_keys, non_empty, required
from codex_api.testing.server.items import item_text
from codex_api.testing.server.problems import invalid_value, missing
from codex_api.testing.server.schema_instances import gist

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from codex_api.testing.wire import JsonObject

_KEYS = frozenset({"model", "traces", "reasoning"})


def memory_routes() -> list[BaseRoute]:
    """Return the routes below the base path."""
    return [Route("/memories/trace_summarize", _summarize, methods=["POST"])]


async def _summarize(http: Request) -> Response:
    body = json_body(http.state.recorded)
    known_keys(body, _KEYS)
    non_empty(body, "model")
    if body.get("traces") is None:
        param = "traces"
        raise missing(param)
    traces = as_objects(body["traces"], "traces")
    if not traces:
        param, message = "traces", "it must not be empty."
        raise invalid_value(param, message)
    return JSONResponse({"output": [_summary(trace, at) for at, trace in enumerate(traces)]})


def _summary(trace: JsonObject, at: int) -> JsonObject:
    where = f"traces[{at}]."
    ident = non_empty(trace, "id", where)
    metadata: JsonObject = required(trace, "metadata", dict, where)
    source = non_empty(metadata, "source_path", f"{where}metadata.")
    items = as_objects(required(trace, "items", list, where), f"{where}items")
    texts = [gist(item_text(item)) for item in items if item_text(item)]
    said = "; ".join(texts) or "nothing"
    return {
        "trace_summary": f"Trace {ident} of {source} has {len(items)} item(s): {said}.",
        "memory_summary": f"Remember from {source}: {texts[-1] if texts else 'nothing'}.",
    }
