"""``codex-api models``: what there is to ask."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from codex_api.cli.connection import Connection
from codex_api.cli.listing import print_json, print_table
from codex_api.local.models_cache import ModelsCache
from codex_api.types.models import ModelInfo, PublicModel, UnknownModel

if TYPE_CHECKING:
    from codex_api.types.models import Model


def models(
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    client_version: Annotated[
        str | None, Parameter(help="List what this version of the Codex CLI can use.")
    ] = None,
    cache: Annotated[
        Path | None, Parameter(help="Keep the list in this file for five minutes.")
    ] = None,
    json_object: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one JSON object."),
    ] = False,
) -> None:
    """List the models."""
    with connection.client() as client:
        if cache is None:
            page = client.models.list(client_version)
        else:
            page = client.models.list_cached(ModelsCache(cache), client_version)
    if json_object:
        shown = [model.raw if isinstance(model, UnknownModel) else model for model in page.models]
        print_json({"models": shown, "etag": page.etag})
        return
    columns = ("model", "name", "context", "reasoning", "visibility")
    print_table(columns, [_row(model) for model in page.models])


def _row(model: Model) -> tuple[str, ...]:
    if isinstance(model, ModelInfo):
        window = model.resolved_context_window
        efforts = ", ".join(level.effort for level in model.supported_reasoning_levels)
        context = "" if window is None else f"{window:,}"
        return (model.slug, model.display_name, context, efforts, model.visibility)
    if isinstance(model, PublicModel):
        return (model.id, model.owned_by or "", "", "", "")
    return (model.slug or "?", "(unreadable; see --json)", "", "", "")
