"""Options of a command that say what of the public API a request asks for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - read by the parser of the command line
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from msgspec import structs

from codex_api.cli.request_files import read_tools
from codex_api.transport.errors import RequestBuildError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from codex_api.types.request import ResponsesApiRequest


@Parameter(name="*")
@dataclass(frozen=True)
class ContextOptions:
    """What a request goes on from, and which tools it offers."""

    previous: Annotated[
        str | None, Parameter(help="Id of a stored response to go on from.", show_default=False)
    ] = None
    conversation: Annotated[
        str | None,
        Parameter(help="Id of a conversation to go on from, and to add to.", show_default=False),
    ] = None
    tool: Annotated[
        tuple[Path, ...],
        Parameter(
            help="File with a tool, or a list of them, as JSON; may be repeated. The call is "
            "printed, not carried out.",
            negative="",
            show_default=False,
        ),
    ] = ()

    def over(self, request: ResponsesApiRequest) -> ResponsesApiRequest:
        """Lay the options over a request.

        Raises:
            RequestBuildError: They exclude each other, or a file cannot be used.
        """
        if self.previous is not None and self.conversation is not None:
            message = "give --previous or --conversation, not both"
            raise RequestBuildError(message)
        return structs.replace(
            request,
            previous_response_id=self.previous,
            conversation=self.conversation,
            tools=[tool for path in self.tool for tool in read_tools(path)],
        )


@Parameter(name="*")
@dataclass(frozen=True)
class AnswerOptions:
    """How a request is to be answered and kept."""

    max_output_tokens: Annotated[
        int | None, Parameter(help="Limit on what is written, reasoning included.")
    ] = None
    temperature: Annotated[float | None, Parameter(help="How varied: 0 to 2.")] = None
    store: Annotated[
        bool,
        Parameter(
            help="Let the server keep the response, for 'get' and --previous.",
            negative="",
            show_default=False,
        ),
    ] = False
    metadata: Annotated[
        tuple[str, ...],
        Parameter(
            help="One 'name=value' to keep with it; may be repeated.",
            negative="",
            show_default=False,
        ),
    ] = ()

    def over(self, request: ResponsesApiRequest) -> ResponsesApiRequest:
        """Lay the options over a request.

        Raises:
            RequestBuildError: One does not make sense.
        """
        wanted: dict[str, Any] = {
            "max_output_tokens": self.max_output_tokens,
            "temperature": self.temperature,
            "metadata": read_metadata(self.metadata) or None,
        }
        return structs.replace(request, store=self.store, **wanted)


def read_metadata(pairs: Iterable[str]) -> dict[str, str]:
    """Read values of ``--metadata``.

    Raises:
        RequestBuildError: One is no pair.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            message = "--metadata needs 'name=value'"
            raise RequestBuildError(message)
        found[name.strip()] = value
    return found
