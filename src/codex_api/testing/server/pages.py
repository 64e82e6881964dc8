"""Lists given page by page, as the public API gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from codex_api.testing.server.problems import invalid_type, invalid_value, not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from codex_api.testing.wire import JsonObject

_DEFAULT, _MOST = 20, 100


def page(
    http: Request,
    newest_last: Sequence[JsonObject],
    *,
    default: int = _DEFAULT,
    most: int = _MOST,
) -> Response:
    """Answer with the page that the query asks for.

    Args:
        newest_last: All elements, each with an ``id``.
        default: Elements that a page has unless the query says.
        most: Elements that a page may have.

    Raises:
        RequestProblem: The query makes no sense.
    """
    order = http.query_params.get("order", "desc")
    if order not in {"asc", "desc"}:
        param, message = "order", "it is neither asc nor desc."
        raise invalid_value(param, message)
    elements = list(newest_last) if order == "asc" else list(reversed(newest_last))
    after = http.query_params.get("after")
    if after is not None:
        places = [at for at, element in enumerate(elements) if element["id"] == after]
        if not places:
            what = "Item"
            raise not_found(what, after)
        elements = elements[places[0] + 1 :]
    shown = elements[: _limit(http, default, most)]
    return JSONResponse(page_object(shown, has_more=len(shown) < len(elements)))


def page_object(shown: Sequence[JsonObject], *, has_more: bool) -> JsonObject:
    """Return the object of one page."""
    return {
        "object": "list",
        "data": list(shown),
        "first_id": shown[0]["id"] if shown else None,
        "last_id": shown[-1]["id"] if shown else None,
        "has_more": has_more,
    }


def _limit(http: Request, default: int, most: int) -> int:
    text = http.query_params.get("limit", str(default))
    param = "limit"
    if not text.isdigit():
        expected = "an integer"
        raise invalid_type(param, expected, text)
    if not 1 <= int(text) <= most:
        message = f"it is not between 1 and {most}."
        raise invalid_value(param, message)
    return int(text)
