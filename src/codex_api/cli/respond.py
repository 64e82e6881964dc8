"""``codex-api respond``: one answer, streamed to the terminal."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from codex_api import events, items
from codex_api.cli.connection import Connection
from codex_api.cli.console import notes
from codex_api.cli.facts import limits_line, usage_line
from codex_api.cli.rendering import printer_for
from codex_api.cli.request_files import image_url, read_history, read_schema
from codex_api.rate_limits import RateLimitSnapshot
from codex_api.session import SessionSettings
from codex_api.transport.errors import CodexApiError, RequestBuildError
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesApiRequest, ResponsesOptions
from codex_api.types.text import create_text_param_for_request

if TYPE_CHECKING:
    import msgspec

    from codex_api._sync.response_stream import ResponseStream
    from codex_api.rate_limits import ApiRateLimits
    from codex_api.session import SessionStream
    from codex_api.types.item import ResponseItem
    from codex_api.types.usage import TokenUsage

DEFAULT_MODEL = "gpt-5.1-codex"
Verbosity = Literal["low", "medium", "high"]
Transport = Literal["auto", "http", "websocket"]


def respond(
    prompt: Annotated[
        str | None,
        Parameter(
            help="What to ask. '-' reads it from standard input; it may be left out with --input.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    model: str = DEFAULT_MODEL,
    instructions: Annotated[
        str | None, Parameter(help="How the model should behave.", show_default=False)
    ] = None,
    image: Annotated[
        tuple[str, ...],
        Parameter(help="File or URL; may be repeated.", negative="", show_default=False),
    ] = (),
    reasoning: Annotated[
        str | None, Parameter(help="Effort: none, minimal, low, medium, high ...")
    ] = None,
    verbosity: Annotated[Verbosity | None, Parameter(help="How long the answer should be.")] = None,
    output_schema: Annotated[
        Path | None, Parameter(help="JSON Schema file that the answer must fit.")
    ] = None,
    input: Annotated[  # noqa: A002 - the option's name
        Path | None, Parameter(help="File of earlier items: a JSON list, or one item a line.")
    ] = None,
    session_id: Annotated[
        str | None, Parameter(help="Requests of one session share a cache.")
    ] = None,
    transport: Annotated[
        Transport, Parameter(help="auto prefers the WebSocket and falls back to HTTP.")
    ] = "http",
    json_lines: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one event a line."),
    ] = False,
) -> None:
    """Stream one response.

    On a terminal the answer is rendered, elsewhere its text is printed as it comes. Tokens and rate
    limits go to standard error.
    """
    history: list[ResponseItem | msgspec.Raw] = [] if input is None else [*read_history(input)]
    request = ResponsesApiRequest(
        model=model,
        instructions=instructions or "",
        input=history + _messages(prompt, image, alone=not history),
        reasoning=Reasoning(effort=reasoning, summary="auto") if reasoning is not None else None,
        include=["reasoning.encrypted_content"] if reasoning is not None else [],
        text=create_text_param_for_request(
            verbosity, read_schema(output_schema) if output_schema else None
        ),
    )
    options = ResponsesOptions(conversation_id=session_id, other_events=json_lines)
    with connection.client() as client:
        if transport == "http":
            _run(client.responses.stream(request, options), json_lines=json_lines)
            return
        with client.session(SessionSettings(transport=transport), options) as session:
            _run(session.stream(request), json_lines=json_lines)


def _run(stream: ResponseStream | SessionStream, *, json_lines: bool) -> None:
    printer = printer_for(sys.stdout, json_lines=json_lines)
    usage: TokenUsage | None = None
    try:
        with stream, printer:
            for event in stream:
                printer.show(event)
                if isinstance(event, events.Completed):
                    usage = event.token_usage
    except CodexApiError as exc:
        printer.failed(exc)
        if not json_lines:
            plan = exc.rate_limits
            _sum_up(
                getattr(exc, "usage", None),
                plan if isinstance(plan, RateLimitSnapshot) else None,
                getattr(exc, "api_rate_limits", None),
            )
        raise
    if not json_lines:
        _sum_up(usage, stream.rate_limits, stream.api_rate_limits)


def _sum_up(
    usage: TokenUsage | None, plan: RateLimitSnapshot | None, key: ApiRateLimits | None
) -> None:
    lines = (usage_line(usage) if usage else None, limits_line(plan, key))
    for line in lines:
        if line is not None:
            notes().print(line, style="dim")


def _messages(
    prompt: str | None, images: tuple[str, ...], *, alone: bool
) -> list[ResponseItem | msgspec.Raw]:
    text = _prompt(prompt)
    if not text and not images:
        if alone or prompt is not None:
            message = "there is nothing to ask: give a PROMPT that is not empty"
            raise RequestBuildError(message)
        return []
    parts: list[items.InputText | items.InputImage] = [items.InputText(text)] if text else []
    parts += [items.InputImage(image_url(source)) for source in images]
    return [items.Message(role="user", content=parts)]


def _prompt(prompt: str | None) -> str:
    try:
        text = sys.stdin.read() if prompt == "-" else prompt or ""
        text.encode()
    except UnicodeError:
        message = "PROMPT is not valid UTF-8"
        raise RequestBuildError(message) from None
    return text if text.strip() else ""
