"""``codex-api tokens``: how much a request would send to the model."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import Annotated

from cyclopts import Parameter

from codex_api.cli.connection import Connection
from codex_api.cli.listing import print_raw, print_text
from codex_api.cli.prompt import messages
from codex_api.cli.request_files import read_history
from codex_api.cli.request_options import ContextOptions
from codex_api.cli.respond import DEFAULT_MODEL
from codex_api.types.request import ResponsesApiRequest


def tokens(
    prompt: Annotated[
        str | None,
        Parameter(
            help="What would be asked. '-' reads it from standard input; it may be left out with "
            "--input.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    /,
    *,
    connection: Connection = Connection(),  # noqa: B008 - frozen
    context: ContextOptions = ContextOptions(),  # noqa: B008 - frozen
    model: str = DEFAULT_MODEL,
    instructions: Annotated[
        str | None, Parameter(help="How the model would behave.", show_default=False)
    ] = None,
    image: Annotated[
        tuple[str, ...],
        Parameter(help="File or URL; may be repeated.", negative="", show_default=False),
    ] = (),
    input: Annotated[  # noqa: A002 - the option's name
        Path | None, Parameter(help="File of earlier items: a JSON list, or one item a line.")
    ] = None,
    json_object: Annotated[
        bool,
        Parameter(name="--json", negative="", show_default=False, help="Print one JSON object."),
    ] = False,
) -> None:
    """Count the tokens of a request, without making a response."""
    history = [] if input is None else read_history(input)
    request = ResponsesApiRequest.public(
        model=model,
        instructions=instructions or "",
        input=[*history, *messages(prompt, image, alone=not history)],
    )
    with connection.client() as client:
        counted = client.responses.input_tokens(context.over(request))
    if json_object:
        print_raw(counted.raw)
    else:
        print_text(str(counted.input_tokens))
