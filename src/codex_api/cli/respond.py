"""``codex-api respond``: one answer, streamed to the terminal."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from codex_api import events
from codex_api.cli.connection import Connection
from codex_api.cli.console import notes, printable
from codex_api.cli.facts import limits_line, usage_line
from codex_api.cli.listing import print_json, print_text
from codex_api.cli.prompt import messages
from codex_api.cli.rendering import printer_for
from codex_api.cli.request_files import read_history, read_schema
from codex_api.cli.request_options import AnswerOptions, ContextOptions
from codex_api.rate_limits import RateLimitSnapshot
from codex_api.session import SessionSettings
from codex_api.transport.errors import CodexApiError, RequestBuildError
from codex_api.types.reasoning import Reasoning
from codex_api.types.request import ResponsesApiRequest, ResponsesOptions
from codex_api.types.text import create_text_param_for_request

if TYPE_CHECKING:
    import msgspec

    from codex_api._sync.background import BackgroundStream
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
    context: ContextOptions = ContextOptions(),  # noqa: B008 - frozen
    answer: AnswerOptions = AnswerOptions(),  # noqa: B008 - frozen
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
    background: Annotated[
        bool,
        Parameter(
            negative="",
            show_default=False,
            help="Let the server make the response without us, and print its id for 'get'.",
        ),
    ] = False,
    json_lines: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one event a line."),
    ] = False,
) -> None:
    """Stream one response.

    On a terminal the answer is rendered, elsewhere its text is printed as it comes. Tokens and rate
    limits go to standard error.
    """
    if background and transport != "http":
        message = "--background goes by HTTP: leave --transport out"
        raise RequestBuildError(message)
    history: list[ResponseItem | msgspec.Raw] = [] if input is None else [*read_history(input)]
    request = ResponsesApiRequest(
        model=model,
        instructions=instructions or "",
        input=history + messages(prompt, image, alone=not history),
        reasoning=Reasoning(effort=reasoning, summary="auto") if reasoning is not None else None,
        include=["reasoning.encrypted_content"] if reasoning is not None else [],
        text=create_text_param_for_request(
            verbosity, read_schema(output_schema) if output_schema else None
        ),
    )
    request = answer.over(context.over(request))
    options = ResponsesOptions(conversation_id=session_id, other_events=json_lines)
    with connection.client() as client:
        if background:
            handle = client.responses.background(request, options).handle
            print_json(handle) if json_lines else print_text(handle.response_id)
        elif transport == "http":
            show_stream(
                client.responses.stream(request, options),
                json_lines=json_lines,
                tells_id=answer.store,
            )
        else:
            with client.session(SessionSettings(transport=transport), options) as session:
                show_stream(session.stream(request), json_lines=json_lines, tells_id=answer.store)


def show_stream(
    stream: ResponseStream | SessionStream | BackgroundStream,
    *,
    json_lines: bool,
    tells_id: bool = False,
) -> None:
    """Print a response as it comes, and what it cost.

    Args:
        stream: The response; opened here.
        json_lines: Whether to print one event a line, and nothing else.
        tells_id: Whether to tell the id of the response, to go on from it.
    """
    printer = printer_for(sys.stdout, json_lines=json_lines)
    completed: events.Completed | None = None
    try:
        with stream, printer:
            for event in stream:
                printer.show(event)
                if isinstance(event, events.Completed):
                    completed = event
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
        if completed is not None and tells_id:
            notes().print(f"response: {printable(completed.response_id or '?')}", style="dim")
        usage = None if completed is None else completed.token_usage
        _sum_up(usage, stream.rate_limits, stream.api_rate_limits)


def _sum_up(
    usage: TokenUsage | None, plan: RateLimitSnapshot | None, key: ApiRateLimits | None
) -> None:
    lines = (usage_line(usage) if usage else None, limits_line(plan, key))
    for line in lines:
        if line is not None:
            notes().print(line, style="dim")
