"""Refusals in the shape that the public API gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from codex_api.testing.wire import JsonObject


class RequestProblem(Exception):  # noqa: N818 - an answer, not a failure of the server
    """A request that is answered with an error body.

    Attributes:
        status: HTTP status.
        code: Machine-readable cause, or None.
        param: The parameter at fault, or None.
    """

    def __init__(
        self,
        status: int,
        message: str,
        code: str | None = None,
        param: str | None = None,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, message, code, param, kind, headers)
        self.status: int = status
        self.message: str = message
        self.code: str | None = code
        self.param: str | None = param
        self.kind: str = kind
        self.headers: dict[str, str] = dict(headers or {})

    def error(self) -> JsonObject:
        """Return the ``error`` object."""
        return {
            "message": self.message,
            "type": self.kind,
            "param": self.param,
            "code": self.code,
        }


def missing(param: str) -> RequestProblem:
    """Say that a required parameter is absent."""
    message = f"Missing required parameter: '{param}'."
    return RequestProblem(400, message, "missing_required_parameter", param)


def invalid_type(param: str, expected: str, value: object) -> RequestProblem:
    """Say that a parameter has the wrong JSON type."""
    message = f"Invalid type for '{param}': expected {expected}, but got {json_type(value)}."
    return RequestProblem(400, message, "invalid_type", param)


def invalid_value(param: str, message: str) -> RequestProblem:
    """Say that a parameter has a value that is not allowed."""
    return RequestProblem(400, f"Invalid value for '{param}': {message}", "invalid_value", param)


def not_found(what: str, ident: str) -> RequestProblem:
    """Say that something stored is not there."""
    return RequestProblem(404, f"{what} with id '{ident}' not found.", None, "id")


def json_type(value: object) -> str:
    """Name the JSON type of ``value`` as an error message would."""
    names: list[tuple[type, str]] = [
        (bool, "a boolean"),
        (str, "a string"),
        (int, "an integer"),
        (float, "a number"),
        (list, "an array"),
        (dict, "an object"),
    ]
    return next((name for kind, name in names if isinstance(value, kind)), "null")


async def answer_problem(request: Request, exc: Exception) -> Response:
    """Turn a `RequestProblem` into its response."""
    del request
    if not isinstance(exc, RequestProblem):
        raise exc
    return JSONResponse({"error": exc.error()}, exc.status, exc.headers)
